/** Conditions as people and programs see them: every sentence, label and figure is made here, from the table. Pure. */

import { type Condition, idOf } from './condition.ts';
import { type Figure, figureText, proofText, type Unit } from './figures.ts';
import { type Release, releaseText } from './release.ts';
import { type ConditionCode, rowOf, type Want } from './table.ts';
import type { Verdict } from './verdict.ts';

/** A condition in answers of the API: the data, and how it reads. */
export type ShownCondition = {
  /** What people call it: for alert rules, phases and checks with their name. */
  code: string;
  /** Its row in the table of conditions. */
  row: ConditionCode;
  label: string;
  ok: boolean;
  seen: Figure;
  limit: Figure;
  unit: Unit;
  want: Want;
  /** A guard that fired, and not something that is missing. */
  fired: boolean;
  release: readonly Release[];
  /** Since when every look in this stage found it so. */
  sinceMs?: number | undefined;
  /** What was seen, in full sentences. */
  says: string;
  /** What was seen and what releases it, in full sentences. */
  text: string;
  /** As `seen`. Deprecated: it goes with the next release. */
  value: Figure;
};

export type ShownVerdict = Omit<Verdict, 'reasons' | 'conditions'> & {
  reasons: readonly ShownCondition[];
  conditions: readonly ShownCondition[];
};

const WANTS = {
  at_most: 'at most',
  below: 'below',
  at_least: 'at least',
  is: 'wanted',
  inside: 'limit',
} as const satisfies Record<Want, string>;

/** @example labelOf({ code: 'alert', name: 'slow' }) // 'Alert: slow' */
export function labelOf({ code, name }: Pick<Condition, 'code' | 'name'>): string {
  const { label, named } = rowOf(code);
  if (named === undefined) return label;
  return label === '' ? String(name) : `${label}: ${name}`;
}

/** What was seen, in words. */
export function seenText(condition: Condition): string {
  if (condition.says !== '') return condition.says;
  const { want } = rowOf(condition.code);
  const { seen, limit } = shownPair({ ...condition, want });
  const wanted = condition.limit === null ? '' : `, ${WANTS[want]} ${limit}`;
  return `${labelOf(condition)}: ${seen}${wanted}.`;
}

type Pair = Pick<ShownCondition, 'seen' | 'limit' | 'unit' | 'want'>;

/** Evidence says nothing to a person: it is shown as the part of the way to its limit that is gone. */
function shownPair({ seen, limit, unit, want }: Pair, group = ''): Record<'seen' | 'limit', string> {
  if (unit !== 'evidence') return { seen: figureText(seen, unit, group), limit: figureText(limit, unit, group) };
  const known = typeof limit === 'number' && limit > 1;
  const part = (evidence: number) =>
    known ? proofText(want === 'at_least' ? Math.min(evidence, limit) : evidence, limit) : '–';
  return {
    seen: typeof seen === 'number' ? part(seen) : figureText(seen, 'word'),
    limit: typeof limit === 'number' ? part(limit) : figureText(limit, 'word'),
  };
}

/** What was seen and, when it does not hold, what would release it. */
export function conditionText(condition: Condition): string {
  const release = releaseText(condition.release);
  return release === '' ? seenText(condition) : `${seenText(condition)} ${release}`;
}

export const textOf = (conditions: readonly Condition[]): string => conditions.map(conditionText).join(' ');

export function show(condition: Condition, fired = false): ShownCondition {
  const { name: _, ...data } = condition;
  return {
    ...data,
    code: idOf(condition),
    row: data.code,
    label: labelOf(condition),
    want: rowOf(data.code).want,
    fired,
    says: seenText(condition),
    text: conditionText(condition),
    value: data.seen,
  };
}

export function showVerdict(verdict: Verdict): ShownVerdict {
  const fired = new Set(verdict.verdict === 'rollback' ? verdict.reasons : []);
  const shown = new Map(verdict.conditions.map((condition) => [condition, show(condition, fired.has(condition))]));
  return {
    ...verdict,
    reasons: verdict.reasons.map((reason) => shown.get(reason) ?? show(reason, fired.has(reason))),
    conditions: [...shown.values()],
  };
}

export type ShownFigures = {
  seen: string;
  limit: string;
  /** What the limit is: the most that may be, or the least that must be. */
  limitIs: 'limit' | 'needed';
  /** What would release it; empty while it holds. */
  releases: string;
};

/** For page and terminal. @param group what stands between thousands */
export function figuresOf(
  { seen, limit, unit, want, fired, release }: Omit<ShownCondition, 'text' | 'says'>,
  group: string,
): ShownFigures {
  return {
    ...shownPair({ seen, limit, unit, want }, group),
    limitIs: !fired && (want === 'at_least' || want === 'is') ? 'needed' : 'limit',
    releases: fired ? 'Nothing: the cutover goes back.' : releaseText(release),
  };
}
