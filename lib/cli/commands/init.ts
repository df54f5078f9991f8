/**
 * From a table to a cutover: the DDL of the new table, the declaration, and what is left to do. The database is only read; the
 * new table is tried in a transaction that is taken back. No file is written over.
 */

import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join, relative, resolve } from 'node:path';
import { random, systemClock } from '../../adapters/system.ts';
import { CrossfadeError } from '../../core/base/errors.ts';
import { tableChange, type Wish } from '../../core/table/draft/table-change.ts';
import { NEW_CONFIGURATION, nearestConfiguration } from '../configuration.ts';
import { type Context, EXIT, type Outcome } from '../context.ts';
import { ownerUrl } from '../database.ts';
import { checklist, renderChecklist } from '../init/checklist.ts';
import { configurationFile, ddlFile, declaration } from '../init/files.ts';
import { packageRoot } from '../package-root.ts';
import { field, printable } from '../text.ts';

/** Ends with 3 where a person must decide something before it can start. */
export async function init(context: Context): Promise<Outcome> {
  const { io, options } = context;
  const { table = '' } = options;
  const id = idOf(table);
  const wish = wishOf(context);
  const change = tableChange(wish);
  const here = io.directory;
  const ddl = `crossfade-${id}.sql`;
  demandFree(join(here, ddl));
  const { draftTable } = await import('../../adapters/postgres/drafting/drafting.ts');
  const { readMigrations } = await import('../../adapters/postgres/migrations/migration-files.ts');
  const migrations = readMigrations(join(packageRoot(), 'migrations'));
  const connection = { url: ownerUrl(context), clock: systemClock(), random };
  const draft = await draftTable(connection, { table, id, change, migrations });
  const found = nearestConfiguration(here);
  const configuration = found === undefined ? NEW_CONFIGURATION : null;
  const entry = declaration(id, draft);
  writeFileSync(join(here, ddl), ddlFile(id, draft, wish), { flag: 'wx' });
  if (configuration !== null) writeFileSync(join(here, configuration), configurationFile(id, draft), { flag: 'wx' });
  const left = checklist(id, draft, { ddl, configuration });
  const lines = [
    `${io.paint('bold', printable(id))}: ${printable(draft.primary)} → ${printable(draft.shadow)}`,
    ...field('written', `${ddl}, the new table`, io.width),
    ...(found === undefined
      ? field('written', `${NEW_CONFIGURATION}, the declaration`, io.width)
      : [
          '',
          `${relative(here, found) || found} is there already. Add this to its list:`,
          '',
          ...printableLines(entry),
        ]),
    ...renderChecklist(left, io.width, io.paint),
  ];
  return {
    document: { id, primary: draft.primary, shadow: draft.shadow, files: { ddl, configuration }, entry, ...left },
    text: lines.join('\n'),
    ...(left.decide.length > 0 ? { exit: EXIT.held } : {}),
  };
}

const printableLines = (text: string) => text.split('\n').map(printable);

/** @throws CrossfadeError `invalid_input` for options that exclude each other, and for a file that cannot be read */
function wishOf({ io, options: { alter, partitionBy, ddl: file } }: Context): Wish {
  if (file === undefined)
    return { ...(alter === undefined ? {} : { alter }), ...(partitionBy === undefined ? {} : { partitionBy }) };
  if (alter !== undefined || partitionBy !== undefined)
    throw new CrossfadeError(
      'invalid_input',
      '--ddl has all of the new table: leave --alter and --partition-by out, and write the change into the file.',
    );
  try {
    return { ddl: readFileSync(resolve(io.directory, file), 'utf8') };
  } catch (error) {
    throw new CrossfadeError('invalid_input', `--ddl takes a file that can be read: ${(error as Error).message}.`);
  }
}

/** `orders` of `public.orders`; the id of a cutover has small letters, digits and underlines. */
function idOf(table: string): string {
  const name = table.slice(table.indexOf('.') + 1);
  if (!/^[^.]+\../.test(table))
    throw new CrossfadeError(
      'invalid_input',
      `--table takes schema.name, such as public.orders, got '${printable(table)}'.`,
    );
  const id = name
    .toLowerCase()
    .replaceAll(/[^a-z0-9]+/g, '_')
    .replaceAll(/^[_0-9]+|_+$/g, '')
    .slice(0, 40);
  return id === '' ? 'moved' : id;
}

function demandFree(file: string): void {
  if (!existsSync(file)) return;
  throw new CrossfadeError(
    'invalid_input',
    `${file} is there already, and nothing is written over. Move it away first.`,
  );
}
