/** A verification that a person asks for begins after the asking, also beside a pass that is under way. */

import { afterAll, beforeAll, expect, it } from 'vitest';
import { initialState } from '../../../lib/core/cutover/cutover.ts';
import { verifyNow } from '../../../lib/flows/rows/verify.ts';
import type { Ports } from '../../../lib/ports/ports.ts';
import { type OwnDatabase, ownDatabase } from '../../helpers/postgres.ts';
import { type TestPlane, tamper, testPlane } from '../../helpers/postgres-tables.ts';
import { edited } from '../../helpers/sql-plants.ts';
import { world } from '../../helpers/world.ts';
import { declarationOf } from '../../property/samples.ts';

const ID = 'customer';
const DECLARED = declarationOf('table');
const CUTOVER = {
  id: ID,
  table: { primary: 'public.customer', shadow: 'public.customer_v2' },
  validation: 'strict' as const,
};
let db: OwnDatabase;
let plane: TestPlane;

beforeAll(async () => {
  db = await ownDatabase();
  plane = testPlane(db);
  await db.sql.unsafe(`CREATE TABLE customer (id integer PRIMARY KEY, name text);
    CREATE TABLE customer_v2 (id integer PRIMARY KEY, name text);
    INSERT INTO customer SELECT i, 'n' || i FROM generate_series(1, 45000) i`);
  await plane.start(CUTOVER);
  await plane.copy(ID, 1, 20_000);
  await plane.settle(ID, 1);
});
afterAll(async () => {
  await plane.close();
  await db.drop();
});

/** The ports of a cutover that is under way, over the real plane. `patience` calls of the clock are all a caller has. */
function asking(): Ports {
  const { ports, cutovers } = world({ cutovers: [DECLARED] });
  const state = {
    ...initialState(cutovers[0]!),
    version: 1,
    epoch: 1,
    stage: 'dual_write',
    stageKind: 'dual_write' as const,
  };
  return { ...ports, ...plane.ports, state: { ...ports.state, readCutover: async () => state } };
}
/** One step of a pass, as short as it can be: it leaves off after one range. */
const step = () => db.sql.unsafe(`SELECT crossfade.verify_customer(1, 1, 'fast', 'full', 0) AS step`);
const spoil = (value: string) =>
  db.sql.unsafe(
    `BEGIN; SET LOCAL crossfade.writing = 'on'; UPDATE customer_v2 SET name = ${value} WHERE id = 1; COMMIT`,
  );

it('sees what was wrong when it was asked, though a pass under way has been over that range', async () => {
  expect((await step())[0]!.step).toMatchObject({ kind: 'running' });
  await spoil("'WRONG'");
  expect(await verifyNow(asking(), DECLARED)).toMatchObject({ divergences: 1, samples: [{ key: '{"id": 1}' }] });
  await spoil("'n1'");
});

it('by two at once comes to an end for both', async () => {
  await step();
  await spoil("'WRONG'");
  const results = await Promise.all(
    [verifyNow(asking(), DECLARED), verifyNow(asking(), DECLARED)].map((one) => one.catch((error) => error)),
  );
  // The other one may find the pass in hands; whoever gets an answer gets a true one.
  for (const result of results)
    expect(result instanceof Error ? result.message : result.divergences).toEqual(
      result instanceof Error ? expect.stringContaining('another call is verifying it') : 1,
    );
  await spoil("'n1'");
  expect(await verifyNow(asking(), DECLARED)).toMatchObject({ divergences: 0 });
});

it('that outlasts a caller is waited for by naming the moment of the first call', async () => {
  await step();
  const ports = asking();
  let calls = 0;
  const impatient = { ...ports, clock: { ...ports.clock, monotonicMs: () => (calls++ === 0 ? 0 : 1e9) } };
  const late = await verifyNow(impatient, DECLARED).catch((error) => error);
  expect(late).toMatchObject({ code: 'conflict', retryable: true, details: { since: expect.any(Number) } });
  expect(await verifyNow(ports, DECLARED, { since: late.details.since })).toMatchObject({
    divergences: 0,
    rowsCompared: 45_000,
  });
});

const UNDER_WAY = { state: 'running', epoch: 1, tier: 'fast', scope: 'full' };
it.each([
  ['fast', 'full', {}, false],
  ['proof', 'full', {}, true],
  ['fast', 'due', {}, false],
  ['proof', 'full', { tier: 'proof' }, false],
  ['fast', 'full', { tier: 'proof' }, false],
  ['fast', 'full', { scope: 'due' }, true],
  ['fast', 'due', { scope: 'due' }, false],
  ['fast', 'full', { tier: 'proof', scope: 'due' }, true],
  ['fast', 'full', { epoch: 0 }, true],
  ['fast', 'full', { state: 'done' }, true],
] as const)(
  '%s and %s goes on with what is under way, or begins anew when it asks for more: %j, %s',
  async (tier, scope, over, isNew) => {
    const [before] = await db.sql`UPDATE crossfade.verification_pass SET ${db.sql({ ...UNDER_WAY, ...over })}
    WHERE cutover = ${ID} RETURNING number`;
    await db.sql`SELECT crossfade.verify_customer(1, 1, ${tier}, ${scope}, 0)`;
    const [after] = await db.sql`SELECT number FROM crossfade.verification_pass WHERE cutover = ${ID}`;
    expect(after!.number - before!.number).toBe(isNew ? 1 : 0);
  },
);

it('negative control: with functions that do not say when their pass began it may be one from before', async () => {
  const silent = edited([['verify', /'pass', jsonb_build_object\(/g, "'passed', jsonb_build_object("]]);
  await tamper(db, plane.connection(), CUTOVER, silent);
  await step();
  await spoil("'WRONG'");
  expect(await verifyNow(asking(), DECLARED)).toMatchObject({ divergences: 0 });
});
