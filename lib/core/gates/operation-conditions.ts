/** What is said of single operation types: one that the shadow fails, and those of which it has served too few to say so. */

import { type Condition, condition, fired } from '../conditions/condition.ts';
import { percent } from '../conditions/figures.ts';
import { FEWEST, type TestedOperation, testedOperations, unseenOperations } from './operations.ts';
import type { Seen } from './seen.ts';

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
  return [...worse, ...unseen(seen)];
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
