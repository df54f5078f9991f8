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
      /** The signed report of a rehearsal. */
      rehearsal: z.string().max(8_192).optional(),
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

/** Says nothing: the states say what is published. */
export const PUBLISH = input(z.strictObject({}), "The body of 'publish'");

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
  incomparable: count.optional(),
});
const MAX_DURATIONS = 10_000;
const MAX_BOUNDS = 200;
const durationMs = z.number().min(0).max(3_600_000);
/** As a program without the SDK says it, with what it leaves out filled in. */
const plain = z
  .strictObject({
    cutover: z.string().max(64),
    operation: window.shape.operation.default('read'),
    minute: window.shape.minute.optional(),
    side: window.shape.side,
    slice: window.shape.slice.nullable(),
    durationsMs: z.array(durationMs).max(MAX_DURATIONS).optional(),
    histogram: z
      .strictObject({
        boundsMs: z.array(durationMs.gt(0)).min(1).max(MAX_BOUNDS),
        counts: z
          .array(count)
          .min(2)
          .max(MAX_BOUNDS + 1),
      })
      .refine(
        ({ boundsMs, counts }) => counts.length === boundsMs.length + 1,
        'counts has one entry more than boundsMs',
      )
      .refine(({ boundsMs }) => boundsMs.every((bound, i) => i === 0 || bound > boundsMs[i - 1]!), 'boundsMs must rise')
      .optional(),
    errors: count.optional(),
    keyless: count.optional(),
    left: count.optional(),
    checks: count.optional(),
    mismatches: count.optional(),
  })
  .refine(
    ({ durationsMs, histogram }) => (durationsMs === undefined) !== (histogram === undefined),
    'say how long the operations took, with either durationsMs or histogram',
  );
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
const name = z.string().regex(/^[\x21-\x7e]{1,100}$/);
const report = z.strictObject({
  flushId: name,
  source: name,
  windows: z.array(window).max(MAX_WINDOWS),
  /** Values and flags that the application recorded, for criteria. */
  metrics: z.array(metricSum).max(MAX_METRICS).optional(),
  /** Age of the flags the sender acts on, and the outcomes it has lost so far. */
  flagAgeMs: z.number().min(0).max(1e12).optional(),
  dropped: count.optional(),
  /** Share of its memory that the sender uses; a little more than all of it before it is ended. */
  memory: z.number().min(0).max(10).optional(),
});
const plainReport = z.strictObject({
  /** The same one sent twice is counted once. Default: a new one, so what is sent again is counted again. */
  flushId: name.optional(),
  /** Name of the sending process among others. Default: the subject of the token. */
  source: name.optional(),
  operations: z.array(plain).min(1).max(MAX_WINDOWS),
});

const windowReport = input(report, 'The outcome report', {
  known: Object.keys(window.shape),
  first: atMost(
    'windows',
    MAX_WINDOWS,
    (count) => `The report has ${count} windows; ${MAX_WINDOWS} are allowed in one.`,
  ),
});
const operationReport = input(plainReport, 'The outcome report', {
  known: ['cutover', 'side', 'durationsMs', 'histogram', 'slice', 'operation'],
});

/** `windows` as the SDK adds them up, or `operations` with durations or counts between bounds. */
export const outcomeReport: Input<z.output<typeof report> | z.output<typeof plainReport>> = {
  schema: z.union([report, plainReport]),
  read: (body) => ('operations' in (body as object) ? operationReport : windowReport).read(body),
};

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
