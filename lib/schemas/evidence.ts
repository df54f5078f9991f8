/** Folded evidence as it is stored beside the verdict. */

import * as z from 'zod';
import { EVIDENCE_SCHEMA, type Evidence } from '../core/gates/evidence.ts';
import { LATENCIES } from '../core/gates/levels.ts';
import { COUNTS } from '../core/gates/likelihood-of-minute.ts';
import { METRIC_ROWS, METRICS, PROVEN_GOOD } from '../core/gates/metrics.ts';
import { TIMED_SUMS, WORSE } from '../core/gates/operation-latency.ts';
import { EXCESS, SUMS } from '../core/gates/operations.ts';
import { bucketsIn } from '../core/gates/stored-evidence.ts';

const figure = z.number();
const minute = z.int();
const buckets = z.object({ first: z.int(), counts: z.string() }).transform((stored, context) => {
  const found = bucketsIn(stored);
  if (found) return found;
  context.issues.push({ code: 'custom', message: 'counts nothing that can be', input: stored.counts });
  return z.NEVER;
});

const scatter = z.object({ pairs: figure, squares: figure });
const newest = z.object({ count: figure, errors: figure });
const baseline = z.object({
  minute: minute.nullable(),
  fadedAt: minute.nullable(),
  minutes: figure,
  count: figure,
  errors: figure,
  latency: buckets,
  newest,
  scatter,
});

const share = { n: figure, above: figure };
const sums = z.object({ weight: figure, squares: figure, excess: figure, binomial: figure });
const noise = z.object({
  minute: minute.nullable(),
  last: z.object(share),
  batch: z.object({ ...share, minutes: z.int() }),
  lastBatch: z.object(share),
  minutes: sums,
  batches: sums,
});

const byLatency = <S extends z.ZodType>(schema: S) => z.array(schema).length(LATENCIES.length);
const level = z.object({
  n: figure,
  own: byLatency(figure),
  edges: byLatency(figure),
  uncertain: byLatency(figure),
  errorRate: figure,
  errorUncertain: figure,
  weight: figure,
});

const window = (side: 'primary' | 'shadow') =>
  z.object({
    minute,
    side: z.literal(side),
    count: figure,
    errors: figure,
    keyless: figure,
    checks: figure,
    mismatches: figure,
    latency: buckets,
  });

const martingale = (alternatives: number, sums: number) =>
  z.object({
    logA: z.array(figure).length(alternatives),
    excursions: z
      .array(z.object({ g: figure, bad: z.int(), sums: z.array(figure).length(sums), from: z.int().optional() }))
      .length(alternatives),
  });
const tally = z.object({ n0: figure, e0: figure, n1: figure, e1: figure });

/** A shape that has every name. */
const each = <Name extends string, S>(names: readonly Name[], schemaOf: (name: Name) => S) =>
  Object.fromEntries(names.map((name) => [name, schemaOf(name)])) as Record<Name, S>;

const metrics = z.object(each(METRICS, (name) => martingale(METRIC_ROWS[name].prior.length, COUNTS)));
const size = z.object({ at: figure, bad: z.int() });
const sizes = z.object(each(METRICS, () => size));
const good = z.object(each(PROVEN_GOOD, () => figure));

const sides = z.object({ primary: minute.nullable(), shadow: minute.nullable() });

export const foldedEvidence: z.ZodType<Evidence> = z.object({
  schema: z.literal(EVIDENCE_SCHEMA),
  key: z.string(),
  closedThrough: minute,
  cold: z.boolean(),
  minutes: z.int().nonnegative(),
  horizon: z.int().positive(),
  metrics,
  sizes,
  good,
  usuallyGood: good,
  baseline,
  runMinute: minute.nullable(),
  ends: z.array(figure),
  share: figure,
  slices: z.array(baseline),
  levels: z.array(level.nullable()).nullable(),
  operations: z.array(
    z.object({
      name: z.string(),
      usual: z.object({ count: figure, errors: figure, fadedAt: minute }),
      waiting: tally,
      n1: figure,
      tested: martingale(EXCESS.length, SUMS),
    }),
  ),
  latencies: z.array(
    z.object({
      name: z.string(),
      usual: z.object({ n: z.array(figure), sums: z.array(figure), squares: figure, fadedAt: minute }),
      places: z
        .object({ own: z.array(figure.nullable()), edges: z.array(figure.nullable()), uncertain: z.array(figure) })
        .nullable(),
      mix: z.object({ usually: figure, elsewhere: figure, shadow: figure, primary: figure }),
      above: z.object({ n: figure, above: figure }),
      noise,
      waiting: tally.extend({ over: figure }),
      tested: martingale(WORSE.length, TIMED_SUMS),
      size,
    }),
  ),
  noise: byLatency(noise),
  noiseBeyond: byLatency(noise),
  drift: byLatency(figure),
  primary: window('primary'),
  shadow: window('shadow'),
  above: byLatency(
    z.object({ n0: figure, primary: figure, n1: figure, same: figure, slower: figure, over: figure, usual: figure }),
  ),
  traffic: z.array(z.object({ came: figure, expected: figure, more: figure })),
  recent: z.array(
    z.object({
      minute,
      n0: figure,
      e0: figure,
      n1: figure,
      e1: figure,
      p95Primary: figure.nullable(),
      p95Shadow: figure.nullable(),
      checks: figure,
      mismatches: figure,
      left: figure.optional(),
      drops: figure.optional(),
      told: figure.optional(),
      memory: figure.optional(),
      late: figure.optional(),
      incomparable: figure.optional(),
      good: z.array(figure).length(PROVEN_GOOD.length).optional(),
    }),
  ),
  looks: z.array(
    z.object({
      minute,
      lagMs: figure,
      connections: figure.optional(),
      outboxRows: figure.optional(),
      rowsCopied: figure.optional(),
    }),
  ),
  active: sides,
  reported: sides,
  impossible: z.object({ minute, why: z.string() }).nullable(),
  checkedMinute: minute.nullable(),
  absent: z.int().nonnegative(),
});
