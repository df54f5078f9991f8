/** Keys that are held back: they stay on the primary in every stage, and have left it when its table gets another shape. */

import { describe, expect, it } from 'vitest';
import { withHoldBack } from '../../lib/core/cutover/plan.ts';
import { ID, run, SHORT, shortTable } from './run.ts';

const HELD = withHoldBack(SHORT, 10);
const COMPLETE = { type: 'complete', confirm: ID, force: true, reason: 'a test' } as const;

async function atFull(plan = HELD) {
  const scene = run({ cutovers: [shortTable({ plan })], seed: 3 });
  await scene.reach('r50');
  await scene.accepted({ type: 'advance', force: true, reason: 'a test' });
  await scene.minutes(2);
  expect(scene.stage()).toBe('full_100');
  const served = async () => (await scene.w.ports.flags.deployed()).document?.cutovers[ID]?.read_ppm;
  return { ...scene, served };
}

describe('keys that are held back', () => {
  it('stay on the primary in the full stage', async () => {
    const scene = await atFull();
    expect(await scene.served()).toBe(900_000);
    const now = Math.floor(scene.w.clock.now() / 60_000);
    const windows = await scene.w.windows.read(ID, now - 1, now - 1);
    expect(windows.map(({ side, count }) => [side, count > 0])).toEqual([
      ['primary', true],
      ['shadow', true],
    ]);
  });

  it('leave it before the tables are swapped, and the swap waits until their readers have seen the flags', async () => {
    const scene = await atFull();
    expect(await scene.accepted(COMPLETE)).toMatchObject({
      published: true,
      answer: {
        stage: 'full_100',
        pending: 'promote',
        sharePpm: 1_000_000,
        waits: expect.stringContaining('held back'),
      },
    });
    expect(await scene.served()).toBe(1_000_000);
    await scene.minutes(1);
    expect(scene.stage()).toBe('full_100');
    expect((await scene.verdict())?.reasons.map(({ code }) => code)).toContain('pending');
    await scene.minutes(2);
    expect(scene.stage()).toBe('completed');
  });

  it('wait for flags that cannot be deployed, and a rollback meanwhile is a rollback', async () => {
    const scene = await atFull();
    scene.w.flags.conflictNext(1);
    expect(await scene.accepted(COMPLETE)).toMatchObject({ published: false, answer: { pending: 'promote' } });
    scene.w.flags.unavailable(true);
    for (let minute = 0; minute < 4; minute += 1) await scene.w.minute();
    expect([scene.stage(), scene.o.state(ID).pending?.action]).toEqual(['full_100', 'promote']);
    scene.w.flags.unavailable(false);
    await scene.accepted({ type: 'rollback', reason: 'a test' });
    expect(scene.stage()).toBe('rolled_back');
  });

  it('are none where nothing is held back: the swap comes with the command (control)', async () => {
    const scene = await atFull(SHORT);
    expect(await scene.served()).toBe(1_000_000);
    expect(await scene.accepted(COMPLETE)).toMatchObject({ answer: { stage: 'completed', pending: null } });
  });
});
