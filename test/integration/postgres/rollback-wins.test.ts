/** I23 on a real server: a rollback waits neither for a reader nor for what is gone; a start and force need what is really there. */

import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { makePlan } from '../../../lib/core/cutover/plan.ts';
import type { OperatorCommand } from '../../../lib/flows/control/operate.ts';
import type { Ports } from '../../../lib/ports/ports.ts';
import { type OwnDatabase, ownDatabase } from '../../helpers/postgres.ts';
import { type TestPlane, testPlane } from '../../helpers/postgres-tables.ts';
import { type World, world } from '../../helpers/world.ts';
import { declarationOf } from '../../property/samples.ts';

const ID = 'customer';
const FORCE = { force: true, reason: 'a test' } as const;
const ROLLBACK = { type: 'rollback', reason: 'wrong totals' } as const;
const DECLARED = declarationOf('table', { plan: makePlan('one', [['full_100', 100]], 1) });
const CUTOVER = {
  id: ID,
  table: { primary: 'public.customer', shadow: 'public.customer_v2' },
  validation: 'strict' as const,
};

let db: OwnDatabase;
let plane: TestPlane;
let w: World;
let ports: Ports;

/** A store of states of its own over the one database. */
const store = () => {
  const made = world({ cutovers: [DECLARED] });
  return { made, ports: { ...made.ports, ...plane.ports } };
};
const ask = (command: OperatorCommand) => w.operate(ID, command, { ports });

beforeEach(async () => {
  db = await ownDatabase();
  plane = testPlane(db);
  ({ made: w, ports } = store());
  await db.sql.unsafe(`CREATE TABLE customer (id integer PRIMARY KEY, name text);
    CREATE TABLE customer_v2 (id integer PRIMARY KEY, name text);
    INSERT INTO customer SELECT i, 'n' || i FROM generate_series(1, 50) i`);
});
afterEach(async () => {
  await plane.close();
  await db.drop();
});

async function serving(): Promise<number> {
  expect(await ask({ type: 'start' })).toMatchObject({ ok: true });
  const { epoch } = (await w.state.readCutover(ID))!;
  expect(await ask({ type: 'advance', ...FORCE })).toMatchObject({
    ok: false,
    code: 'held',
    message: expect.stringMatching(/Copy: 0 of about 50 rows/),
  });
  await plane.copy(ID, epoch);
  expect(await ask({ type: 'advance', ...FORCE })).toMatchObject({ ok: true, answer: { stage: 'full_100' } });
  return epoch;
}
const namesOf = async () => {
  const rows = await db.sql.unsafe(
    `SELECT relname FROM pg_class WHERE relname LIKE 'customer%' AND relkind = 'r' ORDER BY 1`,
  );
  return rows.map(({ relname }) => relname);
};

