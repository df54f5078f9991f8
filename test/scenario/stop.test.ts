/** The commands for everything at once: the emergency stop, its end, and the rollback of the system. */

import { describe, expect, it } from 'vitest';
import type { OperatorCommand } from '../../lib/flows/control/operate.ts';
import { emergencyStop, resetSystem, rollBackSystem } from '../../lib/flows/control/stop.ts';
import { declarationOf } from '../property/samples.ts';
import { inside } from './oracle.ts';
import { DWELL_MINUTES, ID, type Run, run, SERVING, SHORT, shortTable } from './run.ts';

const PLANNER = declarationOf('component', { id: 'planner', plan: SHORT });
const stop = ({ w }: Run) => emergencyStop(w.ports, w.cutovers, { reason: 'fire', actor: 'ada' });
const lift = ({ w }: Run) => resetSystem(w.ports, w.cutovers, { confirm: 'system', actor: 'ada' });

describe('I24 the emergency stop', () => {
  it.each(SERVING)(
    'in %s takes every reader back within 31 seconds, and nothing moves until it is lifted',
    async (stage) => {
      const scene = run();
      await scene.reach(stage);
      await scene.minutes(1);
      const { switches, inspecting } = scene.w.ports;
      expect(await switches.makeReadOnly(ID, scene.o.state(ID).epoch, 300)).toMatchObject({ kind: 'read_only' });
      expect(await stop(scene)).toMatchObject({ published: true, cutovers: [{ from: stage, to: 'rolled_back' }] });
      expect((await inspecting.status(ID))!.readOnlyUntilMs).toBeNull();
      await scene.minutes(1);
      expect(scene.nobodyReadsTheShadow()).toBe(true);
      expect(inside(scene.w, ID).direction).toBe('none');
      expect(scene.o.state(ID).rollback).toMatchObject({ fromStage: stage, reason: 'fire', actor: 'ada' });

      await scene.accepted({ type: 'reset', confirm: ID });
      expect(await scene.w.operate(ID, { type: 'start' })).toMatchObject({ code: 'stopped' });
      await scene.minutes(10);
      expect(scene.stage()).toBe('disabled');
      await lift(scene);
      await scene.reach('full_100');
      scene.o.checkQuiet();
    },
  );

  it('leaves a promoted table as it is, and its readers on it', async () => {
    const scene = run();
    await scene.reach('completed');
    const before = scene.o.state(ID);
    expect((await stop(scene)).cutovers).toEqual([]);
    await scene.minutes(5);
    expect(scene.o.state(ID)).toEqual(before);
    expect(inside(scene.w, ID).direction).toBe('reverse');
    expect(scene.w.app.readers.every(({ document }) => document!.cutovers[ID]!.shadow_is_primary)).toBe(true);
    scene.o.checkQuiet();
  });

  it.each<OperatorCommand>([
    { type: 'advance', force: true, reason: 'now' },
    { type: 'complete', confirm: ID, force: true, reason: 'now' },
  ])('refuses $type, even by force, to a cutover that it could not roll back yet', async (command) => {
    const scene = run();
    await scene.reach(command.type === 'advance' ? 'r10' : 'full_100');
    // The switch is written, and whoever wrote it does not get to know and stops there.
    scene.w.state.failNextWrite('lost-answer');
    await expect(stop(scene)).rejects.toThrow(/answer was lost/);
    expect(await scene.w.operate(ID, command)).toMatchObject({ code: 'stopped' });
    await scene.minutes(1);
    expect(scene.o.state(ID)).toMatchObject({ stage: 'rolled_back', rollback: { reason: 'emergency stop' } });
  });

  it('does not promote a table whose promotion was still being carried out', async () => {
    const scene = run();
    await scene.reach('full_100');
    await scene.minutes(DWELL_MINUTES + 3);
    scene.w.tables.failNext('promote');
    expect(await scene.accepted({ type: 'complete', confirm: ID })).toMatchObject({ answer: { pending: 'promote' } });
    await stop(scene);
    expect(scene.stage()).toBe('rolled_back');
    expect(inside(scene.w, ID).direction, 'the stop never swaps tables').toBe('none');
    await scene.minutes(2);
    expect(scene.nobodyReadsTheShadow()).toBe(true);
  });

  it('finds a promotion done whose answer was lost, and keeps it', async () => {
    const scene = run();
    await scene.reach('full_100');
    await scene.minutes(DWELL_MINUTES + 3);
    scene.w.tables.failNext('promote', true);
    await scene.accepted({ type: 'complete', confirm: ID });
    await stop(scene);
    await scene.minutes(2);
    expect(scene.stage()).toBe('completed');
    scene.o.checkQuiet();
  });

  it('that comes again under its key after it was lifted stops nothing that was started since', async () => {
    const scene = run({ cutovers: [PLANNER] });
    const again = () =>
      emergencyStop(scene.w.ports, scene.w.cutovers, {
        reason: 'fire',
        actor: 'ada',
        idempotency: { key: 'once', fingerprint: 'f' },
      });
    await scene.w.operate('planner', { type: 'start' });
    expect((await again()).cutovers).toEqual([{ id: 'planner', from: 'dual_write', to: 'rolled_back' }]);
    await scene.w.operate('planner', { type: 'reset', confirm: 'planner' });
    await lift(scene);
    expect(await scene.w.operate('planner', { type: 'start' })).toMatchObject({ ok: true });
    expect(await again()).toEqual({ cutovers: [], published: true });
    expect(scene.o.state('planner').stageKind).toBe('dual_write');
  });
});

