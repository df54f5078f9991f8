/**
 * Plans the swap of names of a table cutover, there and back: from everything that hangs on both tables to the statements
 * of one transaction, or to the list of what stands in the way. Pure; names are taken from the catalog and always quoted.
 */

import { quoteTable } from '../shape.ts';
import { judgeBeforeStart } from './before-start.ts';
import { computedUntilCleanup, judgeComputed } from './computed-columns.ts';
import type { Dependents, TableDependents } from './dependents.ts';
import { moveOutgoing, repoint, returnOutgoing } from './foreign-keys.ts';
import { habits } from './habits.ts';
import type { UnprovenKey } from './keys-aside.ts';
import { planNames, planNamesBack, renameStatement } from './names.ts';
import { noticeDifferences } from './notices.ts';
import {
  aliasStatements,
  columnGrantItems,
  columnGrantsMissing,
  commentStatement,
  commentsToCarry,
  grantItems,
  grantStatements,
  grantsMissing,
  ownerBack,
  recordGrants,
  revokeStatement,
  stillCommented,
  takenBack,
} from './privileges.ts';
import { judgeOthers, type PromotionItem, qualified, refuseOthers, refuseTable } from './refusals.ts';
import { carryIdentity } from './replication.ts';
import { lowerFlags, raiseFlags, refuseForced, rowSecurityBefore } from './row-security.ts';
import { carrySequences, unfitSequences } from './sequences.ts';
import {
  columnsOf,
  constraintTable,
  followersOf,
  invert,
  keyColumns,
  keyColumnsBack,
  keyOf,
  moveAttached,
  namesOf,
  type PromotionRecord,
  renamedBy,
  renamedOn,
  renameItem,
  type SwapPlan,
  type SwapRequest,
  swapPlan,
  tableName,
} from './swap-plan.ts';

/** `customer` → `customer_old`, `customer_v2` → `customer`, and everything that hangs on them. */
export function planPromotion({
  dependents,
  declaration,
  mapping,
  aside = [],
  computed = [],
  reverse,
}: SwapRequest): SwapPlan & { record: PromotionRecord; unproven: readonly UnprovenKey[] } {
  const { primary, shadow, taken } = dependents;
  const columns = columnsOf(dependents, declaration);
  const key = keyColumns(mapping);
  const asked = new Map(reverse?.written.flatMap((one) => (one.asked ? [[one.target, one.asked]] : [])));
  const dropped = new Set(
    primary.outgoing
      .filter(
        ({ references, enforced, period }) => references.ours && enforced && !period && references.oid !== shadow.oid,
      )
      .map(({ name }) => name),
  );
  const names = planNames(primary, shadow, taken, dropped);
  const promoted = { schema: primary.schema, name: primary.name };
  const renamed = renamedOn(names.renames, shadow);
  const inbound = primary.inbound.filter(({ table }) => table.oid !== primary.oid);
  const keys = repoint(inbound, primary, shadow, primary.name, key);
  const outgoing = moveOutgoing({
    primary,
    shadow,
    columns,
    key,
    aside,
    taken: new Set(shadow.constraints.map(({ name }) => renamed(name))),
  });
  const sequences = carrySequences({
    from: primary,
    to: shadow,
    columns,
    renamed: renamedBy(names.renames),
    name: primary.name,
  });
  const missing = grantsMissing(primary.grants, shadow.grants);
  const missingOn = columnGrantsMissing(primary, shadow, columns);
  const comments = commentsToCarry(primary, shadow, columns);
  const move = { from: primary, to: shadow, keep: () => false };
  const rowSecurity = rowSecurityBefore(primary, shadow);
  const attached = moveAttached(move, rowSecurity.policiesMoved);
  const flags = raiseFlags(move);
  const identity = carryIdentity(move, columns, renamed);
  const items = [
    ...[primary, shadow].flatMap((table) => [...refuseTable(table), ...refuseForced(table)]),
    ...judgeBeforeStart(dependents, declaration),
    ...refuseOthers(primary, () => false),
    ...primaryReferences(primary, shadow),
    ...names.problems,
    ...judgeOthers(shadow),
    ...keys.items,
    ...outgoing.items,
    ...attached.items,
    ...flags.items,
    ...identity.items,
    ...sequences.items,
    ...grantItems(primary, shadow, missing),
    ...columnGrantItems(primary, shadow, columns),
    ...names.renames.map(renameItem),
    ...noticeDifferences(primary, shadow, columns, asked),
    ...judgeComputed(shadow, computed),
    ...habits(primary, shadow, tableName(names.renames, primary)),
  ];
  const statements = [
    ...keys.drop,
    ...outgoing.drop,
    ...attached.before,
    ...(shadow.owner === primary.owner ? [] : [`ALTER TABLE ${quoteTable(shadow)} OWNER TO ${primary.owner}`]),
    ...names.renames.map((rename) =>
      renameStatement(rename, tableName(names.renames, rename.table === primary.oid ? primary : shadow)),
    ),
    ...grantStatements('TABLE', promoted, missing),
    ...missingOn.flatMap((one) => grantStatements('TABLE', promoted, one.missing, one.column)),
    ...aliasStatements({
      view: { schema: shadow.schema, name: names.alias },
      table: promoted,
      columns: shadow.columns.map(({ name, grants }) => ({
        name,
        grants: [...grants, ...missingOn.filter(({ column }) => column === name).flatMap((one) => one.missing)],
      })),
      owner: primary.owner,
      grants: [...shadow.grants, ...missing],
      secured: primary.rowSecurity || shadow.rowSecurity,
    }),
    ...sequences.statements,
    ...comments.map(({ column, text }) => commentStatement(promoted, column, text)),
    ...flags.after,
    ...identity.after,
    ...attached.after,
    ...keys.add,
    ...outgoing.add,
  ];
  const validate = [...keys.validate, ...outgoing.validate, ...attached.later];
  const lock = {
    views: attached.views,
    tables: [primary.oid, shadow.oid, ...keys.lock, ...outgoing.lock, ...attached.lock],
  };
  return {
    ...swapPlan(items, lock, statements, validate),
    names: { primary: tableName(names.renames, primary), shadow: primary.name },
    unproven: outgoing.unproven,
    record: {
      renames: names.renames,
      alias: names.alias,
      granted: [
        ...recordGrants('TABLE', promoted, missing, shadow.grants),
        ...missingOn.flatMap((one) =>
          recordGrants('TABLE', promoted, one.missing, one.there).map((given) => ({ ...given, column: one.column })),
        ),
        ...sequences.granted,
      ],
      comments,
      moved: sequences.moved,
      fitted: sequences.fitted,
      owner: shadow.owner === primary.owner ? null : { name: shadow.owner, grants: shadow.grants },
      followers: { foreignKeys: shadow.inbound.map(keyOf), others: followersOf(shadow, primary) },
      keys: outgoing.record,
      rowSecurity,
      identified: identity.after.length > 0,
      validate,
    },
  };
}

