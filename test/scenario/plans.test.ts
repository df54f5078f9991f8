/** Every built-in plan on healthy traffic: from `disabled` to promotion, back, again, and to the end. */

import { describe, expect, it } from 'vitest';
import { BUILT_IN_PLAN_NAMES, type BuiltInPlanName, builtInPlan } from '../../lib/core/cutover/plan.ts';
import { declarationOf } from '../property/samples.ts';
import { inside } from './oracle.ts';
import { ID, type Run, run } from './run.ts';

describe.each(BUILT_IN_PLAN_NAMES)('I1, I17, I19, I23, I27, I29 plan %s on healthy traffic', (name) => {
  it('takes every stage in turn, comes back from promotion without loss, and ends', async () => {
    const declaration = declarationOf('table', { plan: builtInPlan(name) });
    const scene = run({ cutovers: [declaration], load: { readsPerMinute: 400 } });

    await promoted(scene, name, 60);
    expect(scene.o.state(ID).epoch).toBe(2);
    expect(inside(scene.w, ID).direction).toBe('reverse');

    await scene.accepted({ type: 'rollback', reason: 'rehearsal' });
    await scene.minutes(1);
    expect(scene.o.state(ID)).toMatchObject({ stage: 'rolled_back', epoch: 3, rollback: { fromStage: 'completed' } });
    expect(inside(scene.w, ID).direction).toBe('none');
    expect(scene.nobodyReadsTheShadow()).toBe(true);

    await scene.accepted({ type: 'reset', confirm: ID });
    await scene.minutes(1);
    expect(await scene.w.tables.inspecting.status(ID)).toBeNull();

    await promoted(scene, name, 10);
    expect(scene.o.state(ID).epoch).toBe(5);
    await scene.accepted({ type: 'cleanup', confirm: ID });
    await scene.minutes(1);
    expect(scene.o.state(ID)).toMatchObject({ stage: 'cleaned', epoch: 6 });
    expect(await scene.w.operate(ID, { type: 'rollback', reason: 'too late' })).toMatchObject({
      code: 'illegal_transition',
      message: expect.stringContaining('dropped by cleanup'),
    });
    await scene.minutes(1);
  });
});

/** Starts, and completes when the gates allow scene. Every minute the audit chain is verified and replayed to the state. */
async function promoted(scene: Run, plan: BuiltInPlanName, dwellMinutes: number): Promise<void> {
  const from = scene.o.entries(ID).length;
  await scene.accepted({ type: 'start', plan, dwellMinutes });
  const { stages } = scene.o.state(ID).plan;
  await scene.minutes(1);
  expect(scene.stage()).toBe('dual_write');
  expect(inside(scene.w, ID).direction).toBe('forward');

  await scene.until('full_100', (dwellMinutes + 30) * stages.length);
  expect(await scene.w.operate(ID, { type: 'complete', confirm: ID })).toMatchObject({ ok: false, code: 'held' });
  await scene.minutes(dwellMinutes + 2);
  expect(scene.stage()).toBe('full_100');
  expect(await scene.accepted({ type: 'complete', confirm: ID })).toMatchObject({
    answer: { pending: 'promote', waits: expect.stringContaining('held back') },
  });
  await scene.minutes(3);
  scene.o.checkQuiet();

  const steps = scene.o.entries(ID).slice(from);
  const entered = steps.flatMap(({ event }) =>
    event.type === 'advanced' ? [event.to] : event.type === 'completed' ? ['completed'] : [],
  );
  expect(['disabled', 'dual_write', ...entered]).toEqual(stages.map((stage) => stage.name));
  for (const [i, { event, atMs }] of steps.entries()) {
    if (event.type === 'advanced') expect(atMs - steps[i - 1]!.atMs).toBeGreaterThanOrEqual(dwellMinutes * 60_000);
  }
}
