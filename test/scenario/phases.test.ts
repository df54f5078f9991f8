/** Phases and cohorts in a living world. */

import { describe, expect, it } from 'vitest';
import type { CutoverInput } from '../../lib/define/cutovers.ts';
import { defineCutovers } from '../../lib/define/cutovers.ts';
import { definePhases } from '../../lib/define/phases.ts';
import { emergencyStop, resetSystem } from '../../lib/flows/control/stop.ts';
import { type WorldOptions, world } from '../helpers/world.ts';
import { oracle } from './oracle.ts';

const plan = {
  name: 'short',
  ramp: [
    ['r10', 10],
    ['r50', 50],
    ['full_100', 100],
  ] as [string, number][],
};
const component = (id: string, over: object = {}) =>
  ({ id, kind: 'component', plan, dwellMinutes: 5, ...over }) as CutoverInput;

function live(cutovers: WorldOptions['cutovers'], options: Partial<WorldOptions> = {}) {
  const w = world({ cutovers, load: { weight: 50 }, ...options });
  const o = oracle(w);
  const minutes = async (count: number) => {
    for (let i = 0; i < count; i += 1) {
      await w.minute();
      o.check();
    }
    await o.checkAudit();
  };
  const until = async (met: () => Promise<boolean> | boolean, limit = 90) => {
    for (let i = 0; i < limit; i += 1) {
      if (await met()) return i;
      await minutes(1);
    }
    throw new Error(
      `not within ${limit} minutes: ${JSON.stringify([...o.known.values()].map(({ state }) => [state.id, state.stage]))}`,
    );
  };
  const stage = (id: string) => o.state(id).stage;
  const status = async (phase: string) => (await w.state.readSystem()).phases[phase]?.status ?? 'waiting';
  return { w, o, minutes, until, stage, status };
}

const TWO = definePhases(
  [
    {
      name: 'one',
      cutovers: ['planner'],
      soakMinutes: 20,
      decision: 'automatic',
      criteria: [{ name: 'calm', noRollback: true }],
    },
    { name: 'two', cutovers: ['bundler', 'executor'], after: ['one'], decision: 'automatic' },
  ],
  defineCutovers([component('planner'), component('bundler'), component('executor')]),
);

describe('phases', () => {
  it('open in their order, after their soak, and the flag follows', async () => {
    const { w, minutes, until, stage, status } = live(TWO);
    await minutes(2);
    expect(await status('one')).toBe('running');
    expect(await w.operate('bundler', { type: 'start' })).toMatchObject({ ok: false, code: 'held' });
    expect(await w.operate('planner', { type: 'start' })).toMatchObject({ ok: true });
    expect(w.served()!.system.migration_phase).toBe('one');
    await until(() => stage('planner') === 'full_100');
    const reachedMs = w.clock.now();
    await until(async () => (await status('two')) === 'running');
    expect(w.clock.now() - reachedMs).toBeGreaterThanOrEqual(20 * 60_000);
    expect(await w.operate('bundler', { type: 'start' })).toMatchObject({ ok: true });
    await minutes(1);
    expect(w.served()!.system.migration_phase).toBe('two');
  });

  it('a guard in the first rolls back what depends on it, the last cutover first, and holds it', async () => {
    const { w, minutes, until, stage, status } = live(TWO);
    await minutes(1);
    await w.operate('planner', { type: 'start' });
    await until(async () => (await status('two')) === 'running');
    await w.operate('bundler', { type: 'start' });
    await w.operate('executor', { type: 'start' });
    await until(() => stage('bundler') === 'r10' && stage('executor') === 'r10');
    const order: string[] = [];
    w.onApplied(
      ({ after, before }) =>
        after.stage === 'rolled_back' &&
        before.stage !== 'rolled_back' &&
        order.push(`${after.id} ${after.rollback!.reason}`),
    );
    w.app.own.set('planner', { errorRate: 0.5 });
    await until(async () => (await status('one')) === 'rolled_back', 30);
    await minutes(2);
    expect(['planner', 'bundler', 'executor'].map(stage)).toEqual(['rolled_back', 'rolled_back', 'rolled_back']);
    expect(order).toEqual([
      expect.stringMatching(/^planner The shadow/),
      expect.stringMatching(/^executor phase 'two' was rolled back: it depends on 'one': planner was rolled back/),
      expect.stringMatching(/^bundler phase 'two' was rolled back/),
    ]);
    expect(w.served()!.system.migration_phase).toBe('none');
    await w.operate('bundler', { type: 'reset', confirm: 'bundler' });
    expect(await w.operate('bundler', { type: 'start' })).toMatchObject({ ok: false, code: 'held' });
  });

  it('rolled back by a person: dependents first, each written in order, once, and prepared again by a reset', async () => {
    const { w, minutes, until, stage, status } = live(TWO);
    const order: string[] = [];
    w.onApplied(
      ({ after, before }) => after.stage === 'rolled_back' && before.stage !== 'rolled_back' && order.push(after.id),
    );
    await minutes(1);
    await w.operate('planner', { type: 'start' });
    await until(async () => (await status('two')) === 'running');
    for (const id of ['bundler', 'executor']) await w.operate(id, { type: 'start' });
    await minutes(3);
    expect(await w.phase('one', { type: 'rollback', reason: 'no', confirm: 'two' })).toMatchObject({
      code: 'confirm_required',
    });
    expect(await w.phase('one', { type: 'rollback', reason: 'no', confirm: 'one' }, { basedOn: 1 })).toMatchObject({
      code: 'stale_version',
    });
    const rollback = { type: 'rollback', reason: 'the vendor withdrew it', confirm: 'one' } as const;
    const basedOn = (await w.state.readSystem()).version;
    const done = await w.phase('one', rollback, { key: 'k', basedOn });
    expect(done).toMatchObject({ ok: true, status: 'rolled_back' });
    const again = await w.phase('one', rollback, { key: 'k', basedOn });
    expect(again).toEqual({ ...done, moved: [] });
    expect(order).toEqual(['executor', 'bundler', 'planner']);
    expect(stage('planner')).toBe('rolled_back');
    expect(await w.phase('one', { type: 'reset', confirm: 'one' })).toMatchObject({ ok: true });
    await minutes(1);
    expect(await status('one')).toBe('running');
  });

  it('an emergency stop clears the timers, and nothing rolls back by itself afterwards', async () => {
    const { w, minutes, until, stage, status } = live(TWO);
    await minutes(1);
    await w.operate('planner', { type: 'start' });
    await until(async () => (await status('one')) === 'soaking');
    await emergencyStop(w.ports, w.cutovers, { reason: 'fire', actor: 'ada' });
    expect((await w.state.readSystem()).phases.one).toMatchObject({ status: 'running', soakUntilMs: null });
    await resetSystem(w.ports, w.cutovers, { confirm: 'system', actor: 'ada' });
    await minutes(3);
    expect([stage('planner'), await status('one'), await status('two')]).toEqual(['rolled_back', 'running', 'waiting']);
  });

  it('a tick that dies anywhere leaves a rollback that the next one finishes, in order', async () => {
    for (let calls = 1; calls < 40; calls += 9) {
      const { w, minutes, until, stage, status } = live(TWO);
      await minutes(1);
      await w.operate('planner', { type: 'start' });
      await until(async () => (await status('two')) === 'running');
      await w.operate('bundler', { type: 'start' });
      w.app.own.set('planner', { errorRate: 0.6 });
      await until(async () => {
        w.faults.tickDiesAfter = calls;
        return stage('planner') === 'rolled_back';
      }, 40).catch(() => undefined);
      w.faults.tickDiesAfter = null;
      await until(() => stage('bundler') === 'rolled_back', 40);
      expect(stage('planner')).toBe('rolled_back');
    }
  });
});

