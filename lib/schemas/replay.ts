/**
 * A recorded trace as a file. What makes it unreadable is refused with the path of each problem; what makes a single
 * window impossible (negative, more errors than operations, no number) is kept, since the gates must hold for it.
 */

import * as z from 'zod';
import { CrossfadeError } from '../core/base/errors.ts';
import { emptyWindow, withTold } from '../core/gates/minute-window.ts';
import { histogramOf, type ReplayRow, type ReplayRows, type ReplayTrace } from '../core/replay/replay.ts';
import { type JsonRows, readJsonRows } from './json-rows.ts';
import { declaredPolicy } from './policy.ts';
import { describe } from './problems.ts';

const MOST_MINUTES = 1_000_000;
const MOST_ROWS = 2_000_000;
const MOST_PROBLEMS = 5;
const MOST_SLICES = 50;

const rate = z.number().gt(0).lt(1);
const increase = z.number().gt(0).max(100);

/** Every other key of a policy under its name, and as it is checked there. */
const {
  errorRateRollback: _1,
  errorRateAdvance: _2,
  latencyIncreaseRollback: _3,
  latencyIncreaseAdvance: _4,
  validationScoreRollback: _5,
  validationScoreAdvance: _6,
  consecutiveFailures: _7,
  ...others
} = declaredPolicy.shape;

const config = z
  .looseObject({
    errorRateRollback: rate.optional(),
    errorRateAdvance: rate.optional(),
    latencyIncreaseRollback: increase.optional(),
    latencyIncreaseAdvance: increase.optional(),
    validationScoreRollback: rate.optional(),
    validationScoreAdvance: rate.optional(),
    consecutiveFailures: z.int().min(1).max(1_000).optional(),
    minDwellMinutes: z.number().min(0).max(525_600).optional(),
    stageMaxMinutes: z.number().gt(0).max(525_600).optional(),
    ...others,
  })
  .refine((given) => (given.errorRateAdvance ?? 0) <= (given.errorRateRollback ?? 1), {
    path: ['errorRateAdvance'],
    error: 'is above errorRateRollback',
  })
  .refine((given) => (given.latencyIncreaseAdvance ?? 0) <= (given.latencyIncreaseRollback ?? 100), {
    path: ['latencyIncreaseAdvance'],
    error: 'is above latencyIncreaseRollback',
  })
  .refine((given) => (given.validationScoreAdvance ?? 1) >= (given.validationScoreRollback ?? 0), {
    path: ['validationScoreAdvance'],
    error: 'is below validationScoreRollback',
  });

/** A figure of a window. JSON writes NaN as null. */
const figure = z.number().nullable().optional();

const row = z.looseObject({
  minute: z.int().min(-MOST_MINUTES).max(MOST_MINUTES),
  path: z.enum(['primary', 'shadow']),
  count: figure,
  errors: figure,
  latency: z.array(z.number().nullable()).max(5_000).nullable().optional(),
  checks: figure,
  mismatches: figure,
  incomparable: figure,
  /** Operations that lost their connection, and the share of its memory that their process used; where its sender tells. */
  drops: figure,
  memory: z.number().min(0).max(10).optional(),
  confirmedCorruption: z.union([z.boolean(), z.number()]).nullable().optional(),
  slice: z
    .int()
    .min(0)
    .max(MOST_SLICES - 1)
    .nullable()
    .optional(),
  operation: z.string().max(200).nullable().optional(),
  source: z
    .union([z.string().max(200), z.number()])
    .nullable()
    .optional(),
  late: z.int().min(0).max(MOST_MINUTES).nullable().optional(),
});

const file = z.looseObject({
  id: z.string().min(1).max(200),
  config: config.default({}),
  stage: z.looseObject({
    share: z.number().min(0).max(1),
    startsAtMinute: z.int().min(-MOST_MINUTES).max(MOST_MINUTES).default(1),
    slices: z
      .array(z.number().min(0).max(1))
      .min(1)
      .max(MOST_SLICES)
      .refine((shares) => Math.abs(shares.reduce((sum, share) => sum + share, 0) - 1) < 1e-6, {
        error: 'do not add up to 1',
      })
      .optional(),
  }),
  rows: z.array(z.unknown()),
});

/**
 * The trace in a file. Every row is checked now and parsed again when it is delivered, so only the bytes are kept.
 * @throws CrossfadeError `invalid_json`, `invalid_input` with the path of each problem
 */
