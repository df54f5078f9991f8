/**
 * Compiles a column map into what the data plane writes and compares: for the way forward (primary → shadow) and, after
 * promotion, for the way back with the roles exchanged. Pure: from two catalog descriptions and a declaration, to SQL
 * expressions or the list of everything that is wrong.
 */

import { didYouMean } from '../base/nearest.ts';
import type { ColumnSource, TableDeclaration } from '../cutover/cutover.ts';
import { castsExactly, namesExactly } from './equality.ts';
import { relationProblems } from './relation-kind.ts';
import { isNumber, mayChange, rounds } from './rounding.ts';
import { baseType, type ColumnShape, columnOf, quoteName, quoteText, type TableShape } from './shape.ts';
import { type Follows, isTracking, trackingWrite } from './tracking.ts';

/** SQL expressions over one source row; the source is in scope as `p`, its columns also unqualified. */
export type Mapping = {
  /** Key columns in order, source and target, without domains and lengths, with the source's value as the target's type. */
  key: readonly KeyColumns[];
  /**
   * Every column that is written, key included. `insertOnly`: only for rows that are new in the target. `follows`: a
   * tracking column, and what becomes of it when a row is written.
   */
  written: readonly { target: string; sql: string; insertOnly: boolean; follows?: Follows; asked?: Asked }[];
  /**
   * Columns in which both sides must agree byte by byte, generated ones included. Key columns only where equal is not the same:
   * the rows are found by `=`, and may differ even so.
   */
  compared: readonly { target: string; sql: string }[];
  /** Of the way back: columns of its source, the new shape, that a trigger computes for the application. */
  kept?: readonly KeptColumn[];
};

/** A column of the new shape, and how it is computed from a row of it, as the old row that it stands for, in scope as `p`. */
export type KeptColumn = { column: ColumnShape; sql: string; inputs: readonly KeptInput[] };

/** A column of the old shape, from a column of the new one: checked by a cast there and back, which may raise an error. */
export type KeptInput = { name: string; from: string; sql: string; isCast: boolean };

/** What a cast may do to a value, so that each value is asked, by a cast there and back, and refused where it does. */
export type Asked = 'rounds' | 'changes';

/** `returns`: the source's type with its length, where a cast may change a key: then only one that comes back the same is looked up. */
export type KeyColumns = { source: ColumnShape; target: ColumnShape; sql: string; returns?: string };

export type ColumnPlan = { shadow: string; source: string; text: string };

export type Compiled =
  | { ok: true; forward: Mapping; reverse: Mapping; columns: readonly ColumnPlan[]; dropped: readonly string[] }
  | { ok: false; problems: readonly string[] };

type Problems = string[];

/** Both directions of a column map, or every problem with it. @param id of the cutover, which tracking columns name */
export function compileTransform(
  table: TableShape,
  shadow: TableShape,
  declaration: TableDeclaration,
  id = '',
): Compiled {
  const problems: Problems = relationProblems([table, shadow]);
  if (problems.length > 0) return { ok: false, problems };
  const primary = withKey(table, declaration, problems);
  checkNames(primary, shadow, declaration, problems);
  checkKey(primary, problems);
  if (problems.length > 0) return { ok: false, problems };

  const forward = compileForward(id, primary, shadow, declaration, problems);
  const reverse = compileReverse(primary, shadow, declaration, problems);
  const returning = new Set(reverse?.compared.map(({ target }) => target));
  const dropped = primary.columns.map(({ name }) => name).filter((name) => !returning.has(name));
  if (problems.length > 0 || !forward || !reverse) return { ok: false, problems };
  const keyNames = new Set(primary.key);
  return {
    ok: true,
    forward,
    reverse,
    columns: columnPlans(primary, shadow, declaration),
    dropped: dropped.filter((name) => !keyNames.has(name)),
  };
}

// --------------------------------------------------------------------------------------------------------- checks

