/**
 * A new key. Tables that reference the old one have a second column for it, the companion: filled while both tables are kept equal, and
 * the column of the foreign key from promotion on. Until cleanup each of the two columns follows from the other. Pure.
 */

import { type DeclaredTables, sourceOf } from './column-sources.ts';
import type { Mapping } from './mapping.ts';
import { baseType, columnOf, type TableShape } from './shape.ts';

/** Both directions with their companions. `problems` gets what stands against them. */
export function withCompanions(
  tables: DeclaredTables,
  forward: Mapping,
  reverse: Mapping,
  problems: string[],
): { forward: Mapping; reverse: Mapping } {
  const declared = Object.entries(tables.declaration.companions ?? {});
  if (declared.length === 0) return { forward, reverse };
  const keys = newKey(tables, forward, problems);
  if (!keys) return { forward, reverse };
  const { old, now, from } = keys;
  const pairs = declared.flatMap(([name, columns]) =>
    Object.entries(columns).map(([leading, following]) => ({ table: tableOf(name), leading, following })),
  );
  return {
    forward: {
      ...forward,
      companions: pairs.map((pair) => ({ ...pair, references: old.source, becomes: now, from })),
    },
    reverse: {
      ...reverse,
      companions: pairs.map(({ table, leading, following }) => ({
        table,
        leading: following,
        following: leading,
        references: now,
        becomes: old.source,
        from: old.target,
      })),
    },
  };
}

/** The schema ends at the first dot. */
function tableOf(name: string): { schema: string; name: string } {
  const dot = name.indexOf('.');
  return { schema: name.slice(0, dot), name: name.slice(dot + 1) };
}

type NewKey = { old: { source: string; target: string }; now: string; from: string | null };

/** The primary key of the shadow beside the key by which rows are mirrored, each of one column whose value never changes by itself. */
function newKey(tables: DeclaredTables, forward: Mapping, problems: string[]): NewKey | null {
  const { primary, shadow } = tables;
  const found = problems.length;
  const [old, ...more] = forward.key;
  const [now, ...others] = shadow.key ?? [];
  if (!old || more.length > 0 || now === undefined || others.length > 0) {
    problems.push(
      `companions are for keys of one column, and ${named(primary)} has the key (${(primary.key ?? []).join(', ')}), ${named(shadow)} (${(shadow.key ?? []).join(', ')})`,
    );
    return null;
  }
  if (now === old.target.name) {
    problems.push(
      `companions are declared, and the primary key (${now}) of ${named(shadow)} is the key of ${named(primary)}: foreign keys to it are carried without them. A new key is another column, and the old one stays beside it with a unique index`,
    );
    return null;
  }
  const target = columnOf(shadow, now)!;
  for (const type of [old.source.type, baseType(target)])
    if (/[."]/.test(type)) problems.push(`companions of a key of type ${type} are not built: use a type of Postgres`);
  const source = sourceOf(tables, now);
  if (!source || 'added' in source || target.generated) {
    problems.push(
      `the new key '${now}' of ${named(shadow)} must come from ${named(primary)}, since companions are filled from there: declare it with { from } a column with a unique index over NOT NULL, or { sql } over '${old.source.name}' alone`,
    );
    return null;
  }
  const from = 'from' in source ? source.from : null;
  if (from !== null && !(primary.keys ?? []).some((key) => key.length === 1 && key[0] === from))
    problems.push(
      `the new key '${now}' comes from '${from}' of ${named(primary)}, which has no unique index of its own over NOT NULL: two rows could have the same one`,
    );
  if ('sql' in source) problems.push(...namedBeside(source.sql, primary, old.source.name, now));
  return problems.length > found ? null : { old: { source: old.source.name, target: old.target.name }, now, from };
}

/** Where it is computed from more than the old key, it changes while a row keeps that. */
function namedBeside(sql: string, primary: TableShape, key: string, now: string): string[] {
  const code = sql.replaceAll(/'(?:[^']|'')*'/g, "''").toLowerCase();
  const names = (name: string) =>
    new RegExp(`(?<![\\w$])${name.toLowerCase().replaceAll(/[.*+?^${}()|[\]\\]/g, '\\$&')}(?![\\w$])`).test(code);
  return primary.columns
    .filter(({ name }) => name !== key && names(name))
    .map(
      ({ name }) =>
        `the new key '${now}' is computed from '${name}': compute it from '${key}' alone, or keep it in a column of ${named(primary)} and declare { from }`,
    );
}

const named = ({ schema, name }: TableShape) => `${schema}.${name}`;
