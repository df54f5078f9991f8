/**
 * What no force skips. Force is a person's word in place of evidence: samples, comparisons, dwell, latency. That the shadow is
 * there, is copied and follows is no evidence: readers who are sent to less get wrong answers. Pure.
 */

import { MINUTE_MS } from '../base/units.ts';
import { type Condition, condition } from '../conditions/condition.ts';
import { ms } from '../conditions/figures.ts';
import { textOf } from '../conditions/show.ts';
import { hasRole } from '../conditions/table.ts';
import type { Verdict } from '../conditions/verdict.ts';
import type { CutoverState } from '../cutover/cutover.ts';
import { isUnderWay } from '../cutover/stage-kinds.ts';
import type { TableStatus } from '../gates/table-status.ts';

/** A shadow that is further behind gets no readers. The policy's own limit counts where it is higher. */
const LAG_NEVER_FORCED_MS = 5 * MINUTE_MS;

/** Capture must run for this very run of the cutover; null when it does, and where there is none. */
export function armedHold(state: CutoverState, table: TableStatus | null): Condition | null {
  if (state.kind !== 'table' || !isUnderWay(state) || !table) return null;
  const { armed, mirror } = table;
  if (armed === 'forward' && mirror?.epoch === state.epoch) return null;
  const behind = armed === 'forward';
  const found = behind
    ? `the fence in Postgres is at epoch ${mirror?.epoch ?? 'none'}, the state at ${state.epoch}`
    : `capture is armed ${armed === 'none' ? 'in no direction' : armed}, not forward`;
  return condition('armed', {
    ok: false,
    seen: behind ? (mirror?.epoch ?? null) : armed,
    limit: behind ? state.epoch : 'forward',
    says: `The shadow does not follow yet: ${found}.`,
    release: { wait: 'arming' },
  });
}

/** What is missing by a verdict, so that force does not help. */
export const missingOf = (verdict: Verdict | null): Condition[] =>
  (verdict?.conditions ?? []).filter((one) => !one.ok && (hasRole(one, 'never_forced') || isTooFarBehind(one)));

const isTooFarBehind = ({ code, seen, limit }: Condition) =>
  code === 'lag' && Number(seen) > Math.max(LAG_NEVER_FORCED_MS, Number(limit));

/** For the refusal. */
export const missingText = (missing: readonly Condition[]): string =>
  `Force skips evidence, not this: ${textOf(missing)} Readers go only to a shadow that is armed, copied and at most ${ms(LAG_NEVER_FORCED_MS)} behind.`;