function checkNames(primary: TableShape, shadow: TableShape, declaration: TableDeclaration, problems: Problems): void {
  const names = (table: TableShape) => table.columns.map((column) => column.name);
  const known = (table: TableShape, name: string) => columnOf(table, name) !== undefined;
  const unknown = (table: TableShape, name: string) =>
    `${table.schema}.${table.name} has no column '${name}'.${didYouMean(name, names(table))}`;
  for (const [name, source] of Object.entries(declaration.columns ?? {})) {
    if (!known(shadow, name)) problems.push(unknown(shadow, name));
    if ('from' in source && !known(primary, source.from)) problems.push(unknown(primary, source.from));
  }
  for (const name of Object.keys(declaration.reverse ?? {}))
    if (!known(primary, name)) problems.push(unknown(primary, name));
}

/** The table with the key that is declared, when a unique index over NOT NULL columns makes it one. */
function withKey(table: TableShape, { key }: TableDeclaration, problems: Problems): TableShape {
  if (!key) return table;
  const found = keysOf(table).find((one) => sameColumns(one, key));
  if (found) return { ...table, key: found };
  const have = keysOf(table).map((one) => `(${one.join(', ')})`);
  problems.push(
    `the declared key (${key.join(', ')}) of ${table.schema}.${table.name} has no unique index of its own over NOT NULL columns; ${have.length > 0 ? `there is one over ${have.join(' and ')}` : 'there is none at all'}`,
  );
  return table;
}

const keysOf = (table: TableShape) => table.keys ?? (table.key ? [table.key] : []);
const sameColumns = (one: readonly string[], other: readonly string[]) =>
  one.length === other.length && one.every((name) => other.includes(name));

function checkKey(primary: TableShape, problems: Problems): void {
  if (!primary.key) {
    const unusable = (primary.unusableKeys ?? []).map(
      ({ names, why }) => `(${names.join(', ')}) is none, since ${why}`,
    );
    problems.push(
      [
        `${primary.schema}.${primary.name} has no key: it needs a primary key, or a unique index over NOT NULL columns without a condition`,
        ...unusable,
      ].join('; '),
    );
    return;
  }
  for (const name of primary.key) {
    const column = columnOf(primary, name);
    if (column && !canNameRows(column)) {
      problems.push(`key column '${name}' is of type ${column.type}, which cannot name a row`);
    }
    if (column && !column.deterministic) {
      problems.push(`key column '${name}' has a nondeterministic collation, under which different texts are one key`);
    }
  }
}

/** Lists and records are no key here, and a range of a type without a hash cannot even be joined by Postgres. */
function canNameRows(column: ColumnShape): boolean {
  if (/\[\]$|^(record|json|xml|oidvector|int2vector)$/.test(baseType(column)) || column.kind === 'c') return false;
  return column.hashes !== false || (column.kind !== 'r' && column.kind !== 'm');
}

// -------------------------------------------------------------------------------------------------------- forward

/** Where a column of the shadow comes from; a column of the same name needs no entry. */
function sourceOf(primary: TableShape, declaration: TableDeclaration, name: string): ColumnSource | null {
  const declared = declaration.columns?.[name];
  if (declared) return declared;
  return columnOf(primary, name) ? { from: name } : null;
}

