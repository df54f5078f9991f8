/** What a prepared swap is, and the pieces that both directions share. */

import type { TableDeclaration } from '../../cutover/table-declaration.ts';
import { declaredOf } from '../column-sources.ts';
import type { Mapping } from '../mapping.ts';
import { moveFunctions, moveStatistics } from './bodies.ts';
import type { ComputedColumn } from './computed-columns.ts';
import type { DependentSequence, Dependents, ForeignKey, TableDependents } from './dependents.ts';
import type { KeyColumns } from './foreign-key-statement.ts';
import type { OwnForeignKeys } from './foreign-keys.ts';
import type { ForeignKeyAside } from './foreign-keys-aside.ts';
import type { Move, Moved } from './moved.ts';
import type { Rename } from './names.ts';
import type { CarriedComment, Granted, OwnerBefore } from './privileges.ts';
import { type PromotionItem, qualified } from './refusals.ts';
import { movePublications } from './replication.ts';
import { movePolicies, type RowSecurityBefore } from './row-security.ts';
import type { FittedSequence, MovedSequence } from './sequences.ts';
import { moveRules, moveTriggers } from './triggers.ts';
import { moveViews } from './views.ts';

/** What the way back has to know, stored with the cutover in the transaction of the swap. */
export type PromotionRecord = {
  renames: readonly Rename[];
  alias: string;
  granted: readonly Granted[];
  comments: readonly CarriedComment[];
  moved: readonly MovedSequence[];
  /** Absent in what was promoted before sequences were fitted. */
  fitted?: readonly FittedSequence[];
  owner: OwnerBefore | null;
  /** What hung on the shadow before, and goes back with it. */
  followers: { foreignKeys: readonly string[]; others: readonly string[] };
  keys: OwnForeignKeys;
  rowSecurity: RowSecurityBefore;
  /** The shadow got the primary's replica identity. */
  identified: boolean;
  /** To be run after the swap; again after a crash, since they may be run twice. */
  validate: readonly string[];
};

export type PreparedSwap = {
  items: readonly PromotionItem[];
  /** True when nothing is refused. Only then the rest may be used. */
  ok: boolean;
  /** Quoted names, the one that reads another one first: to be locked in this order, before the tables. */
  lockViews: readonly string[];
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
  /** Foreign keys that were taken off the shadow when it began to follow. */
  aside?: readonly ForeignKeyAside[];
  computed?: readonly ComputedColumn[];
  /** From the shadow to the primary. */
  reverse?: Mapping;
};

export function preparedSwap(
  items: PromotionItem[],
  lock: { views: readonly string[]; tables: readonly number[] },
  statements: string[],
  validateLater: string[],
): Omit<PreparedSwap, 'names'> {
  return {
    items,
    ok: items.every(({ action }) => action !== 'refuse'),
    lockViews: [...new Set(lock.views)],
    lockTables: [...new Set(lock.tables)].sort((a, b) => a - b),
    statements,
    validateLater,
  };
}

/** In the order in which they are made; what is dropped, in the order in which nothing needs it any more. */
export function moveAttached(move: Move, policies: boolean): Moved {
  const parts = [
    moveStatistics(move),
    movePolicies(move, policies),
    moveTriggers(move),
    moveRules(move),
    movePublications(move),
    moveViews(move),
    moveFunctions(move),
  ];
  const all = <Key extends keyof Moved>(key: Key) => parts.flatMap((part) => part[key] as unknown[]) as Moved[Key];
  return {
    before: parts.toReversed().flatMap(({ before }) => before),
    after: all('after'),
    later: all('later'),
    views: parts.toReversed().flatMap(({ views }) => views),
    lock: all('lock'),
    items: all('items'),
  };
}

// ------------------------------------------------------------------------------------------------------ followers

export const namesOf = (kind: string, object: string) => `${kind} ${object}`;
export const keyOf = (foreignKey: ForeignKey) => `${foreignKey.table.oid} ${foreignKey.name}`;

