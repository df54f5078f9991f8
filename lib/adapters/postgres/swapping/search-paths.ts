/** Where both tables have one name in two schemas: which of them a statement means that names no schema, by the settings that there are. */

import type { TableShape } from '../../../core/table/shape.ts';
import type { PreviewItem } from '../../../ports/swapping.ts';
import type { PgConnection } from '../connection/connection.ts';

type Setting = { who: string; path: string };

export async function searchPathItems(
  owner: PgConnection,
  primary: TableShape,
  shadow: TableShape,
): Promise<PreviewItem[]> {
  if (primary.schema === shadow.schema) return [];
  const settings = await owner.call<Setting>(
    `SELECT 'sessions without a setting of their own' AS who, s.boot_val AS path FROM pg_catalog.pg_settings s WHERE s.name = 'search_path'
     UNION ALL
     SELECT pg_catalog.concat_ws(' ', COALESCE('role ' || r.rolname, 'every role'), CASE WHEN s.setdatabase <> 0 THEN 'in this database' END),
       pg_catalog.substr(c, pg_catalog.length('search_path=') + 1)
     FROM pg_catalog.pg_db_role_setting s CROSS JOIN LATERAL pg_catalog.unnest(s.setconfig) c LEFT JOIN pg_catalog.pg_roles r ON r.oid = s.setrole
     WHERE s.setdatabase IN (0, (SELECT d.oid FROM pg_catalog.pg_database d WHERE d.datname = pg_catalog.current_database())) AND c LIKE 'search\\_path=%'
     ORDER BY 1`,
  );
  return settings.flatMap(({ who, path }) => {
    const means = meaning(path, primary, shadow);
    return means === null ? [] : [{ action: 'notice', kind: 'search_path', object: who, text: `${path}: ${means}` }];
  });
}

/** A name with a comma in it is not looked for. */
const schemasOf = (path: string) => path.split(',').map((name) => name.trim().replace(/^"(.*)"$/, '$1'));

function meaning(path: string, primary: TableShape, shadow: TableShape): string | null {
  const names = schemasOf(path);
  const [first] = names.filter((name) => name === primary.schema || name === shadow.schema);
  if (first === undefined) return null;
  const name = `${primary.name} without a schema`;
  if (first === shadow.schema)
    return `${name} is the shadow ${shadow.schema}.${shadow.name} already now, and writes to it are not those of the primary. Put ${primary.schema} before ${shadow.schema} until the promotion`;
  if (names.includes(shadow.schema))
    return `${name} is ${primary.schema}.${primary.name} until cleanup, and ${shadow.schema}.${shadow.name} after it`;
  return `${name} is ${primary.schema}.${primary.name} until cleanup, and nothing after it. Add ${shadow.schema} behind ${primary.schema} before cleanup`;
}