function compileForward(
  id: string,
  primary: TableShape,
  shadow: TableShape,
  declaration: TableDeclaration,
  problems: Problems,
): Mapping | null {
  const written: Mapping['written'][number][] = [];
  const compared: Mapping['compared'][number][] = [];
  const key = (primary.key ?? []).map((name) => keyPair(primary, shadow, declaration, name));
  const tracking = shadow.columns.filter(
    (column) => sourceOf(primary, declaration, column.name) === null && isTracking(column),
  );
  for (const target of shadow.columns.filter((column) => !tracking.includes(column))) {
    const source = sourceOf(primary, declaration, target.name);
    if (source === null || 'added' in source) {
      checkAdded(shadow, target, source !== null, problems);
      continue;
    }
    const sql = (wanted: ColumnShape, how = castOf) =>
      'from' in source ? how(columnOf(primary, source.from)!, wanted) : `(${source.sql})::${baseType(wanted)}`;
    const pair = key.find((one) => one?.target.name === target.name);
    if (!target.generated)
      written.push({ target: target.name, sql: pair?.written ?? sql(unbounded(target)), insertOnly: false });
    if (!pair || !sameKeys(pair)) compared.push({ target: target.name, sql: sql(target, comparedAs) });
  }
  for (const pair of key.filter((pair) => pair !== null)) {
    const { source, target } = pair;
    if (source.type !== target.type && !sameKeys(pair))
      problems.push(
        `key column '${source.name}' is ${source.type} in the one table and ${target.type} in the other: keys that are equal in the one are different in the other. Give both the same type`,
      );
    const [from, to] = rounds(source.type, target.type) ? [source.type, target.type] : [target.type, source.type];
    if (rounds(from, to))
      problems.push(
        `key column '${source.name}' is ${source.type} in the one table and ${target.type} in the other: a cast from ${from} to ${to} rounds, so two rows could become one`,
      );
  }
  const missing = (primary.key ?? []).filter((_, index) => key[index] === null);
  for (const name of missing) {
    problems.push(
      `no column of ${shadow.schema}.${shadow.name} comes from the key column '${name}': declare it with { from: '${name}' }`,
    );
  }
  if (missing.length > 0) return null;
  const pairs = key.filter((pair) => pair !== null);
  checkTargetKey(
    shadow,
    pairs.map((pair) => pair.target.name),
    problems,
  );
  const tracked = tracking.map((column) => trackingWrite(column, { id, primary, compared }));
  return { key: pairs, written: [...written, ...tracked], compared };
}

function keyPair(primary: TableShape, shadow: TableShape, declaration: TableDeclaration, name: string): KeyPair | null {
  const source = columnOf(primary, name)!;
  const target = shadow.columns.find((column) => {
    const from = sourceOf(primary, declaration, column.name);
    return from !== null && 'from' in from && from.from === name;
  });
  return target ? boundlessPair(source, target) : null;
}

/** A key column on both sides, and the expression that is written, where it is not the plain one. */
type KeyPair = KeyColumns & { written?: string; declared: readonly ColumnShape[] };

/** Keys are looked up by a cast, too: cut to the column's length, one key would find the row of another. */
function boundlessPair(from: ColumnShape, to: ColumnShape): KeyPair {
  const [source, target] = [bare(from), bare(to)];
  const sql = from.base ? `(p.${quoteName(from.name)})::${target.type}` : castOf(source, target);
  const pair = { source, target, sql, declared: [from, to] };
  if (castsExactly(source.type, target.type)) return pair;
  const column = `p.${quoteName(from.name)}`;
  const refused = `crossfade.refuse_change(${quoteText(from.name)}, ${column}::text)`;
  const returns = baseType(from);
  const kept = `ROW((${sql})::${returns})::record *= ROW((${column})::${returns})::record`;
  return { ...pair, returns, written: `CASE WHEN ${kept} THEN ${sql} ELSE (${refused})::${target.type} END` };
}

/** As `"bit"`, which is bit of any length: an index on bits is of no use to a comparison with bit varying. */
const bare = (column: ColumnShape): ColumnShape => ({
  ...column,
  type: baseType(column).startsWith('bit(') ? '"bit"' : baseType(unbounded(column)),
  base: null,
});

const sameKeys = ({ declared }: KeyPair) => declared.every(namesExactly);

/** Rows are found and made unique by the key on both sides, so the shadow needs the same key. */
function checkTargetKey(shadow: TableShape, wanted: readonly string[], problems: Problems): void {
  const have = shadow.key ?? [];
  if (keysOf(shadow).some((key) => sameColumns(key, wanted))) return;
  const unusable = shadow.unusableKeys?.find(({ names }) => sameColumns(names, wanted));
  const none = have.length > 0 ? `it has (${have.join(', ')})` : 'it has none';
  problems.push(
    `${shadow.schema}.${shadow.name} must have the key (${wanted.join(', ')}) that the primary's key becomes; ${unusable ? unusable.why : none}`,
  );
}

