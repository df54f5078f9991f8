/**
 * What knows a table by its OID is dropped from it and made again, from its own text, on the table that gets the name. The
 * same in both directions: a text names the table by its name, which the other one has by then.
 */

import type { TableDependents } from './dependents.ts';
import { type PromotionItem, qualified } from './refusals.ts';

export type Move = {
  /** Has the name now. */
  from: TableDependents;
  /** Gets it. */
  to: TableDependents;
  /** What hung on `from` before it had the name, and stays with it. */
  keep: (kind: string, object: string) => boolean;
};

export type Moved = {
  /** Statements before the renames. */
  before: string[];
  /** Statements after them. */
  after: string[];
  /** To be run after the swap, outside of it; may be repeated. */
  later: string[];
  /** Views to lock, quoted, the one that reads another one first. */
  views: string[];
  /** Other tables to lock. */
  lock: number[];
  items: PromotionItem[];
};

export const nothingMoved = (): Moved => ({ before: [], after: [], later: [], views: [], lock: [], items: [] });

/** Types between which `=` is in one operator family, so that foreign keys and expressions may cross. */
const FAMILIES = [
  ['smallint', 'integer', 'bigint'],
  ['text', 'character varying', 'name'],
  ['date', 'timestamp without time zone', 'timestamp with time zone'],
  ['real', 'double precision'],
];

export function comparable(a: string, b: string): boolean {
  const base = (type: string) => type.replace(/\(.*\)/, '');
  return base(a) === base(b) || FAMILIES.some((family) => family.includes(base(a)) && family.includes(base(b)));
}

/** Why an expression over `from` would not mean the same over `to`; null when every column is there under its name. */
export function misfit(uses: readonly string[], { from, to }: Pick<Move, 'from' | 'to'>): string | null {
  for (const name of uses) {
    const here = from.columns.find((column) => column.name === name);
    const there = to.columns.find((column) => column.name === name);
    if (!there) return `names column '${name}', which ${qualified(to)} has not`;
    if (here && !comparable(here.type, there.type))
      return `names column '${name}', which is ${here.type} here and ${there.type} in ${qualified(to)}`;
  }
  return null;
}

export const sentence = (why: string, remedy: string): string => `It ${why}. ${remedy}`;
