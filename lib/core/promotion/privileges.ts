/** Owner, privileges and comments: the table that gets the name gets what the other had, and gives back what was added. */

import { quoteName, quoteTable, quoteText } from '../table-shape.ts';
import type { Grant, TableDependents } from './dependents.ts';
import { type PromotionItem, qualified } from './refusals.ts';

/** `had`: the privilege itself was there before, and only the right to pass it on was given. */
export type Granted = { on: 'TABLE' | 'SEQUENCE'; schema: string; name: string; grant: Grant; had: boolean };

/** Owner and privileges of the shadow before, when the owner had to change. */
export type OwnerBefore = { name: string; grants: readonly Grant[] };

type ObjectName = { schema: string; name: string };

const sameGrant = (a: Grant, b: Grant) => a.grantee === b.grantee && a.privilege === b.privilege;

/** What is wanted and not there; a privilege with GRANT OPTION covers the one without. */
export function grantsMissing(wanted: readonly Grant[], there: readonly Grant[]): Grant[] {
  return wanted.filter(
    (grant) => !there.some((other) => sameGrant(grant, other) && (other.grantable || !grant.grantable)),
  );
}

export function grantStatements(on: Granted['on'], object: ObjectName, grants: readonly Grant[]): string[] {
  return byGrantee(grants).map(
    ({ grantee, grantable, privileges }) =>
      `GRANT ${privileges.join(', ')} ON ${on} ${quoteTable(object)} TO ${grantee}${grantable ? ' WITH GRANT OPTION' : ''}`,
  );
}

/** What a swap gives, for the way back. */
export function recordGrants(
  on: Granted['on'],
  { schema, name }: ObjectName,
  given: readonly Grant[],
  before: readonly Grant[],
): Granted[] {
  return given.map((grant) => ({ on, schema, name, grant, had: before.some((other) => sameGrant(other, grant)) }));
}

/** CASCADE: what was passed on since goes, too. */
export function revokeStatement({ on, schema, name, grant, had }: Granted): string {
  const what = had ? `GRANT OPTION FOR ${grant.privilege}` : grant.privilege;
  return `REVOKE ${what} ON ${on} ${quoteTable({ schema, name })} FROM ${grant.grantee} CASCADE`;
}

function byGrantee(grants: readonly Grant[]) {
  const groups = new Map<string, { grantee: string; grantable: boolean; privileges: string[] }>();
  for (const { grantee, grantable, privilege } of grants) {
    const name = `${grantee} ${grantable}`;
    const group = groups.get(name) ?? { grantee, grantable, privileges: [] };
    group.privileges.push(privilege);
    groups.set(name, group);
  }
  return [...groups.values()];
}

/** What of the record can still be taken back: a role that is gone took its privileges along. */
function stillThere(granted: readonly Granted[], there: readonly Grant[]): Granted[] {
  return granted.filter(({ grant }) => there.some((other) => sameGrant(other, grant)));
}

const VIEW_PRIVILEGES = new Set(['SELECT', 'INSERT', 'UPDATE', 'DELETE']);

/** The view that keeps the shadow's name alive for whoever still uses it. */
export function aliasStatements(
  view: ObjectName,
  table: ObjectName,
  columns: readonly string[],
  owner: string,
  grants: readonly Grant[],
): string[] {
  const usable = grants.filter(({ privilege }) => VIEW_PRIVILEGES.has(privilege));
  return [
    `CREATE VIEW ${quoteTable(view)} AS SELECT ${columns.map(quoteName).join(', ')} FROM ${quoteTable(table)}`,
    `ALTER VIEW ${quoteTable(view)} OWNER TO ${owner}`,
    ...grantStatements('TABLE', view, usable),
  ];
}

/** Comments that only the other table has; `column` is null for the table's own. */
export type CarriedComment = { column: string | null; text: string };

export function commentsToCarry(
  from: TableDependents,
  to: TableDependents,
  columns: ReadonlyMap<string, string>,
): CarriedComment[] {
  const own: CarriedComment[] =
    from.comment !== null && to.comment === null ? [{ column: null, text: from.comment }] : [];
  const ofColumns = from.columns.flatMap(({ name, comment }) => {
    const target = to.columns.find((column) => column.name === columns.get(name));
    return comment !== null && target && target.comment === null ? [{ column: target.name, text: comment }] : [];
  });
  return [...own, ...ofColumns];
}

/** A column that was dropped since took its comment along. */
export const stillCommented =
  (table: TableDependents) =>
  ({ column }: CarriedComment): boolean =>
    column === null || table.columns.some(({ name }) => name === column);

export function commentStatement(table: ObjectName, column: string | null, text: string | null): string {
  const object = column === null ? `TABLE ${quoteTable(table)}` : `COLUMN ${quoteTable(table)}.${quoteName(column)}`;
  return `COMMENT ON ${object} IS ${text === null ? 'NULL' : quoteText(text)}`;
}

export function grantItems(
  primary: TableDependents,
  shadow: TableDependents,
  missing: readonly Grant[],
): PromotionItem[] {
  const items: PromotionItem[] = [];
  const privileges = (grants: readonly Grant[]) =>
    grants.map(({ grantee, privilege }) => `${privilege} for ${grantee}`).join(', ');
  if (missing.length > 0) {
    items.push({ action: 'carry', kind: 'privileges', object: qualified(shadow), text: `gets ${privileges(missing)}` });
  }
  const more = grantsMissing(shadow.grants, primary.grants).filter(({ grantee }) => grantee !== primary.owner);
  if (more.length > 0) {
    items.push({
      action: 'notice',
      kind: 'privileges',
      object: qualified(shadow),
      text: `has more than ${qualified(primary)} and keeps it: ${privileges(more)}`,
    });
  }
  if (shadow.owner !== primary.owner) {
    items.push({
      action: 'carry',
      kind: 'owner',
      object: qualified(shadow),
      text: `passes from ${shadow.owner} to ${primary.owner}`,
    });
  }
  return items;
}

export function takenBack(granted: readonly Granted[], shadow: TableDependents): Granted[] {
  const ofTable = stillThere(
    granted.filter(({ on }) => on === 'TABLE'),
    shadow.grants,
  );
  const ofSequences = shadow.sequences.flatMap((sequence) =>
    stillThere(
      granted.filter(
        ({ on, schema, name }) => on === 'SEQUENCE' && schema === sequence.schema && name === sequence.name,
      ),
      sequence.grants,
    ),
  );
  return [...ofTable, ...ofSequences];
}

/** A change of owner rewrites the list of privileges, so what was there is granted again. */
export function ownerBack(owner: OwnerBefore | null, shadow: TableDependents, name: string): string[] {
  if (!owner || owner.name === shadow.owner) return [];
  const table = { schema: shadow.schema, name };
  return [
    `ALTER TABLE ${quoteTable(table)} OWNER TO ${owner.name}`,
    ...grantStatements('TABLE', table, grantsMissing(owner.grants, shadow.grants)),
  ];
}
