/** What HTTP callers send: bodies, headers, path and query, checked before anything is looked up or changed. The JSON itself is read in json-body.ts. */

import * as z from 'zod';
import { CrossfadeError } from '../core/base/errors.ts';
import { didYouMean } from '../core/base/nearest.ts';
import { CUTOVER_ID, type CutoverDeclaration } from '../core/cutover/cutover.ts';
import { BUILT_IN_PLAN_NAMES, type BuiltInPlanName } from '../core/cutover/plan.ts';
import { MAX_BUCKET, MIN_BUCKET } from '../core/gates/histogram.ts';
import { POLICY_KEYS, policyChange } from './policy.ts';
import { parse } from './problems.ts';

/** Text without lone surrogates and NUL: both would be changed or refused further down. */
const text = (max: number) =>
  z
    .string()
    .min(1)
    .max(max)
    .refine((value) => value.isWellFormed() && !value.includes('\0'), 'it holds NUL or half a surrogate pair');
const reason = text(1_000);
const confirm = z.string({ error: "confirm is missing: type the cutover's id" }).max(100);

export const commandBodies = {
  start: z.strictObject({
    plan: z.enum(BUILT_IN_PLAN_NAMES as [BuiltInPlanName, ...BuiltInPlanName[]]).optional(),
    dwellMinutes: z.number().min(1).max(525_600).optional(),
  }),
  advance: z.strictObject({ force: z.boolean().optional(), reason: reason.optional() }),
  approve: z.strictObject({}),
  pause: z.strictObject({}),
  resume: z.strictObject({}),
  policy: policyChange.extend({ reason: reason.optional() }),
  reads: z.strictObject({ to: z.enum(['primary', 'shadow']), reason }),
  'shadow-writes': z.strictObject({ enabled: z.boolean(), reason }),
  rollback: z.strictObject({ reason }),
  complete: z.strictObject({ confirm, force: z.boolean().optional(), reason: reason.optional() }),
  cleanup: z.strictObject({ confirm, dropTracking: z.boolean().optional() }),
  reset: z.strictObject({ confirm }),
} as const;

export type CommandName = keyof typeof commandBodies;
export const COMMAND_NAMES = Object.keys(commandBodies) as CommandName[];

/** The command a body asks for. @throws CrossfadeError `confirm_required`, `invalid_input`, `unknown_property` */
export function parseCommand(name: CommandName, body: unknown) {
  const schema = commandBodies[name];
  const needsConfirm = 'confirm' in schema.shape;
  if (needsConfirm && (body as Record<string, unknown>).confirm === undefined) {
    throw new CrossfadeError('confirm_required', `'${name}' needs "confirm" with the cutover's id, typed again.`);
  }
  const fields = parse<Record<string, unknown>>(schema, body, `The body of '${name}'`, {
    known: [...Object.keys(schema.shape), ...(name === 'policy' ? POLICY_KEYS : [])],
  });
  return { type: name, ...fields };
}

export const systemBodies = {
  'emergency-stop': z.strictObject({ reason }),
  'shadow-writes': z.strictObject({ enabled: z.boolean(), reason }),
  rollback: z.strictObject({ confirm, reason }),
  reset: z.strictObject({ confirm }),
} as const;

export function parseSystemCommand<Name extends keyof typeof systemBodies>(
  name: Name,
  body: unknown,
): z.infer<(typeof systemBodies)[Name]> {
  const schema = systemBodies[name];
  if ('confirm' in schema.shape && (body as Record<string, unknown>).confirm === undefined) {
    throw new CrossfadeError('confirm_required', `'${name}' concerns every cutover and needs "confirm": "system".`);
  }
  return parse(schema as unknown as z.ZodType<z.infer<(typeof systemBodies)[Name]>>, body, `The body of '${name}'`, {
    known: Object.keys(schema.shape),
  });
}

/** @throws CrossfadeError `invalid_identifier`, `not_found` with the nearest id */
export function findCutover(declarations: readonly CutoverDeclaration[], id: string | undefined): CutoverDeclaration {
  if (id === undefined || !CUTOVER_ID.test(id)) {
    throw new CrossfadeError('invalid_identifier', 'A cutover id is lower_snake_case of at most 40 characters.');
  }
  const declaration = declarations.find((candidate) => candidate.id === id);
  if (declaration) return declaration;
  const ids = declarations.map((candidate) => candidate.id);
  throw new CrossfadeError(
    'not_found',
    `No cutover '${id}' is declared.${didYouMean(id, ids)} Declared: ${ids.join(', ') || 'none'}.`,
  );
}