/** What hangs on the shadow, by the names that `Move.keep` is asked for. What reads both tables moves with the name. */
export function followersOf(shadow: TableDependents, primary: TableDependents): string[] {
  const named = (table: TableDependents) => [
    ...table.views.map((view) => namesOf('view', qualified(view))),
    ...table.functions.map(({ signature }) => namesOf('function', signature)),
    ...table.rules.filter(({ own }) => !own).map((rule) => namesOf('rule', `${rule.name} on ${qualified(rule.table)}`)),
    ...table.policies
      .filter(({ own }) => !own)
      .map((policy) => namesOf('policy', `${policy.name} on ${qualified(policy.table)}`)),
    ...table.publications.map(({ name }) => namesOf('publication', name)),
  ];
  const shared = new Set(named(primary).filter((name) => !name.startsWith('publication ')));
  return [
    ...named(shadow).filter((name) => !shared.has(name)),
    ...shadow.triggers.map(({ name }) => namesOf('trigger', name)),
    ...shadow.rules.filter(({ own }) => own).map(({ name }) => namesOf('rule', `${name} on ${qualified(primary)}`)),
    ...shadow.statistics.map((one) => namesOf('statistics', qualified(one))),
    ...shadow.others.map(({ kind, object }) => namesOf(kind, object)),
  ];
}

// -------------------------------------------------------------------------------------------------------- columns

/** By column of the primary, the first column of the shadow that is a copy of it. */
export function columnsOf({ primary, shadow }: Dependents, declaration: TableDeclaration): Map<string, string> {
  const columns = new Map<string, string>();
  const known = new Set(primary.columns.map(({ name }) => name));
  for (const { name } of shadow.columns) {
    const declared = declaredOf(declaration.columns, name);
    const source = declared === undefined ? name : 'from' in declared ? declared.from : null;
    if (source !== null && known.has(source) && !columns.has(source)) columns.set(source, name);
  }
  return columns;
}

export const invert = (columns: ReadonlyMap<string, string>) =>
  new Map([...columns].map(([primary, shadow]) => [shadow, primary]));

export const keyColumns = ({ key }: Mapping): KeyColumns =>
  new Map(key.map(({ source, target }) => [source.name, { name: target.name, type: target.type }]));
export const keyColumnsBack = ({ key }: Mapping): KeyColumns =>
  new Map(key.map(({ source, target }) => [target.name, { name: source.name, type: source.type }]));

// ---------------------------------------------------------------------------------------------------------- names

export function tableName(renames: readonly Rename[], table: TableDependents): string {
  return renames.find((rename) => rename.kind === 'table' && rename.table === table.oid)?.to ?? table.name;
}

/** On the way back constraints are renamed before their table. */
export function constraintTable(rename: Rename, { primary, shadow }: Dependents): string {
  return rename.table === primary.oid ? primary.name : shadow.name;
}

/** What a sequence is called after the renames: it goes with its table into another schema. */
export function placedBy(renames: readonly Rename[]) {
  return ({ schema, name, ownedBy }: DependentSequence): { schema: string; name: string } => {
    const own = renames.find((one) => one.kind === 'sequence' && one.schema === schema && one.from === name);
    if (own) return { schema, name: own.to };
    const along = renames.find(
      (one) => one.toSchema !== undefined && one.table === ownedBy?.table && one.schema === schema,
    );
    return { schema: along?.toSchema ?? schema, name };
  };
}

/** Name that a constraint or index of a table has after the renames. */
export function renamedOn(renames: readonly Rename[], table: TableDependents): (name: string) => string {
  const kinds = new Set(['constraint', 'index']);
  return (name) =>
    renames.find((rename) => kinds.has(rename.kind) && rename.table === table.oid && rename.from === name)?.to ?? name;
}

export function renameItem({ kind, schema, from, to, toSchema }: Rename): PromotionItem {
  const becomes = toSchema === undefined ? to : `${toSchema}.${to}`;
  return { action: 'carry', kind, object: `${schema}.${from}`, text: `becomes ${becomes}` };
}
