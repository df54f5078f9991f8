/**
 * Plans the swap of names of a table cutover, there and back: from everything that hangs on both tables to the statements
 * of one transaction, or to the list of what stands in the way. Pure; names are taken from the catalog and always quoted.
 */

import type { TableDeclaration } from './cutover.ts';
import type { DependentSequence, Dependents, TableDependents } from './promotion/dependents.ts';
import { type KeyColumns, repoint } from './promotion/foreign-keys.ts';
import { planNames, planNamesBack, type Rename, renameStatement } from './promotion/names.ts';
import { noticeDifferences } from './promotion/notices.ts';
import {
  aliasStatements,
  type CarriedComment,
  commentStatement,
  commentsToCarry,
  type Granted,
  grantItems,
  grantStatements,
  grantsMissing,
  type OwnerBefore,
  ownerBack,
  recordGrants,
  revokeStatement,
  stillCommented,
  takenBack,
} from './promotion/privileges.ts';
import {
  judgeOthers,
  type PromotionItem,
  qualified,
  refuseOthers,
  refuseProperties,
  refuseTable,
} from './promotion/refusals.ts';
import { carrySequences, type MovedSequence } from './promotion/sequences.ts';
import { quoteTable } from './table-shape.ts';
import type { Mapping } from './transform.ts';

/** What the way back has to know, stored with the cutover in the transaction of the swap. */
export type PromotionRecord = {
  renames: readonly Rename[];
  alias: string;
  granted: readonly Granted[];
  comments: readonly CarriedComment[];
  moved: readonly MovedSequence[];
  owner: OwnerBefore | null;
  /** What hung on the shadow before, and goes back with it. */
  followers: { foreignKeys: readonly string[]; others: readonly string[] };
  /** To be run after the swap; again after a crash, since they may be run twice. */
  validate: readonly string[];
};

export type SwapPlan = {
  items: readonly PromotionItem[];
  /** True when nothing is refused. Only then the rest may be used. */
  ok: boolean;
  /** OIDs, ascending. */
  lockTables: readonly number[];
  statements: readonly string[];
  validateLater: readonly string[];
  /** Names after the swap. */
  names: { primary: string; shadow: string };
};

export type SwapRequest = {
  dependents: Dependents;
  declaration: TableDeclaration;
  /** Forward: from the primary to the shadow. */
  mapping: Mapping;
};

const namesOf = ({ kind, object }: { kind: string; object: string }) => `${kind} ${object}`;
const keyOf = (foreignKey: { table: { oid: number }; name: string }) => `${foreignKey.table.oid} ${foreignKey.name}`;

/** `customer` → `customer_old`, `customer_v2` → `customer`, and everything that hangs on them. */
export function planPromotion({
  dependents,
  declaration,
  mapping,
}: SwapRequest): SwapPlan & { record: PromotionRecord } {
  const { primary, shadow, taken } = dependents;
  const columns = columnsOf(dependents, declaration);
  const names = planNames(primary, shadow, taken);
  const promoted = { schema: primary.schema, name: primary.name };
  const renamed = renamedBy(names.renames);
  const keys = repoint(primary.inbound, primary, shadow, primary.name, keyColumns(mapping));
  const sequences = carrySequences({ from: primary, to: shadow, columns, renamed, name: primary.name });
  const missing = grantsMissing(primary.grants, shadow.grants);
  const comments = commentsToCarry(primary, shadow, columns);
  const items = [
    ...refuseTable(primary),
    ...refuseTable(shadow),
    ...refuseProperties(primary),
    ...refuseOthers(primary, () => false),
    ...primaryReferences(primary, shadow),
    ...names.problems,
    ...judgeOthers(shadow),
    ...keys.items,
    ...sequences.items,
    ...grantItems(primary, shadow, missing),
    ...names.renames.map(renameItem),
    ...noticeDifferences(primary, shadow, columns),
  ];
  const statements = [
    ...keys.drop,
    ...(shadow.owner === primary.owner ? [] : [`ALTER TABLE ${quoteTable(shadow)} OWNER TO ${primary.owner}`]),
    ...names.renames.map((rename) =>
      renameStatement(rename, tableName(names.renames, rename.table === primary.oid ? primary : shadow)),
    ),
    ...grantStatements('TABLE', promoted, missing),
    ...aliasStatements(
      { schema: shadow.schema, name: names.alias },
      promoted,
      shadow.columns.map(({ name }) => name),
      primary.owner,
      [...shadow.grants, ...missing].filter(({ grantee }) => grantee !== primary.owner),
    ),
    ...sequences.statements,
    ...comments.map(({ column, text }) => commentStatement(promoted, column, text)),
    ...keys.add,
  ];
  return {
    ...swapPlan(items, [primary.oid, shadow.oid, ...keys.lock], statements, keys.validate),
    names: { primary: tableName(names.renames, primary), shadow: primary.name },
    record: {
      renames: names.renames,
      alias: names.alias,
      granted: [...recordGrants('TABLE', promoted, missing, shadow.grants), ...sequences.granted],
      comments,
      moved: sequences.moved,
      owner: shadow.owner === primary.owner ? null : { name: shadow.owner, grants: shadow.grants },
      followers: { foreignKeys: shadow.inbound.map(keyOf), others: shadow.others.map(namesOf) },
      validate: keys.validate,
    },
  };
}

