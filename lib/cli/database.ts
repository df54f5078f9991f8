/** A connection of its own for one command of a person. The driver is loaded only when one is needed. */

import type { PgGateway } from '../adapters/postgres/gateway.ts';
import { random, systemClock } from '../adapters/system.ts';
import { CrossfadeError } from '../core/errors.ts';

/** Connects at the first call. @throws CrossfadeError `invalid_input` when the text is no Postgres URL */
export async function openDatabase(text: string): Promise<PgGateway> {
  addressOf(text);
  const { postgresGateway } = await import('../adapters/postgres/gateway.ts');
  return postgresGateway({ url: text, clock: systemClock(), random });
}

/** Host, port and role of a database URL. The text itself is never repeated: it holds a password. */
export function addressOf(text: string): { host: string; port: number; role: string } {
  const url = URL.canParse(text) ? new URL(text) : null;
  if (url && (url.protocol === 'postgres:' || url.protocol === 'postgresql:')) {
    const role = decodeURIComponent(url.username);
    return { host: url.hostname || 'localhost', port: Number(url.port || 5432), role };
  }
  throw new CrossfadeError(
    'invalid_input',
    'The database URL must look like postgres://ROLE:PASSWORD@HOST:5432/DATABASE; special characters in the password are written as %40 and the like.',
  );
}
