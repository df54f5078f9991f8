/**
 * Criteria of the user's own, as holds and guards. A criterion that passes lets the cutover go on. One that fails holds it, or
 * rolls it back where that is declared. Whatever is unclear holds and never rolls back: no data, no answer, an old answer.
 * Pure.
 */

import { MINUTE_MS } from '../base/units.ts';
import { type Condition, condition, fired } from '../conditions/condition.ts';
import { duration } from '../conditions/figures.ts';
import { clock, type Release } from '../conditions/release.ts';
import type { Criterion, Finding, MetricRule, Observation, Observations } from '../cutover/criterion.ts';
import type { CutoverDeclaration, CutoverState } from '../cutover/cutover.ts';
import { isUnderWay, syncsShadow } from '../cutover/stage-kinds.ts';
import { evidenceSinceMs, isNormal, readsShadow } from '../cutover/switches.ts';
import { TOO_SLOW } from './findings.ts';

export type Observed = {
  declaration: Pick<CutoverDeclaration, 'criteria'>;
  state: CutoverState;
  observations: Observations;
  nowMs: number;
};

/** Ticks come a minute apart, and one may be missed. */
const TICKS_MS = 2 * MINUTE_MS;

/** Metrics tell of readers, so they are observed while there are some. Other criteria are observed from the start until the way back is closed: in `completed` they tell whether it is still open in earnest. */
export const criteriaOf = ({ declaration, state }: Pick<Observed, 'declaration' | 'state'>): readonly Criterion[] =>
  syncsShadow(state)
    ? (declaration.criteria ?? []).filter((one) => readsShadow(state) || kindOf(one) !== 'metric')
    : [];

/** The observation that counts, or undefined. */
function known(criterion: Criterion, { state, observations }: Observed): Observation | undefined {
  const found = observations[criterion.name];
  // A metric is one of its stage.
  const isOld = kindOf(criterion) === 'metric' && (found?.atMs ?? 0) < evidenceSinceMs(state);
  return found?.epoch === state.epoch && !isOld ? found : undefined;
}

/** Is it time to ask again? What was unclear is asked again at once, unless it is what took too long. */
export function isDue(criterion: Criterion, observed: Observed): boolean {
  const last = known(criterion, observed);
  if (!last || (last.answer === 'unclear' && last.seen !== TOO_SLOW)) return true;
  // A tick is some seconds early or late.
  return observed.nowMs - last.atMs >= criterion.everyMinutes * MINUTE_MS - MINUTE_MS / 2;
}

/** With what was found just now. Of criteria that were not asked, the last observation stays. */
export function withFindings(observed: Observed, findings: Readonly<Record<string, Finding>>): Observations {
  const { state, nowMs } = observed;
  return Object.fromEntries(
    criteriaOf(observed).flatMap((criterion): [string, Observation][] => {
      const last = known(criterion, observed);
      const finding = findings[criterion.name];
      if (!finding) return last ? [[criterion.name, last]] : [];
      const sinceMs = finding.sinceMs ?? (last?.answer === finding.answer ? last.sinceMs : nowMs);
      return [[criterion.name, { ...finding, sinceMs, atMs: nowMs, epoch: state.epoch }]];
    }),
  );
}

/** What the criteria of a cutover demand: what fails or is unclear holds, or rolls back. */
export function criteriaDemands(observed: Observed): { holds: Condition[]; guards: Condition[] } {
  const demanded: { holds: Condition[]; guards: Condition[] } = { holds: [], guards: [] };
  for (const criterion of criteriaOf(observed)) {
    const seen = criterionCondition(criterion, observed);
    if (rollsBack(criterion, observed)) demanded.guards.push(guardOf(criterion, seen));
    else demanded.holds.push(seen);
  }
  return demanded;
}

/**
 * Only a failure that was seen just now, and that began in this run: an alarm that rang before the start has another cause. What a
 * person has switched off is not judged by what follows from that.
 */
