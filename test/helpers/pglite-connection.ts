/**
 * A connection to PGlite, Postgres compiled to WebAssembly in this process: for what the embedded server lacks, which is
 * pgvector. It has one backend, so nothing about locks, snapshots or two sessions may be concluded from it; the text of SQL,
 * types, casts and indexes are those of a real Postgres.
 */

import { PGlite } from '@electric-sql/pglite';
import { vector } from '@electric-sql/pglite/vector';
import type { PgConnection } from '../../lib/adapters/postgres/connection/connection.ts';
import { translated } from '../../lib/adapters/postgres/connection/failures.ts';

/** As `postgresConnection` hands them back: bigint and numeric as text. */
const AS_TEXT = Object.fromEntries([20, 1700].map((oid) => [oid, (text: string) => text]));
const TEXT = 25;

export async function pgliteConnection(): Promise<PgConnection> {
  const db = await PGlite.create({ extensions: { vector }, parsers: AS_TEXT });
  const attempt = async <T>(statement: string, send: () => Promise<T>): Promise<T> => {
    try {
      return await send();
    } catch (error) {
      throw translated(error, { target: 'pglite', statement, attempts: 1, deadlineMs: 0 });
    }
  };
  return {
    call: (statement, parameters = []) =>
      attempt(statement, async () => {
        const texts = parameters.map((value) => (value === null ? null : String(value)));
        return (await db.query<never>(statement, texts, { paramTypes: texts.map(() => TEXT) })).rows;
      }),
    alone: (text) => attempt(text, async () => void (await db.exec(text))),
    script: (text) => attempt(text, async () => void (await db.exec(text))),
    longCall: (statement) => attempt(statement, async () => (await db.exec(statement)).at(-1)!.rows as never[]),
    close: () => db.close(),
  };
}