function checkAdded(shadow: TableShape, column: ColumnShape, declared: boolean, problems: Problems): void {
  const fills = !column.notNull || column.defaultSql !== null || column.generated || column.identity !== null;
  if (fills) return;
  problems.push(
    declared
      ? `added column '${column.name}' of ${shadow.schema}.${shadow.name} is NOT NULL and has no default`
      : `column '${column.name}' of ${shadow.schema}.${shadow.name} is NOT NULL, has no default, and nothing says where it comes from`,
  );
}

// -------------------------------------------------------------------------------------------------------- reverse

function compileReverse(
  primary: TableShape,
  shadow: TableShape,
  declaration: TableDeclaration,
  problems: Problems,
): Mapping | null {
  const written: Mapping['written'][number][] = [];
  const compared: Mapping['compared'][number][] = [];
  const key = (primary.key ?? []).flatMap((name) => {
    const pair = keyPair(primary, shadow, declaration, name);
    return pair ? [boundlessPair(pair.declared[1]!, pair.declared[0]!)] : [];
  });
  const backs = returns(primary, shadow, declaration);
  for (const target of primary.columns) {
    const pair = key.find((one) => one.target.name === target.name);
    const isCompared = !pair || !sameKeys(pair);
    const declared = declaration.reverse?.[target.name];
    const back = backs.get(target.name);
    if (target.generated) continue;
    if (declared && 'sql' in declared) {
      const sql = (wanted: ColumnShape) => `(${declared.sql})::${baseType(wanted)}`;
      written.push({ target: target.name, sql: sql(unbounded(target)), insertOnly: false });
      if (isCompared) compared.push({ target: target.name, sql: sql(target) });
    } else if (back) {
      const sql = pair?.written ?? backOf(back, unbounded(target));
      const asked = pair ? askedOfKey(pair) : askedOf(back, unbounded(target));
      written.push({ target: target.name, sql, insertOnly: false, ...(asked ? { asked } : {}) });
      if (isCompared) compared.push({ target: target.name, sql: backOf(back, target, comparedAs) });
    } else if (declared) {
      const type = baseType(unbounded(target));
      written.push({ target: target.name, sql: `(${declared.insertOnly})::${type}`, insertOnly: true });
    } else if (target.notNull && target.defaultSql === null && target.identity === null) {
      problems.push(
        `column '${target.name}' of ${primary.schema}.${primary.name} is NOT NULL and cannot be derived from the new shape: declare reverse: { ${target.name}: { sql } } or { insertOnly }`,
      );
    }
  }
  return key.length === (primary.key ?? []).length ? { key, written, compared } : null;
}

/** By column of the primary, the first column of the shadow that is a copy of it and can be written. */
function returns(
  primary: TableShape,
  shadow: TableShape,
  declaration: TableDeclaration,
): ReadonlyMap<string, ColumnShape> {
  const backs = new Map<string, ColumnShape>();
  for (const column of shadow.columns.filter(({ generated }) => !generated)) {
    const source = sourceOf(primary, declaration, column.name);
    if (source !== null && 'from' in source && !backs.has(source.from)) backs.set(source.from, column);
  }
  return backs;
}

// ------------------------------------------------------------------------------------------------------- computed

/** Columns of the shadow that are computed until promotion, and that nobody is said to compute after it. */
export function computedUntilPromotion(shadow: TableShape, declaration: TableDeclaration): KeptColumn[] {
  return Object.entries(declaration.columns ?? {}).flatMap(([name, source]) => {
    const column = columnOf(shadow, name);
    if (!column || column.generated || !('sql' in source) || source.after === 'application') return [];
    return [{ column, sql: `(${source.sql})::${baseType(unbounded(column))}`, inputs: [] }];
  });
}

