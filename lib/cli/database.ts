/** A connection of its own for one command of a person: short, alone, never pooled. Loaded only when one is needed. */

import { CrossfadeError } from '../core/errors.ts';
import type { Query } from './doctor/database.ts';

export type Database = { address: { host: string; port: number }; query: Query; close(): Promise<void> };

/** Connects at the first query. @throws CrossfadeError `invalid_input` when the text is no Postgres URL */
export async function openDatabase(text: string): Promise<Database> {
  const address = addressOf(text);
  const { default: postgres } = await import('postgres');
  const sql = postgres(text, { max: 1, prepare: false, fetch_types: false, connect_timeout: 5, onnotice: () => {} });
  return { address, query: (query) => sql.unsafe(query), close: () => sql.end({ timeout: 1 }) };
}

/** The text itself is never repeated: it holds a password. */
export function addressOf(text: string): { host: string; port: number } {
  const url = URL.canParse(text) ? new URL(text) : null;
  if (url && (url.protocol === 'postgres:' || url.protocol === 'postgresql:')) {
    return { host: url.hostname || 'localhost', port: Number(url.port || 5432) };
  }
  throw new CrossfadeError(
    'invalid_input',
    'The database URL must look like postgres://ROLE:PASSWORD@HOST:5432/DATABASE; special characters in the password are written as %40 and the like.',
  );
}
