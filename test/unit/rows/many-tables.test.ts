/** Many tables: what wakes the writer of each, and how long the tables may keep a command or a tick. */

import { describe, expect, it } from 'vitest';
import { CrossfadeError } from '../../../lib/core/base/errors.ts';
import { INITIAL_SYSTEM, initialState } from '../../../lib/core/cutover/cutover.ts';
import { flagDocument } from '../../../lib/core/routing/flags.ts';
import { record } from '../../../lib/core/stage/evolve.ts';
import { reconcile } from '../../../lib/flows/control/reconcile.ts';
import { relay } from '../../../lib/flows/rows/relay.ts';
import { inMemoryFlags } from '../../helpers/fakes/flags.ts';
import { inMemoryState } from '../../helpers/fakes/state.ts';
import { inMemoryTables } from '../../helpers/fakes/tables/tables.ts';
import { tablePorts } from '../../helpers/table-ports.ts';
import { declarationOf, NOW, PLAN } from '../../property/samples.ts';

const IDS = Array.from({ length: 30 }, (_, n) => `t_${n}`);
const DECLARATIONS = IDS.map((id) => declarationOf('table', { id }));

/** A clock that only pauses move; `atMs` of each table: when its oldest hint was written, or null. */
function relayBench(atMs: Record<string, number | null>, onRound: (ms: number) => void = () => {}) {
  const clock = { ms: 10_000, now: () => NOW, monotonicMs: () => clock.ms, sleep: async (ms: number) => tick(ms) };
  const woken: { id: string; atMs: number }[] = [];
  const tick = (ms: number) => {
    clock.ms += ms;
    onRound(clock.ms);
  };
  const ports = {
    clock,
    log: { event: () => {}, failure: () => {} },
    converging: {
      waiting: async () =>
        Object.entries(atMs).flatMap(([id, at]) => (at === null ? [] : [{ id, hints: 1, lagMs: clock.ms - at }])),
    },
    wakeUps: {
      async wake(id: string) {
        woken.push({ id, atMs: clock.ms });
      },
    },
  };
  const run = (ms: number) => relay(ports as never, clock.ms + ms, DECLARATIONS);
  return { run, woken };
}

describe('the relay', () => {
  it('does not wake a table again while the change that it was woken for waits, until the wake-up counts as lost', async () => {
    const { run, woken } = relayBench({ t_0: 9_000 });
    await run(7_000);
    const gaps = woken.slice(1).map(({ atMs }, i) => atMs - woken[i]!.atMs);
    expect(woken.length).toBe(3);
    for (const gap of gaps) expect(gap).toBeGreaterThanOrEqual(3_000);
  });

  it('wakes it at once for a change that came after it was served', async () => {
    const atMs: Record<string, number | null> = { t_0: 9_900 };
    // Served between two rounds, and written again.
    const { run, woken } = relayBench(atMs, (ms) => {
      atMs.t_0 = ms - 50;
    });
    await run(1_000);
    expect(woken.length).toBeGreaterThanOrEqual(5);
  });

  it('wakes the writer once a round, by the table that waits longest and is not woken', async () => {
    const atMs = Object.fromEntries(IDS.map((id, n) => [id, 9_000 - ((n * 7) % 30) * 10]));
    const { run, woken } = relayBench(atMs);
    await run(1_000);
    const longest = [...IDS].sort((a, b) => atMs[a]! - atMs[b]!);
    expect(woken.length).toBeGreaterThanOrEqual(4);
    expect(woken.map(({ id }) => id)).toEqual(longest.slice(0, woken.length));
    expect(new Set(woken.map((one) => one.atMs)).size).toBe(woken.length);
  });
});

describe('a table that waits and is no longer declared', () => {
  it('is not woken, since its record serves none, and keeps the relay in its idle pace', async () => {
    const { run, woken } = relayBench({ gone: 1_000, t_0: 9_000, t_1: 9_100 });
    await run(60_000);
    expect(new Set(woken.map(({ id }) => id))).toEqual(new Set(['t_0', 't_1']));
    const alone = relayBench({ gone: 1_000 });
    expect(await alone.run(10_000)).toMatchObject({ wakeUps: 0, rounds: 20 });
  });
});

describe('what tables need', () => {
  const states = DECLARATIONS.map((declaration) => {
    const by = { nowMs: NOW, actor: 'ada' };
    return record(initialState(declaration), [{ type: 'started', plan: PLAN }], by).state;
  });
  const cutovers = DECLARATIONS.map((declaration, i) => ({ declaration, state: states[i]! }));

  /** Each table takes `armMs` to be armed; time moves with it, and by a minute between two runs. */
  function bench(armMs: (id: string) => number, isLocked: (id: string) => boolean = () => false) {
    const clock = { ms: 0, at: NOW, now: () => clock.at, monotonicMs: () => clock.ms, sleep: async () => {} };
    const memory = inMemoryTables({ clock });
    const armed: string[] = [];
    const postponed: unknown[] = [];
    const capture = {
      ...memory.capture,
      async arm(...args: Parameters<typeof memory.capture.arm>) {
        clock.ms += armMs(args[0].id);
        if (isLocked(args[0].id))
          throw new CrossfadeError('database_unavailable', 'the table is locked', { retryable: true });
        const answer = await memory.capture.arm(...args);
        armed.push(args[0].id);
        return answer;
      },
    };
    const log = { event: (name: string) => void postponed.push(name), failure: () => {} };
    const flags = inMemoryFlags();
    const state = { ...inMemoryState({ clock }), readAll: async () => states };
    const metrics = { record: () => {}, flush: () => {} };
    const ports = { clock, ...tablePorts(memory), capture, log, flags, state, metrics };
    const run = async () => {
      clock.at += 60_000;
      return reconcile(ports, DECLARATIONS, 3_000);
    };
    return { run, armed, postponed, flags };
  }

  it('keeps the flags waiting for no longer than the time it is given, and goes on in the next run', async () => {
    const { run, armed, postponed, flags } = bench(() => 500);
    expect(await run()).toEqual({ published: true });
    expect(armed.length).toBeLessThanOrEqual(8);
    expect(armed.length).toBeGreaterThanOrEqual(6);
    expect(postponed).toContain('tables_postponed');
    expect((await flags.deployed()).document).toEqual(flagDocument(cutovers, INITIAL_SYSTEM, () => false));
    for (let runs = 0; runs < 6; runs += 1) await run();
    expect(new Set(armed)).toEqual(new Set(IDS));
  });

  it('does all of it where all of it is quick', async () => {
    const { run, armed, postponed } = bench(() => 10);
    await run();
    expect(new Set(armed)).toEqual(new Set(IDS));
    expect(postponed).not.toContain('tables_postponed');
  });

  it('comes to every table, although some take all of the time and come to nothing', async () => {
    const isLocked = (id: string) => /^t_[0-4]$/.test(id);
    const { run, armed } = bench((id) => (isLocked(id) ? 5_000 : 1_000), isLocked);
    for (let runs = 0; runs < 60; runs += 1) await run();
    expect(new Set(armed)).toEqual(new Set(IDS.slice(5)));
  });
});
