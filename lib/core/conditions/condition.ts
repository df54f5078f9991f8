/** One thing that must hold to advance, or a guard that fired: as data. How it reads is the business of `show.ts`. */

import type { Figure, Unit } from './figures.ts';
import type { Release } from './release.ts';
import { type ConditionCode, type NamedCode, rowOf, type UnitOf, unitOf } from './table.ts';

export type Condition = {
  code: ConditionCode;
  /** Which alert rule, phase or check, where there are many of this code. */
  name?: string;
  ok: boolean;
  /** What was seen, and where the limit lies; null where there is none. */
  seen: Figure;
  limit: Figure;
  /** Of both. */
  unit: Unit;
  /** What was seen, in sentences for people; empty where seen and limit say it all. Nothing reads them but people. */
  says: string;
  /** What would release it: one of these is enough. Nothing while it holds, and for a guard, which only a rollback answers. */
  release: readonly Release[];
  /** Since when every look in this stage found it so, held or not. Absent where nothing is known of the look before. */
  sinceMs?: number | undefined;
};

type Given<Code extends ConditionCode> = Pick<Condition, 'ok' | 'seen' | 'limit'> & {
  says?: string;
  release?: Release | readonly Release[];
  /** Where the row has several; the first one otherwise. */
  unit?: UnitOf<Code>;
} & (Code extends NamedCode ? { name: string } : { name?: never });

/** @example condition('lag', { ok: false, seen: 181_800, limit: 30_000, release: { wait: 'catch_up' } }) */
export function condition<Code extends ConditionCode>(code: Code, given: Given<Code>): Condition {
  const { ok, seen, limit, says = '', release = [], unit, name } = given;
  const releases = Array.isArray(release) ? (release as readonly Release[]) : [release as Release];
  return {
    code,
    ...(name === undefined ? {} : { name }),
    ok,
    seen,
    limit,
    unit: unit ?? unitOf(code),
    says,
    release: ok ? [] : releases,
  };
}

/** A guard that fired. */
export const fired = <Code extends ConditionCode>(code: Code, given: Omit<Given<Code>, 'ok' | 'release'>): Condition =>
  condition(code, { ...given, ok: false } as Given<Code>);

/** What people and programs call it: its code, or the name it was given. */
export const idOf = ({ code, name }: Pick<Condition, 'code' | 'name'>): string => {
  const { named } = rowOf(code);
  return named === undefined ? code : `${named}${name}`;
};
