/** What `crossfade init` writes: the DDL of the new table, and the declaration. Pure. */

import type { Draft } from '../../adapters/postgres/drafting/drafting.ts';
import type { ColumnSource } from '../../core/cutover/table-declaration.ts';
import { grantStatements, tableStatements } from '../../core/table/draft/shadow-ddl.ts';

/** @param alter as it was typed */
export function ddlFile(id: string, draft: Draft, alter: string): string {
  const { table, owner, readers } = draft;
  const access = [`ALTER TABLE ${table.ident} OWNER TO ${owner}`, ...grantStatements(table.ident, readers)];
  return [
    `-- The new table of the cutover ${id}: ${oneLine(draft.primary)}${alter === '' ? '' : ` with ${oneLine(alter)}`}.`,
    '-- Change what you want, then run it as the owner of the table. Leave the table empty: Crossfade fills it.',
    '',
    ...tableStatements(table).map((statement) => `${statement};\n`),
    '-- Who owns it and who reads it, as of the old table. Privileges to write come with the promotion.',
    ...access.map((statement) => `${statement};`),
    '',
    '-- For a deployment on AWS, once for each database, by its administrator:',
    '--   CREATE ROLE crossfade_owner LOGIN;',
    '--   CREATE ROLE crossfade_runtime LOGIN;',
    '--   GRANT rds_iam TO crossfade_owner, crossfade_runtime;',
    `--   GRANT ${oneLine(owner)} TO crossfade_owner;`,
    '--   GRANT CREATE ON DATABASE … TO crossfade_owner;',
    '',
  ].join('\n');
}

/** The whole of a configuration with this one cutover. */
export const configurationFile = (id: string, draft: Draft): string =>
  [
    "import { defineCutovers } from 'crossfade-cutover/define';",
    '',
    'export default defineCutovers([',
    declaration(id, draft),
    ']);',
    '',
  ].join('\n');

/** One entry of the list that `defineCutovers` takes. */
export function declaration(id: string, { primary, shadow, columns }: Draft): string {
  const entries = Object.entries(columns);
  return [
    '  {',
    `    id: ${literal(id)},`,
    "    kind: 'table',",
    `    primary: ${literal(primary)},`,
    `    shadow: ${literal(shadow)},`,
    ...(entries.length === 0
      ? []
      : ['    columns: {', ...entries.map(([name, source]) => `      ${key(name)}: ${sourceText(source)},`), '    },']),
    '  },',
  ].join('\n');
}

function sourceText(source: ColumnSource): string {
  if ('added' in source) return '{ added: true }';
  return 'from' in source ? `{ from: ${literal(source.from)} }` : `{ sql: ${literal(source.sql)} }`;
}

/** A comment ends with its line. */
const oneLine = (text: string) => text.replaceAll(/\s+/g, ' ');

const key = (name: string) => (/^[A-Za-z_]\w*$/.test(name) && name !== '__proto__' ? name : `[${literal(name)}]`);

/** A text of TypeScript, in the quotes that most formatters prefer. */
function literal(text: string): string {
  if (!text.includes("'")) return `'${JSON.stringify(text).slice(1, -1).replaceAll('\\"', '"')}'`;
  return JSON.stringify(text);
}