/** The same swap with the roles exchanged. The tables may have changed since: what is new on them is planned for, too. */
export function planRevert(
  { dependents, declaration, mapping, computed = [] }: SwapRequest,
  record: PromotionRecord,
): SwapPlan {
  const { primary, shadow, taken } = dependents;
  const columns = invert(columnsOf(dependents, declaration));
  const alias = { schema: shadow.schema, name: record.alias };
  const followers = new Set([...record.followers.others, namesOf('view', qualified(alias))]);
  const keep = (kind: string, object: string) => followers.has(namesOf(kind, object));
  const { back, problems } = planNamesBack(record.renames, [primary, shadow], taken, record.alias);
  const name = tableName(back, primary);
  const inbound = shadow.inbound.filter(
    (foreignKey) => foreignKey.table.oid !== shadow.oid && !record.followers.foreignKeys.includes(keyOf(foreignKey)),
  );
  const keys = repoint(inbound, shadow, primary, name, keyColumnsBack(mapping));
  const own = returnOutgoing(record.keys, primary, shadow, name);
  const sequences = carrySequences({
    from: shadow,
    to: primary,
    columns,
    renamed: renamedBy(back),
    name,
    moved: record.moved,
  });
  const unfit = unfitSequences(record.fitted ?? [], primary, name);
  const granted = takenBack(record.granted, shadow);
  const attached = moveAttached({ from: shadow, to: primary, keep }, record.rowSecurity.policiesMoved);
  const items = [
    ...[primary, shadow].flatMap((table) => [...refuseTable(table), ...refuseForced(table)]),
    ...tablesElsewhere(record, dependents),
    ...refuseOthers(shadow, ({ kind, object }) => keep(kind, object)),
    ...problems,
    ...keys.items,
    ...own.items,
    ...attached.items,
    ...sequences.items,
    ...unfit.items,
    ...computedUntilCleanup(shadow, computed),
    ...back.map(renameItem),
  ];
  const statements = [
    ...keys.drop,
    ...own.drop,
    ...attached.before,
    `DROP VIEW IF EXISTS ${quoteTable(alias)}`,
    ...granted.map(revokeStatement),
    ...record.comments.filter(stillCommented(shadow)).map(({ column }) => commentStatement(shadow, column, null)),
    ...lowerFlags(shadow, record.rowSecurity),
    ...(record.identified ? [`ALTER TABLE ${quoteTable(shadow)} REPLICA IDENTITY DEFAULT`] : []),
    ...back.map((rename) => renameStatement(rename, constraintTable(rename, dependents))),
    ...sequences.statements,
    ...unfit.statements,
    ...ownerBack(record.owner, shadow, tableName(back, shadow)),
    ...attached.after,
    ...keys.add,
    ...own.add,
  ];
  const lock = {
    views: [...attached.views, ...shadow.views.filter((view) => qualified(view) === qualified(alias)).map(quoteTable)],
    tables: [primary.oid, shadow.oid, ...keys.lock, ...own.lock, ...attached.lock],
  };
  return {
    ...swapPlan(items, lock, statements, [...keys.validate, ...own.validate, ...attached.later]),
    names: { primary: name, shadow: tableName(back, shadow) },
  };
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
