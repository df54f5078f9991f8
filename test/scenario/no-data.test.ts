/** Data that is missing, late or impossible, and servers that are away: the cutover waits, says why, and goes on afterwards. */

import { describe, expect, it } from 'vitest';
import { conditionText } from '../../lib/core/conditions/show.ts';
import type { Side } from '../../lib/core/cutover/cutover.ts';
import { MINUTE_MS, type Plant } from '../helpers/world.ts';
import { inside } from './oracle.ts';
import { DWELL_MINUTES, ID, READING, type Run, run, shortTable } from './run.ts';

const LONG = 4 * DWELL_MINUTES;

/** Lives on in the stage for long, and demands that it neither advanced nor rolled back, held for `code`. */
async function waits(scene: Run, code: string, each?: () => unknown): Promise<void> {
  const before = scene.stage();
  await scene.minutes(LONG, each);
  expect(scene.stage()).toBe(before);
  expect(await scene.held()).toContain(code);
}

/** What the cutover does once it is held no more: the next stage, without anybody's help. */
const NEXT = { dual_write: 'r10', r10: 'r50', r50: 'full_100' } as const;
const advances = (scene: Run, limit: number) => scene.until(NEXT[scene.stage() as keyof typeof NEXT], limit);

describe('I21, I22 operations that nobody reports', () => {
  it.each<[string, Side[]]>([
    ['the primary', ['primary']],
    ['the shadow', ['shadow']],
    ['both sides', ['primary', 'shadow']],
  ])('of %s hold a ramp, which goes on when they come again', async (_, sides) => {
    const scene = run();
    await scene.reach('r10');
    for (const side of sides) scene.w.app.silent.add(side);
    await waits(scene, 'data_missing');
    scene.w.app.silent.clear();
    await advances(scene, DWELL_MINUTES + 5);
  });

  it('hold dual_write and the full stage, too', async () => {
    const scene = run();
    await scene.reach('dual_write');
    scene.w.app.silent.add('primary');
    await waits(scene, 'data_missing');
    scene.w.app.silent.clear();
    await scene.until('full_100');
    scene.w.app.silent.add('shadow');
    await waits(scene, 'data_missing');
    expect(await scene.w.operate(ID, { type: 'complete', confirm: ID })).toMatchObject({ code: 'held' });
  });

  it('after five minutes of delay hold for as long as they are late', async () => {
    const scene = run();
    await scene.reach('r10');
    scene.w.faults.lateMinutes = 5;
    await waits(scene, 'data_missing');
    await waits(scene, 'late_reports');
    scene.w.faults.lateMinutes = 0;
    // What came too late is remembered for ten minutes.
    await advances(scene, DWELL_MINUTES + 15);
  });

  it('do not hide that the shadow gets no reads although it should', async () => {
    const scene = run({ load: { readsPerMinute: 0 } });
    await scene.minutes(2);
    await scene.accepted({ type: 'start' });
    await waits(scene, 'data_missing');
  });
});

