/**
 * A recorded trace as a file. What makes it unreadable is refused with the path of each problem; what makes a single
 * window impossible (negative, more errors than operations, no number) is kept, since the gates must hold for it.
 */

import * as z from 'zod';
import { CrossfadeError } from '../core/base/errors.ts';
import { emptyWindow } from '../core/gates/minute-window.ts';
import { histogramOf, type ReplayRow, type ReplayRows, type ReplayTrace } from '../core/replay/replay.ts';
import { type JsonRows, readJsonRows } from './json-rows.ts';
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
  rows: z.array(z.unknown()),
});

/**
 * The trace in a file. Every row is checked now and parsed again when it is delivered, so only the bytes are kept.
 * @throws CrossfadeError `invalid_json`, `invalid_input` with the path of each problem
 */
export function readTrace(text: string | Buffer, name: string): ReplayTrace {
  const json = parsed(name, () => readJsonRows(typeof text === 'string' ? Buffer.from(text) : text));
  const head = file.safeParse(json.rest);
  const { minutes, issues } = checkedRows(json, name);
  const all = [...(head.error?.issues ?? []), ...issues];
  if (!head.success || all.length > 0) throw unreadable(name, all);
  const { id, config, stage } = head.data;
  const { minDwellMinutes = 0, stageMaxMinutes = null, ...thresholds } = config;
  const rows: ReplayRows = {
    length: json.length,
    minute: (index) => minutes[index]!,
    row: (index) => rowOf(json.row(index) as z.output<typeof row>),
  };
  return {
    id,
    policy: policyIn(thresholds),
    share: stage.share,
    startsAtMinute: stage.startsAtMinute,
    minDwellMinutes,
    stageMaxMinutes,
    rows,
  };
}

type Issue = z.core.$ZodIssue;

function checkedRows(json: JsonRows, name: string): { minutes: Int32Array; issues: Issue[] } {
  if (json.length > MOST_ROWS)
    throw new CrossfadeError(
      'invalid_input',
      `${name} cannot be replayed: rows: ${json.length} of them, at most ${MOST_ROWS} are possible.`,
      { details: { file: name } },
    );
  const minutes = new Int32Array(json.length);
  const issues: Issue[] = [];
  for (let index = 0; index < json.length; index += 1) {
    const found = row.safeParse(parsed(`${name}, rows.${index},`, () => json.row(index)));
    if (found.success) minutes[index] = found.data.minute;
    else issues.push(...found.error.issues.map((issue) => ({ ...issue, path: ['rows', index, ...issue.path] })));
  }
  return { minutes, issues };
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
  const names = [
    'errorRateRollback',
    'errorRateAdvance',
    'latencyIncreaseRollback',
    'latencyIncreaseAdvance',
    'validationScoreRollback',
    'validationScoreAdvance',
    'consecutiveFailures',
  ];
  return Object.fromEntries(
    names.filter((name) => thresholds[name] !== undefined).map((name) => [name, thresholds[name]]),
  );
}

function rowOf({
  minute,
  path,
  count,
  errors,
  latency,
  checks,
  mismatches,
  confirmedCorruption,
}: z.output<typeof row>) {
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

const number = (value: number | null | undefined, missing: number) =>
  value === null ? Number.NaN : (value ?? missing);
