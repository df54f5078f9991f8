/**
 * The emergency stop without API, identity provider and functions: with the caller's credentials, on real stores. What it leaves is
 * what the API would have left: whole logs, and states and flags that the next tick takes as they are.
 */

import { AsyncLocalStorage } from 'node:async_hooks';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { composeBreakGlass, deployedNames } from '../../lib/compose/break-glass.ts';
import { breakGlassStop as stopPastTheApi } from '../../lib/flows/control/break-glass.ts';
import { tick } from '../../lib/flows/control/tick.ts';
import { type DeedBook, deedBook } from '../helpers/asked-deeds.ts';
import { onRequests } from '../helpers/asked-requests.mjs';
import { ledgerAgainst } from '../helpers/grants.ts';
import { deniedIn, usedIn } from '../helpers/role-evaluation.ts';
import { auditOf, auditProblems, driftOf } from '../helpers/stack-parts.ts';
import { type Items, items, readyToAdvance, startAll } from '../helpers/stack-parts-items.ts';

const ASKED = { actor: 'break-glass:ada', reason: 'the API is away', dryRun: false };
const NAMES = { application: 'crossfade', environment: 'local', profile: 'flags', strategy: 'crossfade-at-once' };
const KEYS = { AWS_ACCESS_KEY_ID: 'local', AWS_SECRET_ACCESS_KEY: 'local' };

let world: Items;
let book: DeedBook;
const person = new AsyncLocalStorage<string>();
const forget = onRequests((operation, body) => person.getStore() && book.note('break-glass', operation, body));
const breakGlassStop: typeof stopPastTheApi = (...words) => person.run('ada', () => stopPastTheApi(...words));
const ports = (over: Partial<{ dynamodb: string; appConfig: string; names: typeof NAMES }> = {}) => {
  Object.assign(process.env, KEYS);
  const { endpoint, tables, appConfig } = world.on;
  const composed = () =>
    composeBreakGlass({
      region: 'eu-central-1',
      stateTable: tables.state,
      appConfig: over.names ?? NAMES,
      endpoints: { dynamodb: over.dynamodb ?? endpoint, appConfig: over.appConfig ?? appConfig.url },
    });
  // Ids are looked for by their names.
  return person.run('ada', composed);
};
const flagsNow = async () => (await world.ports.flags.deployed()).document!;

beforeAll(async () => {
  world = await items(['item', 'planner']);
  book = deedBook(world.on.flags);
  await startAll(world);
  // Both have readers on their shadow.
  for (let ticks = 0; ticks < 2; ticks += 1) {
    await readyToAdvance(world);
    await tick(world.ports, world.declarations);
  }
  const { cutovers } = await flagsNow();
  expect([cutovers.item!.read_ppm, cutovers.planner!.read_ppm].every((ppm) => ppm > 0)).toBe(true);
});
afterAll(() => {
  forget();
  return world?.stop();
});

describe('an emergency stop past the API', () => {
  it('as a drill reads all that it needs and writes nothing', async () => {
    const before = await flagsNow();
    const result = await breakGlassStop(await ports(), { ...ASKED, dryRun: true });
    expect(result).toMatchObject({ dryRun: true, state: { stopped: false }, flags: { why: 'this is a drill' } });
    expect(result.cutovers.map(({ id, to }) => [id, to])).toEqual([
      ['item', 'rolled_back'],
      ['planner', 'rolled_back'],
    ]);
    expect(await flagsNow()).toEqual(before);
    expect(await world.ports.state.readSystem()).toMatchObject({ emergencyStop: false });
  });

  it('says in a drill that it would not find the deployment', async () => {
    const result = await breakGlassStop(await ports({ names: deployedNames('nowhere').appConfig }), {
      ...ASKED,
      dryRun: true,
    });
    expect(result.flags.why).toContain("AppConfig has no application 'crossfade-nowhere'");
  });

  it('takes readers back by flags alone when the state cannot be written, and says so', async () => {
    const { state, flags } = await breakGlassStop(await ports({ dynamodb: 'http://127.0.0.1:9' }), ASKED);
    expect(state).toMatchObject({ stopped: false, why: expect.stringMatching(/\w{5}/) });
    expect(flags).toEqual({ published: true });
    const { system, cutovers } = await flagsNow();
    expect(system.emergency_stop).toBe(true);
    expect(Object.values(cutovers).map(({ read_ppm }) => read_ppm)).toEqual([0, 0]);
    // Nothing is in the state, so a tick that runs puts back what it says: the command must be repeated.
    await tick(world.ports, world.declarations);
    expect((await flagsNow()).system.emergency_stop).toBe(false);
  });

  it('writes the stop when AppConfig is away, and says that the flags are not deployed', async () => {
    const { state, cutovers, flags } = await breakGlassStop(await ports({ appConfig: 'http://127.0.0.1:9' }), ASKED);
    expect(state).toEqual({ stopped: true });
    expect(cutovers.map(({ id, to }) => [id, to])).toEqual([
      ['item', 'rolled_back'],
      ['planner', 'rolled_back'],
    ]);
    expect(flags).toMatchObject({ published: false, why: expect.stringMatching(/\w{5}/) });
  });

  it('given again it deploys safe flags, and changes nothing a second time', async () => {
    const entries = (await auditOf(world.ports, 'item')).length;
    const { cutovers, flags } = await breakGlassStop(await ports(), ASKED);
    expect([cutovers, flags]).toEqual([[], { published: true }]);
    expect((await auditOf(world.ports, 'item')).length).toBe(entries);
    const served = await flagsNow();
    expect(served.system.emergency_stop).toBe(true);
    expect(Object.values(served.cutovers).map(({ read_ppm }) => read_ppm)).toEqual([0, 0]);
  });

  it('leaves whole logs with the name of the person, and states that the next ticks carry out', async () => {
    for (let ticks = 0; ticks < 2; ticks += 1) await tick(world.ports, world.declarations);
    for (const declaration of world.declarations) {
      expect(await auditProblems(world.ports, declaration)).toEqual([]);
      expect(await world.ports.state.readCutover(declaration.id)).toMatchObject({ stage: 'rolled_back' });
      const log = await auditOf(world.ports, declaration.id);
      expect(log.some(({ actor }) => actor === 'break-glass:ada')).toBe(true);
    }
    expect(await driftOf(world.ports, world.declarations)).toEqual([]);
    expect(await world.ports.inspecting.status('item')).toMatchObject({ armed: 'none' });
  });

  it('asks for nothing that its role does not allow, and uses what the ledger of grants says', () => {
    const { tables } = world.on;
    expect(deniedIn(book.deeds, tables)).toEqual([]);
    expect(ledgerAgainst('test/e2e/break-glass.test.ts', usedIn(book.deeds, tables))).toEqual([]);
  });
});
