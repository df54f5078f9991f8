/** Owner, privileges and comments: the table that gets the name gets what the other had, and gives back what was added. */

import { quoteName, quoteTable, quoteText } from '../shape.ts';
import type { Grant, TableDependents } from './dependents.ts';
import { type PromotionItem, qualified } from './refusals.ts';

/** `had`: the privilege itself was there before, and only the right to pass it on was given. */
export type Granted = {
  on: 'TABLE' | 'SEQUENCE';
  schema: string;
  name: string;
  grant: Grant;
  had: boolean;
  /** The privilege is on this column alone. */
  column?: string;
};

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

export function grantStatements(
  on: Granted['on'],
  object: ObjectName,
  grants: readonly Grant[],
  column?: string,
): string[] {
  const list = column === undefined ? '' : ` (${quoteName(column)})`;
  return byGrantee(grants).map(
    ({ grantee, grantable, privileges }) =>
      `GRANT ${privileges.map((privilege) => privilege + list).join(', ')} ON ${on} ${quoteTable(object)} TO ${grantee}${grantable ? ' WITH GRANT OPTION' : ''}`,
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
export function revokeStatement({ on, schema, name, grant, had, column }: Granted): string {
  const privilege = `${grant.privilege}${column === undefined ? '' : ` (${quoteName(column)})`}`;
  const what = had ? `GRANT OPTION FOR ${privilege}` : privilege;
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

export type Alias = {
  view: ObjectName;
  table: ObjectName;
  columns: readonly { name: string; grants: readonly Grant[] }[];
  owner: string;
  grants: readonly Grant[];
  /** The table has row security: it must bind the reader of the view, not its owner. Needs PostgreSQL 15. */
  secured: boolean;
};

/** The view that keeps the shadow's name alive for those who still use it. */
export function aliasStatements({ view, table, columns, owner, grants, secured }: Alias): string[] {
  const usable = (given: readonly Grant[]) =>
    given.filter(({ privilege, grantee }) => VIEW_PRIVILEGES.has(privilege) && grantee !== owner);
  const list = columns.map(({ name }) => quoteName(name)).join(', ');
  return [
    `CREATE VIEW ${quoteTable(view)}${secured ? ' WITH (security_invoker = true)' : ''} AS SELECT ${list} FROM ${quoteTable(table)}`,
    `ALTER VIEW ${quoteTable(view)} OWNER TO ${owner}`,
    ...grantStatements('TABLE', view, usable(grants)),
    ...columns.flatMap((column) => grantStatements('TABLE', view, usable(column.grants), column.name)),
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
    granted.filter(({ on, column }) => on === 'TABLE' && column === undefined),
    shadow.grants,
  );
  const ofColumns = shadow.columns.flatMap(({ name, grants }) =>
    stillThere(
      granted.filter(({ column }) => column === name),
      grants,
    ),
  );
  const ofSequences = shadow.sequences.flatMap((sequence) =>
    stillThere(
      granted.filter(
        ({ on, schema, name }) => on === 'SEQUENCE' && schema === sequence.schema && name === sequence.name,
      ),
      sequence.grants,
    ),
  );
  return [...ofTable, ...ofColumns, ...ofSequences];
}

/** A change of owner rewrites the list of privileges, so what was there is granted again. */
export function ownerBack(owner: OwnerBefore | null, shadow: TableDependents, name: string): string[] {
  if (!owner || owner.name === shadow.owner) return [];
  const table = { schema: shadow.schema, name };
  return [
    ...[table, ...shadow.partitions].map((one) => `ALTER TABLE ${quoteTable(one)} OWNER TO ${owner.name}`),
    ...grantStatements('TABLE', table, grantsMissing(owner.grants, shadow.grants)),
  ];
}

/** Privileges on single columns, by column of the shadow: what the primary's column gave and its counterpart does not. */
export function columnGrantsMissing(
  primary: TableDependents,
  shadow: TableDependents,
  columns: ReadonlyMap<string, string>,
): { column: string; missing: Grant[]; there: readonly Grant[] }[] {
  return primary.columns.flatMap(({ name, grants }) => {
    const target = shadow.columns.find((column) => column.name === columns.get(name));
    const missing = target ? grantsMissing(grants, target.grants) : [];
    return target && missing.length > 0 ? [{ column: target.name, missing, there: target.grants }] : [];
  });
}

export function columnGrantItems(
  primary: TableDependents,
  shadow: TableDependents,
  columns: ReadonlyMap<string, string>,
): PromotionItem[] {
  const kind = 'column privileges';
  const given = columnGrantsMissing(primary, shadow, columns).map(({ column, missing }): PromotionItem => {
    const text = `gets ${missing.map(({ grantee, privilege }) => `${privilege} for ${grantee}`).join(', ')}`;
    return { action: 'carry', kind, object: `${qualified(shadow)}.${column}`, text };
  });
  const lost = primary.columns
    .filter(({ name, grants }) => grants.length > 0 && !columns.has(name))
    .map(({ name }): PromotionItem => {
      const text = `${qualified(shadow)} has no counterpart: the privileges end with the column.`;
      return { action: 'notice', kind, object: `${qualified(primary)}.${name}`, text };
    });
  return [...given, ...lost];
}
