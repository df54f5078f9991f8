/** What begins again within the evidence of a cutover: another run, a stage, the minutes after the warm-up, a day. */

import type { Evidence } from './evidence.ts';
import { onShadow } from './ground.ts';
import { LATENCIES, levelsOf, standingOf } from './levels.ts';
import { type Martingale, withoutEvidence, withoutExcursions } from './martingale.ts';
import { METRICS, type Metric } from './metrics.ts';
import { nextLatencyHorizon, placeLatency, warmLatency } from './operation-latency.ts';
import { nextHorizon } from './operations.ts';
import { NO_SIZE } from './size.ts';

/** Evidence while a minute is folded into it. */
export type Draft = { -readonly [Key in keyof Evidence]: Evidence[Key] };

/** What of a fold says where something begins, see `FoldContext`. */
type Run = { ends: readonly number[]; share: number; firstMinute: number; runMinute: number | null };

/** Other slices than before: what is known of those is of no use. */
export function forget(draft: Draft, { ends, runMinute }: Run): void {
  draft.ends = ends;
  draft.runMinute = runMinute;
  draft.share = 0;
  draft.slices = [];
  draft.levels = null;
  draft.latencies = [];
  draft.traffic = [];
}

/** Where the slices stand is fixed as the first minute of the stage is judged. */
export function begin(draft: Draft, minute: number, { ends, share, firstMinute }: Run): void {
  if (draft.minutes > 0 || minute < firstMinute) return;
  const before = { levels: draft.levels, served: (slice: number) => onShadow({ ends, share: draft.share }, slice) };
  draft.share = share;
  if (ends.length === 0 || draft.slices.length === 0) {
    draft.levels = null;
    draft.latencies = placeLatency(draft.latencies, null, { ends, share });
    return;
  }
  const slices = draft.slices.slice(0, ends.length);
  const standing = standingOf(slices, before, firstMinute);
  draft.levels = levelsOf(slices, before.levels, standing);
  draft.latencies = placeLatency(draft.latencies, standing, { ends, share });
}

/** What was beyond the threshold while caches were cold says nothing of how far it is beyond now. What was proven stays. */
export function warm(draft: Draft): void {
  const [metrics, sizes] = [{ ...draft.metrics }, { ...draft.sizes }];
  for (const name of LATENCIES) {
    sizes[name] = NO_SIZE;
    metrics[name] = withoutExcursions(metrics[name]);
  }
  draft.metrics = metrics;
  draft.sizes = sizes;
  draft.latencies = warmLatency(draft.latencies);
}

export function startHorizon(draft: Draft): void {
  draft.minutes = 1;
  draft.horizon += 1;
  draft.operations = nextHorizon(draft.operations);
  draft.latencies = nextLatencyHorizon(draft.latencies);
  draft.metrics = Object.fromEntries(METRICS.map((name) => [name, withoutEvidence(draft.metrics[name])])) as Record<
    Metric,
    Martingale
  >;
}
