/**
 * Keys are compared by operators that are named in full where they are not those of the catalog: nothing else is in the path of
 * what runs with the owner's rights. Equality and order are those of the index that makes the columns a key.
 */

import type { Mapping } from '../mapping.ts';
import { baseType, type ColumnShape, quoteName } from '../shape.ts';

type Keyed = { mapping: Pick<Mapping, 'key'> };
/** SQL of one column of a key, which the outbox calls `k1` and so on. */
type Part = (name: string, index: number) => string;

const named = ({ operators }: ColumnShape, operator: string) =>
  operators ? `OPERATOR(${quoteName(operators)}.${operator})` : operator;

/** Operators of enums, ranges and multiranges are those of any such type, and take no domain over one. */
const operand = (column: ColumnShape, value: string) =>
  /^[erm]$/.test(column.kind ?? '') ? `(${value})::${baseType(column)}` : value;

/** `left = right` of a column, whatever its type. */
export const equalColumn = (column: ColumnShape, left: string, right: string): string =>
  `${operand(column, left)} ${named(column, '=')} ${operand(column, right)}`;

/** `left1 = right1 AND …`, over the columns of the key. */
export function equalKeys({ mapping }: Keyed, left: Part, right: Part): string {
  const equal = mapping.key.map(({ source, target }, i) => {
    const k = `k${i + 1}`;
    const [one, other] = [left(k, i), right(k, i)];
    // Of two types each may be meant: the shadow's where rows of it are found by its key.
    return source.type === target.type ? equalColumn(source, one, other) : `${one} ${named(source, '=')} ${other}`;
  });
  return equal.join(' AND ');
}

/** `left.k1 = right.k1 AND …`, where both call the columns of the key as the outbox does. */
export const sameKey = (keyed: Keyed, left: string, right: string): string =>
  equalKeys(
    keyed,
    (k) => `${left}.${k}`,
    (k) => `${right}.${k}`,
  );

/**
 * `(left1, …) > (right1, …)`, in the order of the keys. One row comparison takes one operator for all columns; where these have
 * operators of several schemas it is written out, with a bound of the first column in front, for the index.
 */
export function orderedKeys({ mapping }: Keyed, left: Part, operator: '<' | '<=' | '>' | '>=', right: Part): string {
  const columns = mapping.key.map(({ source }) => source);
  const each = (part: Part) =>
    mapping.key.map(({ source, target }, i) => {
      const value = part(`k${i + 1}`, i);
      return source.type === target.type ? operand(source, value) : value;
    });
  const [lefts, rights] = [each(left), each(right)];
  const [first] = columns as [ColumnShape];
  if (columns.every(({ operators }) => (operators ?? null) === (first.operators ?? null)))
    return `(${lefts.join(', ')}) ${named(first, operator)} (${rights.join(', ')})`;
  const compared = (i: number, sign: string) => `${lefts[i]} ${named(columns[i]!, sign)} ${rights[i]}`;
  const strict = operator.slice(0, 1);
  const last = columns.length - 1;
  const whole = columns
    .slice(0, last)
    .reduceRight(
      (rest, _, i) => `(${compared(i, strict)} OR (${compared(i, '=')} AND ${rest}))`,
      compared(last, operator),
    );
  return `(${compared(0, `${strict}=`)} AND ${whole})`;
}
