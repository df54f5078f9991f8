/**
 * Casts of one column to another, as SQL over a source row `p`: for what is written, for what is compared, and for a way
 * back that refuses a value which would come back as another one. Pure.
 */

import type { Asked, Form } from './mapping.ts';
import { boundless, isNumber, loses, mayChange, rounds } from './rounding.ts';
import { baseType, type ColumnShape, quoteName, quoteText } from './shape.ts';

/**
 * The column as a type without length. A cast to `varchar(5)` cuts a longer value without a word, while an assignment
 * refuses it; so what is written is cast to `varchar`, and the table itself judges the length.
 */
export function unbounded(column: ColumnShape): ColumnShape {
  const type = boundless(baseType(column));
  return { ...column, type: column.base ? column.type : type, base: column.base ? type : column.base };
}

/**
 * A plain column, cast only when the types differ. Never to a domain: such a cast cuts a value to the length of the domain's
 * type, and judges it by the domain's CHECK, both of which is for the table to do.
 */
export function castOf(source: ColumnShape, target: ColumnShape): string {
  const column = `p.${quoteName(source.name)}`;
  return source.type === target.type ? column : `(${column})::${baseType(target)}`;
}

/** A record of both sides is compared by the types of its columns, and a domain is another type than the one under it. */
export const comparedAs: typeof castOf = (source, target) =>
  target.base ? `(p.${quoteName(source.name)})::${target.base}` : castOf(source, target);

/**
 * A column of the new shape as the old one, or an error for a value that would come back as another one. A user who wants it
 * rounded declares the way back.
 */
export function backOf(source: ColumnShape, target: ColumnShape, how = castOf): string {
  const cast = how(source, target);
  const [from, to] = [baseType(source), baseType(target)];
  if (!mayChange(from, to)) return cast;
  const column = `p.${quoteName(source.name)}`;
  const returned = `(${cast})::${from}`;
  const changed = isNumber(from)
    ? `${returned} IS DISTINCT FROM ${column}`
    : `ROW(${returned})::record *<> ROW((${column})::${from})::record`;
  const refuse = rounds(from, to) || isNumber(from) ? 'refuse_rounding' : 'refuse_change';
  const refused = `crossfade.${refuse}(${quoteText(target.name)}, ${column}::text)`;
  return `CASE WHEN ${changed} THEN (${refused})::${to} ELSE ${cast} END`;
}

/** A column of the new shape as the old one, to be compared: as it was asked when it was written, or in the form that both have. */
export function comparedBack(source: ColumnShape, target: ColumnShape): { sql: string; form?: Form } {
  const sql = backOf(source, target, comparedAs);
  const type = baseType(source);
  if (!loses(baseType(target), type)) return { sql };
  const value = (column: string) => sameNumber(type, `(${column})::${type}`);
  const form = {
    column: { ...source, type, base: null },
    source: value(`p.${quoteName(source.name)}`),
    target: value(`t.${quoteName(target.name)}`),
  };
  return { sql, form };
}

/** A number that equals another has the same bytes: neither a scale nor a sign of zero. */
function sameNumber(type: string, sql: string): string {
  if (/^numeric/.test(type)) return `trim_scale(${sql})`;
  return /^(real|double precision)$/.test(type) ? `(${sql} + 0::${type})` : sql;
}

export function askedOf(source: ColumnShape, target: ColumnShape): Asked | null {
  const [from, to] = [baseType(source), baseType(target)];
  if (!mayChange(from, to)) return null;
  return rounds(from, to) || (isNumber(from) && isNumber(to)) ? 'rounds' : 'changes';
}
