/**
 * Conditions as they are stored with a verdict. The form is a superset of the one that earlier versions wrote and read (code,
 * ok, value, limit, text), so either version reads what the other has stored.
 */

import { type Condition, idOf } from './condition.ts';
import type { Figure, Unit } from './figures.ts';
import type { Release } from './release.ts';
import { conditionText } from './show.ts';
import { type ConditionCode, isConditionCode, rowOf, unitOf } from './table.ts';
import type { Verdict } from './verdict.ts';

export type StoredCondition = {
  code: string;
  ok: boolean;
  value: Figure;
  limit: Figure;
  text: string;
  /** Where the code is a name. */
  row?: ConditionCode | undefined;
  unit?: Unit | undefined;
  /** Where it is not the text. */
  says?: string | undefined;
  /** Null where it is of a kind that this version does not know: the text has it. */
  release?: readonly Release[] | null | undefined;
  sinceMs?: number | undefined;
};

export const storedVerdict = (verdict: Verdict) => ({
  ...verdict,
  reasons: verdict.reasons.map(storedCondition),
  conditions: verdict.conditions.map(storedCondition),
});

function storedCondition(condition: Condition): StoredCondition {
  const { code, name, ok, seen, limit, unit, says, release, sinceMs } = condition;
  const text = conditionText(condition);
  return {
    code: idOf(condition),
    ok,
    value: seen,
    limit,
    text,
    ...(name === undefined ? {} : { row: code }),
    ...(unit === unitOf(code) ? {} : { unit }),
    ...(says === text ? {} : { says }),
    ...(release.length === 0 ? {} : { release }),
    ...(sinceMs === undefined ? {} : { sinceMs }),
  };
}

/** What has no row here, since another version stored it, keeps its name and its text. */
export function readCondition(stored: StoredCondition): Condition {
  const { code: id, ok, value, limit, text, row, release = [] } = stored;
  const says = release === null ? text : (stored.says ?? text);
  const code = row ?? (isConditionCode(id) ? id : 'other');
  const { named } = rowOf(code);
  const name = named === undefined ? {} : { name: id.slice(named.length) };
  const since = stored.sinceMs === undefined ? {} : { sinceMs: stored.sinceMs };
  const unit = stored.unit ?? unitOf(code);
  return { code, ...name, ok, seen: value, limit, unit, says, release: release ?? [], ...since };
}
