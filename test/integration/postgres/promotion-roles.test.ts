/** Promotion by an owner role that is no superuser, while the application has a role of its own; and without enough rights. */

import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type PgConnection, postgresConnection } from '../../../lib/adapters/postgres/connection/connection.ts';
import { random, systemClock } from '../../../lib/adapters/system.ts';
import type { TableCutover } from '../../../lib/ports/tables.ts';
import { type OwnDatabase, ownDatabase } from '../../helpers/postgres.ts';
import { postgresCalls } from '../../helpers/postgres-tables.ts';
import type { TableCalls } from '../../helpers/table-ports.ts';

const FEE: TableCutover = {
  id: 'fee',
  validation: 'strict',
  table: { primary: 'public.fee', shadow: 'public.fee_v2' },
};

let db: OwnDatabase;
let owner: PgConnection;
let plane: TableCalls;
let roles: { owner: string; app: string };

beforeAll(async () => {
  db = await ownDatabase();
  roles = { owner: `owner_${db.name}`, app: `app_${db.name}` };
  await db.sql.unsafe(`CREATE ROLE ${roles.owner} LOGIN PASSWORD 'secret'; CREATE ROLE ${roles.app};
    GRANT USAGE, CREATE ON SCHEMA crossfade TO ${roles.owner}; GRANT ALL ON ALL TABLES IN SCHEMA crossfade TO ${roles.owner};
    GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA crossfade TO ${roles.owner}; GRANT USAGE, CREATE ON SCHEMA public TO ${roles.owner};
    SET ROLE ${roles.owner};
    CREATE TABLE fee (id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY, v text); CREATE TABLE fee_v2 (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, v text);
    CREATE TABLE bill (fee integer REFERENCES fee); GRANT SELECT, INSERT, UPDATE ON fee TO ${roles.app}; RESET ROLE`);
  const url = new URL(db.url);
  url.username = roles.owner;
  url.password = 'secret';
  owner = postgresConnection({ url: url.href, clock: systemClock(), random });
  plane = postgresCalls({ owner, runtime: owner });
});
afterAll(async () => {
  await owner.close();
  await db.sql.unsafe(`DROP OWNED BY ${roles.owner}, ${roles.app} CASCADE; DROP ROLE ${roles.owner}, ${roles.app}`);
  await db.drop();
});

const asApp = (statement: string) => db.sql.unsafe(`SET ROLE ${roles.app}; ${statement}; RESET ROLE`).simple();

async function copy(epoch: number): Promise<void> {
  await plane.arm(FEE, { epoch: 1, version: 1 });
  const row = { id: 'fee', epoch, version: epoch, stage: 'dual_write', shadowWrites: true, readPpm: 0, salt: 'fee' };
  expect(await plane.mirror(row)).toEqual({ kind: 'written' });
  while ((await plane.backfill('fee', epoch, 100)).kind === 'copied');
}

describe('an owner role that is no superuser', () => {
  it('promotes and goes back, and the application works throughout with the rights it had', async () => {
    await asApp("INSERT INTO fee (v) VALUES ('a')");
    await copy(1);
    const there = { fromEpoch: 1, toEpoch: 2, stage: 'completed', version: 2 };
    expect(await plane.promote(FEE, there)).toMatchObject({ kind: 'swapped' });
    await asApp(
      "INSERT INTO fee (v) VALUES ('b'); UPDATE fee SET v = 'c' WHERE id = 1; INSERT INTO fee_v2 (v) VALUES ('d')",
    );
    await expect(asApp('DELETE FROM fee')).rejects.toThrow(/permission denied/);
    await db.sql.unsafe('RESET ROLE');
    const back = { fromEpoch: 2, toEpoch: 3, stage: 'rolled_back', version: 3 };
    expect(await plane.revert(FEE, back)).toMatchObject({ kind: 'swapped' });
    expect([...(await db.sql.unsafe('SELECT id, v FROM fee ORDER BY id'))]).toEqual([
      { id: 1, v: 'c' },
      { id: 2, v: 'b' },
      { id: 3, v: 'd' },
    ]);
  });

  it('is told in the preview which right is missing, and nothing is locked', async () => {
    await db.sql.unsafe(`REVOKE CREATE ON SCHEMA public FROM ${roles.owner}; ALTER TABLE bill OWNER TO CURRENT_USER`);
    const refused = (await plane.preview(FEE)).items.filter(({ action }) => action === 'refuse');
    expect(refused.map(({ kind, object }) => `${kind} ${object}`).sort()).toEqual([
      'foreign key public.bill.bill_fee_fkey',
      'schema public.fee',
      'schema public.fee_v2',
    ]);
    await db.sql.unsafe('ALTER TABLE fee OWNER TO CURRENT_USER');
    const items = (await plane.preview(FEE)).items;
    expect(items).toContainEqual(expect.objectContaining({ action: 'refuse', kind: 'owner', object: 'public.fee' }));
  });
});
