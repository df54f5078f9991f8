/** What the role of the application finds on the copy, in a session as its own: settings that defeat the capture, rights, row security. */

import type postgres from 'postgres';
import { quoteTable } from '../../../lib/core/table/shape.ts';
import type { Finding } from './rehearsal.ts';

type Named = { schema: string; name: string };
type Setting = { name: string; value: string; source: string };
type Rights = { role: string; missing: readonly string[]; bound: readonly boolean[] };

/** By name: the value, and what it does. */
const HOSTILE: Readonly<Record<string, readonly [value: string, why: string]>> = {
  session_replication_role: ['replica', 'no trigger runs, so its writes never reach the new table'],
  default_transaction_read_only: ['on', 'it writes nothing'],
};

export async function applicationFindings(
  sql: postgres.Sql,
  tables: { primary: Named; shadow: Named },
): Promise<{ failures: readonly Finding[]; notices: readonly Finding[] }> {
  const [primary, shadow] = [quoteTable(tables.primary), quoteTable(tables.shadow)];
  const settings = await sql.unsafe<Setting[]>(
    `SELECT name, setting AS value, source FROM pg_settings WHERE source IN ('database', 'user', 'database user') ORDER BY 1`,
  );
  const [rights] = await sql.unsafe<Rights[]>(
    `SELECT current_user AS role,
      to_jsonb(ARRAY(SELECT right_on || ' ON ' || relation FROM (VALUES ('SELECT', $1), ('SELECT', $2)) w(right_on, relation)
        WHERE NOT has_table_privilege(relation, right_on))) AS missing,
      jsonb_build_array(row_security_active($1), row_security_active($2)) AS bound`,
    [primary, shadow],
  );
  const { role, missing, bound } = rights!;
  const hostile = settings.filter(({ name, value }) => HOSTILE[name]?.[0] === value);
  return {
    failures: [
      ...hostile.map(({ name, value, source }) => ({
        about: `setting ${name}`,
        says: `${role} has ${name} = ${value} (${source}): ${HOSTILE[name]![1]}`,
        remedy: `Take the setting off: ALTER ${source === 'user' ? `ROLE ${role}` : source === 'database' ? 'DATABASE …' : `ROLE ${role} IN DATABASE …`} RESET ${name}`,
      })),
      ...missing.map((right) => ({
        about: 'grant',
        says: `${role} may not ${right.replace(' ON ', ' from ')}`,
        remedy: `GRANT ${right} TO ${role}`,
      })),
      ...(bound[0] === bound[1]
        ? []
        : [
            {
              about: 'row security',
              says: `${role} is bound by row security on ${bound[0] ? primary : shadow}, and not on ${bound[0] ? shadow : primary}`,
              remedy: 'Give both tables the same policies, and ENABLE ROW LEVEL SECURITY on both.',
            },
          ]),
    ],
    notices: settings
      .filter((one) => !hostile.includes(one))
      .map(({ name, value, source }) => ({
        about: `setting ${name}`,
        says: `${role} has ${name} = ${value} (${source})`,
        remedy: '',
      })),
  };
}