export function readTrace(text: string | Buffer, name: string): ReplayTrace {
  const json = parsed(name, () => readJsonRows(typeof text === 'string' ? Buffer.from(text) : text));
  const head = file.safeParse(json.rest);
  const { minutes, lateness, issues } = checkedRows(json, name);
  const all = [...(head.error?.issues ?? []), ...issues];
  if (!head.success || all.length > 0) throw unreadable(name, all);
  const { id, config, stage } = head.data;
  const { minDwellMinutes = 0, stageMaxMinutes = null, ...thresholds } = config;
  const rows: ReplayRows = {
    length: json.length,
    minute: (index) => minutes[index]!,
    late: (index) => (lateness[index]! < 0 ? null : lateness[index]!),
    row: (index) => rowOf(json.row(index) as z.output<typeof row>),
  };
  return {
    id,
    policy: policyIn(thresholds),
    share: stage.share,
    slices: stage.slices ?? null,
    startsAtMinute: stage.startsAtMinute,
    minDwellMinutes,
    stageMaxMinutes,
    rows,
  };
}

type Issue = z.core.$ZodIssue;

type CheckedRows = { minutes: Int32Array; lateness: Int32Array; issues: Issue[] };

function checkedRows(json: JsonRows, name: string): CheckedRows {
  if (json.length > MOST_ROWS)
    throw new CrossfadeError(
      'invalid_input',
      `${name} cannot be replayed: rows: ${json.length} of them, at most ${MOST_ROWS} are possible.`,
      { details: { file: name } },
    );
  const minutes = new Int32Array(json.length);
  const lateness = new Int32Array(json.length).fill(-1);
  const issues: Issue[] = [];
  for (let index = 0; index < json.length; index += 1) {
    const found = row.safeParse(parsed(`${name}, rows.${index},`, () => json.row(index)));
    if (found.success) {
      minutes[index] = found.data.minute;
      lateness[index] = found.data.late ?? -1;
    } else issues.push(...found.error.issues.map((issue) => ({ ...issue, path: ['rows', index, ...issue.path] })));
  }
  return { minutes, lateness, issues };
}

function unreadable(name: string, issues: readonly Issue[]): CrossfadeError {
  const problems = issues.slice(0, MOST_PROBLEMS).flatMap((issue) => describe(issue, []));
  const more = issues.length > MOST_PROBLEMS ? `; and ${issues.length - MOST_PROBLEMS} more` : '';
  return new CrossfadeError('invalid_input', `${name} cannot be replayed: ${problems.join('; ')}${more}.`, {
    details: { file: name, problems },
  });
}

function parsed<T>(name: string, parse: () => T): T {
  try {
    return parse();
  } catch (error) {
    throw new CrossfadeError('invalid_json', `${name} is not JSON: ${(error as Error).message}.`, {
      details: { file: name },
    });
  }
}

function policyIn(thresholds: Record<string, unknown>): ReplayTrace['policy'] {
  const names = Object.keys(declaredPolicy.shape).filter((name) => thresholds[name] !== undefined);
  return Object.fromEntries(names.map((name) => [name, thresholds[name]]));
}

function rowOf({
  minute,
  path,
  count,
  errors,
  latency,
  checks,
  mismatches,
  incomparable,
  drops,
  memory,
  confirmedCorruption,
  slice,
  operation,
  source,
  late,
}: z.output<typeof row>): ReplayRow {
  return {
    part: {
      slice: slice ?? null,
      operation: operation ?? '',
      window: withTold(
        {
          ...emptyWindow(minute, path),
          // What is missing was not counted; what is no number makes the window impossible.
          count: number(count, Number.NaN),
          errors: number(errors, 0),
          checks: number(checks, 0),
          mismatches: number(mismatches, 0),
          ...(incomparable === undefined ? {} : { incomparable: number(incomparable, 0) }),
          ...(drops === undefined ? {} : { drops: number(drops, 0) }),
          latency: histogramOf((latency ?? []).map((value) => value ?? Number.NaN)),
        },
        memory,
      ),
    },
    source: String(source ?? ''),
    late: late ?? null,
    confirmedCorruption: confirmedCorruption === true || Number(confirmedCorruption ?? 0) > 0,
  };
}

const number = (value: number | null | undefined, missing: number) =>
  value === null ? Number.NaN : (value ?? missing);
