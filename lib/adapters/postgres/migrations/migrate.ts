/**
 * Installs schema `crossfade` from numbered, append-only SQL files. Each file is one transaction together with the row that
 * records it, so it is applied wholly or not at all; several runners at once take turns by an advisory lock. A released
 * file that was changed is refused, and so is a gap in the numbers: both mean that two databases would differ.
 */

import { createHash } from 'node:crypto';
import { CrossfadeError } from '../../../core/base/errors.ts';
import { quoteText } from '../../../core/table/shape.ts';
import { type PgConnection, sqlstateOf } from '../connection/connection.ts';

/** Text comes as a value, so that a bundled function can carry it. */
export type MigrationFile = { name: string; text: string };

type Numbered = MigrationFile & { number: number; checksum: string };
type Recorded = { number: number; name: string; checksum: string };

/** 'CFMG' as a number: no other program takes this lock by chance. */
const LOCK = 'SELECT pg_catalog.pg_advisory_xact_lock(1128680775)';
/** May be repeated: a first try that was committed although its answer was lost shows as recorded. */
const PATIENT = { deadlineMs: 120_000 };
const PREPARE = `${LOCK};
CREATE SCHEMA IF NOT EXISTS crossfade;
CREATE TABLE IF NOT EXISTS crossfade.migration (
  number int PRIMARY KEY, name text NOT NULL, checksum text NOT NULL,
  applied_at timestamptz NOT NULL DEFAULT pg_catalog.now())`;

/**
 * Applies what is not there yet, in the order of the numbers.
 * @param connection of the owner role
 * @throws CrossfadeError `refused_table` for a database that is not in UTF8; `invalid_config` for names, gaps, doubles and BEGIN or COMMIT; `schema_changed` when the database has other files
 *   than these; what the connection throws when a file fails, with the file's name
 */
export async function migrate(
  connection: PgConnection,
  files: readonly MigrationFile[],
): Promise<{ applied: string[]; present: string[] }> {
  const numbered = inOrder(files);
  await demandUnicode(connection);
  if (!(await isPrepared(connection))) await connection.script(PREPARE);
  const present = await readRecorded(connection);
  compare(numbered, present);
  const applied: string[] = [];
  for (const file of numbered.slice(present.length)) {
    if (await apply(connection, file)) applied.push(file.name);
  }
  return { applied, present: numbered.map(({ name }) => name).filter((name) => !applied.includes(name)) };
}

/** Keys and names travel as JSON, which is Unicode; another encoding has no place for some of it, SQL_ASCII for none with certainty. */
async function demandUnicode(connection: PgConnection): Promise<void> {
  const [row] = await connection.call<{ encoding: string }>(
    `SELECT pg_catalog.current_setting('server_encoding') AS encoding`,
  );
  if (row!.encoding === 'UTF8') return;
  throw new CrossfadeError(
    'refused_table',
    `Crossfade works in databases of encoding UTF8, this one has ${row!.encoding}. Nothing was changed. A database is given another encoding by a dump that is restored into a new one: CREATE DATABASE … ENCODING 'UTF8' TEMPLATE template0.`,
  );
}

async function isPrepared(connection: PgConnection): Promise<boolean> {
  const rows = await connection.call<{ there: boolean }>(
    `SELECT pg_catalog.to_regclass('crossfade.migration') IS NOT NULL AS there`,
  );
  return rows[0]!.there;
}

function readRecorded(connection: PgConnection): Promise<Recorded[]> {
  return connection.call<Recorded>('SELECT number, name, checksum FROM crossfade.migration ORDER BY number');
}

/** False when another runner, or an earlier try whose answer was lost, has applied it already. */
async function apply(connection: PgConnection, file: Numbered): Promise<boolean> {
  const values = `${file.number}, ${quoteText(file.name)}, ${quoteText(file.checksum)}`;
  const record = `INSERT INTO crossfade.migration (number, name, checksum) VALUES (${values})`;
  try {
    // The record comes first: a second runner that waited for the lock fails here, before the file's own statements.
    await connection.script(`${LOCK};\n${record};\n${file.text}`, PATIENT);
    return true;
  } catch (error) {
    const there = (await readRecorded(connection)).find(({ number }) => number === file.number);
    if (there === undefined) throw named(file.name, error);
    compare([file], [there], file.number);
    return sqlstateOf(error) === null;
  }
}

// ---------------------------------------------------------------------------------------------------------- checks

function inOrder(files: readonly MigrationFile[]): Numbered[] {
  const wrong = files.filter(({ name }) => !/^\d{4}_[a-z0-9_]+\.sql$/.test(name)).map(({ name }) => name);
  if (wrong.length > 0) throw invalid(`Migrations are named like 0001_tables.sql. Rename ${wrong.join(', ')}.`);
  const torn = files
    .filter(({ text }) => /^(BEGIN|START|COMMIT|ROLLBACK)\b[^;\n]*;/im.test(text))
    .map(({ name }) => name);
  if (torn.length > 0)
    throw invalid(`Each migration is one transaction by itself. Take BEGIN and COMMIT out of ${torn.join(', ')}.`);
  const numbered = files
    .map((file) => ({ ...file, number: Number(file.name.slice(0, 4)), checksum: checksumOf(file.text) }))
    .sort((a, b) => a.number - b.number);
  numbered.forEach(({ number, name }, index) => {
    if (number === index + 1) return;
    const twin = numbered[index - 1];
    if (twin?.number === number) throw invalid(`Migrations ${twin.name} and ${name} have the same number.`);
    const missing = String(index + 1).padStart(4, '0');
    throw invalid(`Migration ${missing} is missing: ${name} would be applied without it. Restore it, or renumber.`);
  });
  return numbered;
}

/** What is recorded must be the beginning of what is given. */
function compare(files: readonly Numbered[], recorded: readonly Recorded[], from = 1): void {
  recorded.forEach((record, index) => {
    const file = files[index];
    if (record.number !== from + index) throw differs(`It has ${record.name}, but no migration ${from + index}.`);
    if (file === undefined) {
      throw differs(`It has ${record.name}, which is not among the files: it was migrated by a newer version.`);
    }
    if (file.name !== record.name) throw differs(`It has ${record.name} in place of ${file.name}.`);
    if (file.checksum !== record.checksum) {
      throw differs(
        `${file.name} was changed after it had been applied. Restore it and write the change as a new one.`,
      );
    }
  });
}

/** Line ends do not count: a checkout on Windows has others. */
const checksumOf = (text: string): string => createHash('sha256').update(text.replaceAll('\r\n', '\n')).digest('hex');

function invalid(message: string): CrossfadeError {
  return new CrossfadeError('invalid_config', message);
}

function differs(why: string): CrossfadeError {
  return new CrossfadeError('schema_changed', `This database was not migrated by these files. ${why}`);
}

function named(name: string, error: unknown): unknown {
  if (!(error instanceof CrossfadeError)) return error;
  const { code, retryable, details } = error;
  return new CrossfadeError(code, `Migration ${name} was not applied. ${error.message}`, { retryable, details });
}
