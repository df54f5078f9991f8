/** Owner, privileges and comments: the table that gets the name gets what the other had, and gives back what was added. */

import { quoteName, quoteTable, quoteText } from '../table-shape.ts';
import type { Grant, TableDependents } from './dependents.ts';

export type Granted = { on: 'TABLE' | 'SEQUENCE'; schema: string; name: string; grant: Grant };

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

export function revokeStatements(on: Granted['on'], object: ObjectName, grants: readonly Grant[]): string[] {
  return byGrantee(grants).map(
    ({ grantee, privileges }) => `REVOKE ${privileges.join(', ')} ON ${on} ${quoteTable(object)} FROM ${grantee}`,
  );
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
export function stillThere(granted: readonly Granted[], there: readonly Grant[]): Granted[] {
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

export function commentStatement(table: ObjectName, column: string | null, text: string | null): string {
  const object = column === null ? `TABLE ${quoteTable(table)}` : `COLUMN ${quoteTable(table)}.${quoteName(column)}`;
  return `COMMENT ON ${object} IS ${text === null ? 'NULL' : quoteText(text)}`;
}
