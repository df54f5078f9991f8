/**
 * Prepares the swap of names back: the record of the promotion says what is returned, and what hangs on the tables now
 * is moved, too. Pure.
 */

import { quoteTable } from '../shape.ts';
import { computedUntilCleanup } from './computed-columns.ts';
import type { Dependents } from './dependents.ts';
import { repoint, returnOutgoing } from './foreign-keys.ts';
import { chooseNamesBack, homeOf, renameStatement } from './names.ts';
import {
  columnsOf,
  constraintTable,
  invert,
  keyColumnsBack,
  keyOf,
  moveAttached,
  namesOf,
  type PreparedSwap,
  type PromotionRecord,
  placedBy,
  preparedSwap,
  renameItem,
  type SwapRequest,
  tableName,
} from './prepared-swap.ts';
import { commentStatement, ownerBack, revokeStatement, stillCommented, takenBack } from './privileges.ts';
import { type PromotionItem, qualified, refuseOthers, refuseTable } from './refusals.ts';
import { identities } from './replication.ts';
import { lowerFlags, refuseForced } from './row-security.ts';
import { carrySequences, unfitSequences } from './sequences.ts';

/** The same swap with the roles exchanged. The tables may have changed since: what is new on them is moved, too. */
export function revertOf(
  { dependents, declaration, mapping, computed = [], reverse }: SwapRequest,
  record: PromotionRecord,
): PreparedSwap {
  const { primary, shadow, taken, referring = [] } = dependents;
  const columns = invert(columnsOf(dependents, declaration));
  const home = homeOf(record.renames, shadow);
  const alias = { schema: home, name: record.alias };
  const followers = new Set([...record.followers.others, namesOf('view', qualified(alias))]);
  const keep = (kind: string, object: string) => followers.has(namesOf(kind, object));
  const { back, problems } = chooseNamesBack(record.renames, [primary, shadow], taken, record.alias);
  const name = tableName(back, primary);
  const inbound = shadow.inbound.filter(
    (foreignKey) => foreignKey.table.oid !== shadow.oid && !record.followers.foreignKeys.includes(keyOf(foreignKey)),
  );
  const companions = reverse?.companions ?? [];
  const keys = repoint(inbound, { from: shadow, to: primary, name, key: keyColumnsBack(mapping), companions });
  const own = returnOutgoing(record.keys, primary, shadow, name);
  const sequences = carrySequences({
    from: shadow,
    to: primary,
    columns,
    placed: placedBy(back),
    table: { schema: primary.schema, name },
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
    ...(record.identified ? identities(shadow, 'DEFAULT') : []),
    ...back.map((rename) => renameStatement(rename, constraintTable(rename, dependents))),
    ...sequences.statements,
    ...unfit.statements,
    ...ownerBack(record.owner, { ...shadow, schema: home }, tableName(back, shadow)),
    ...attached.after,
    ...keys.add,
    ...own.add,
  ];
  const lock = {
    views: [...attached.views, ...shadow.views.filter((view) => qualified(view) === qualified(alias)).map(quoteTable)],
    tables: [...[primary, shadow, ...referring].map(({ oid }) => oid), ...keys.lock, ...own.lock, ...attached.lock],
  };
  return {
    ...preparedSwap(items, lock, statements, [...keys.validate, ...own.validate, ...attached.later]),
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
