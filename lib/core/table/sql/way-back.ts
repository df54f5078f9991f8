/**
 * Is the way back total on the rows that are there? Each row is taken to the new shape and back in one SELECT, and
 * what comes out is held against what the old table takes, and against what was there. Nothing is written.
 */

import type { Mapping } from '../mapping.ts';
import { baseType, type ColumnShape, columnOf, quoteName, quoteTable, quoteText, type TableShape } from '../shape.ts';
import { keyText, rowValue } from './names.ts';

/** SQL that crossfade.way_back runs over ranges of pages. */
export type WayBackSql = { judged: string; crossed: string | null; key: string };

export type WayBackRequest = {
  primary: TableShape;
  shadow: TableShape;
  forward: Mapping;
  reverse: Mapping;
  /** By column of the shadow: the expression of a generated one, which is not written. */
  generated: Readonly<Record<string, string>>;
};

export const MOST_SAMPLES = 20;
/** Of one file: a partitioned table has several. */
const RANGE = 'p.ctid >= $1 AND p.ctid < $2 AND p.tableoid = $3';

/** Before promotion: rows of the primary, there and back. */
export function wayThereAndBack(request: WayBackRequest): WayBackSql {
  const { primary, shadow, forward } = request;
  const crossed = `SELECT ${keyOf(primary, shadow, forward)} AS crossfade_key, ${was(primary)}, ${newShape(shadow, forward)}
    FROM ${quoteTable(primary)} AS p WHERE ${RANGE}`;
  const changes = changed(request);
  return {
    judged: verdictOf(`crossed AS MATERIALIZED (${crossed}), shaped AS (${withGenerated(request)})`, request, changes),
    crossed: `WITH crossed AS MATERIALIZED (${crossed}) SELECT count(*) FROM crossed`,
    key: keyOf(primary, shadow, forward),
  };
}

/** After promotion the rows of the new table are asked themselves, and there is nothing to compare them with. */
export function wayBackOnly(request: WayBackRequest): WayBackSql {
  const { primary, shadow, reverse } = request;
  const key = keyOf(shadow, primary, reverse);
  const shaped = `SELECT ${key} AS crossfade_key, p.* FROM ${quoteTable(shadow)} AS p WHERE ${RANGE}`;
  return {
    judged: verdictOf(`shaped AS (${shaped})`, request, []),
    crossed: null,
    key,
  };
}

function verdictOf(before: string, { primary, reverse }: WayBackRequest, changes: readonly string[]): string {
  const reasons = reverse.written
    .filter(({ insertOnly }) => !insertOnly)
    .flatMap(({ target, sql }) => refusals(columnOf(primary, target)!, sql));
  const texts = (parts: readonly string[]) => `array_remove(ARRAY[${parts.join(', ')}]::text[], NULL)`;
  return `WITH ${before}, back AS MATERIALIZED (
      SELECT p.crossfade_key AS key, ${texts(reasons)} AS unfit, ${texts(changes)} AS changed FROM shaped AS p
    )
    SELECT jsonb_build_object('rows', count(*), 'unfit', count(*) FILTER (WHERE unfit <> '{}'),
      'changed', count(*) FILTER (WHERE unfit = '{}' AND changed <> '{}'), 'samples', (
        SELECT coalesce(jsonb_agg(jsonb_build_object('key', b.key, 'kind', CASE WHEN b.unfit = '{}' THEN 'changed' ELSE 'return' END,
          'why', array_to_string(CASE WHEN b.unfit = '{}' THEN b.changed ELSE b.unfit END, ', '))), '[]')
        FROM (SELECT * FROM back WHERE unfit <> '{}' OR changed <> '{}' LIMIT ${MOST_SAMPLES}) b))
    FROM back`;
}

