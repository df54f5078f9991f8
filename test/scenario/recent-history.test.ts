/** The newest entries of all logs: those that every log read whole would give, from the logs that changed last. */

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { recentHistory, wholeLog } from '../../lib/flows/report/history.ts';
import { before } from '../helpers/world.ts';
import { declarationOf } from '../property/samples.ts';
import { ID, run } from './run.ts';

const MOST = 60;
const ids = [ID, ...Array.from({ length: MOST - 1 }, (_, n) => `c_${n}`)];
const cutovers = ids.map((id) => declarationOf('component', { id }));

/** Cutovers that were started, paused and resumed in this order, a second apart, some of them often. */
async function livesOf(order: readonly number[]) {
  const scene = run({ cutovers, load: { readsPerMinute: 0, writesPerMinute: 0 } });
  scene.o.calm(false);
  const visits: Record<number, number> = {};
  for (const n of order) {
    scene.w.clock.pass(1_000);
    const visit = visits[n] ?? 0;
    visits[n] = visit + 1;
    const type = visit === 0 ? 'start' : visit % 2 === 1 ? 'pause' : 'resume';
    expect(await scene.w.operate(ids[n]!, { type })).toMatchObject({ ok: true });
  }
  const asked: string[] = [];
  const ports = before(scene.w.ports, (port, call) => void (call === 'readAudit' && asked.push(`${port}.${call}`)));
  const all = await Promise.all(['system', ...ids].map((subject) => wholeLog(scene.w.ports, subject)));
  const newest = all.flat().sort((a, b) => b.atMs - a.atMs || b.seq - a.seq);
  return { ports, asked, newest };
}

describe('the newest entries of all logs', () => {
  it('are those of all logs read whole, whatever their order and however many are asked for', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.nat({ max: 24 }), { minLength: 60, maxLength: 80 }),
        fc.integer({ min: 1, max: 60 }),
        async (order, limit) => {
          const { ports, newest } = await livesOf(order);
          expect(await recentHistory(ports, ids, limit)).toEqual(newest.slice(0, limit));
        },
      ),
      // Shrinking lives through thousands of lists; the seed says enough.
      { numRuns: 6, endOnFailure: true },
    );
  });

  it('are found in the logs that changed last: of sixty, two dozen at most are asked for the newest ten', async () => {
    const { ports, asked } = await livesOf(ids.map((_, n) => n));
    await recentHistory(ports, ids, 10);
    expect(asked.length).toBeLessThanOrEqual(24);
  });
});
