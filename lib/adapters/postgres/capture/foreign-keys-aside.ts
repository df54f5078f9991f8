/**
 * Takes foreign keys off a shadow before it begins to follow, and gives back those that cannot hurt when it follows no more.
 * Each in a transaction of its own, since both tables are locked for it: the application waits for one at a time. SQL of
 * released migrations calls a foreign key that was set aside `key_aside`.
 */

import { quoteText } from '../../../core/table/shape.ts';
import type { PgConnection } from '../connection/connection.ts';
import { validateForeignKeys } from '../swapping/validate.ts';

const SHORT = { lock_timeout: '200ms' };
const TRIES = 20;

/** @returns statements, one per foreign key; each sets it aside and does nothing when it is gone */
export async function foreignKeysToSetAside(
  owner: PgConnection,
  id: string,
  primaryOid: number,
  shadowOid: number,
): Promise<string[]> {
  const rows = await owner.call<{ name: string }>(
    `SELECT n AS name FROM crossfade.keys_to_set_aside($1::text::oid, $2::text::oid) n
     WHERE NOT EXISTS (SELECT FROM crossfade.cutover c WHERE c.id = $3::text AND c.direction = 'reverse')`,
    [primaryOid, shadowOid, id],
  );
  return rows.map(({ name }) => `SELECT crossfade.set_key_aside(${quoteText(id)}, ${shadowOid}, ${quoteText(name)})`);
}

/** What cannot be given back now stays remembered, and no caller has to wait for it. */
export async function giveForeignKeysBack(owner: PgConnection, id: string): Promise<void> {
  const rows = await owner.call<{ name: string }>('SELECT n AS name FROM crossfade.keys_to_give_back($1::text) n', [
    id,
  ]);
  for (const { name } of rows) {
    const [validated] = await owner.call<{ statement: string | null }>(
      `SELECT pg_catalog.format('ALTER TABLE %s VALIDATE CONSTRAINT %I', t.oid::regclass, a.name) AS statement
       FROM crossfade.key_aside a JOIN pg_catalog.pg_class t ON t.oid = a.shadow
       WHERE a.cutover = $1::text AND a.name = $2::text AND (a.key ->> 'validated')::boolean`,
      [id, name],
    );
    const given = owner.script(`SELECT crossfade.give_key_back(${quoteText(id)}, ${quoteText(name)})`, {
      attempts: TRIES,
      settings: SHORT,
    });
    const done = await given.then(
      () => true,
      () => false,
    );
    if (done && validated?.statement) await validateForeignKeys(owner, [validated.statement]);
  }
}
