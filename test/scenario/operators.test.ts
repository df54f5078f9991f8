/** What people do: commands in every stage, refused ones and repeated ones. */

import { describe, expect, it } from 'vitest';
import type { OperatorCommand } from '../../lib/flows/control/operate.ts';
import { inside } from './oracle.ts';
import { DWELL_MINUTES, ID, type Run, run, SERVING, shortTable } from './run.ts';

/** Everything that a refused command must leave alone, but for the audit log. */
async function everything({ w }: Run) {
  const { auditSeq, auditHash: _, ...state } = (await w.state.readCutover(ID))!;
  const { authoritative, follower, ...table } = inside(w, ID);
  const rows = { authoritative: [...authoritative], follower: [...follower] };
  return {
    auditSeq,
    rest: structuredClone({ state, table, rows, served: w.served(), system: await w.state.readSystem() }),
  };
}

describe('pausing', () => {
  it('holds a stage for as long as it lasts, and resuming lets it go on', async () => {
    const scene = run();
    await scene.reach('r10');
    await scene.accepted({ type: 'pause' });
    await scene.minutes(3 * DWELL_MINUTES);
    expect(scene.stage()).toBe('r10');
    expect(await scene.held()).toEqual(['paused']);
    await scene.accepted({ type: 'resume' });
    await scene.until('r50', 3);
  });

  it('does not keep a bad shadow', async () => {
    const scene = run();
    await scene.reach('r50');
    await scene.accepted({ type: 'pause' });
    scene.w.app.behaviour.shadow.errorRate = 0.5;
    await scene.until('rolled_back', 10);
  });
});

describe('approval', () => {
  it('is waited for in every stage anew', async () => {
    const scene = run({ cutovers: [shortTable({ policy: { approvalRequired: true } })] });
    await scene.reach('dual_write');
    for (const next of ['r10', 'r50', 'full_100']) {
      const before = scene.stage();
      await scene.minutes(3 * DWELL_MINUTES);
      expect(scene.stage()).toBe(before);
      expect(await scene.held()).toEqual(['approval']);
      await scene.accepted({ type: 'approve' });
      await scene.until(next, 3);
    }
  });
});

describe('I25 a command that is refused changes nothing but one denied entry', () => {
  it.each<[string, OperatorCommand, string]>([
    ['advance without evidence', { type: 'advance' }, 'held'],
    ['complete from a ramp', { type: 'complete', confirm: ID, force: true, reason: 'now' }, 'illegal_transition'],
    ['start twice', { type: 'start' }, 'illegal_transition'],
    ['cleanup before promotion', { type: 'cleanup', confirm: ID }, 'illegal_transition'],
    ['reset while it runs', { type: 'reset', confirm: ID }, 'illegal_transition'],
  ])('%s', async (_, command, code) => {
    const scene = run();
    await scene.reach('r10');
    await scene.minutes(1);
    const before = await everything(scene);
    expect(await scene.w.operate(ID, command)).toMatchObject({ ok: false, code });
    const after = await everything(scene);
    expect(after.rest).toEqual(before.rest);
    expect(after.auditSeq).toBe(before.auditSeq + 1);
    expect(scene.o.entries(ID).at(-1)!.event).toMatchObject({ type: 'denied', command: command.type, code });
    await scene.minutes(1);
  });

  it('and with force it goes on, once, with its reason', async () => {
    const scene = run();
    await scene.reach('r10');
    expect(await scene.w.operate(ID, { type: 'advance', force: true })).toMatchObject({ code: 'invalid_input' });
    await scene.accepted({ type: 'advance', force: true, reason: 'seen enough' });
    expect(scene.stage()).toBe('r50');
    expect(scene.o.entries(ID).at(-1)!.event).toMatchObject({ forced: true, reason: 'seen enough' });
    await scene.minutes(2);
  });

  it.each<[string, OperatorCommand]>([
    ['r10', { type: 'advance', force: true, reason: 'now' }],
    ['full_100', { type: 'complete', confirm: ID, force: true, reason: 'now' }],
    ['completed', { type: 'cleanup', confirm: ID }],
  ])('I29 from %s nobody goes on, by force neither, while its flags are not deployed', async (stage, command) => {
    const scene = run();
    await scene.reach(stage);
    await scene.minutes(1);
    scene.o.calm(false);
    scene.w.flags.rollBack();
    const before = await everything(scene);
    expect(await scene.w.operate(ID, command)).toMatchObject({
      code: 'held',
      message: expect.stringContaining('are not deployed'),
    });
    expect(await everything(scene)).toEqual(before);
    await scene.minutes(1);
    await scene.accepted(command);
    await scene.minutes(2);
  });

  it('If-Match of an older version is refused with what is there now', async () => {
    const scene = run();
    await scene.reach('r10');
    const before = await everything(scene);
    const basedOn = scene.o.state(ID).version - 1;
    expect(await scene.w.operate(ID, { type: 'rollback', reason: 'old view' }, { basedOn })).toMatchObject({
      code: 'stale_version',
      message: expect.stringContaining("stage 'r10'"),
    });
    const after = await everything(scene);
    expect(after.rest).toEqual(before.rest);
    expect(after.auditSeq).toBe(before.auditSeq + 1);
  });

  it('a store that is away: the command fails, and nothing at all has changed', async () => {
    const scene = run();
    await scene.reach('r10');
    const before = await everything(scene);
    scene.w.state.failNextWrite('lost-request');
    expect(await scene.w.operate(ID, { type: 'pause' }, { basedOn: scene.o.state(ID).version })).toMatchObject({
      code: 'store_unavailable',
    });
    expect(await everything(scene)).toEqual(before);
  });
});

