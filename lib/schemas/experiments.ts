/** Declarations, events and stored totals of experiments. */

import * as z from 'zod';
import type { ExperimentDeclaration } from '../core/cutover/experiment-declaration.ts';
import { type CohortTotals, type ExperimentEvent, MAX_VALUE } from '../core/report/experiment.ts';
import { atMost, input } from './input.ts';
import { text } from './text.ts';

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
  key: text(1_024),
  converted: z.boolean().optional(),
  value: z.number().min(-MAX_VALUE).max(MAX_VALUE).optional(),
}) satisfies z.ZodType<ExperimentEvent>;
const name = z.string().regex(/^[\x21-\x7e]{1,100}$/, 'it has 1–100 printable ASCII characters');
const batch = z.strictObject({ batchId: name, source: name, events: z.array(event).max(MAX_EVENTS) });
export const eventBatch = input(batch, 'The batch of events', {
  known: Object.keys(event.shape),
  first: atMost('events', MAX_EVENTS, (count) => `The batch has ${count} events; ${MAX_EVENTS} are allowed in one.`),
});

const count = z.int().nonnegative();
export const cohortTotals = z
  .object({ n: count, conversions: count, values: count, sum: z.number(), sumSquares: z.number().nonnegative() })
  .refine(
    ({ n, conversions, values }) => conversions <= n && values <= n,
    'more conversions or values than units',
  ) satisfies z.ZodType<CohortTotals>;