describe('I23 a rollback', () => {
  it('withdraws a promotion that waits behind an open reader, and a late swap finds it given up', async () => {
    const epoch = await serving();
    const reader = await db.sql.reserve();
    await reader.unsafe('BEGIN; SELECT count(*) FROM customer');
    expect(await ask({ type: 'complete', confirm: ID, ...FORCE })).toMatchObject({ answer: { pending: 'promote' } });
    const { version } = (await w.state.readCutover(ID))!;
    expect(await ask(ROLLBACK)).toMatchObject({ ok: true, answer: { stage: 'rolled_back', pending: null } });
    await reader.unsafe('COMMIT');
    reader.release();
    const late = { fromEpoch: epoch, toEpoch: epoch + 1, stage: 'completed', version: version + 1 };
    expect((await plane.promote(CUTOVER, late)).kind).not.toBe('swapped');
    // Asked of the database by itself: of another epoch, and of one that was given up.
    for (const [from, of] of [
      [epoch + 7, version + 7],
      [epoch, version],
    ]) {
      const [{ answer }] = await db.sql.unsafe<[{ answer: object }]>(
        `SELECT crossfade.swap('${ID}', ${from}, ${from! + 1}, 'reverse', 'completed', ${of}, '{}', '{}', '{}', '', '{}', 1) AS answer`,
      );
      expect(answer).toMatchObject({ kind: 'postponed', sqlstate: 'CF001' });
    }
    expect(await namesOf()).toEqual(['customer', 'customer_v2']);
    // Capture could not be taken away beside the reader: a tick does it.
    await w.tick(ports);
    expect((await plane.status(ID))!.armed).toBe('none');
  });

  it('of a promotion that the tables do not allow any more is not kept waiting', async () => {
    await serving();
    await db.sql.unsafe('ALTER TABLE customer_v2 RENAME COLUMN id TO customer_id');
    const answered = await ask({ type: 'complete', confirm: ID, ...FORCE });
    expect(answered).toMatchObject({ ok: false });
    expect(await ask(ROLLBACK)).toMatchObject({ ok: true, answer: { stage: 'rolled_back' } });
  });

  it('whose old table is gone is answered at once, with its name', async () => {
    await serving();
    expect(await ask({ type: 'complete', confirm: ID, ...FORCE })).toMatchObject({ answer: { stage: 'completed' } });
    const [old] = (await namesOf()).filter((name) => name !== 'customer');
    await db.sql.unsafe(`DROP TABLE ${old} CASCADE`);
    const answered = await ask(ROLLBACK);
    expect(answered).toMatchObject({
      ok: false,
      message: expect.stringMatching(/does not exist|gone|missing|dropped/),
    });
    expect((await w.state.readCutover(ID))!.pending).toBeNull();
  });

  it('withdraws a cleanup, which then drops nothing however late it comes', async () => {
    const epoch = (await serving()) + 1;
    expect(await ask({ type: 'complete', confirm: ID, ...FORCE })).toMatchObject({ answer: { stage: 'completed' } });
    const there = await namesOf();
    expect(await plane.abandon(ID, { toEpoch: epoch + 1, version: 50 })).toEqual({ kind: 'abandoned' });
    await expect(plane.cleanup(CUTOVER, epoch, { version: 50 })).rejects.toMatchObject({ code: 'stale_epoch' });
    expect(await namesOf()).toEqual(there);
    expect(await plane.cleanup(CUTOVER, epoch, { version: 51 })).toEqual({ kind: 'cleaned' });
  });
});

describe('a start', () => {
  it('from a second store of states is refused with what is there, until that trace is removed', async () => {
    await serving();
    await ask(ROLLBACK);
    const second = store();
    const again = () => second.made.operate(ID, { type: 'start' }, { ports: second.ports });
    const refused = await again();
    expect(refused).toMatchObject({ ok: false, code: 'conflict', message: expect.stringContaining('newer state') });
    expect(await second.made.state.readCutover(ID)).toMatchObject({ stage: 'disabled' });
    await db.sql.unsafe(/DELETE FROM .* WHERE id = '\w+'/.exec((refused as { message: string }).message)![0]);
    expect(await again()).toMatchObject({ ok: true, answer: { stage: 'dual_write' } });
    expect((await plane.status(ID))!.armed).toBe('forward');
  });

  it('that may not arm is no start: the cause comes back, and nothing has changed', async () => {
    await db.sql.unsafe(`CREATE FUNCTION forbid() RETURNS event_trigger LANGUAGE plpgsql AS $$ BEGIN
        RAISE EXCEPTION 'no triggers here' USING ERRCODE = '42501'; END $$;
      CREATE EVENT TRIGGER forbid ON ddl_command_start WHEN TAG IN ('CREATE TRIGGER') EXECUTE FUNCTION forbid()`);
    expect(await ask({ type: 'start' })).toMatchObject({
      ok: false,
      code: 'refused_table',
      message: expect.stringContaining('42501'),
    });
    expect((await w.state.readCutover(ID))!.stage).toBe('disabled');
    await db.sql.unsafe('DROP EVENT TRIGGER forbid');
    expect(await ask({ type: 'start' })).toMatchObject({ ok: true });
    expect((await plane.status(ID))!.armed).toBe('forward');
  });
});
