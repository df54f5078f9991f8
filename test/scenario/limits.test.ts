/** Freeze windows, deadlines and changed limits in a living world. */

import { describe, expect, it } from 'vitest';
import type { FreezeWindow } from '../../lib/core/cutover/freeze-window.ts';
import { MINUTE_MS } from '../helpers/world.ts';
import { NOW } from '../property/samples.ts';
import { DWELL_MINUTES, ID, run, shortTable } from './run.ts';

const frozenFor = (fromMinute: number, toMinute: number): FreezeWindow => ({
  name: 'release week',
  fromMs: NOW + fromMinute * MINUTE_MS,
  toMs: NOW + toMinute * MINUTE_MS,
});

describe('row 58: a freeze window', () => {
  it('holds what is ready until it ends, refuses commands, and lets a rollback pass', async () => {
    const scene = run({ cutovers: [shortTable({ freeze: [frozenFor(10, 40)] })] });
    await scene.reach('r10');
    await scene.minutes(30 - Math.floor((scene.w.clock.now() - NOW) / MINUTE_MS));
    expect(scene.stage()).toBe('r10');
    expect(await scene.held()).toEqual(['frozen']);
    const force = { type: 'advance', force: true, reason: 'now' } as const;
    expect(await scene.w.operate(ID, force)).toMatchObject({ ok: false, code: 'frozen' });
    expect(scene.o.entries(ID).at(-1)!.event).toMatchObject({ type: 'denied', code: 'frozen' });
    await scene.until('r50', 12);
    expect(scene.w.clock.now()).toBeGreaterThanOrEqual(NOW + 40 * MINUTE_MS);
  });

  it('does not keep a shadow that fails', async () => {
    const scene = run({ cutovers: [shortTable({ freeze: [frozenFor(11, 400)] })] });
    await scene.reach('r10');
    scene.w.app.behaviour.shadow.errorRate = 0.5;
    await scene.until('rolled_back', 30);
    await scene.minutes(11);
    expect(await scene.w.operate(ID, { type: 'reset', confirm: ID })).toMatchObject({ ok: true });
    expect(await scene.w.operate(ID, { type: 'start' })).toMatchObject({ ok: false, code: 'frozen' });
  });
});

describe('a deadline', () => {
  it('holds, never advances, and a changed one lets it go on', async () => {
    const scene = run({ cutovers: [shortTable({ stages: { r10: { deadlineMinutes: 12, minSamples: 9_999 } } })] });
    await scene.reach('r10');
    await scene.minutes(15);
    expect(await scene.held()).toEqual(expect.arrayContaining(['samples', 'deadline']));
    const firing = async () =>
      (await scene.w.ports.alerts.readAll()).filter(({ status }) => status === 'firing').map(({ rule }) => rule);
    expect(await firing()).toContain('deadline');
    await scene.accepted({ type: 'policy', stage: 'r10', set: { minSamples: 10 } });
    await scene.minutes(5);
    expect(await scene.held()).toEqual(['deadline']);
    await scene.accepted({ type: 'policy', stage: 'r10', set: { deadlineMinutes: 60 } }, { actor: 'bob' });
    await scene.until('r50', 3);
    await scene.minutes(4);
    expect(await firing()).not.toContain('deadline');
    expect(scene.o.state(ID).overrides.stages.r10).toEqual({ minSamples: 10, deadlineMinutes: 60 });
  });

  it('rolls back where that is its exit', async () => {
    const stages = { r10: { deadlineMinutes: 12, minSamples: 9_999, onDeadline: 'rollback' as const } };
    const scene = run({ cutovers: [shortTable({ stages })] });
    await scene.reach('r10');
    await scene.until('rolled_back', DWELL_MINUTES + 10);
    expect(scene.o.state(ID).rollback!.reason).toContain('has not been proven within its 12 minutes');
  });
});

describe('limits on memory and lost connections', () => {
  const limited = () =>
    run({ cutovers: [shortTable({ stages: { r10: { memoryMax: 0.9, connectionDropsMax: 0.05 } } })] });
  const tell = ({ w }: ReturnType<typeof run>, memory: number) => {
    w.app.tells = { memory, failuresAreLostConnections: true };
  };

  it('hold while nobody tells what they limit, and let go on when it is told and inside', async () => {
    const scene = limited();
    await scene.reach('r10');
    await scene.minutes(15);
    expect(await scene.held()).toEqual(['connection_drops', 'memory']);
    tell(scene, 0.5);
    await scene.until('r50', 12);
  });

  it('roll back a shadow whose processes run out of memory', async () => {
    const scene = limited();
    tell(scene, 0.5);
    await scene.reach('r10');
    tell(scene, 0.95);
    expect(await scene.until('rolled_back', 10)).toBeLessThanOrEqual(5);
    expect(scene.o.state(ID).rollback).toMatchObject({ reason: expect.stringMatching(/uses 95 % of its memory/) });
  });

  it('roll back a shadow that loses its connections, before its errors alone would', async () => {
    const scene = run({
      cutovers: [
        shortTable({ stages: { r10: { connectionDropsMax: 0.02, errorRateRollback: 0.9, errorRateAdvance: 0.5 } } }),
      ],
    });
    tell(scene, 0.5);
    await scene.reach('r10');
    scene.w.app.behaviour.shadow.errorRate = 0.12;
    await scene.until('rolled_back', 20);
    expect(scene.o.state(ID).rollback).toMatchObject({ reason: expect.stringMatching(/lost their connection/) });
  });
});

describe('the two-person rule', () => {
  it('lets nobody go on alone, and denies whoever tries', async () => {
    const scene = run({ cutovers: [shortTable({ policy: { twoPersonApproval: true } })] });
    await scene.minutes(2);
    await scene.accepted({ type: 'start' });
    await scene.minutes(DWELL_MINUTES + 3);
    expect(await scene.held()).toEqual(['approval']);
    expect(await scene.w.operate(ID, { type: 'approve' })).toMatchObject({ code: 'self_approval' });
    expect(scene.o.entries(ID).at(-1)!.event).toMatchObject({ type: 'denied', code: 'self_approval' });
    await scene.accepted({ type: 'approve' }, { actor: 'bob' });
    await scene.until('r10', 2);
  });
});