describe('I20 the same Idempotency-Key', () => {
  it('with the same body and caller has one effect and the same answer', async () => {
    const scene = run();
    await scene.reach('r10');
    const basedOn = scene.o.state(ID).version;
    const once = () => scene.w.operate(ID, { type: 'pause' }, { key: 'k', basedOn });
    const first = await once();
    expect(first).toMatchObject({ ok: true, answer: { version: basedOn + 1 } });
    await scene.minutes(2);
    expect(await once()).toEqual(first);
    expect(scene.o.state(ID).version).toBe(basedOn + 1);
  });

  it('after an answer that was lost gives the answer, and has had its effect once', async () => {
    const scene = run();
    await scene.reach('r10');
    const basedOn = scene.o.state(ID).version;
    const once = () => scene.w.operate(ID, { type: 'rollback', reason: 'r' }, { key: 'k', basedOn });
    scene.w.state.failNextWrite('lost-answer');
    expect(await once()).toMatchObject({ code: 'store_unavailable' });
    expect(await once()).toMatchObject({ ok: true, answer: { stage: 'rolled_back', version: basedOn + 1 } });
    await scene.minutes(2);
    expect(scene.nobodyReadsTheShadow()).toBe(true);
  });

  it('of a completion gives what became of it, and of a command whose flags are not deployed says so', async () => {
    const scene = run();
    await scene.reach('full_100');
    await scene.minutes(DWELL_MINUTES + 3);
    const complete = () => scene.w.operate(ID, { type: 'complete', confirm: ID }, { key: 'c' });
    const first = await complete();
    expect(first).toMatchObject({ ok: true, published: true, answer: { stage: 'completed', pending: null } });
    expect(await complete()).toEqual(first);

    scene.o.calm(false);
    scene.w.flags.unavailable(true);
    const back = () => scene.w.operate(ID, { type: 'rollback', reason: 'r' }, { key: 'r' });
    const answered = await back();
    expect(answered).toMatchObject({ published: false, answer: { stage: 'rolled_back' } });
    expect(await back()).toEqual(answered);
    scene.w.flags.unavailable(false);
    await scene.minutes(1);
    expect(await back()).toEqual({ ...answered, published: true });
  });

  it.each<[string, { body?: string; actor?: string }]>([
    ['another body', { body: 'other' }],
    ['another caller', { actor: 'bob' }],
  ])('with %s is refused', async (_, other) => {
    const scene = run();
    await scene.reach('r10');
    await scene.accepted({ type: 'pause' }, { key: 'k' });
    const before = await everything(scene);
    expect(await scene.w.operate(ID, { type: 'pause' }, { key: 'k', ...other })).toMatchObject({
      code: 'idempotency_mismatch',
    });
    expect(await everything(scene)).toEqual(before);
  });
});

describe('I23 a rollback in every stage', () => {
  it.each([...SERVING, 'completed'])('from %s is possible at once and loses nothing', async (stage) => {
    const scene = run();
    await scene.reach(stage);
    await scene.accepted({ type: 'rollback', reason: 'second thoughts' });
    await scene.minutes(2);
    expect(scene.o.state(ID)).toMatchObject({ stage: 'rolled_back', rollback: { fromStage: stage, actor: 'ada' } });
    expect(scene.nobodyReadsTheShadow()).toBe(true);
    await scene.minutes(5);
    await scene.accepted({ type: 'reset', confirm: ID });
    await scene.reach('completed');
    scene.o.checkQuiet();
  });
});
