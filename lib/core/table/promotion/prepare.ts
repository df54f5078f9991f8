/**
 * Prepares the swap of names of a table cutover, there and back: from everything that hangs on both tables to the statements
 * of one transaction, or to the list of what stands in the way. Pure; names are taken from the catalog and always quoted.
 */

import { quoteTable } from '../shape.ts';
import { checkBeforeStart } from './before-start.ts';
import { checkComputed } from './computed-columns.ts';
import type { TableDependents } from './dependents.ts';
import { moveOutgoing, repoint } from './foreign-keys.ts';
import type { UnprovenForeignKey } from './foreign-keys-aside.ts';
import { habits } from './habits.ts';
import { chooseNames, renameStatement } from './names.ts';
import { noticeDifferences } from './notices.ts';
import {
  columnsOf,
  followersOf,
  keyColumns,
  keyOf,
  moveAttached,
  type PreparedSwap,
  type PromotionRecord,
  placedBy,
  preparedSwap,
  renamedOn,
  renameItem,
  type SwapRequest,
  tableName,
} from './prepared-swap.ts';
import {
  aliasStatements,
  columnGrantItems,
  columnGrantsMissing,
  commentStatement,
  commentsToCarry,
  grantItems,
  grantStatements,
  grantsMissing,
  recordGrants,
} from './privileges.ts';
import { checkOthers, type PromotionItem, qualified, refuseOthers, refuseTable } from './refusals.ts';
import { carryIdentity } from './replication.ts';
import { raiseFlags, refuseForced, rowSecurityBefore } from './row-security.ts';
import { carrySequences } from './sequences.ts';

/** `customer` → `customer_old`, `customer_v2` → `customer`, and everything that hangs on them. */
export function promotionOf(
  request: SwapRequest,
): PreparedSwap & { record: PromotionRecord; unproven: readonly UnprovenForeignKey[] } {
  const parts = promotionParts(request);
  const { primary, shadow, names, keys, outgoing, attached } = parts;
  const validate = [...keys.validate, ...outgoing.validate, ...attached.later];
  const lock = {
    views: attached.views,
    tables: [
      ...[primary, shadow, ...(request.dependents.referring ?? [])].map(({ oid }) => oid),
      ...keys.lock,
      ...outgoing.lock,
      ...attached.lock,
    ],
  };
  return {
    ...preparedSwap(promotionItems(request, parts), lock, promotionStatements(parts), validate),
    names: { primary: tableName(names.renames, primary), shadow: primary.name },
    unproven: outgoing.unproven,
    record: { ...recordOf(parts), validate },
  };
}

type PromotionParts = ReturnType<typeof promotionParts>;

/** What each kind of object that hangs on the tables needs, by itself. */
function promotionParts({ dependents, declaration, mapping, aside = [] }: SwapRequest) {
  const { primary, shadow, taken } = dependents;
  const columns = columnsOf(dependents, declaration);
  const key = keyColumns(mapping);
  const companions = mapping.companions ?? [];
  const dropped = new Set(
    primary.outgoing
      .filter(
        ({ references, enforced, period }) => references.ours && enforced && !period && references.oid !== shadow.oid,
      )
      .map(({ name }) => name),
  );
  const names = chooseNames(primary, shadow, taken, dropped);
  const promoted = { schema: primary.schema, name: primary.name };
  const renamed = renamedOn(names.renames, shadow);
  const inbound = primary.inbound.filter(({ table }) => table.oid !== primary.oid);
  const keys = repoint(inbound, { from: primary, to: shadow, name: primary.name, key, companions });
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
    placed: placedBy(names.renames),
    table: promoted,
  });
  const missing = grantsMissing(primary.grants, shadow.grants);
  const missingOn = columnGrantsMissing(primary, shadow, columns);
  const comments = commentsToCarry(primary, shadow, columns);
  const move = { from: primary, to: shadow, keep: () => false };
  const rowSecurity = rowSecurityBefore(primary, shadow);
  const attached = moveAttached(move, rowSecurity.policiesMoved);
  const flags = raiseFlags(move);
  const identity = carryIdentity(move, columns, renamed);
  return {
    primary,
    shadow,
    columns,
    names,
    promoted,
    keys,
    outgoing,
    sequences,
    missing,
    missingOn,
    comments,
    rowSecurity,
    attached,
    flags,
    identity,
  };
}

/** What is carried over, what changes, and what stands in the way. */
function promotionItems(
  { dependents, declaration, mapping, computed = [], reverse }: SwapRequest,
  parts: PromotionParts,
) {
  const { primary, shadow, columns, names, keys, outgoing, attached, flags, identity, sequences, missing } = parts;
  const asked = new Map(reverse?.written.flatMap((one) => (one.asked ? [[one.target, one.asked]] : [])));
  return [
    ...[primary, shadow].flatMap((table) => [...refuseTable(table), ...refuseForced(table)]),
    ...checkBeforeStart(dependents, declaration, mapping),
    ...refuseOthers(primary, () => false),
    ...primaryReferences(primary, shadow),
    ...names.problems,
    ...checkOthers(shadow),
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
    ...checkComputed(shadow, computed),
    ...habits(primary, shadow, tableName(names.renames, primary)),
  ];
}

/** In the order in which they are executed. */
function promotionStatements(parts: PromotionParts): string[] {
  const { primary, shadow, names, promoted, keys, outgoing, attached, sequences, missing, missingOn, comments } = parts;
  const { flags, identity } = parts;
  return [
    ...keys.drop,
    ...outgoing.drop,
    ...attached.before,
    ...(shadow.owner === primary.owner
      ? []
      : [shadow, ...shadow.partitions].map((one) => `ALTER TABLE ${quoteTable(one)} OWNER TO ${primary.owner}`)),
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
}

/** What the way back needs to know. */
function recordOf(parts: PromotionParts): Omit<PromotionRecord, 'validate'> {
  const { primary, shadow, names, promoted, outgoing, sequences, missing, missingOn, comments } = parts;
  const { rowSecurity, identity } = parts;
  return {
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
  };
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