export const copyAction = z.union(
  [z.strictObject({ id: z.string().min(1).max(120) }), z.strictObject({ all: z.literal(true) })],
  {
    error: 'it names one copy, { "id": … }, or all in quarantine, { "all": true }',
  },
);

/** Which copies an action is about. @throws CrossfadeError `invalid_input` */
export function parseCopyAction(body: unknown): { id: string } | { all: true } {
  return parse(copyAction, body, 'The body of an action on copies', { known: ['id', 'all'] });
}

export const IDEMPOTENCY_KEY = /^[\x21-\x7e]{1,200}$/;

/** @throws CrossfadeError `invalid_input` when missing, too long or not printable ASCII */
export function readIdempotencyKey(value: string | undefined): string {
  if (value !== undefined && IDEMPOTENCY_KEY.test(value)) return value;
  throw new CrossfadeError(
    'invalid_input',
    'Commands need an Idempotency-Key header of 1–200 printable ASCII characters; a UUID is a good one.',
  );
}

export const IF_MATCH = /^"(\d{1,15})"$/;

/** The version of an `If-Match: "12"`. @throws CrossfadeError `precondition_required`, `invalid_input` */
export function readIfMatch(value: string | undefined): number {
  if (value === undefined) {
    throw new CrossfadeError(
      'precondition_required',
      'Commands need an If-Match header with the version they are based on, as the ETag of GET /v1/cutovers/{cutover} gives it: If-Match: "12".',
    );
  }
  const match = IF_MATCH.exec(value);
  if (!match)
    throw new CrossfadeError('invalid_input', 'If-Match must be one strong tag such as "12": no *, no W/, no list.');
  return Number(match[1]);
}

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
const MAX_WINDOWS = 1_000;
export const outcomeReport = z.strictObject({
  flushId: z.string().regex(/^[\x21-\x7e]{1,100}$/),
  source: z.string().regex(/^[\x21-\x7e]{1,100}$/),
  windows: z.array(window).max(MAX_WINDOWS),
  /** Age of the flags the sender acts on, and the outcomes it has lost so far. */
  flagAgeMs: z.number().min(0).max(1e12).optional(),
  dropped: count.optional(),
  /** Share of its memory that the sender uses; a little more than all of it before it is ended. */
  memory: z.number().min(0).max(10).optional(),
});

export function parseOutcomes(body: unknown): z.infer<typeof outcomeReport> {
  const windows = (body as { windows?: unknown }).windows;
  if (Array.isArray(windows) && windows.length > MAX_WINDOWS) {
    throw new CrossfadeError(
      'too_large',
      `The report has ${windows.length} windows; ${MAX_WINDOWS} are allowed in one.`,
    );
  }
  return parse(outcomeReport, body, 'The outcome report', {
    known: [...Object.keys(window.shape), ...Object.keys(outcomeReport.shape)],
  });
}

export const pageQuery = z.strictObject({
  limit: z
    .string()
    .regex(/^\d{1,3}$/)
    .transform(Number)
    .pipe(z.number().min(1).max(200))
    .default(50),
  after: z
    .string()
    .regex(/^\d{1,12}$/)
    .transform(Number)
    .optional(),
});

/** A page of a list: `limit` 1–200, `after` a sequence number. */
export function parsePage(query: Readonly<Record<string, string>>): { limit: number; afterSeq?: number } {
  const { limit, after } = parse(pageQuery as z.ZodType<{ limit: number; after?: number }>, query, 'The query', {
    known: ['limit', 'after'],
  });
  return { limit, ...(after === undefined ? {} : { afterSeq: after }) };
}

export const recordQuery = z.strictObject({ key: text(2_000) });

/** `?key=…`: a key as JSON text, or the bare value. @throws CrossfadeError `invalid_input` */
export function parseRecordQuery(query: Readonly<Record<string, string>>): string {
  return parse(recordQuery as z.ZodType<{ key: string }>, query, 'The query', { known: ['key'] }).key;
}