describe('a cohort', () => {
  const cohort = (over: object = {}) =>
    defineCutovers([component('api', { cohort: 'web' }), component('page', { cohort: 'web', ...over })]);

  it('moves the same keys through the same stages at the same moment', async () => {
    const { w, o, minutes, until, stage } = live(cohort());
    await minutes(1);
    await w.operate('api', { type: 'start' });
    await minutes(8);
    expect(stage('api')).toBe('dual_write');
    expect((await w.verdicts.read('api'))!.verdict.reasons.map(({ code, says }) => [code, says])).toEqual([
      ['cohort', "Cohort 'web' moves as one: page is still in disabled."],
    ]);
    await w.operate('page', { type: 'start' });
    w.onMoment(() => {
      const flags = w.served()?.cutovers;
      if (stage('page') !== 'disabled') expect(flags?.api?.salt).toBe(flags?.page?.salt);
    });
    await until(() => stage('page') === 'full_100');
    expect(stage('api')).toBe('full_100');
    const entered = (id: string) =>
      o.entries(id).flatMap(({ event, atMs }) => (event.type === 'advanced' ? [[event.to, atMs]] : []));
    expect(entered('api')).toEqual(entered('page'));
  });

  it('is held by one member that may not, and rolled back by one that must', async () => {
    const { w, o, minutes, until, stage } = live(cohort({ policy: { minSamples: 900_000 } }));
    await minutes(1);
    for (const id of ['api', 'page']) await w.operate(id, { type: 'start' });
    await until(() => stage('api') === 'r10');
    await minutes(15);
    expect(stage('api')).toBe('r10');
    expect((await w.verdicts.read('api'))!.verdict.reasons.at(-1)!.says).toContain('page is held by');
    await w.operate('page', { type: 'rollback', reason: 'broken' });
    expect([stage('page'), stage('api')]).toEqual(['rolled_back', 'rolled_back']);
    expect(o.state('api').rollback!.reason).toContain('page was rolled back: broken');
    for (const id of ['api', 'page']) await w.operate(id, { type: 'reset', confirm: id });
    await w.operate('api', { type: 'start' });
    await minutes(3);
    expect(stage('api')).toBe('dual_write');
  });

  it('goes on together when a person moves one member', async () => {
    const { w, minutes, until, stage } = live(cohort({ policy: { autoAdvance: false } }));
    await minutes(1);
    for (const id of ['api', 'page']) await w.operate(id, { type: 'start' });
    await minutes(3);
    expect(await w.operate('api', { type: 'advance' })).toMatchObject({ code: 'held' });
    await until(async () => (await w.operate('page', { type: 'advance' })).ok || stage('api') === 'r10', 12);
    await minutes(2);
    expect([stage('api'), stage('page')]).toEqual(['r10', 'r10']);
  });
});