/** The same swap with the roles exchanged. The tables may have changed since: what is new on them is planned for, too. */
export function planRevert({ dependents, declaration, mapping }: SwapRequest, record: PromotionRecord): SwapPlan {
  const { primary, shadow, taken } = dependents;
  const columns = invert(columnsOf(dependents, declaration));
  const alias = { schema: shadow.schema, name: record.alias };
  const followers = new Set([...record.followers.others, namesOf({ kind: 'view', object: qualified(alias) })]);
  const { back, problems } = planNamesBack(record.renames, [primary, shadow], taken, record.alias);
  const renamed = renamedBy(back);
  const name = tableName(back, primary);
  const inbound = shadow.inbound.filter((foreignKey) => !record.followers.foreignKeys.includes(keyOf(foreignKey)));
  const keys = repoint(inbound, shadow, primary, name, keyColumnsBack(mapping));
  const sequences = carrySequences({ from: shadow, to: primary, columns, renamed, name, moved: record.moved });
  const granted = takenBack(record.granted, shadow);
  const items = [
    ...refuseTable(primary),
    ...refuseTable(shadow),
    ...tablesElsewhere(record, dependents),
    ...refuseOthers(shadow, (other) => followers.has(namesOf(other))),
    ...problems,
    ...keys.items,
    ...sequences.items,
    ...back.map(renameItem),
  ];
  const statements = [
    ...keys.drop,
    `DROP VIEW IF EXISTS ${quoteTable(alias)}`,
    ...granted.map(revokeStatement),
    ...record.comments.filter(stillCommented(shadow)).map(({ column }) => commentStatement(shadow, column, null)),
    ...back.map((rename) => renameStatement(rename, constraintTable(rename, dependents))),
    ...sequences.statements,
    ...ownerBack(record.owner, shadow, tableName(back, shadow)),
    ...keys.add,
  ];
  return {
    ...swapPlan(items, [primary.oid, shadow.oid, ...keys.lock], statements, keys.validate),
    names: { primary: name, shadow: tableName(back, shadow) },
  };
}

function swapPlan(
  items: PromotionItem[],
  lock: number[],
  statements: string[],
  validateLater: string[],
): Omit<SwapPlan, 'names'> {
  return {
    items,
    ok: items.every(({ action }) => action !== 'refuse'),
    lockTables: [...new Set(lock)].sort((a, b) => a - b),
    statements,
    validateLater,
  };
}

// -------------------------------------------------------------------------------------------------------- columns

/** By column of the primary, the first column of the shadow that is a copy of it. */
function columnsOf({ primary, shadow }: Dependents, declaration: TableDeclaration): Map<string, string> {
  const columns = new Map<string, string>();
  for (const { name } of shadow.columns) {
    const declared = declaration.columns?.[name];
    const source = declared === undefined ? name : 'from' in declared ? declared.from : null;
    if (source !== null && primary.columns.some((column) => column.name === source) && !columns.has(source))
      columns.set(source, name);
  }
  return columns;
}

const invert = (columns: ReadonlyMap<string, string>) =>
  new Map([...columns].map(([primary, shadow]) => [shadow, primary]));

const keyColumns = ({ key }: Mapping): KeyColumns =>
  new Map(key.map(({ source, target }) => [source.name, { name: target.name, type: target.type }]));
const keyColumnsBack = ({ key }: Mapping): KeyColumns =>
  new Map(key.map(({ source, target }) => [target.name, { name: source.name, type: source.type }]));

// ---------------------------------------------------------------------------------------------------------- names

function tableName(renames: readonly Rename[], table: TableDependents): string {
  return renames.find((rename) => rename.kind === 'table' && rename.table === table.oid)?.to ?? table.name;
}

/** Somebody renamed a table after promotion: nothing is guessed. */
function tablesElsewhere({ renames }: PromotionRecord, { primary, shadow }: Dependents): PromotionItem[] {
  return [primary, shadow].flatMap((table) => {
    const expected = tableName(renames, table);
    if (table.name === expected) return [];
    const text = `It was named ${expected} by the promotion and has another name now. Give it that name again.`;
    return [{ action: 'refuse', kind: 'table', object: qualified(table), text }];
  });
}

/** On the way back constraints are renamed before their table. */
function constraintTable(rename: Rename, { primary, shadow }: Dependents): string {
  return rename.table === primary.oid ? primary.name : shadow.name;
}

function renamedBy(renames: readonly Rename[]): (sequence: DependentSequence) => string {
  return ({ schema, name }) =>
    renames.find((rename) => rename.kind === 'sequence' && rename.schema === schema && rename.from === name)?.to ??
    name;
}

function renameItem({ kind, schema, from, to }: Rename): PromotionItem {
  return { action: 'carry', kind, object: `${schema}.${from}`, text: `becomes ${to}` };
}

function primaryReferences(primary: TableDependents, shadow: TableDependents): PromotionItem[] {
  return primary.outgoing
    .filter(({ references }) => references.oid === shadow.oid)
    .map(({ name }) => ({
      action: 'refuse',
      kind: 'foreign key',
      object: `${qualified(primary)}.${name}`,
      text: `It references ${qualified(shadow)}, the table that is to replace its own. Drop it first.`,
    }));
}
