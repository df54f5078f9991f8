/**
 * Who gets which name. `customer` becomes `customer_old`, `customer_v2` becomes `customer`; what is named after its table
 * (`customer_pkey`, `customer_v2_pkey`) moves along. A name that would be too long is cut, with a mark. The way back gives every
 * name back exactly, from the list itself.
 */

import { quoteName, quoteTable } from '../shape.ts';
import type { TableDependents, TableRef } from './dependents.ts';
import { fitName } from './fit-name.ts';
import { type PromotionItem, qualified } from './refusals.ts';

type RenameKind = 'table' | 'constraint' | 'index' | 'sequence';

export type Rename = {
  kind: RenameKind;
  table: number;
  schema: string;
  from: string;
  to: string;
  /** Of a table that keeps its name and changes its schema, with its indexes and sequences. */
  toSchema?: string;
};

export type Names = {
  /** In the order of promotion: the primary's, then the shadow's; each table before what belongs to it. */
  renames: readonly Rename[];
  /** The old name of the shadow, which a view keeps alive. */
  alias: string;
  problems: readonly PromotionItem[];
};

const RENAMED_CONSTRAINTS = new Set(['p', 'u', 'x', 'c', 'f']);
/** Constraints whose index shares the name, and so the name space of tables. */
const INDEXED_CONSTRAINTS = new Set(['p', 'u', 'x']);

/** @param dropped constraints of the primary that are gone by then */
export function chooseNames(
  primary: TableDependents,
  shadow: TableDependents,
  taken: readonly string[],
  dropped: ReadonlySet<string>,
): Names {
  const kept = { ...primary, constraints: primary.constraints.filter(({ name }) => !dropped.has(name)) };
  const used = new Set([...taken, ...namesOn(primary), ...namesOn(shadow)]);
  const shorten = (name: string, ending = '') => {
    const fitted = fitName(name, ending, (one) => used.has(one));
    if (fitted !== name + ending) used.add(fitted);
    return fitted;
  };
  const freed = renamesOf(kept, shorten(primary.name, '_old'), shadow, shorten);
  const renames = [
    ...freed,
    ...(primary.schema === shadow.schema
      ? renamesOf(shadow, primary.name, primary, shorten)
      : [changeOfSchema(shadow, primary.schema)]),
  ];
  const problems = [...collisions(renames, [kept, shadow], taken), ...checkSchemas(primary, shadow, { freed, taken })];
  return { renames, alias: shadow.name, problems };
}

const namesOn = ({ constraints, indexes, sequences }: TableDependents) =>
  [constraints, indexes, sequences].flatMap((list) => list.map(({ name }) => name));

function renamesOf(
  table: TableDependents,
  to: string,
  other: TableDependents,
  shorten: (name: string) => string,
): Rename[] {
  const prefix = `${table.name}_`;
  const rename =
    (kind: RenameKind) =>
    (from: string): Rename => ({
      kind,
      table: table.oid,
      schema: table.schema,
      from,
      to: kind === 'table' ? to : shorten(to + from.slice(table.name.length)),
    });
  const named = (name: string) => name.startsWith(prefix);
  const constraints = table.constraints.filter(({ name, type }) => RENAMED_CONSTRAINTS.has(type) && named(name));
  const indexes = table.indexes.filter(({ name, constraint }) => !constraint && named(name));
  const shared = (name: string) =>
    other.sequences.some((sequence) => sequence.schema === table.schema && sequence.name === name);
  const sequences = table.sequences.filter(
    ({ schema, name, ownedBy }) =>
      schema === table.schema && ownedBy?.table === table.oid && named(name) && !shared(name),
  );
  return [
    rename('table')(table.name),
    ...constraints.map(({ name }) => name).map(rename('constraint')),
    ...indexes.map(({ name }) => name).map(rename('index')),
    ...[...new Set(sequences.map(({ name }) => name))].map(rename('sequence')),
  ];
}

/** Tables, indexes, sequences and types share one name space per schema; other constraints have one per table. */
function collisions(
  renames: readonly Rename[],
  tables: readonly TableDependents[],
  taken: readonly string[],
): PromotionItem[] {
  const inSchema = renames.filter((rename) => isRelation(rename, tables));
  const freed = new Set(inSchema.map(({ from }) => from));
  const used = new Set(taken.filter((name) => !freed.has(name)));
  const items = clashes(
    inSchema.filter(({ toSchema }) => toSchema === undefined),
    used,
  );
  for (const table of tables) {
    const own = renames.filter(({ kind, table: oid }) => kind === 'constraint' && oid === table.oid);
    const moved = new Set(own.map(({ from }) => from));
    const kept = table.constraints.map(({ name }) => name).filter((name) => !moved.has(name));
    const alone = own.filter((rename) => !isRelation(rename, tables));
    items.push(...clashes(alone, new Set(kept)));
  }
  return items;
}

