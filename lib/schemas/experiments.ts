/** Declarations, events and stored totals of experiments. */

import * as z from 'zod';
import { CrossfadeError } from '../core/base/errors.ts';
import type { ExperimentDeclaration } from '../core/cutover/experiment-declaration.ts';
import { type CohortTotals, type ExperimentEvent, MAX_VALUE } from '../core/report/experiment.ts';
import { parse } from './problems.ts';

const NAME = /^[a-z][a-z0-9_]{0,39}$/;

export const experimentDeclaration = z.strictObject({
  id: z.string().regex(NAME, 'an experiment is called in lower_snake_case of at most 40 characters'),
  share: z.number().gt(0).lt(100),
  size: z.number().int().min(2).max(1_000_000_000),
  alpha: z.number().gt(0).max(0.2).default(0.05),
  conversion: z.string().min(1).max(80).default('conversions'),
  value: z.string().min(1).max(80).default('values'),
}) satisfies z.ZodType<ExperimentDeclaration>;

const MAX_EVENTS = 1_000;
const event = z.strictObject({
  key: z
    .string()
    .min(1)
    .max(1_024)
    .refine((key) => key.isWellFormed() && !key.includes('\0'), 'it holds NUL or half a surrogate pair'),
  converted: z.boolean().optional(),
  value: z.number().min(-MAX_VALUE).max(MAX_VALUE).optional(),
}) satisfies z.ZodType<ExperimentEvent>;
const name = z.string().regex(/^[\x21-\x7e]{1,100}$/, 'it has 1–100 printable ASCII characters');
export const eventBatch = z.strictObject({ batchId: name, source: name, events: z.array(event).max(MAX_EVENTS) });

export type EventBatch = { batchId: string; source: string; events: ExperimentEvent[] };

/** @throws CrossfadeError `too_large`, `invalid_input`, `unknown_property` */
export function parseEvents(body: unknown): EventBatch {
  const { events } = body as { events?: unknown };
  if (Array.isArray(events) && events.length > MAX_EVENTS)
    throw new CrossfadeError('too_large', `The batch has ${events.length} events; ${MAX_EVENTS} are allowed in one.`);
  return parse(eventBatch as z.ZodType<EventBatch>, body, 'The batch of events', {
    known: [...Object.keys(eventBatch.shape), ...Object.keys(event.shape)],
  });
}

export const EXPERIMENT_ID = /^[a-z][a-z0-9_]{0,39}\.[a-z][a-z0-9_]{0,39}$/;

/** @throws CrossfadeError `invalid_identifier` */
export function readExperimentId(id: string | undefined): string {
  if (id !== undefined && EXPERIMENT_ID.test(id)) return id;
  throw new CrossfadeError('invalid_identifier', "An experiment's id is CUTOVER.EXPERIMENT, both in lower_snake_case.");
}

const count = z.int().nonnegative();
export const cohortTotals = z
  .object({ n: count, conversions: count, values: count, sum: z.number(), sumSquares: z.number().nonnegative() })
  .refine(
    ({ n, conversions, values }) => conversions <= n && values <= n,
    'more conversions or values than units',
  ) satisfies z.ZodType<CohortTotals>;