/** Columns of the old shape whose value is in the new one. One whose way back is declared is another value. */
export function inputsOf(primary: TableShape, shadow: TableShape, declaration: TableDeclaration): KeptInput[] {
  return [...returns(primary, shadow, declaration)].flatMap(([name, back]) => {
    const declared = declaration.reverse?.[name];
    const target = columnOf(primary, name);
    if (!target || (declared && 'sql' in declared)) return [];
    return [{ name, from: back.name, sql: backOf(back, unbounded(target)), isCast: back.type !== target.type }];
  });
}

/** Of the inputs those that the expression can name. */
export const inputsNamed = (sql: string, inputs: readonly KeptInput[]): KeptInput[] => {
  const text = sql.toLowerCase();
  return inputs.filter(({ name }) => text.includes(name.replaceAll('"', '""').toLowerCase()));
};

/** True when an expression may read the row as a whole, which is not there after promotion. */
export function readsWholeRow(sql: string, primary: TableShape): boolean {
  const code = sql.replaceAll(/'(?:[^']|'')*'/g, "''");
  return columnOf(primary, 'p') === undefined && /(?<![\w."$])"?\bp\b"?(?!\s*\.\s*[\w"])/i.test(code);
}

// --------------------------------------------------------------------------------------------------------- pieces

const BOUNDED = /^(character varying|character|bit varying|bit)\(\d+\)/;
const BOUNDLESS: Readonly<Record<string, string>> = { character: 'bpchar', bit: 'bit varying' };

/**
 * The column as a type without length. A cast to `varchar(5)` cuts a longer value without a word, while an assignment
 * refuses it; so what is written is cast to `varchar`, and the table itself judges the length.
 */
function unbounded(column: ColumnShape): ColumnShape {
  const type = baseType(column).replace(BOUNDED, (_, name: string) => BOUNDLESS[name] ?? name);
  return { ...column, type: column.base ? column.type : type, base: column.base ? type : column.base };
}

/**
 * A plain column, cast only when the types differ. Never to a domain: such a cast cuts a value to the length of the domain's
 * type, and judges it by the domain's CHECK, both of which is for the table to do.
 */
function castOf(source: ColumnShape, target: ColumnShape): string {
  const column = `p.${quoteName(source.name)}`;
  return source.type === target.type ? column : `(${column})::${baseType(target)}`;
}

/** A record of both sides is compared by the types of its columns, and a domain is another type than the one under it. */
const comparedAs: typeof castOf = (source, target) =>
  target.base ? `(p.${quoteName(source.name)})::${target.base}` : castOf(source, target);

/**
 * A column of the new shape as the old one, or an error for a value that would come back as another one. Whoever wants it
 * rounded declares the way back.
 */
function backOf(source: ColumnShape, target: ColumnShape, how = castOf): string {
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

function askedOf(source: ColumnShape, target: ColumnShape): Asked | null {
  const [from, to] = [baseType(source), baseType(target)];
  if (!mayChange(from, to)) return null;
  return rounds(from, to) || (isNumber(from) && isNumber(to)) ? 'rounds' : 'changes';
}

/** A key that a cast would round is refused before anything is armed. */
const askedOfKey = ({ written }: KeyPair): Asked | null => (written === undefined ? null : 'changes');

function columnPlans(primary: TableShape, shadow: TableShape, declaration: TableDeclaration): ColumnPlan[] {
  return shadow.columns.map((target) => {
    const source = sourceOf(primary, declaration, target.name);
    const name = target.name;
    if (source === null && isTracking(target))
      return { shadow: name, source: '', text: 'tracking, written by Crossfade' };
    if (source === null || 'added' in source)
      return { shadow: name, source: '', text: `new, ${target.type}, filled by its default` };
    if ('sql' in source) {
      return {
        shadow: name,
        source: source.sql,
        text: target.generated ? 'computed by the table, compared' : `computed, ${target.type}`,
      };
    }
    const from = columnOf(primary, source.from)!;
    const renamed = from.name === name ? '' : `renamed from ${from.name}`;
    const recast = from.type === target.type ? '' : `${from.type} → ${target.type}`;
    return { shadow: name, source: from.name, text: [renamed, recast].filter(Boolean).join(', ') || 'unchanged' };
  });
}