function isRelation({ kind, table, from }: Rename, tables: readonly TableDependents[]): boolean {
  if (kind !== 'constraint') return true;
  const owner = tables.find(({ oid }) => oid === table);
  return owner?.constraints.some(({ name, type }) => name === from && INDEXED_CONSTRAINTS.has(type)) ?? false;
}

function clashes(renames: readonly Rename[], used: Set<string>): PromotionItem[] {
  const items: PromotionItem[] = [];
  for (const { kind, schema, from, to } of renames) {
    if (used.has(to)) {
      const text = `It would be renamed to '${to}', and that name is taken. Rename or drop what has it.`;
      items.push({ action: 'refuse', kind, object: `${schema}.${from}`, text });
    }
    used.add(to);
  }
  return items;
}

const changeOfSchema = ({ oid, schema, name }: TableRef, toSchema: string): Rename => ({
  kind: 'table',
  table: oid,
  schema,
  from: name,
  to: name,
  toSchema,
});

/** Names of indexes and sequences that a table takes along into another schema. */
const goesAlong = ({ oid, schema, indexes, sequences }: TableDependents): string[] =>
  [...indexes, ...sequences.filter((one) => one.schema === schema && one.ownedBy?.table === oid)].map(
    ({ name }) => name,
  );

/** In the other schema the names of what goes along must be free. */
function checkSchemas(
  primary: TableDependents,
  shadow: TableDependents,
  { freed, taken }: { freed: readonly Rename[]; taken: readonly string[] },
): PromotionItem[] {
  if (primary.schema === shadow.schema) return [];
  if (primary.name !== shadow.name) {
    const text = `It must be in the schema of ${qualified(primary)} to get its name, or have the same name in another schema. Move it: ALTER TABLE ${qualified(shadow)} SET SCHEMA ${primary.schema}.`;
    return [{ action: 'refuse', kind: 'schema', object: qualified(shadow), text }];
  }
  const clash = goesAlong(shadow).filter((name) => taken.includes(name) && !freed.some(({ from }) => from === name));
  const both = `After promotion ${qualified(primary)} is the new table, and ${qualified(shadow)} a view of it: both names work until cleanup. Cleanup moves the table to schema ${shadow.schema}, and nothing is called ${qualified(primary)} from then on.`;
  return [
    { action: 'notice', kind: 'schema', object: qualified(shadow), text: both },
    ...clash.map(
      (name): PromotionItem => ({
        action: 'refuse',
        kind: 'schema',
        object: `${shadow.schema}.${name}`,
        text: `It goes to schema ${primary.schema} with its table, and that name is taken there. Rename it.`,
      }),
    ),
  ];
}

/** Where a table was before promotion, or is until then. */
export const homeOf = (renames: readonly Rename[], { oid, schema }: TableRef): string =>
  renames.find(({ kind, table }) => kind === 'table' && table === oid)?.schema ?? schema;

const takenBack = (rename: Rename): Rename => ({
  ...rename,
  from: rename.to,
  to: rename.from,
  ...(rename.toSchema === undefined ? {} : { schema: rename.toSchema, toSchema: rename.schema }),
});

/** Names that the way back needs and somebody else has by now. */
export function chooseNamesBack(
  renames: readonly Rename[],
  tables: readonly TableDependents[],
  taken: readonly string[],
  alias: string,
) {
  const back = renames
    .filter((rename) => exists(rename, tables))
    .map(takenBack)
    .reverse();
  const leaves = (table: TableDependents) => back.some((one) => one.toSchema !== undefined && one.table === table.oid);
  const leaving = new Set(tables.filter(leaves).flatMap(goesAlong));
  const problems = collisions(
    back,
    tables,
    taken.filter((name) => name !== alias && !leaving.has(name)),
  );
  return { back, problems };
}

function exists({ kind, table: oid, to }: Rename, tables: readonly TableDependents[]): boolean {
  const table = tables.find((candidate) => candidate.oid === oid);
  if (!table) return false;
  if (kind === 'table') return table.name === to;
  const list = { constraint: table.constraints, index: table.indexes, sequence: table.sequences }[kind];
  return list.some(({ name }) => name === to);
}

/**
 * @param promoted name that the table of a constraint has between both directions: on the way there its new one, on the
 * way back still that one
 */
export function renameStatement(rename: Rename, promoted: string): string {
  const to = quoteName(rename.to);
  const object = quoteTable({ schema: rename.schema, name: rename.from });
  switch (rename.kind) {
    case 'table':
      if (rename.toSchema !== undefined) return `ALTER TABLE ${object} SET SCHEMA ${quoteName(rename.toSchema)}`;
      return `ALTER TABLE ${object} RENAME TO ${to}`;
    case 'index':
      return `ALTER INDEX ${object} RENAME TO ${to}`;
    case 'sequence':
      return `ALTER SEQUENCE ${object} RENAME TO ${to}`;
    case 'constraint':
      return `ALTER TABLE ${quoteTable({ schema: rename.schema, name: promoted })} RENAME CONSTRAINT ${quoteName(rename.from)} TO ${to}`;
  }
}
