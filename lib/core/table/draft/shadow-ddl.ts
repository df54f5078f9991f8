/** The statements that make a drafted table: run in an empty place, they give the same table by the catalog. Pure. */

import { quoteText } from '../shape.ts';
import type { DraftedColumn, DraftedSequence, DraftedTable, TableAccess } from './drafted-table.ts';

/** Without the semicolons. */
export function tableStatements(table: DraftedTable): string[] {
  const { ident } = table;
  const inside = table.constraints.filter(({ type, validated }) => type !== 'f' && validated);
  const after = table.constraints.filter((constraint) => !inside.includes(constraint));
  const lines = [
    ...table.columns.map(columnLine),
    ...inside.map((constraint) => `CONSTRAINT ${constraint.ident} ${constraint.definition}`),
  ];
  const by = table.partitionedBy === null ? '' : ` PARTITION BY ${table.partitionedBy}`;
  return [
    `CREATE TABLE ${ident} (\n${lines.map((line) => `  ${line}`).join(',\n')}\n)${by}${withOptions(table)}`,
    ...table.partitions.map((one) => `CREATE TABLE ${one.ident} PARTITION OF ${ident} ${one.bound}${withOptions(one)}`),
    ...table.columns.flatMap((column) => columnStatements(ident, column)),
    ...after.map(({ ident: name, definition }) => `ALTER TABLE ${ident} ADD CONSTRAINT ${name} ${definition}`),
    ...indexStatements(table),
    ...table.statistics.map(({ definition }) => definition),
    ...identityStatements(table),
    ...commentStatements(table),
  ];
}

const withOptions = ({ options }: { options: string | null }) => (options === null ? '' : ` WITH (${options})`);

/** The application reads the new table before it writes it. */
export const grantStatements = (ident: string, readers: TableAccess['readers']): string[] =>
  readers.map(
    ({ grantee, column }) => `GRANT SELECT${column === null ? '' : ` (${column})`} ON TABLE ${ident} TO ${grantee}`,
  );

/** Of a table and each of its partitions: what it becomes the owner of does not follow by itself. */
export const ownerStatements = ({ ident, partitions }: DraftedTable, owner: string): string[] =>
  [ident, ...partitions.map((one) => one.ident)].map((name) => `ALTER TABLE ${name} OWNER TO ${owner}`);

function columnLine(column: DraftedColumn): string {
  const { ident, type, collation, default: text, generated, identity, notNull } = column;
  return [
    `${ident} ${type}`,
    ...(collation === null ? [] : [`COLLATE ${collation}`]),
    ...(text === null ? [] : [`DEFAULT ${text}`]),
    ...(generated === null ? [] : [`GENERATED ALWAYS AS (${generated.sql}) ${generated.kind}`]),
    ...(identity === null ? [] : [`GENERATED ${identity.how} AS IDENTITY${sequenceOptions(identity.sequence)}`]),
    ...(notNull ? ['NOT NULL'] : []),
  ].join(' ');
}

const LARGEST: Readonly<Record<string, string>> = {
  smallint: '32767',
  integer: '2147483647',
  bigint: '9223372036854775807',
};

/** Only what is not the default of an ascending sequence of its type. */
function sequenceOptions({ type, start, increment, min, max, cache, cycle }: DraftedSequence): string {
  const options = [
    ...(increment === '1' ? [] : [`INCREMENT BY ${increment}`]),
    ...(min === '1' ? [] : [`MINVALUE ${min}`]),
    ...(max === LARGEST[type] ? [] : [`MAXVALUE ${max}`]),
    ...(start === '1' ? [] : [`START WITH ${start}`]),
    ...(cache === '1' ? [] : [`CACHE ${cache}`]),
    ...(cycle ? ['CYCLE'] : []),
  ];
  return options.length === 0 ? '' : ` (${options.join(' ')})`;
}

function columnStatements(table: string, column: DraftedColumn): string[] {
  const { ident, storage, compression, statistics, options } = column;
  const changes = [
    ...(storage === null ? [] : [`SET STORAGE ${storage}`]),
    ...(compression === null ? [] : [`SET COMPRESSION ${compression}`]),
    ...(statistics === null ? [] : [`SET STATISTICS ${statistics}`]),
    ...(options === null ? [] : [`SET (${options})`]),
  ];
  return changes.map((change) => `ALTER TABLE ${table} ALTER COLUMN ${ident} ${change}`);
}

/** An index that came with its constraint takes its storage parameters afterwards. */
function indexStatements({ schema, indexes }: DraftedTable): string[] {
  return indexes.flatMap((index) => {
    if (!index.constraint) return [index.definition];
    return index.options === null ? [] : [`ALTER INDEX ${schema}.${index.ident} SET (${index.options})`];
  });
}

function identityStatements({ ident, indexes, replicaIdentity }: DraftedTable): string[] {
  const marked = indexes.find(({ identifies }) => identifies);
  const clustered = indexes.find((index) => index.clustered);
  const whole: Readonly<Record<string, string>> = { n: 'NOTHING', f: 'FULL' };
  const identity = marked ? `USING INDEX ${marked.ident}` : whole[replicaIdentity];
  return [
    ...(identity === undefined ? [] : [`ALTER TABLE ${ident} REPLICA IDENTITY ${identity}`]),
    ...(clustered ? [`ALTER TABLE ${ident} CLUSTER ON ${clustered.ident}`] : []),
  ];
}

function commentStatements(table: DraftedTable): string[] {
  const { schema, ident } = table;
  const said: (readonly [string, string | null])[] = [
    [`TABLE ${ident}`, table.comment],
    ...table.columns.map((one) => [`COLUMN ${ident}.${one.ident}`, one.comment] as const),
    ...table.constraints.map((one) => [`CONSTRAINT ${one.ident} ON ${ident}`, one.comment] as const),
    ...table.indexes.map((one) => [`INDEX ${schema}.${one.ident}`, one.comment] as const),
    ...table.statistics.map((one) => [`STATISTICS ${one.ident}`, one.comment] as const),
  ];
  return said.flatMap(([object, comment]) =>
    comment === null ? [] : [`COMMENT ON ${object} IS ${quoteText(comment)}`],
  );
}
