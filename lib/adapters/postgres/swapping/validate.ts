/**
 * VALIDATE CONSTRAINT after a swap: at top level, each in its own transaction, since it reads whole tables. Until then the
 * foreign key is enforced for every new row. One that cannot be validated now is tried again by the next call and by cleanup.
 */

import type { PgConnection } from '../connection/connection.ts';

const LONG_MS = 120_000;

/** May be repeated: a foreign key that is valid stays so. @returns the statements that failed */
export async function validateForeignKeys(owner: PgConnection, statements: readonly string[] = []): Promise<string[]> {
  const failed: string[] = [];
  for (const statement of statements) {
    const done = owner.script(statement, { deadlineMs: LONG_MS, attempts: 5, settings: { lock_timeout: '1s' } });
    await done.catch(() => failed.push(statement));
  }
  return failed;
}
