/**
 * A new side that goes bad in any stage that reads from it: it is left by itself, the cause is named, and soon nobody
 * reads from scene. The limits in minutes are those seen with 200 reads a minute, and one more.
 */

import { describe, expect, it } from 'vitest';
import { type Stage, withHoldBack } from '../../lib/core/cutover/plan.ts';
import { ID, READING, type Run, run, SHORT, shortTable } from './run.ts';

const lasting = (dwellMinutes: number) => (stage: Stage) => ({ ...stage, dwellMinutes });

type Fault = {
  name: string;
  cause: RegExp;
  strike: (scene: Run) => void;
  /** By stage: minutes until the rollback is decided. */
  within: Record<(typeof READING)[number], number>;
};

const FAULTS: Fault[] = [
  {
    name: 'fails one operation in ten',
    cause: /fails [\d.]+ % of its operations/,
    strike: ({ w }) => Object.assign(w.app.behaviour.shadow, { errorRate: 0.1 }),
    within: { r10: 15, r50: 6, full_100: 5 },
  },
  {
    name: 'is twice as slow',
    cause:
      /take longer than .* The limit is the primary's p\d\d of .* Proven over \d+ bad minutes, the first at \d\d:\d\d UTC\./,
    strike: ({ w }) => Object.assign(w.app.behaviour.shadow, { slower: 2 }),
    within: { r10: 5, r50: 5, full_100: 5 },
  },
  {
    name: 'answers one compared read in five differently',
    cause: /checked rows differ/,
    strike: ({ w }) => Object.assign(w.app.behaviour.shadow, { compared: 0.5, mismatchRate: 0.2 }),
    within: { r10: 10, r50: 6, full_100: 5 },
  },
  {
    name: 'has rows that somebody else changed',
    cause: /rows differ from the primary.*First keys: \{"id": 61\}/,
    strike: ({ w }) => {
      for (const key of [61, 62, 63]) w.tables.tamper(ID, key, 'foreign');
    },
    within: { r10: 5, r50: 5, full_100: 5 },
  },
];

describe.each(FAULTS)('I23, I26 a shadow that $name', ({ cause, strike, within }) => {
  it.each(READING)('in %s is rolled back with its cause, and soon nobody reads it', async (stage) => {
    // A stage that lasts longer than a fault needs to show.
    // One key in five stays on the primary until the end: there is something to compare with in the full stage, too.
    const plan = withHoldBack({ ...SHORT, stages: SHORT.stages.map(lasting(15)) }, 20);
    const scene = run({ cutovers: [shortTable({ plan })] });
    await scene.reach(stage);
    await scene.minutes(2);
    expect(scene.stage()).toBe(stage);
    expect(scene.nobodyReadsTheShadow()).toBe(false);

    strike(scene);
    const took = await scene.until('rolled_back', 30);
    expect(scene.o.state(ID).rollback).toMatchObject({
      fromStage: stage,
      actor: 'tick',
      reason: expect.stringMatching(cause),
    });
    expect(took, 'minutes until the rollback').toBeLessThanOrEqual(within[stage]);
    // The minute of the rollback is over: the tick was at its beginning, and readers are at most 15 s behind.
    expect(scene.nobodyReadsTheShadow()).toBe(true);

    await scene.minutes(5);
    expect(scene.stage()).toBe('rolled_back');
    await scene.accepted({ type: 'reset', confirm: ID });
    Object.assign(scene.w.app.behaviour.shadow, { errorRate: 0, slower: 1, mismatchRate: 0 });
    await scene.reach('full_100');
    scene.o.checkQuiet();
  });
});

describe('negative control: the same runs without a fault', () => {
  it.each(READING)('do not roll back from %s', async (stage) => {
    const scene = run();
    await scene.reach(stage);
    await scene.minutes(10);
    expect(scene.o.entries(ID).some(({ event }) => event.type === 'rolled_back')).toBe(false);
  });
});

describe('I24 readers after a rollback', () => {
  it('have left the shadow 15 seconds after the flags were deployed', async () => {
    const scene = run();
    await scene.reach('r50');
    let deployedAtMs = 0;
    await scene.w.minute(async (moment) => {
      if (moment === 5) {
        expect(await scene.w.operate(ID, { type: 'rollback', reason: 'test' })).toMatchObject({ published: true });
        deployedAtMs = scene.w.clock.now();
      }
      if (deployedAtMs === 0) return;
      const ageMs = scene.w.clock.now() - deployedAtMs;
      expect(scene.nobodyReadsTheShadow(), `${ageMs} ms later`).toBe(ageMs >= 15_000);
    });
  });
});
