/** Many tables: how long they may keep a command or a tick. */

import { describe, expect, it } from 'vitest';
import { CrossfadeError } from '../../../lib/core/base/errors.ts';
import { INITIAL_SYSTEM, initialState } from '../../../lib/core/cutover/cutover.ts';
import { flagDocument } from '../../../lib/core/routing/flags.ts';
import { record } from '../../../lib/core/stage/evolve.ts';
import { reconcile } from '../../../lib/flows/control/reconcile.ts';
import { inMemoryFlags } from '../../helpers/fakes/flags.ts';
import { inMemoryState } from '../../helpers/fakes/state.ts';
import { inMemoryTables } from '../../helpers/fakes/tables/tables.ts';
import { tablePorts } from '../../helpers/table-ports.ts';
import { declarationOf, NOW, PLAN } from '../../property/samples.ts';

const IDS = Array.from({ length: 30 }, (_, n) => `t_${n}`);
const DECLARATIONS = IDS.map((id) => declarationOf('table', { id }));

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