/** What an assignment to the column would refuse. Casts refuse the rest by themselves, and fail the statement; so each is made. */
function refusals(column: ColumnShape, sql: string): string[] {
  const say = (condition: string, text: string) => `CASE WHEN ${condition} THEN ${quoteText(text)} END`;
  // A value is compared as the type under a domain, and only a cast to the domain asks its CHECK.
  const isNull = `(${column.base ? `(${sql})::${column.type}` : sql}) IS NULL`;
  const reasons = [column.notNull ? say(isNull, `${column.name} would be NULL`) : `CASE WHEN ${isNull} THEN NULL END`];
  const bound = boundOf(column);
  if (!bound) return reasons;
  const { kind, size } = bound;
  // Spaces beyond the length are cut without a word by an assignment, too.
  const long = kind.startsWith('character')
    ? `char_length(rtrim((${sql})::text, ' ')) > ${size}`
    : `length(${sql}) ${kind === 'bit' ? '<>' : '>'} ${size}`;
  return [...reasons, say(long, `${column.name} does not fit ${column.type}`)];
}

/** The length of the type, where it has one. */
function boundOf(column: ColumnShape): { kind: string; size: number } | null {
  const [, kind, size] = /^(character varying|character|bit varying|bit)\((\d+)\)$/.exec(baseType(column)) ?? [];
  return kind === undefined ? null : { kind, size: Number(size) };
}

/** What the functions of these casts are called, and what their modifier is beside the length. */
const COERCIONS: Readonly<Record<string, readonly [name: string, more: number]>> = {
  'character varying': ['varchar', 4],
  character: ['bpchar', 4],
  'bit varying': ['varbit', 0],
  bit: ['bit', 0],
};

/** As an assignment to the column takes the value: one that is too long is refused, where a cast would cut it, and a domain asks its CHECK. */
function assigned(column: ColumnShape, sql: string): string {
  const bound = boundOf(column);
  const [name, more] = COERCIONS[bound?.kind ?? ''] ?? [];
  const fitted = bound ? `pg_catalog."${name}"((${sql})::pg_catalog."${name}", ${bound.size + more!}, false)` : sql;
  return column.base ? `(${fitted})::${column.type}` : fitted;
}

/** Beside the new shape, as one value, since a list has at most 1,664 entries. Not as `p`: a column may be called so. */
const was = (primary: TableShape) => `ROW(p.*)::${quoteTable(primary)} AS crossfade_was`;

/** A column that comes back, but not as it was: a row that is written again after promotion would have it so. */
function changed({ primary, reverse }: WayBackRequest): string[] {
  const keys = reverse.key.map(({ target, sql }) => ({ target: target.name, sql }));
  const others = reverse.compared.filter(({ target }) => !keys.some((key) => key.target === target));
  return [...keys, ...others].map(({ target, sql }) => {
    const before = rowValue([`(p.crossfade_was).${quoteName(target)}`]);
    const after = rowValue([`(${sql})::${columnOf(primary, target)!.type}`]);
    return `CASE WHEN ${before} *<> ${after} THEN ${quoteText(target)} END`;
  });
}

/** Every column of the new shape but generated ones; one that is filled by its default has that. A counter is not moved for it. */
function newShape(shadow: TableShape, { written }: Mapping): string {
  const expressions = new Map(written.map(({ target, sql }) => [target, sql]));
  return shadow.columns
    .filter(({ generated }) => !generated)
    .map((column) => {
      const sql = expressions.get(column.name);
      return `${sql === undefined ? filled(column) : assigned(column, sql)} AS ${quoteName(column.name)}`;
    })
    .join(', ');
}

function filled({ defaultSql, identity, type }: ColumnShape): string {
  const counts = identity !== null || /\bnextval\(/.test(defaultSql ?? '');
  return counts ? `NULL::${type}` : `(${defaultSql ?? 'NULL'})::${type}`;
}

function withGenerated({ shadow, generated }: WayBackRequest): string {
  const computed = shadow.columns
    .filter((column) => column.generated && generated[column.name] !== undefined)
    .map(({ name, type }) => `, (${generated[name]})::${type} AS ${quoteName(name)}`);
  return `SELECT p.*${computed.join('')} FROM crossed AS p`;
}

const keyOf = (source: TableShape, target: TableShape, mapping: Mapping) =>
  keyText({ id: '', source, target, mapping }, (index) => `p.${quoteName(mapping.key[index]!.source.name)}`);
