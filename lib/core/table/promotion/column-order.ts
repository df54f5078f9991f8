/**
 * Statements that name no columns go by their order: INSERT INTO t VALUES (…), COPY t FROM, SELECT *. Where the new table has
 * another order, such a statement may fail, or store one column's value in another without a word. Only the second is refused.
 */

import type { TableDeclaration } from '../../cutover/table-declaration.ts';
import type { DependentColumn, TableDependents } from './dependents.ts';
import { type PromotionItem, qualified } from './refusals.ts';

/** Within one of these a value of the one type is taken for one of the other. */
const FAMILIES: readonly (readonly string[])[] = [
  ['smallint', 'integer', 'bigint', 'numeric', 'real', 'double precision', 'money', 'oid'],
  ['date', 'timestamp without time zone', 'timestamp with time zone'],
  ['time without time zone', 'time with time zone', 'interval'],
  ['json', 'jsonb'],
  ['uuid'],
  ['boolean'],
  ['bytea'],
  ['inet', 'cidr'],
];
const TEXTS = new Set(['text', 'character varying', 'character', 'name', 'xml', 'bpchar']);
const bare = (type: string) => type.replace(/\(.*?\)/, '');

/** @param columns by column of the primary, that of the shadow */
export function checkColumnOrder(
  primary: TableDependents,
  shadow: TableDependents,
  columns: ReadonlyMap<string, string>,
  declared: TableDeclaration['columnOrder'],
): PromotionItem[] {
  const moved = primary.columns.filter(
    ({ name }, place) => columns.has(name) && shadow.columns[place]?.name !== columns.get(name),
  );
  if (moved.length === 0) return [];
  const silent = storesSilently(primary.columns, shadow.columns);
  const refused = declared === 'refuse' || (silent && declared !== 'notice');
  const order = (table: TableDependents) => `(${table.columns.map(({ name }) => name).join(', ')})`;
  const happens = silent
    ? 'an INSERT or COPY without a list of columns stores values in the wrong columns after promotion, without an error'
    : 'an INSERT or COPY without a list of columns fails after promotion, and SELECT * returns another order';
  const remedy = refused
    ? `Create the shadow with the same order, or look for INSERT INTO ${primary.name} VALUES, COPY ${primary.name} FROM and SELECT * in the application and declare columnOrder: 'notice'.`
    : `Look for INSERT INTO ${primary.name} VALUES, COPY ${primary.name} FROM and SELECT * in the application.`;
  const text = `Columns are in another order, ${order(primary)} and then ${order(shadow)}: ${happens}. ${remedy}`;
  return [{ action: refused ? 'refuse' : 'notice', kind: 'column order', object: qualified(shadow), text }];
}

/** Does the new table take a whole row in the old order? With fewer columns, or a type that refuses the value, Postgres says so. */
function storesSilently(old: readonly DependentColumn[], now: readonly DependentColumn[]): boolean {
  return old.every((column, place) => {
    const target = now[place];
    return (
      target !== undefined && target.generated === '' && target.identity !== 'a' && takes(target.type, column.type)
    );
  });
}

/** A text takes everything; a type that is not known here, such as an enum or a domain, is taken to do so, too. */
function takes(target: string, value: string): boolean {
  const [to, from] = [bare(target), bare(value)];
  if (to === from || TEXTS.has(to)) return true;
  const family = FAMILIES.find((types) => types.includes(to));
  return family === undefined || family.includes(from);
}
