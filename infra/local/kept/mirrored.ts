/** What the database itself has of cutovers, beside what is kept of them: they must be of one life, or nothing is started. */

import { disarm, forget } from '../../../lib/adapters/postgres/capture/arming.ts';
import type { PgConnection } from '../../../lib/adapters/postgres/connection/connection.ts';
import { quoteText } from '../../../lib/core/table/shape.ts';

export type Mirrored = {
  id: string;
  epoch: number;
  version: number;
  stage: string;
  direction: 'none' | 'forward' | 'reverse';
};

export type Known = { id: string; epoch: number; version: number };

/** Another text for a database that was made again, or a schema that was installed again. */
export async function installationOf(owner: PgConnection): Promise<string> {
  const [row] = await owner.call<{ installation: string }>(
    `SELECT d.oid || ' ' || m.applied_at AS installation FROM pg_catalog.pg_database d, crossfade.migration m
     WHERE d.datname = pg_catalog.current_database() AND m.number = 1`,
  );
  return row!.installation;
}

/** Cutovers that the database is armed for, or has seen the state of. */
export async function readMirrored(owner: PgConnection): Promise<Mirrored[]> {
  return owner.call<Mirrored>(
    'SELECT id, epoch::float8 AS epoch, version::float8 AS version, stage, direction FROM crossfade.cutover ORDER BY id',
  );
}

/** Cutovers of which the database has seen more than is known here: each in words. */
export function ahead(mirrored: readonly Mirrored[], known: readonly Known[]): string[] {
  return mirrored.flatMap((seen) => {
    const here = known.find(({ id }) => id === seen.id);
    const there = `${seen.id}: ${seen.stage}, epoch ${seen.epoch}, version ${seen.version}`;
    if (!here) return seen.direction === 'none' && seen.epoch === 0 ? [] : [`${there}; nothing is kept of it`];
    const newer = seen.epoch > here.epoch || (seen.epoch === here.epoch && seen.version > here.version);
    return newer ? [`${there}; kept is epoch ${here.epoch}, version ${here.version}`] : [];
  });
}

/** Of no state that there is: who begins from nothing outranks all of them. */
const NEWEST = { epoch: 1_000_000_000, version: 1_000_000_000 };

/**
 * Takes capture off every table and forgets the cutovers, so that they can be started from the beginning. Rows stay.
 * @throws Error where tables have exchanged their names: that is for a rollback
 */
export async function forgetAll(owner: PgConnection): Promise<string[]> {
  const mirrored = await readMirrored(owner);
  const promoted = mirrored.filter(({ direction }) => direction === 'reverse').map(({ id }) => id);
  if (promoted.length > 0) {
    throw new Error(
      `--fresh does not exchange tables back: ${promoted.join(', ')} ${promoted.length === 1 ? 'is' : 'are'} promoted in this database. Roll back first with what is kept (without --fresh), or make the copy of your database again.`,
    );
  }
  for (const { id } of mirrored) {
    await disarm(owner, id, NEWEST);
    await forget(owner, id, NEWEST);
    await owner.script(`DELETE FROM crossfade.cutover WHERE id = ${quoteText(id)}`);
  }
  return mirrored.map(({ id }) => id);
}
