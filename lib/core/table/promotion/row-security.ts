/**
 * Row security. Policies move with the name, unless the new shape has its own; the flags are set, never cleared, so that no
 * row is shown that was hidden before. The owner of a table is not bound by its policies, and so mirrors every row.
 */

import { quoteName, quoteTable, quoteText } from '../shape.ts';
import type { Policy, TableDependents } from './dependents.ts';
import { type Move, type Moved, misfit, nothingMoved, sentence } from './moved.ts';
import { type PromotionItem, qualified } from './refusals.ts';

/** Of the shadow before the swap. */
export type RowSecurityBefore = { enabled: boolean; forced: boolean; policiesMoved: boolean };

const COMMANDS: Readonly<Record<string, string>> = { '*': 'ALL', r: 'SELECT', a: 'INSERT', w: 'UPDATE', d: 'DELETE' };
const FIX =
  'Change the policy to the columns of the new shape, or drop it before the swap and create it again after it.';

const ownPolicies = (table: TableDependents): Policy[] => table.policies.filter(({ own }) => own);

export function rowSecurityBefore(primary: TableDependents, shadow: TableDependents): RowSecurityBefore {
  const policiesMoved = ownPolicies(shadow).length === 0 && !shadow.rowSecurity && ownPolicies(primary).length > 0;
  return { enabled: shadow.rowSecurity, forced: shadow.forced, policiesMoved };
}

export function refuseForced(table: TableDependents): PromotionItem[] {
  if (!table.forced || table.bypassed) return [];
  const text = `FORCE ROW LEVEL SECURITY binds the owner, too, and would hide rows from what mirrors them. Run ALTER TABLE ${qualified(table)} NO FORCE ROW LEVEL SECURITY, or give the owner role of Crossfade BYPASSRLS.`;
  return [{ action: 'refuse', kind: 'row security', object: qualified(table), text }];
}

/** Flags of the table that gets the name. */
export function raiseFlags({ from, to }: Move): Moved {
  const moved = nothingMoved();
  const table = quoteTable(from);
  const raised: string[] = [];
  if (from.rowSecurity && !to.rowSecurity) raised.push('ENABLE ROW LEVEL SECURITY');
  if (from.forced && !to.forced) raised.push('FORCE ROW LEVEL SECURITY');
  moved.after.push(...raised.map((what) => `ALTER TABLE ${table} ${what}`));
  if (raised.length > 0) {
    moved.items.push({
      action: 'carry',
      kind: 'row security',
      object: qualified(from),
      text: `the new ${from.name} gets ${raised.join(' and ')}`,
    });
    const text = `has no row security until the swap: every role that may read it sees every row. Give it the same policies before reads are routed to it.`;
    if (!to.rowSecurity) moved.items.push({ action: 'notice', kind: 'row security', object: qualified(to), text });
  }
  return moved;
}

/** On the way back, before the renames: the flags that the shadow had. */
export function lowerFlags(shadow: TableDependents, before: RowSecurityBefore): string[] {
  const table = quoteTable(shadow);
  return [
    ...(shadow.rowSecurity && !before.enabled ? [`ALTER TABLE ${table} DISABLE ROW LEVEL SECURITY`] : []),
    ...(shadow.forced && !before.forced ? [`ALTER TABLE ${table} NO FORCE ROW LEVEL SECURITY`] : []),
  ];
}

/** @param all false when the table that gets the name has policies of its own */
export function movePolicies(move: Move, all: boolean): Moved {
  const moved = nothingMoved();
  const own = quoteTable(move.from);
  for (const policy of move.from.policies) {
    const object = `${policy.name} on ${qualified(policy.table)}`;
    if (move.keep('policy', object)) continue;
    if (policy.own && !all) {
      moved.items.push({
        action: 'notice',
        kind: 'policy',
        object,
        text: `stays: ${qualified(move.to)} has row security of its own, and the new shape decides`,
      });
      continue;
    }
    const why =
      misfit(policy.uses, move) ??
      (policy.table.ours ? null : `belongs to ${qualified(policy.table)}, which others own`);
    if (why) {
      moved.items.push({ action: 'refuse', kind: 'policy', object, text: sentence(why, FIX) });
      continue;
    }
    if (policy.own) {
      moved.before.push(`DROP POLICY ${quoteName(policy.name)} ON ${own}`);
      moved.after.push(...createPolicy(policy, own));
    } else {
      moved.lock.push(policy.table.oid);
      moved.after.push(`ALTER POLICY ${quoteName(policy.name)} ON ${quoteTable(policy.table)}${conditions(policy)}`);
    }
    const text = policy.own
      ? `is made again on the new ${move.from.name}`
      : `is written again and reads the new ${move.from.name}`;
    moved.items.push({ action: 'rebuild', kind: 'policy', object, text });
  }
  return moved;
}

function createPolicy(policy: Policy, table: string): string[] {
  const { name, permissive, command, roles, comment } = policy;
  const created = `CREATE POLICY ${quoteName(name)} ON ${table} AS ${permissive ? 'PERMISSIVE' : 'RESTRICTIVE'} FOR ${COMMANDS[command]} TO ${roles.join(', ')}${conditions(policy)}`;
  return [
    created,
    ...(comment === null ? [] : [`COMMENT ON POLICY ${quoteName(name)} ON ${table} IS ${quoteText(comment)}`]),
  ];
}

function conditions({ using, check }: Policy): string {
  return `${using === null ? '' : ` USING (${using})`}${check === null ? '' : ` WITH CHECK (${check})`}`;
}
