/**
 * What `=` of a type overlooks. Equal values of most types are the same in every byte; 1.0 and 1.00, `Ann` and `ann` as citext,
 * 0 and −0, one month and 30 days are equal and are not. Such values are written and compared byte by byte, as columns and as keys.
 */

import { baseType, type ColumnShape } from './shape.ts';

/** Equal values of these types are equal in every byte, so their own equality misses nothing. */
const EXACT =
  /^(smallint|integer|bigint|oid|boolean|date|uuid|bytea|"char"|timestamp(\(\d\))? with(out)? time zone|time(\(\d\))? without time zone|numeric\(\d+,-?\d+\)|macaddr|macaddr8|pg_lsn)(\[\])?$/;
/** These too, once they are compared byte by byte. */
const TEXT = /^(name|text|character varying(\(\d+\))?)(\[\])?$/;
/** These only as keys, where one value is held against another of the same column. */
const EXACT_KEYS = /^(character\(\d+\)|money|inet|cidr|xid8|bit(\(\d+\))?|bit varying(\(\d+\))?)$/;

const WHOLE = /^(smallint|integer|bigint|numeric\(\d+,\d+\))$/;
const WORDS = /^(text|character varying)$/;

export const isExact = (column: ColumnShape): boolean => EXACT.test(baseType(column));
export const isText = (column: ColumnShape): boolean => TEXT.test(baseType(column));

/** True when two keys that are equal are the same in every byte. */
export const namesExactly = (column: ColumnShape): boolean =>
  column.deterministic &&
  (isExact(column) || isText(column) || column.kind === 'e' || EXACT_KEYS.test(baseType(column)));

/** True when a cast of a key between these types either fails or keeps it; any other must be seen to come back the same. */
export const castsExactly = (from: string, to: string): boolean =>
  from === to || (WHOLE.test(from) && WHOLE.test(to)) || (WORDS.test(from) && WORDS.test(to));
