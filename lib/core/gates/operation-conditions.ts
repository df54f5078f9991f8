/** What is said of single operation types: one that the shadow fails, one that is slow there, and those of which it has served too few to say so. */

import { type Condition, condition, fired } from '../conditions/condition.ts';
import { ms, percent } from '../conditions/figures.ts';
import { edgeBeyond } from './ground.ts';
import { bucketUpperMs } from './histogram.ts';
import { type TimedOperation, timedOperations } from './operation-latency.ts';
import { FEWEST, type TestedOperation, testedOperations, unseenOperations } from './operations.ts';
import type { Seen } from './seen.ts';
import { BEYOND_WARM, beyond, POINTS_BEYOND } from './size.ts';

/** Proven to fail more often, and by more than the rollback threshold. With nothing left on the primary that only holds. */
export function failingOperations(seen: Seen): Condition[] {
  return proven(seen)
    .filter((tested) => rollsBack(seen, tested))
    .map((tested) =>
      fired('operation_errors', { ...figures(seen, tested), says: `${sentence(tested)} ${limitOf(seen)}` }),
    );
}

export function operationConditions(seen: Seen): Condition[] {
  const worse = proven(seen)
    .filter((tested) => !rollsBack(seen, tested))
    .map((tested) =>
      condition('operation_errors', {
        ok: false,
        ...figures(seen, tested),
        says: `${sentence(tested)} It is proven, and by less than what rolls back.`,
        release: { person: 'A person decides: repair the cause and start again, or loosen the limit' },
      }),
    );
  const slower = slow(seen)
    .filter((timed) => !slowRollsBack(seen, timed) && !seen.evidence.cold)
    .map((timed) =>
      condition('operation_latency', {
        ok: false,
        ...slowFigures(timed),
        says: `${slowSentence(seen, timed, 'latencyIncreaseAdvance')} It is proven, and by less than what rolls back.`,
        release: { person: 'A person decides: repair the cause and start again, or loosen the limit' },
      }),
    );
  return [...worse, ...slower, ...unseen(seen)];
}

/** Proven to be slower with one type, and by more than the rollback threshold. With nothing left on the primary that only holds. */
export function slowOperations(seen: Seen): Condition[] {
  return slow(seen)
    .filter((timed) => slowRollsBack(seen, timed))
    .map((timed) =>
      fired('operation_latency', {
        ...slowFigures(timed),
        says: `${slowSentence(seen, timed, 'latencyIncreaseRollback')} Proven over ${timed.badMinutes} bad minutes.`,
      }),
    );
}

const slow = ({ evidence, input: { policy } }: Seen): TimedOperation[] =>
  timedOperations(evidence, policy.consecutiveFailures).filter(({ proven }) => proven);

/** As of the latencies of all types: the last run lies beyond, or all of the excursion does and the last minutes point there. */
function slowRollsBack({ share, evidence, input: { policy } }: Seen, { size, counts }: TimedOperation): boolean {
  if (share >= 1) return false;
  const { cold } = evidence;
  if (size.at >= (cold ? BEYOND_WARM : beyond('latency_p50')) && size.bad >= policy.consecutiveFailures) return true;
  const { n0, e0, n1, over } = counts;
  return !cold && size.at >= POINTS_BEYOND && over > 0 && over / n1 >= e0 / n0;
}

const slowFigures = ({ counts: { n0, e0, n1, over } }: TimedOperation) => ({
  seen: n1 > 0 ? over / n1 : 0,
  limit: n0 > 0 ? e0 / n0 : 0,
});

function slowSentence(
  { input: { policy } }: Seen,
  { name, counts: { n0, e0, n1, e1, over }, edge }: TimedOperation,
  limit: 'latencyIncreaseAdvance' | 'latencyIncreaseRollback',
): string {
  const slower = limit === 'latencyIncreaseAdvance' ? e1 : over;
  const limitMs = bucketUpperMs(edgeBeyond(edge, policy[limit], policy.latencyFloorMs));
  return `The shadow is slow with the operations '${name}': ${percent(slower / n1)} (${Math.round(slower)} of ${n1}) take longer than ${ms(limitMs)}, beyond which ${percent(n0 > 0 ? e0 / n0 : 0)} may lie. The limit is ${percent(policy[limit])} more than the primary takes (${limit}).`;
}

function unseen({ evidence, share }: Seen): Condition[] {
  const few = unseenOperations(evidence.operations, share);
  const [first] = few;
  if (!first) return [];
  const named = few.map(({ name, n1 }) => `'${name}' (${n1})`);
  return [
    condition('operation_samples', {
      ok: false,
      seen: first.n1,
      limit: FEWEST,
      says: `The shadow has served fewer than ${FEWEST} operations of ${named.join(', ')} in this stage, and the primary serves them all the time: how they go is not known yet.`,
      release: { wait: 'samples' },
    }),
  ];
}

const proven = ({ evidence, input: { policy } }: Seen): TestedOperation[] =>
  testedOperations(evidence, policy.consecutiveFailures).filter((tested) => tested.proven);

const rates = ({ counts: { n0, e0, n1, e1 } }: TestedOperation) => ({
  shadow: n1 > 0 ? e1 / n1 : 0,
  primary: n0 > 0 ? e0 / n0 : 0,
});

function rollsBack({ share, input: { policy } }: Seen, tested: TestedOperation): boolean {
  const { shadow, primary } = rates(tested);
  return share < 1 && shadow - primary >= policy.errorRateRollback;
}

const figures = ({ input: { policy } }: Seen, tested: TestedOperation) => ({
  seen: rates(tested).shadow,
  limit: policy.errorRateRollback,
});

function sentence(tested: TestedOperation): string {
  const { n1, e1 } = tested.counts;
  const { shadow, primary } = rates(tested);
  return `The shadow fails ${percent(shadow)} of the operations '${tested.name}' (${e1} of ${n1}), the primary ${percent(primary)}.`;
}

const limitOf = ({ input: { policy } }: Seen) => `The limit is ${percent(policy.errorRateRollback)} more.`;
