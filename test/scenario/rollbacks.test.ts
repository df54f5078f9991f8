/** I23, I24: a rollback is seen through, step by step, and its history says how long it took. */

import { describe, expect, it } from 'vitest';
import { isVerified, PROCEDURES, procedureOf, stepsSeen } from '../../lib/core/stage/rollback-procedure.ts';
import { rollbacksOf } from '../../lib/flows/report/rollbacks.ts';
import { NOW, stateIn } from '../property/samples.ts';
import { ID, READING, run } from './run.ts';

describe('a rollback', () => {
  it.each(READING)('from %s is seen through in its order, and reads leave within two minutes', async (stage) => {
    const scene = run();
    await scene.reach(stage);
    await scene.accepted({ type: 'rollback', reason: 'slow pages' });
    const version = scene.o.state(ID).version;
    await scene.minutes(5);
    const state = scene.o.state(ID);
    expect(isVerified(state)).toBe(true);
    expect(state.version).toBe(version);
    expect(state.rollback!.steps.map(({ name }) => name)).toEqual(PROCEDURES.table.serving.map(({ name }) => name));
    const { rollbacks } = await rollbacksOf(scene.w.ports, scene.w.cutovers[0]!);
    expect(rollbacks).toMatchObject([{ fromStage: stage, reason: 'slow pages', actor: 'ada', verified: true }]);
    expect(rollbacks[0]!.readsLeftMs).toBeLessThanOrEqual(120_000);
    const entries = scene.o.entries(ID).length;
    await scene.minutes(5);
    expect(scene.o.entries(ID)).toHaveLength(entries);
  });

  it('after completion has the tables swapped first, and a second one has its own record', async () => {
    const scene = run();
    await scene.reach('completed');
    await scene.accepted({ type: 'rollback', reason: 'rehearsal' });
    await scene.minutes(5);
    expect(scene.o.state(ID).rollback!.steps[0]!.name).toBe('tables_swapped');
    await scene.accepted({ type: 'reset', confirm: ID });
    await scene.minutes(1);
    await scene.accepted({ type: 'start' });
    await scene.minutes(2);
    await scene.accepted({ type: 'rollback', reason: 'again' });
    await scene.minutes(5);
    const { rollbacks } = await rollbacksOf(scene.w.ports, scene.w.cutovers[0]!);
    expect(rollbacks.map(({ reason, fromStage, verified }) => [reason, fromStage, verified])).toEqual([
      ['again', 'dual_write', true],
      ['rehearsal', 'completed', true],
    ]);
  });

  it('is not seen through while flags cannot be deployed, or readers do not follow them', async () => {
    const scene = run();
    await scene.reach('r50');
    scene.o.calm(false);
    scene.w.flags.unavailable(true);
    await scene.accepted({ type: 'rollback', reason: 'slow pages' });
    await scene.minutes(3);
    expect(scene.o.state(ID).rollback!.steps).toEqual([]);
    scene.w.flags.unavailable(false);
    await scene.minutes(7);
    const { rollbacks } = await rollbacksOf(scene.w.ports, scene.w.cutovers[0]!);
    expect(rollbacks[0]!.verified).toBe(true);
    expect(rollbacks[0]!.readsLeftMs).toBeGreaterThan(0);
  });
});

describe('the steps of a rollback', () => {
  const rollback = { fromStage: 'r1', reason: 'r', cause: 'guard', actor: 'tick', atMs: NOW, steps: [] } as const;
  const state = { ...stateIn('rolled_back', { rollback }, 'component') };
  const minute = Math.floor(NOW / 60_000);
  const read = (at: number, side: 'primary' | 'shadow' = 'shadow') => ({
    minute: at,
    side,
    count: 3,
    errors: 0,
    keyless: 0,
    latency: {},
    checks: 0,
    mismatches: 0,
  });
  const names = (windows: ReturnType<typeof read>[], minutes: number) =>
    stepsSeen(state, { deployed: null, table: null, windows, nowMs: NOW + minutes * 60_000 }).map(
      ({ name, tookMs }) => [name, tookMs],
    );

  it('reads have left when two closed minutes had none, at most at the end of the last one with any', () => {
    expect(names([read(minute)], 2)).toEqual([]);
    expect(names([read(minute)], 3)).toEqual([['reads_left', 60_000]]);
    expect(names([read(minute), read(minute + 2)], 3)).toEqual([]);
    expect(names([read(minute), read(minute + 2)], 5)).toEqual([['reads_left', 180_000]]);
    expect(names([read(minute + 2, 'primary')], 3)).toEqual([['reads_left', 0]]);
  });

  it('are none where nothing was rolled back, and those of the kind otherwise', () => {
    expect(stepsSeen(stateIn('r1'), { deployed: null, table: null, windows: [], nowMs: NOW })).toEqual([]);
    expect(procedureOf(state).map(({ name }) => name)).toEqual(['flags_safe', 'reads_left']);
    const completed = { ...rollback, fromStage: 'completed' };
    expect(procedureOf({ ...state, kind: 'table', rollback: completed })[0]!.name).toBe('tables_swapped');
  });
});