describe('I22 clocks that are wrong', () => {
  it.each([
    ['an hour ahead', MINUTE_MS * 60],
    ['an hour behind', -MINUTE_MS * 60],
  ])('a tick whose clock is %s holds, and the next right one goes on', async (_, skewMs) => {
    const scene = run();
    scene.o.calm(false);
    await scene.reach('r10');
    await scene.minutes(1);
    scene.w.faults.tickSkewMs = skewMs;
    await waits(scene, skewMs > 0 ? 'data_missing' : 'dwell');
    scene.w.faults.tickSkewMs = 0;
    // What was folded by a clock ahead of its time is not counted again.
    await advances(scene, DWELL_MINUTES + 5);
  });

  it.each([
    ['ahead', MINUTE_MS * 60],
    ['back', -MINUTE_MS * 60],
  ])('a clock that jumps an hour %s moves nothing before its evidence is there', async (_, jumpMs) => {
    const scene = run();
    scene.o.calm(false);
    await scene.reach('r10');
    await scene.minutes(1);
    scene.w.clock.pass(jumpMs);
    await scene.minutes(1);
    expect(scene.stage()).toBe('r10');
    expect((await scene.held()).length).toBeGreaterThan(0);
    expect(await scene.until('r50', 60 + 2 * DWELL_MINUTES)).toBeGreaterThan(0);
  });

  /** Ten minutes of a ramp, the fifth tick by a clock an hour ahead if `skewed`; what was stored after the fifth and the last. */
  async function tenMinutes(skewed: boolean, plant: Plant = {}) {
    const scene = run({ plant });
    scene.o.calm(false);
    await scene.reach('r10');
    await scene.minutes(4);
    scene.w.faults.tickSkewMs = skewed ? 60 * MINUTE_MS : 0;
    await scene.minutes(1);
    const ahead = (await scene.w.verdicts.read(ID))!.atMs > scene.w.clock.now();
    scene.w.faults.tickSkewMs = 0;
    await scene.minutes(5);
    const { atMs, evidence } = (await scene.w.verdicts.read(ID))!;
    return { ahead, ageMs: scene.w.clock.now() - atMs, evidence: evidence! };
  }

  it('the verdict of one tick an hour ahead is covered by the next, which goes on to the same minute', async () => {
    const [wrong, right] = [await tenMinutes(true), await tenMinutes(false)];
    expect([wrong.ahead, right.ahead]).toEqual([true, false]);
    expect(wrong.ageMs).toBe(right.ageMs);
    // The minute that was open is spoiled: it was folded before it was over.
    for (const part of ['key', 'closedThrough', 'minutes', 'active', 'looks'] as const)
      expect({ [part]: wrong.evidence[part] }).toEqual({ [part]: right.evidence[part] });
  });

  it('that verdict would keep all others out for an hour: negative control', async () => {
    const newest: Plant = {
      ports: (ports) => ({
        ...ports,
        verdicts: {
          ...ports.verdicts,
          async write(id, verdict) {
            const stored = await ports.verdicts.read(id);
            if (!stored || stored.atMs <= verdict.atMs) await ports.verdicts.write(id, verdict);
          },
        },
      }),
    };
    expect((await tenMinutes(true, newest)).ageMs).toBeLessThan(-50 * MINUTE_MS);
  });

  it('outcomes of an SDK whose clock is an hour ahead are refused and hold', async () => {
    const scene = run();
    await scene.reach('r10');
    scene.w.faults.reportsAheadMinutes = 60;
    await waits(scene, 'data_missing');
    const latest = Math.max(...scene.w.windows.additions(ID).map(({ window }) => window.minute));
    expect(latest * MINUTE_MS).toBeLessThanOrEqual(scene.w.clock.now());
    scene.w.faults.reportsAheadMinutes = 0;
    await advances(scene, DWELL_MINUTES + 5);
  });
});

describe('servers that are away', () => {
  it('Postgres: holds for the database, and the cutover goes on when it is back', async () => {
    const scene = run();
    scene.o.calm(false);
    await scene.reach('r10');
    scene.w.faults.databaseDown = true;
    await waits(scene, 'database');
    scene.w.faults.databaseDown = false;
    await advances(scene, DWELL_MINUTES + 5);
    scene.o.calm(true);
    await scene.minutes(4);
    scene.o.checkQuiet();
  });

  it.each(READING)('Postgres, while %s is rolled back: readers leave at once, capture ends later', async (stage) => {
    const scene = run();
    scene.o.calm(false);
    await scene.reach(stage);
    scene.w.faults.databaseDown = true;
    await scene.accepted({ type: 'rollback', reason: 'database trouble' });
    await scene.minutes(2);
    expect(scene.nobodyReadsTheShadow()).toBe(true);
    expect(inside(scene.w, ID).direction).toBe('forward');
    scene.w.faults.databaseDown = false;
    scene.o.calm(true);
    await scene.minutes(2);
    expect(inside(scene.w, ID).direction).toBe('none');
  });

  it.each<[string, (scene: Run) => unknown, (scene: Run) => unknown]>([
    ['unavailable', ({ w }) => w.flags.unavailable(true), ({ w }) => w.flags.unavailable(false)],
    ['busy with other deployments', ({ w }) => w.flags.conflictNext(1_000), ({ w }) => w.flags.conflictNext(0)],
  ])('I27 AppConfig, %s for ten minutes: the state moves, the flags follow, nothing advances', async (_, down, up) => {
    const scene = run();
    await scene.reach('r10');
    await scene.minutes(1);
    scene.o.calm(false);
    down(scene);
    expect(await scene.accepted({ type: 'pause' })).toMatchObject({ published: false });
    expect(await scene.accepted({ type: 'resume' })).toMatchObject({ published: false });
    await scene.minutes(10);
    expect(scene.stage()).toBe('r10');
    expect(await scene.held()).toContain('flags');
    up(scene);
    await scene.minutes(1);
    scene.o.calm(true);
    expect(scene.w.served()!.cutovers[ID]!.version).toBe(scene.o.state(ID).version);
    await advances(scene, 2);
  });

  it('I24 AppConfig, while a cutover is rolled back: readers leave with the first deployment afterwards', async () => {
    const scene = run();
    await scene.reach('r50');
    scene.o.calm(false);
    scene.w.flags.unavailable(true);
    expect(await scene.accepted({ type: 'rollback', reason: 'test' })).toMatchObject({ published: false });
    await scene.minutes(10);
    expect(scene.nobodyReadsTheShadow()).toBe(false);
    expect(inside(scene.w, ID).direction, 'capture stays while readers may be on the shadow').toBe('forward');
    scene.w.flags.unavailable(false);
    await scene.minutes(1);
    expect(scene.nobodyReadsTheShadow()).toBe(true);
    expect(inside(scene.w, ID).direction).toBe('none');
  });

  it('I24 a deployment of somebody else does not keep readers on the shadow', async () => {
    const scene = run();
    await scene.reach('r50');
    await scene.minutes(1);
    scene.o.calm(false);
    scene.w.flags.block();
    expect(await scene.accepted({ type: 'pause' }), 'what takes nothing away waits').toMatchObject({
      published: false,
    });
    expect(await scene.accepted({ type: 'rollback', reason: 'test' })).toMatchObject({ published: true });
    await scene.minutes(1);
    expect(scene.nobodyReadsTheShadow()).toBe(true);
  });

  it('I27 a service that goes back to older flags: readers keep theirs, and the next tick deploys again', async () => {
    const scene = run();
    await scene.reach('r50');
    await scene.minutes(1);
    scene.w.flags.rollBack();
    expect(scene.w.served()!.cutovers[ID]!.stage).toBe('r10');
    await scene.minutes(1);
    expect(scene.w.served()!.cutovers[ID]!.stage).toBe('r50');
  });
});

