/** The tick ends in time: what it had no time for is looked at first in the next one. And what is no longer declared is held. */

import { describe, expect, it } from 'vitest';
import { tick } from '../../../lib/flows/control/tick.ts';
import { report } from '../../../lib/flows/report/report.ts';
import type { Ports } from '../../../lib/ports/ports.ts';
import { world } from '../../helpers/world.ts';
import { declarationOf } from '../../property/samples.ts';

const IDS = Array.from({ length: 65 }, (_, n) => `c_${String(n).padStart(2, '0')}`);
const DECLARATIONS = IDS.map((id) => declarationOf('component', { id }));

/** Each look at the evidence of a cutover takes so long. */
function slowWorld(lookMs: number) {
  const it = world({ cutovers: DECLARATIONS });
  const recorded: [string, number][] = [];
  const looked: string[] = [];
  let ms = 0;
  const ports: Ports = {
    ...it.ports,
    clock: { ...it.clock, monotonicMs: () => ms },
    metrics: { record: (name, value) => void recorded.push([name, value]), flush: () => {} },
    windows: {
      ...it.ports.windows,
      readParts: async (...args) => {
        looked.push(args[0]);
        ms += lookMs;
        return it.ports.windows.readParts(...args);
      },
    },
  };
  const run = async (from: string | null) => {
    looked.length = 0;
    recorded.length = 0;
    const result = await tick(ports, DECLARATIONS, { deadlineMs: ms + 45_000, from });
    return { result, looked: [...looked], left: recorded.find(([name]) => name === 'NotJudged')?.[1] };
  };
  return run;
}

describe('a tick', () => {
  it('looks at every cutover when there is time', async () => {
    const { result, left } = await slowWorld(1)(null);
    expect(result).toMatchObject({ left: null });
    expect(result.cutovers).toHaveLength(65);
    expect(left).toBe(0);
  });

  it('stops in time, says how many are left, and the next one begins there', async () => {
    const run = slowWorld(1_000);
    const seen = new Set<string>();
    let from: string | null = null;
    for (let ticks = 0; ticks < 3; ticks += 1) {
      const { result, looked, left } = await run(from);
      expect(looked).toHaveLength(65 - left!);
      expect(looked.length).toBeLessThanOrEqual(45);
      if (from) expect(looked).toContain(from);
      for (const id of looked) seen.add(id);
      from = result.left;
      expect(from).not.toBeNull();
      expect(looked).not.toContain(from);
    }
    expect(seen.size).toBe(65);
  });

  it('would begin anew without the place: the last cutovers would never be looked at', async () => {
    const run = slowWorld(1_000);
    const seen = new Set<string>();
    for (let ticks = 0; ticks < 3; ticks += 1) for (const id of (await run(null)).looked) seen.add(id);
    expect(seen.size).toBeLessThan(65);
  });
});

describe('a cutover under way that is not declared any more', () => {
  const [gone, stays] = [declarationOf('component', { id: 'gone' }), declarationOf('component', { id: 'stays' })];

  async function underWay() {
    const it = world({ cutovers: [gone, stays] });
    for (const id of ['gone', 'stays']) await it.operate(id, { type: 'start' });
    const recorded: [string, number][] = [];
    const events: [string, unknown][] = [];
    const ports: Ports = {
      ...it.ports,
      metrics: { record: (name, value) => void recorded.push([name, value]), flush: () => {} },
      log: { ...it.ports.log, event: (name, fields) => void events.push([name, fields]) },
    };
    return { ports, recorded, events, operate: it.operate, served: () => it.served()!.cutovers };
  }

  it('keeps the flags that it has, rings, and is named by the status', async () => {
    const { ports, recorded, events, served } = await underWay();
    const before = served().gone;
    expect(before).toMatchObject({ stage: 'dual_write' });
    const { flags } = await tick(ports, [stays]);
    expect(flags).toMatchObject({ published: true });
    expect(served().gone).toEqual(before);
    expect(recorded).toContainEqual(['Undeclared', 1]);
    expect(events).toContainEqual(['cutover_undeclared', { cutover: 'gone', stage: 'dual_write' }]);
    expect(await report(ports, [stays])).toMatchObject({ undeclared: [{ id: 'gone', stage: 'dual_write' }] });
  });

  it('that was ended is nobody’s concern: its flag goes', async () => {
    const { ports, recorded, served, operate } = await underWay();
    expect(await operate('gone', { type: 'rollback', reason: 'taken out' })).toMatchObject({ ok: true });
    await tick(ports, [stays]);
    expect(recorded).toContainEqual(['Undeclared', 0]);
    expect(await report(ports, [stays])).not.toHaveProperty('undeclared');
    expect(Object.keys(served())).toEqual(['stays']);
  });
});
