/** What a tick does, and in which order, while one of its servers is away. */

import { describe, expect, it } from 'vitest';
import { lookMinutes, rulesOf } from '../../lib/core/alerts/rule.ts';
import { CrossfadeError } from '../../lib/core/base/errors.ts';
import type { CutoverDeclaration } from '../../lib/core/cutover/cutover.ts';
import { DEFAULT_POLICY } from '../../lib/core/cutover/cutover.ts';
import { tick } from '../../lib/flows/control/tick.ts';
import { isTablePort } from '../helpers/table-ports.ts';
import { before, MINUTE_MS, type Plant } from '../helpers/world.ts';
import { declarationOf } from '../property/samples.ts';
import { differences, inside } from './oracle.ts';
import { DWELL_MINUTES, ID, run, SHORT, shortTable } from './run.ts';

const OTHER = 'invoice';
const other = {
  ...declarationOf('table', { id: OTHER, plan: SHORT }),
  table: { primary: 'public.invoice', shadow: 'public.invoice_v2' },
};
const RULES_LOOK_BACK = lookMinutes(rulesOf(DEFAULT_POLICY));
const twoTables = () => [shortTable(), other as CutoverDeclaration];

/** Notes how many minutes of windows each read asks for; while it is `silent` there are none. */
const spansInto = (spans: number[], silent = () => false): Plant => ({
  ports: (ports) => ({
    ...ports,
    windows: {
      ...ports.windows,
      async readParts(id, from, to) {
        spans.push(to - from + 1);
        return silent() ? [] : ports.windows.readParts(id, from, to);
      },
    },
  }),
});

/** Names of the calls that a tick makes, in order. */
async function callsOfTick(scene: ReturnType<typeof run>): Promise<string[]> {
  const calls: string[] = [];
  await tick(
    before(scene.w.ports, (port, call) => void calls.push(`${port}.${call}`)),
    scene.w.cutovers,
  );
  return calls;
}

describe('I40 a tick while Postgres is away', () => {
  it('asks it once, whatever the number of tables, and for all of them again in the next tick', async () => {
    const scene = run({ cutovers: twoTables() });
    await scene.reach('r10');
    expect(await scene.w.operate(OTHER, { type: 'start' })).toMatchObject({ ok: true });
    await scene.minutes(1);
    scene.w.faults.databaseDown = true;
    expect((await callsOfTick(scene)).filter((call) => isTablePort(call.split('.')[0]!))).toHaveLength(1);
    scene.w.faults.databaseDown = false;
    expect((await callsOfTick(scene)).filter((call) => call === 'inspecting.statuses')).toHaveLength(2);
  });
});

describe('a tick while everything is there', () => {
  it('reads the minutes its rules look back on, before the start as well, and the hour before a start once', async () => {
    const spans: number[] = [];
    const scene = run({ plant: spansInto(spans) });
    await scene.minutes(70);
    await scene.accepted({ type: 'start' });
    expect(Math.max(...spans)).toBe(RULES_LOOK_BACK + 1);
    spans.length = 0;
    await scene.minutes(5);
    expect(spans.filter((minutes) => minutes > RULES_LOOK_BACK + 1)).toEqual([spans[0]]);
    expect(spans[0]).toBe(60);
    await scene.until('r10');
    spans.length = 0;
    await scene.minutes(5);
    expect(Math.max(...spans)).toBe(RULES_LOOK_BACK + 1);
  });
});

describe('a cutover that nobody uses', () => {
  /** The minutes that each read asks for, in a stage that has stood for long, and the code it is held by. */
  async function longSilence() {
    const spans: number[] = [];
    let silent = true;
    const scene = run({ plant: spansInto(spans, () => silent) });
    await scene.minutes(2);
    await scene.accepted({ type: 'start' });
    await scene.minutes(3 * 60);
    return { scene, spans, use: () => (silent = false) };
  }

  it('is not asked every minute for all the minutes it has stood, or for the thirty days that are kept', async () => {
    const { scene, spans } = await longSilence();
    expect(await scene.held()).toContain('data_missing');
    expect(spans.length).toBeGreaterThan(180);
    // The first look after the start goes back over the history before it.
    spans.length = 0;
    await scene.minutes(5);
    expect(spans).toHaveLength(5);
    expect(Math.max(...spans)).toBe(62);
  });

  it('is asked for everything since the last look when no tick has looked for hours', async () => {
    const { scene, spans } = await longSilence();
    scene.w.clock.pass(5 * 60 * MINUTE_MS);
    spans.length = 0;
    await scene.minutes(1);
    expect(Math.max(...spans)).toBeGreaterThan(5 * 60);
  });

  it('goes on as soon as somebody uses it', async () => {
    const { scene, use } = await longSilence();
    use();
    await scene.until('r10', 2 * DWELL_MINUTES);
  });
});

