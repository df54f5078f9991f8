/** What `crossfade init` writes: the DDL of the new table, and the declaration. Pure. */

import type { Draft } from '../../adapters/postgres/drafting/drafting.ts';
import type { ColumnSource } from '../../core/cutover/table-declaration.ts';
import { grantStatements, ownerStatements, tableStatements } from '../../core/table/draft/shadow-ddl.ts';
import type { Wish } from '../../core/table/draft/table-change.ts';

/** @param wish as it was typed */
export function ddlFile(id: string, draft: Draft, wish: Wish): string {
  const { table, owner, readers } = draft;
  const access = [...ownerStatements(table, owner), ...grantStatements(table.ident, readers)];
  return [
    `-- The new table of the cutover ${id}: ${oneLine(draft.primary)}${saidOf(wish)}.`,
    '-- Change what you want, then run it as the owner of the table. Leave the table empty: Crossfade fills it.',
    '',
    ...('ddl' in wish ? [closed(wish.ddl), ''] : tableStatements(table).map((statement) => `${statement};\n`)),
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

function saidOf(wish: Wish): string {
  if ('ddl' in wish) return ', as its own DDL says';
  const by = wish.partitionBy === undefined ? [] : [`PARTITION BY ${wish.partitionBy}`];
  const said = [...(wish.alter === undefined ? [] : [wish.alter]), ...by];
  return said.length === 0 ? '' : ` with ${oneLine(said.join(', '))}`;
}

/** What follows is a statement of its own, whatever the text ends with. */
const closed = (ddl: string) => `${ddl.trimEnd().replace(/;$/, '')}\n;`;

/** A comment ends with its line. */
const oneLine = (text: string) => text.replaceAll(/\s+/g, ' ');

const key = (name: string) => (/^[A-Za-z_]\w*$/.test(name) && name !== '__proto__' ? name : `[${literal(name)}]`);

/** A text of TypeScript, in the quotes that most formatters prefer. */
function literal(text: string): string {
  if (!text.includes("'")) return `'${JSON.stringify(text).slice(1, -1).replaceAll('\\"', '"')}'`;
  return JSON.stringify(text);
}
