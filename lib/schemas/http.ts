/** What HTTP callers send about cutovers: commands, outcomes, pages. The JSON itself is read in json-body.ts. */

import * as z from 'zod';
import { BUILT_IN_PLAN_NAMES, type BuiltInPlanName } from '../core/cutover/plan.ts';
import { MAX_BUCKET, MIN_BUCKET } from '../core/gates/histogram.ts';
import { MAX_SLICES } from '../core/routing/slices.ts';
import type { MetricAddition } from '../ports/custom-metrics.ts';
import { atMost, type Input, input, needsConfirm, query } from './input.ts';
import { POLICY_KEYS, policyChange } from './policy.ts';
import { reason, text } from './text.ts';

const confirm = z.string({ error: "confirm is missing: type the cutover's id" }).max(100);

/** The body of a command; its messages call it by the command's name. */
function command<S extends z.ZodObject>(name: string, schema: S, known: readonly string[] = []): Input<z.output<S>> {
  const first = needsConfirm(`'${name}' needs "confirm" with the cutover's id, typed again.`);
  return input(schema, `The body of '${name}'`, { known, ...('confirm' in schema.shape ? { first } : {}) });
}

export const COMMANDS = {
  start: command(
    'start',
    z.strictObject({
      plan: z.enum(BUILT_IN_PLAN_NAMES as [BuiltInPlanName, ...BuiltInPlanName[]]).optional(),
      dwellMinutes: z.number().min(1).max(525_600).optional(),
    }),
  ),
  advance: command('advance', z.strictObject({ force: z.boolean().optional(), reason: reason.optional() })),
  approve: command('approve', z.strictObject({})),
  pause: command('pause', z.strictObject({})),
  resume: command('resume', z.strictObject({})),
  policy: command('policy', policyChange.extend({ reason: reason.optional() }), POLICY_KEYS),
  reads: command('reads', z.strictObject({ to: z.enum(['primary', 'shadow']), reason })),
  'shadow-writes': command('shadow-writes', z.strictObject({ enabled: z.boolean(), reason })),
  rollback: command('rollback', z.strictObject({ reason })),
  complete: command('complete', z.strictObject({ confirm, force: z.boolean().optional(), reason: reason.optional() })),
  cleanup: command('cleanup', z.strictObject({ confirm, dropTracking: z.boolean().optional() })),
  reset: command('reset', z.strictObject({ confirm })),
} as const;

export type CommandName = keyof typeof COMMANDS;
export const COMMAND_NAMES = Object.keys(COMMANDS) as CommandName[];

/** As `command`, for everything at once. */
function systemCommand<S extends z.ZodObject>(name: string, schema: S): Input<z.output<S>> {
  const first = needsConfirm(`'${name}' concerns every cutover and needs "confirm": "system".`);
  return input(schema, `The body of '${name}'`, 'confirm' in schema.shape ? { first } : {});
}

export const SYSTEM_COMMANDS = {
  'emergency-stop': systemCommand('emergency-stop', z.strictObject({ reason })),
  'shadow-writes': systemCommand('shadow-writes', z.strictObject({ enabled: z.boolean(), reason })),
  rollback: systemCommand('rollback', z.strictObject({ confirm, reason })),
  reset: systemCommand('reset', z.strictObject({ confirm })),
} as const;

/** Which forwarded writes an action is about. */
export const forwardAction = input(
  z.union([z.strictObject({ id: z.string().min(1).max(120) }), z.strictObject({ all: z.literal(true) })], {
    error: 'it names one forwarded write, { "id": … }, or all in quarantine, { "all": true }',
  }),
  'The body of an action on forwarded writes',
  { known: ['id', 'all'] },
);

const count = z.number().int().min(0).max(1e9);
/** An index as the SDK writes it, and one that some latency can have. */
const bucket = z
  .string()
  .regex(/^(0|-?[1-9]\d{0,3})$/)
  .refine((index) => Number(index) >= MIN_BUCKET && Number(index) <= MAX_BUCKET, 'it is no bucket of 1 µs … 1 h');
const window = z.strictObject({
  cutover: z.string().max(64),
  operation: z.string().regex(/^[a-z][a-z0-9_.-]{0,39}$/),
  minute: z.number().int().min(0).max(1e9),
  side: z.enum(['primary', 'shadow']),
  slice: z
    .number()
    .int()
    .min(0)
    .max(MAX_SLICES - 1)
    .optional(),
  count,
  errors: count,
  keyless: count,
  left: count.optional(),
  drops: count.optional(),
  latency: z.record(bucket, count),
  checks: count,
  mismatches: count,
  pairs: count.optional(),
  onlyShadow: count.optional(),
  onlyPrimary: count.optional(),
});
const MAX_METRICS = 200;
const figure = z.number().min(-1e15).max(1e15);
const metricSum = z.strictObject({
  cutover: z.string().max(64),
  minute: z.number().int().min(0).max(1e9),
  side: z.enum(['primary', 'shadow']),
  metric: z.string().regex(/^((value|flag)\.[a-z][a-z0-9_]{0,39}|flags)$/, 'it is value.NAME, flag.NAME or flags'),
  n: count,
  sum: figure,
  squares: z.number().min(0).max(1e30),
}) satisfies z.ZodType<MetricAddition>;
const MAX_WINDOWS = 1_000;
const report = z.strictObject({
  flushId: z.string().regex(/^[\x21-\x7e]{1,100}$/),
  source: z.string().regex(/^[\x21-\x7e]{1,100}$/),
  windows: z.array(window).max(MAX_WINDOWS),
  /** Values and flags that the application recorded, for criteria. */
  metrics: z.array(metricSum).max(MAX_METRICS).optional(),
  /** Age of the flags the sender acts on, and the outcomes it has lost so far. */
  flagAgeMs: z.number().min(0).max(1e12).optional(),
  dropped: count.optional(),
  /** Share of its memory that the sender uses; a little more than all of it before it is ended. */
  memory: z.number().min(0).max(10).optional(),
});

export const outcomeReport = input(report, 'The outcome report', {
  known: Object.keys(window.shape),
  first: atMost(
    'windows',
    MAX_WINDOWS,
    (count) => `The report has ${count} windows; ${MAX_WINDOWS} are allowed in one.`,
  ),
});

const limit = z
  .string()
  .regex(/^\d{1,3}$/)
  .transform(Number)
  .pipe(z.number().min(1).max(200))
  .default(50);

/** The first entries of a list: `limit` 1–200. */
export const newest = query(z.strictObject({ limit }));

/** A page of a list: `limit` 1–200, `after` a sequence number. */
export const page = query(
  z.strictObject({
    limit,
    after: z
      .string()
      .regex(/^\d{1,12}$/)
      .transform(Number)
      .optional(),
  }),
);

/** `?key=…`: a key as JSON text, or the bare value. */
export const recordKey = query(z.strictObject({ key: text(2_000) }));
