/**
 * What belongs to a database and is not inside of it: settings of the database and of roles in it, privileges on it, its limit of
 * connections. A template copy has none of it, so it is carried, or said to be missing.
 */

import type postgres from 'postgres';
import { quoteName, quoteText } from '../../../lib/core/table/shape.ts';

type Setting = { role: string | null; settings: readonly string[] };
type Grant = { grantee: string | null; privilege: string; grantable: boolean };
type Carried = { connections: number; settings: readonly Setting[]; grants: readonly Grant[] | null };
export type Source = Carried & { owner: string; encoding: string; collate: string; ctype: string };

/** Their values are lists of names that are quoted already; a text around them would be one name. */
const NAME_LISTS: ReadonlySet<string> = new Set([
  'local_preload_libraries',
  'search_path',
  'session_preload_libraries',
  'shared_preload_libraries',
  'temp_tablespaces',
  'unix_socket_directories',
]);

/** @returns null where there is no database of this name */
export async function readDatabase(sql: postgres.ReservedSql, name: string): Promise<Source | null> {
  const [row] = await sql.unsafe<Source[]>(
    `SELECT pg_get_userbyid(d.datdba) AS owner, d.datconnlimit AS connections,
      pg_encoding_to_char(d.encoding) AS encoding, d.datcollate AS collate, d.datctype AS ctype,
      coalesce((SELECT json_agg(json_build_object('role', r.rolname, 'settings', s.setconfig) ORDER BY r.rolname)
        FROM pg_db_role_setting s LEFT JOIN pg_roles r ON r.oid = s.setrole WHERE s.setdatabase = d.oid), '[]') AS settings,
      (SELECT json_agg(json_build_object('grantee', g.rolname, 'privilege', a.privilege_type, 'grantable', a.is_grantable))
        FROM aclexplode(d.datacl) a LEFT JOIN pg_roles g ON g.oid = a.grantee) AS grants
     FROM pg_database d WHERE d.datname = $1`,
    [name],
  );
  return row ?? null;
}

/** In the order in which they are run; each by itself, so that one that is refused says so and the others are carried. */
export function carryingStatements(copy: string, { connections, settings, grants }: Carried): string[] {
  const database = quoteName(copy);
  return [
    ...(connections === -1 ? [] : [`ALTER DATABASE ${database} CONNECTION LIMIT ${connections}`]),
    ...settings.flatMap(({ role, settings: list }) => {
      const whose =
        role === null ? `ALTER DATABASE ${database}` : `ALTER ROLE ${quoteName(role)} IN DATABASE ${database}`;
      return list.map((text) => `${whose} SET ${assigned(text)}`);
    }),
    // Null stands for the privileges that every database begins with.
    ...(grants === null ? [] : [`REVOKE ALL ON DATABASE ${database} FROM PUBLIC`]),
    ...(grants ?? []).map(({ grantee, privilege, grantable }) => {
      const whom = grantee === null ? 'PUBLIC' : quoteName(grantee);
      return `GRANT ${privilege} ON DATABASE ${database} TO ${whom}${grantable ? ' WITH GRANT OPTION' : ''}`;
    }),
  ];
}

function assigned(text: string): string {
  const at = text.indexOf('=');
  const [name, value] = [text.slice(0, at), text.slice(at + 1)];
  const shown = name.split('.').map(quoteName).join('.');
  return `${shown} TO ${NAME_LISTS.has(name) ? value || "''" : quoteText(value)}`;
}