function rollsBack(criterion: Criterion, observed: Observed): boolean {
  const { state } = observed;
  const seen = known(criterion, observed);
  if (criterion.onFailure !== 'rollback' || seen?.answer !== 'fails' || isStale(criterion, seen, observed))
    return false;
  if (!isUnderWay(state) || !isNormal(state)) return false;
  return seen.sinceMs >= Math.max(state.started?.atMs ?? 0, state.switches.sinceMs);
}

const isStale = ({ everyMinutes }: Criterion, { atMs }: Observation, { nowMs }: Observed): boolean =>
  nowMs - atMs > 2 * everyMinutes * MINUTE_MS + TICKS_MS;

/** How a criterion stands. */
export function criterionCondition(criterion: Criterion, observed: Observed): Condition {
  const seen = known(criterion, observed);
  if (!seen) return made(criterion, { ok: false, seen: null, says: notAsked(criterion) }, { wait: 'answer' });
  const { nowMs } = observed;
  if (isStale(criterion, seen, observed)) {
    const says = `${seen.says} That was ${duration(nowMs - seen.atMs)} ago: too old to count.`;
    return made(criterion, { ok: false, seen: seen.seen, says }, { wait: 'answer' });
  }
  const ok = seen.answer === 'passes';
  const since = ok ? '' : sinceText(nowMs - seen.sinceMs, seen.sinceMs);
  const release: Release = seen.answer === 'unclear' ? { wait: 'answer' } : RELEASES[kindOf(criterion)];
  return made(criterion, { ok, seen: seen.seen, says: seen.says + since }, release);
}

const sinceText = (forMs: number, sinceMs: number) =>
  ` Since ${clock(sinceMs)}${forMs < MINUTE_MS ? '' : ` (${duration(forMs)})`}.`;

const notAsked = ({ name, everyMinutes }: Criterion) =>
  `Criterion '${name}' has not been looked at in this run; it is looked at every ${everyMinutes === 1 ? 'minute' : `${everyMinutes} minutes`}.`;

type Kind = 'alarm' | 'invariant' | 'http' | 'metric';

const KINDS = {
  alarm: 'alarm',
  http: 'http',
  equal: 'invariant',
  empty: 'invariant',
  value: 'metric',
  flag: 'metric',
} as const;

const kindOf = (criterion: Criterion): Kind =>
  KINDS[(Object.keys(KINDS) as (keyof typeof KINDS)[]).find((key) => key in criterion)!];

const RELEASES: Readonly<Record<Kind, Release>> = {
  alarm: { wait: 'alarm_ok' },
  http: { wait: 'check_passes' },
  invariant: { wait: 'invariant_holds' },
  metric: { wait: 'healthy_operations' },
};

type Shown = { ok: boolean; seen: number | string | null; says: string };

/** What it must be is the same for all of a kind. */
function made(criterion: Criterion, shown: Shown, release: Release): Condition {
  const { name } = criterion;
  if ('alarm' in criterion) return condition('alarm', { name, ...shown, limit: 'OK', release });
  if ('http' in criterion) return condition('http_check', { name, ...shown, limit: '2xx', release });
  if ('value' in criterion) return condition('metric', { name, ...shown, limit: limitOf(criterion), release });
  if ('flag' in criterion)
    return condition('metric', { name, ...shown, limit: limitOf(criterion), unit: 'rate', release });
  return condition('invariant', { name, ...shown, limit: 0, release });
}

/** What is relative to the primary is another limit every minute: the sentence has it. */
const limitOf = ({ atLeast, atMost }: MetricRule): number | null => {
  const limit = atLeast ?? atMost;
  return typeof limit === 'number' ? limit : null;
};

function guardOf({ name, ...criterion }: Criterion, { seen, limit, says }: Condition): Condition {
  if ('alarm' in criterion) return fired('alarm', { name, seen, limit, says });
  if ('http' in criterion) return fired('http_check', { name, seen, limit, says });
  if ('value' in criterion) return fired('metric', { name, seen, limit, says });
  if ('flag' in criterion) return fired('metric', { name, seen, limit, unit: 'rate', says });
  return fired('invariant', { name, seen, limit, says });
}
