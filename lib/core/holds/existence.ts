/**
 * What no force skips. Force is a person's word in place of evidence: samples, comparisons, dwell, latency. That the shadow is
 * there, is copied and follows is no evidence: readers who are sent to less get wrong answers. Pure.
 */

import { MINUTE_MS } from '../base/units.ts';
import { type Condition, condition, ms, type Verdict } from '../conditions/verdict.ts';
import type { CutoverState } from '../cutover/cutover.ts';
import { isUnderWay } from '../cutover/stage-kinds.ts';
import type { TableStatus } from '../gates/evidence.ts';

/** A shadow that is further behind gets no readers. The policy's own limit counts where it is higher. */
export const LAG_NEVER_FORCED_MS = 5 * MINUTE_MS;

/** Conditions of the data plane that are about the shadow itself: asked, armed, copied, of the compiled shape, swept. */
const NEVER_FORCED: ReadonlySet<string> = new Set(['database', 'armed', 'backfill', 'schema_changed', 'sweep']);

/** Capture must run for this very run of the cutover; null when it does, and where there is none. */
export function armedHold(state: CutoverState, table: TableStatus | null): Condition | null {
  if (state.kind !== 'table' || !isUnderWay(state) || !table) return null;
  const { armed, mirror } = table;
  if (armed === 'forward' && mirror?.epoch === state.epoch) return null;
  const behind = armed === 'forward';
  const seen = behind
    ? `the fence in Postgres is at epoch ${mirror?.epoch ?? 'none'}, the state at ${state.epoch}`
    : `capture is armed ${armed === 'none' ? 'in no direction' : armed}, not forward`;
  const text = `The shadow does not follow yet: ${seen}. Every tick arms it; its log has the cause when it cannot.`;
  return behind
    ? condition('armed', false, mirror?.epoch ?? null, state.epoch, text)
    : condition('armed', false, armed, 'forward', text);
}

/** What is missing by a verdict, so that force does not help. */
export const missingOf = (verdict: Verdict | null): Condition[] =>
  (verdict?.conditions ?? []).filter((one) => !one.ok && (NEVER_FORCED.has(one.code) || isTooFarBehind(one)));

const isTooFarBehind = ({ code, value, limit }: Condition) =>
  code === 'lag' && Number(value) > Math.max(LAG_NEVER_FORCED_MS, Number(limit));

/** For the refusal. */
export const missingText = (missing: readonly Condition[]): string =>
  `Force skips evidence, not this: ${missing.map(({ text }) => text).join(' ')} Readers go only to a shadow that is armed, copied and at most ${ms(LAG_NEVER_FORCED_MS)} behind.`;
