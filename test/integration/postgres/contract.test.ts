/** The ports of live tables on Postgres keep the same contract as those in memory. */

import type { TablesHarness } from '../../helpers/contracts/tables/bench.ts';
import { tablesContract } from '../../helpers/contracts/tables/tables.ts';
import { endPauses, testPlane } from '../../helpers/postgres-tables.ts';
import { recycledDatabase } from '../../helpers/recycled-database.ts';

async function open(): Promise<TablesHarness> {
  const db = await recycledDatabase();
  const plane = testPlane(db);
  const owner = plane.connection();
  await db.sql.unsafe(
    'CREATE TABLE subject (id integer PRIMARY KEY, v text); CREATE TABLE subject_v2 (id bigint PRIMARY KEY, v text)',
  );
  /** The table behind the mirror row, whatever it is called now. */
  const table = async (which: 'authoritative' | 'follower'): Promise<string> => {
    const [row] =
      await db.sql.unsafe(`SELECT primary_oid::regclass::text AS primary, shadow_oid::regclass::text AS shadow, direction, stage
      FROM crossfade.cutover WHERE id = 'subject'`);
    if (!row) return which === 'authoritative' ? 'subject' : 'subject_v2';
    const promoted = row.direction === 'reverse' || row.stage === 'cleaned';
    if (promoted && which === 'authoritative') return 'subject';
    return which === 'authoritative' ? row.primary : promoted ? row.primary : row.shadow;
  };
  const set = async (name: string, key: number, value: string | null) => {
    if (value === null) await db.sql.unsafe(`DELETE FROM ${name} WHERE id = ${key}`);
    else
      await db.sql.unsafe(
        `INSERT INTO ${name} VALUES (${key}, '${value}') ON CONFLICT (id) DO UPDATE SET v = excluded.v`,
      );
  };
  let altered = 0;
  const rows = async (name: string) => {
    const found = await db.sql.unsafe(`SELECT id::int AS id, v FROM ${name} ORDER BY id`);
    return Object.fromEntries(found.map((row) => [row.id, row.v as string]));
  };
  return {
    ports: plane.ports,
    cutover: { id: 'subject', validation: 'strict', table: { primary: 'public.subject', shadow: 'public.subject_v2' } },
    // The application knows one name, always.
    write: (key, value) => set('subject', key, value),
    tamper: async (key, value) => set(await table('follower'), key, value),
    endPauses: async () => void (await endPauses(owner, 'subject')),
    block: async (key, blocked) => {
      const name = await table('follower');
      await db.sql.unsafe(
        blocked
          ? `ALTER TABLE ${name} ADD CONSTRAINT blocked_${key} CHECK (id <> ${key}) NOT VALID`
          : `ALTER TABLE ${name} DROP CONSTRAINT blocked_${key}`,
      );
    },
    alter: async (which) => {
      altered += 1;
      const name = `more_${altered}`;
      for (const side of ['authoritative', ...(which === 'both' ? (['follower'] as const) : [])] as const)
        await db.sql.unsafe(`ALTER TABLE ${await table(side)} ADD COLUMN ${name} text DEFAULT 'more'`);
    },
    authoritative: async () => rows(await table('authoritative')),
    follower: async () => rows(await table('follower')),
    close: async () => {
      await plane.close();
      await db.drop();
    },
  };
}

tablesContract('on Postgres', open);