describe('rollback-system', () => {
  it('rolls back whatever has something to undo, a promoted table included, and loses nothing', async () => {
    const scene = run({ cutovers: [shortTable(), PLANNER] });
    await scene.reach('completed');
    expect(await scene.w.operate('planner', { type: 'start' })).toMatchObject({ ok: true });
    await scene.minutes(DWELL_MINUTES + 2);
    expect(scene.o.state('planner').stage).toBe('r10');
    await expect(
      rollBackSystem(scene.w.ports, scene.w.cutovers, { confirm: 'all', reason: 'r', actor: 'ada' }),
    ).rejects.toThrow(/confirm/);
    const result = await rollBackSystem(scene.w.ports, scene.w.cutovers, {
      confirm: 'system',
      reason: 'r',
      actor: 'ada',
    });
    expect(result).toEqual({
      published: true,
      cutovers: [
        { id: ID, from: 'completed', to: 'rolled_back' },
        { id: 'planner', from: 'r10', to: 'rolled_back' },
      ],
    });
    await scene.minutes(2);
    expect(inside(scene.w, ID).direction).toBe('none');
  });

  it('takes back what was started in the very millisecond, too', async () => {
    const scene = run({ cutovers: [PLANNER] });
    await scene.w.operate('planner', { type: 'start' });
    expect(scene.o.state('planner').enteredAtMs).toBe(scene.w.ports.clock.now());
    const request = { confirm: 'system', reason: 'r', actor: 'ada' };
    expect((await rollBackSystem(scene.w.ports, scene.w.cutovers, request)).cutovers).toEqual([
      { id: 'planner', from: 'dual_write', to: 'rolled_back' },
    ]);
  });

  it('finishes what it began when it comes again under the same key, and leaves alone what was started since', async () => {
    const scene = run({ cutovers: [shortTable(), PLANNER] });
    const rollBack = () =>
      rollBackSystem(scene.w.ports, scene.w.cutovers, {
        confirm: 'system',
        reason: 'r',
        actor: 'ada',
        idempotency: { key: 'once', fingerprint: 'f' },
      });
    await scene.reach('r10');
    expect((await rollBack()).cutovers).toEqual([{ id: ID, from: 'r10', to: 'rolled_back' }]);
    await scene.minutes(1);
    expect(await scene.w.operate('planner', { type: 'start' })).toMatchObject({ ok: true });
    expect((await rollBack()).cutovers).toEqual([]);
    expect(scene.o.state('planner').stageKind).toBe('dual_write');
  });
});