describe('a tick while the windows of one cutover cannot be read yet', () => {
  const waitsFor = async (answers: () => Promise<void>) => {
    const scene = run({ cutovers: twoTables() });
    await scene.reach('r10');
    expect(await scene.w.operate(OTHER, { type: 'start' })).toMatchObject({ ok: true });
    await scene.minutes(1);
    let judged: (() => void) | undefined;
    const otherIsJudged = new Promise<void>((resolve) => {
      judged = resolve;
    });
    const { ports } = scene.w;
    const result = await tick(
      {
        ...ports,
        windows: {
          ...ports.windows,
          async readParts(id, from, to) {
            if (id === ID) await otherIsJudged.then(answers);
            return ports.windows.readParts(id, from, to);
          },
        },
        verdicts: {
          ...ports.verdicts,
          async write(id, verdict) {
            await ports.verdicts.write(id, verdict);
            if (id === OTHER) judged?.();
          },
        },
      },
      scene.w.cutovers,
    );
    return result.cutovers;
  };

  it('judges the others meanwhile, and answers in the order of their declaration', { timeout: 5_000 }, async () => {
    expect(await waitsFor(async () => undefined)).toMatchObject([{ id: ID, stage: 'r10' }, { id: OTHER }]);
  });

  it('judges the others also when it fails in the end', { timeout: 5_000 }, async () => {
    const cutovers = await waitsFor(() => Promise.reject(new CrossfadeError('store_unavailable', 'too late')));
    expect(cutovers).toMatchObject([
      { id: ID, stage: 'unknown', verdict: 'hold', problem: 'too late' },
      { id: OTHER, stage: 'dual_write' },
    ]);
  });
});

describe('a rollback beside a table that is switched on', () => {
  it('takes the reads away before anything is asked of Postgres for the other', async () => {
    const scene = run({ cutovers: twoTables() });
    await scene.reach('r10');
    scene.w.flags.unavailable(true);
    scene.o.calm(false);
    await scene.accepted({ type: 'rollback', reason: 'slow' });
    expect(await scene.w.operate(OTHER, { type: 'start' })).toMatchObject({ ok: true });
    scene.w.flags.unavailable(false);
    const calls = await callsOfTick(scene);
    const reconciled = calls.slice(calls.lastIndexOf('state.readAll'));
    expect(reconciled).toContain('inspecting.statuses');
    expect(reconciled.indexOf('flags.publish')).toBeLessThan(reconciled.indexOf('inspecting.statuses'));
    expect(scene.w.flags.published().at(-2)?.document.cutovers).toMatchObject({
      [ID]: { read_ppm: 0, stage: 'rolled_back' },
      [OTHER]: { stage: 'disabled' },
    });
    expect(scene.w.flags.served()?.cutovers[OTHER]).toMatchObject({ stage: 'dual_write' });
  });
});

describe('a rollback while AppConfig is away', () => {
  it('keeps the shadow equal for readers that still follow the old flags, until these are gone', async () => {
    const scene = run();
    await scene.reach('r10');
    scene.w.flags.unavailable(true);
    scene.o.calm(false);
    await scene.accepted({ type: 'rollback', reason: 'slow' });
    await scene.minutes(3);
    expect(scene.stage()).toBe('rolled_back');
    expect(scene.nobodyReadsTheShadow()).toBe(false);
    const { authoritative, follower, direction } = inside(scene.w, ID);
    expect(direction).toBe('forward');
    expect(differences(authoritative, follower)).toEqual([]);
    scene.w.flags.unavailable(false);
    await scene.minutes(2);
    expect(inside(scene.w, ID).direction).toBe('none');
  });
});

describe('a rollback of a promotion whose flags never went out', () => {
  it('I41 waits for them, since its readers ask for the shadow by name, and goes on with the first that are deployed', async () => {
    const scene = run();
    await scene.reach('full_100');
    await scene.minutes(DWELL_MINUTES + 3);
    scene.w.flags.conflictNext(1_000);
    scene.o.calm(false);
    await scene.accepted({ type: 'complete', confirm: ID });
    expect(await scene.accepted({ type: 'rollback', reason: 'slow' })).toMatchObject({
      answer: { waits: expect.stringContaining('flags that are older than the promotion') },
    });
    await scene.minutes(3);
    expect(scene.nobodyReadsTheShadow()).toBe(false);
    expect(inside(scene.w, ID).direction).toBe('reverse');
    scene.w.flags.conflictNext(0);
    await scene.until('rolled_back', 2);
    await scene.minutes(2);
    expect(scene.nobodyReadsTheShadow()).toBe(true);
  });

  it('waits for no flags when those of the promotion went out, though AppConfig is away by now', async () => {
    const scene = run();
    await scene.reach('completed');
    scene.w.flags.unavailable(true);
    scene.o.calm(false);
    await scene.accepted({ type: 'rollback', reason: 'slow' });
    expect(scene.stage()).toBe('rolled_back');
  });
});

describe('flags of more cutovers than one document takes', () => {
  const fits = (most: () => number): Plant => ({
    ports: (ports) => ({
      ...ports,
      flags: {
        ...ports.flags,
        async publish(request) {
          const count = Object.keys(request.document.cutovers).length;
          if (count > most()) throw new CrossfadeError('flags_too_large', `${count} cutovers are too many.`);
          return ports.flags.publish(request);
        },
      },
    }),
  });

  it('are not published, which is said, and readers can still be taken away from a shadow that fails', async () => {
    let most = 2;
    const cutovers = [shortTable()];
    const scene = run({ cutovers, plant: fits(() => most) });
    await scene.reach('r10');
    most = 1;
    cutovers.push(other as CutoverDeclaration);
    expect(await scene.w.tick()).toMatchObject({ flags: { published: false, why: '2 cutovers are too many.' } });
    await scene.accepted({ type: 'rollback', reason: 'slow' });
    expect(await scene.w.tick()).toMatchObject({ cutovers: [{ stage: 'rolled_back' }, { stage: 'disabled' }] });
    expect(scene.w.served()?.cutovers).toEqual({ [ID]: expect.objectContaining({ read_ppm: 0 }) });
    most = 2;
    expect(await scene.w.tick()).toMatchObject({ flags: { published: true } });
    expect(Object.keys(scene.w.served()!.cutovers)).toEqual([ID, OTHER]);
  });
});
