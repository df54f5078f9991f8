/**
 * Compiles a column map into what the data plane writes and compares: for the way forward (primary → shadow) and, after
 * promotion, for the way back with the roles exchanged. Pure: from two catalog descriptions and a declaration, to SQL
 * expressions or the list of everything that is wrong.
 */

import type { TableDeclaration } from '../cutover/table-declaration.ts';
import { askedOf, backOf, castOf, comparedAs, comparedBack, unbounded } from './casts.ts';
import {
  type ColumnPreview,
  columnPreviews,
  type DeclaredTables,
  declaredOf,
  returns,
  sourceOf,
  unknownNames,
} from './column-sources.ts';
import { withCompanions } from './companions.ts';
import {
  askedOfKey,
  boundlessPair,
  checkKey,
  checkKeyPair,
  checkWiderKey,
  keyPair,
  sameKeys,
  targetKey,
  withKey,
} from './keys.ts';
import type { Mapping } from './mapping.ts';
import { relationProblems } from './relation-kind.ts';
import { baseType, type ColumnShape, columnOf, type TableShape } from './shape.ts';
import { isTracking, trackingWrite } from './tracking.ts';

export type Compiled =
  | { ok: true; forward: Mapping; reverse: Mapping; columns: readonly ColumnPreview[]; dropped: readonly string[] }
  | { ok: false; problems: readonly string[] };

/** Both directions of a column map, or every problem with it. @param id of the cutover, which tracking columns name */
export function compileTransform(
  table: TableShape,
  shadow: TableShape,
  declaration: TableDeclaration,
  id = '',
): Compiled {
  const problems: string[] = relationProblems([table, shadow]);
  if (problems.length > 0) return { ok: false, problems };
  const primary = withKey(table, declaration, problems);
  const tables = { primary, shadow, declaration };
  problems.push(...unknownNames(tables));
  checkKey(primary, problems);
  if (problems.length > 0) return { ok: false, problems };

  const forward = compileForward(tables, id, problems);
  const reverse = compileReverse(tables, problems);
  const returning = new Set(reverse?.compared.map(({ target }) => target));
  const dropped = primary.columns.map(({ name }) => name).filter((name) => !returning.has(name));
  if (!forward || !reverse) return { ok: false, problems };
  const directions = withCompanions(tables, forward, reverse, problems);
  if (problems.length > 0) return { ok: false, problems };
  const keyNames = new Set(primary.key);
  return {
    ok: true,
    ...directions,
    columns: columnPreviews(tables),
    dropped: dropped.filter((name) => !keyNames.has(name)),
  };
}

const DECLARED = { declared: true } as const;

function compileForward(tables: DeclaredTables, id: string, problems: string[]): Mapping | null {
  const { primary, shadow } = tables;
  const written: Mapping['written'][number][] = [];
  const compared: Mapping['compared'][number][] = [];
  const key = (primary.key ?? []).map((name) => keyPair(tables, name));
  const tracking = shadow.columns.filter((column) => sourceOf(tables, column.name) === null && isTracking(column));
  for (const target of shadow.columns.filter((column) => !tracking.includes(column))) {
    const source = sourceOf(tables, target.name);
    if (source === null || 'added' in source) {
      checkAdded(shadow, target, source !== null, problems);
      continue;
    }
    const sql = (wanted: ColumnShape, how = castOf) =>
      'from' in source ? how(columnOf(primary, source.from)!, wanted) : `(${source.sql})::${baseType(wanted)}`;
    const pair = key.find((one) => one?.target.name === target.name);
    const declared = 'sql' in source ? DECLARED : {};
    if (!target.generated)
      written.push({
        target: target.name,
        sql: pair?.written ?? sql(unbounded(target)),
        insertOnly: false,
        ...declared,
      });
    if (!pair || !sameKeys(pair)) compared.push({ target: target.name, sql: sql(target, comparedAs), ...declared });
  }
  for (const pair of key) if (pair !== null) checkKeyPair(pair, problems);
  const missing = (primary.key ?? []).filter((_, index) => key[index] === null);
  for (const name of missing) {
    problems.push(
      `no column of ${shadow.schema}.${shadow.name} comes from the key column '${name}': declare it with { from: '${name}' }`,
    );
  }
  if (missing.length > 0) return null;
  const pairs = key.filter((pair) => pair !== null);
  const unique = targetKey(
    shadow,
    pairs.map((pair) => pair.target.name),
    problems,
  );
  const tracked = tracking.map((column) => trackingWrite(column, { id, primary, compared }));
  const mapping = { key: pairs, unique, written: [...written, ...tracked], compared };
  checkWiderKey(shadow, mapping, problems);
  return mapping;
}

function checkAdded(shadow: TableShape, column: ColumnShape, declared: boolean, problems: string[]): void {
  const fills = !column.notNull || column.defaultSql !== null || column.generated || column.identity !== null;
  if (fills) return;
  problems.push(
    declared
      ? `added column '${column.name}' of ${shadow.schema}.${shadow.name} is NOT NULL and has no default`
      : `column '${column.name}' of ${shadow.schema}.${shadow.name} is NOT NULL, has no default, and nothing says where it comes from`,
  );
}

function compileReverse(tables: DeclaredTables, problems: string[]): Mapping | null {
  const { primary, declaration } = tables;
  const written: Mapping['written'][number][] = [];
  const compared: Mapping['compared'][number][] = [];
  const key = (primary.key ?? []).flatMap((name) => {
    const pair = keyPair(tables, name);
    return pair ? [boundlessPair(pair.declared[1]!, pair.declared[0]!)] : [];
  });
  const backs = returns(tables);
  for (const target of primary.columns) {
    const pair = key.find((one) => one.target.name === target.name);
    const isCompared = !pair || !sameKeys(pair);
    const declared = declaredOf(declaration.reverse, target.name);
    const back = backs.get(target.name);
    if (target.generated) continue;
    if (declared && 'sql' in declared) {
      const sql = (wanted: ColumnShape) => `(${declared.sql})::${baseType(wanted)}`;
      written.push({ target: target.name, sql: sql(unbounded(target)), insertOnly: false, ...DECLARED });
      if (isCompared) compared.push({ target: target.name, sql: sql(target), ...DECLARED });
    } else if (back) {
      const sql = pair?.written ?? backOf(back, unbounded(target));
      const asked = pair ? askedOfKey(pair) : askedOf(back, unbounded(target));
      written.push({ target: target.name, sql, insertOnly: false, ...(asked ? { asked } : {}) });
      if (isCompared)
        compared.push({
          target: target.name,
          ...(pair ? { sql: backOf(back, target, comparedAs) } : comparedBack(back, target)),
        });
    } else if (declared) {
      const type = baseType(unbounded(target));
      written.push({ target: target.name, sql: `(${declared.insertOnly})::${type}`, insertOnly: true, ...DECLARED });
    } else if (target.notNull && target.defaultSql === null && target.identity === null) {
      problems.push(
        `column '${target.name}' of ${primary.schema}.${primary.name} is NOT NULL and cannot be derived from the new shape: declare reverse: { ${target.name}: { sql } } or { insertOnly }`,
      );
    }
  }
  const unique = primary.key ?? [];
  return key.length === unique.length ? { key, unique, written, compared } : null;
}