describe('I15, I21 a data plane that is not ready', () => {
  it('holds while lag grows, and names it', async () => {
    const scene = run();
    await scene.reach('r10');
    scene.w.faults.converge = false;
    await waits(scene, 'lag');
    scene.w.faults.converge = true;
    await advances(scene, 3);
    scene.o.checkQuiet();
  });

  it('holds while a key is in quarantine, names it, and lets it go with the row that is mended', async () => {
    const scene = run();
    await scene.reach('r10');
    scene.w.tables.block(ID, 70, true);
    scene.w.app.write(ID, 70, 'does not fit');
    await scene.minutes(3);
    await waits(scene, 'quarantine');
    const text = conditionText((await scene.verdict())!.reasons.find(({ code }) => code === 'quarantine')!);
    expect(text).toContain('{"id": 70}');
    // I15: other keys are not delayed.
    expect(inside(scene.w, ID).hints.length).toBe(0);

    scene.w.tables.block(ID, 70, false);
    scene.w.app.write(ID, 70, 'fits');
    await advances(scene, 3);
    expect(inside(scene.w, ID).follower.get(70)).toBe('fits');
  });

  it('holds dual_write while the backfill is not done, whatever else is', async () => {
    const scene = run();
    scene.w.faults.backfill = false;
    await scene.reach('dual_write');
    await waits(scene, 'backfill');
    scene.w.faults.backfill = true;
    await advances(scene, 10);
    scene.o.checkQuiet();
  });

  it('holds while nothing was verified', async () => {
    const scene = run();
    scene.w.faults.verify = false;
    await scene.reach('dual_write');
    await waits(scene, 'verification');
    scene.w.faults.verify = true;
    await advances(scene, 3);
  });

  it('I5 wake-ups that are lost for ten minutes, or come twice, cost time and no row', async () => {
    const scene = run();
    await scene.reach('r10');
    scene.w.faults.wakeUpsLost = true;
    await scene.minutes(10);
    expect(inside(scene.w, ID).hints.length).toBeGreaterThan(0);
    scene.w.faults.wakeUpsLost = false;
    scene.w.faults.wakeUpsTwice = true;
    await scene.minutes(2);
    scene.o.checkQuiet();
  });
});

describe('a stage with fewer operations than it needs', () => {
  it('I21 waits for them beyond its dwell', async () => {
    const scene = run({ load: { readsPerMinute: 20 }, cutovers: [shortTable()] });
    await scene.reach('r10');
    await waits(scene, 'samples');
    await advances(scene, 60);
  });
});
