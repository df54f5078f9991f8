/** "There is no such function" means that a cutover is not armed only when it is said of the cutover's own function. */

import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { unlessUnknown } from '../../../lib/adapters/postgres/connection/unless-unknown.ts';
import type { TableCutover } from '../../../lib/ports/tables.ts';
import { type OwnDatabase, ownDatabase } from '../../helpers/postgres.ts';
import { type TestPlane, testPlane } from '../../helpers/postgres-tables.ts';

const TAG: TableCutover = {
  id: 'tag',
  validation: 'strict',
  table: { primary: 'public.tag', shadow: 'public.tag_v2', columns: { label: { sql: 'public.worded(name)' } } },
};

let db: OwnDatabase;
let plane: TestPlane;

beforeAll(async () => {
  db = await ownDatabase();
  plane = testPlane(db);
  await db.sql.unsafe(`CREATE FUNCTION worded(text) RETURNS text LANGUAGE plpgsql AS $$ BEGIN RETURN upper($1); END $$;
    CREATE TABLE tag (id integer PRIMARY KEY, name text); CREATE TABLE tag_v2 (id integer PRIMARY KEY, name text, label text);
    INSERT INTO tag VALUES (1, 'a')`);
});
afterAll(async () => {
  await plane.close();
  await db.drop();
});

const CALLS = [
  ['converge', () => plane.converge('tag', 1, 10), { kind: 'stale', have: -1 }],
  ['backfill', () => plane.backfill('tag', 1, 10), { kind: 'stale', have: -1 }],
  ['verify', () => plane.verify('tag', 1, 1), { kind: 'unready', why: 'capture is not armed' }],
  ['retryQuarantined', () => plane.retryQuarantined('tag', null), { enqueued: 0 }],
] as const;

describe('a function of a cutover', () => {
  it.each(CALLS)('that is not there says so: %s', async (_, call, answer) => {
    expect(await call()).toMatchObject(answer);
  });

  it('that calls one which is not there is an error, with the name of that one', async () => {
    await plane.start(TAG);
    await plane.copy('tag', 1);
    await db.sql.unsafe(`CREATE OR REPLACE FUNCTION worded(text) RETURNS text LANGUAGE plpgsql AS $$ BEGIN RETURN mislaid($1); END $$;
      INSERT INTO tag VALUES (2, 'b')`);
    for (const call of [CALLS[0][1], CALLS[2][1]])
      await expect(call()).rejects.toMatchObject({ message: expect.stringContaining('mislaid(text) does not exist') });
    // Nothing was lost by it.
    expect((await plane.status('tag'))!.outboxRows).toBe(1);
  });

  it('that runs into a trigger of the application which calls one is an error, too', async () => {
    await db.sql.unsafe(`CREATE OR REPLACE FUNCTION worded(text) RETURNS text LANGUAGE sql AS 'SELECT upper($1)';
      CREATE FUNCTION noted() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM mislaid(NEW.id); RETURN NEW; END $$;
      CREATE TRIGGER noted BEFORE INSERT ON tag_v2 FOR EACH ROW EXECUTE FUNCTION noted()`);
    await expect(plane.converge('tag', 1, 10)).rejects.toMatchObject({
      message: expect.stringContaining('mislaid(integer) does not exist'),
    });
    await db.sql.unsafe('DROP TRIGGER noted ON tag_v2');
    expect(await plane.converge('tag', 1, 10)).toMatchObject({ kind: 'converged', written: 1 });
  });

  it('that was made between the call and the question is called again', async () => {
    const connection = plane.connection();
    const call = () => connection.call<{ one: number }>('SELECT crossfade.late() AS one');
    const racing = {
      ...connection,
      call: async <Row extends object>(statement: string, parameters: readonly string[] = []) => {
        await db.sql.unsafe("CREATE FUNCTION crossfade.late() RETURNS integer LANGUAGE sql AS 'SELECT 1'");
        return connection.call<Row>(statement, parameters);
      },
    };
    expect(await unlessUnknown(racing as typeof connection, 'late', call, [])).toEqual([{ one: 1 }]);
  });

  it('that is in the catalog before this session knows it is called until it does', async () => {
    const connection = plane.connection();
    let calls = 0;
    const call = () => {
      calls += 1;
      return connection.call<{ one: number }>(`SELECT crossfade.${calls < 4 ? 'unheard_of' : 'late'}() AS one`);
    };
    expect(await unlessUnknown(connection, 'late', call, [])).toEqual([{ one: 1 }]);
    expect(calls).toBe(4);
  });
});
