/**
 * A recorded trace as a file. What makes it unreadable is refused with the path of each problem; what makes a single
 * window impossible (negative, more errors than operations, no number) is kept, since the gates must hold for it.
 */

import * as z from 'zod';
import { CrossfadeError } from '../core/errors.ts';
import { emptyWindow } from '../core/evidence.ts';
import { histogramOf, type ReplayRow, type ReplayTrace } from '../core/replay.ts';
import { describe } from './problems.ts';

const MOST_MINUTES = 1_000_000;
const MOST_ROWS = 2_000_000;
const MOST_PROBLEMS = 5;

const rate = z.number().gt(0).lt(1);
const increase = z.number().gt(0).max(100);

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
  confirmedCorruption: z.union([z.boolean(), z.number()]).nullable().optional(),
});

const file = z.looseObject({
  id: z.string().min(1).max(200),
  config: config.default({}),
  stage: z.looseObject({
    share: z.number().min(0).max(1),
    startsAtMinute: z.int().min(-MOST_MINUTES).max(MOST_MINUTES).default(1),
  }),
  rows: z.array(row).max(MOST_ROWS),
});

/**
 * The trace in the text of a file.
 * @throws CrossfadeError `invalid_json`, `invalid_input` with the path of each problem
 */
export function readTrace(text: string, name: string): ReplayTrace {
  const parsed = file.safeParse(parseJson(text, name));
  if (!parsed.success) {
    const { issues } = parsed.error;
    const problems = issues.slice(0, MOST_PROBLEMS).flatMap((issue) => describe(issue, []));
    const more = issues.length > MOST_PROBLEMS ? `; and ${issues.length - MOST_PROBLEMS} more` : '';
    throw new CrossfadeError('invalid_input', `${name} cannot be replayed: ${problems.join('; ')}${more}.`, {
      details: { file: name, problems },
    });
  }
  const { id, config, stage, rows } = parsed.data;
  const { minDwellMinutes = 0, stageMaxMinutes = null, ...thresholds } = config;
  return {
    id,
    policy: policyIn(thresholds),
    share: stage.share,
    startsAtMinute: stage.startsAtMinute,
    minDwellMinutes,
    stageMaxMinutes,
    rows: rows.map(rowOf),
  };
}

function policyIn(thresholds: Record<string, unknown>): ReplayTrace['policy'] {
  const names = [
    'errorRateRollback',
    'errorRateAdvance',
    'latencyIncreaseRollback',
    'latencyIncreaseAdvance',
    'validationScoreRollback',
    'validationScoreAdvance',
    'consecutiveFailures',
  ];
  return Object.fromEntries(names.filter((name) => thresholds[name] !== undefined).map((name) => [name, thresholds[name]]));
}

function parseJson(text: string, name: string): unknown {
  try {
    return JSON.parse(text.startsWith('\ufeff') ? text.slice(1) : text);
  } catch (error) {
    throw new CrossfadeError('invalid_json', `${name} is not JSON: ${(error as Error).message}.`, {
      details: { file: name },
    });
  }
}

function rowOf({ minute, path, count, errors, latency, checks, mismatches, confirmedCorruption }: z.output<typeof row>) {
  return {
    ...emptyWindow(minute, path),
    // What is missing was not counted; what is no number makes the window impossible.
    count: number(count, Number.NaN),
    errors: number(errors, 0),
    checks: number(checks, 0),
    mismatches: number(mismatches, 0),
    latency: histogramOf((latency ?? []).map((value) => value ?? Number.NaN)),
    confirmedCorruption: confirmedCorruption === true || Number(confirmedCorruption ?? 0) > 0,
  } satisfies ReplayRow;
}

const number = (value: number | null | undefined, missing: number) => (value === null ? Number.NaN : (value ?? missing));
