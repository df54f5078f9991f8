/** Force skips evidence, never existence; and a start that arms nothing is no start. */

import { describe, expect, it } from 'vitest';
import { CrossfadeError } from '../../lib/core/base/errors.ts';
import { replaceCall, type TableCall } from '../helpers/table-ports.ts';
import { declarationOf } from '../property/samples.ts';
import { inside } from './oracle.ts';
import { ID, type Run, run, SHORT, shortTable } from './run.ts';

const FORCE = { force: true, reason: 'we are late' } as const;
const denied = () =>
  new CrossfadeError('access_denied', 'permission denied to set parameter "crossfade.writing" [42501].');
const away = () => new CrossfadeError('database_unavailable', 'No answer within 10000 ms.', { retryable: true });

/** This call of the database throws, every time, until the function that is returned is called. */
function breaks(scene: Run, call: TableCall, error: Error): () => void {
  return replaceCall(scene.w.ports, call, async () => {
    throw error;
  });
}

describe('advance and complete by force', () => {
  it('are refused while nothing is armed, and say so', async () => {
    const scene = run();
    await scene.minutes(2);
    const mend = breaks(scene, 'arm', away());
    await scene.accepted({ type: 'start' });
    await scene.minutes(1);
    const answered = await scene.w.operate(ID, { type: 'advance', ...FORCE });
    expect(answered).toMatchObject({ ok: false, code: 'held', message: expect.stringContaining('nothing is armed') });
    expect(scene.stage()).toBe('dual_write');
    mend();
    await scene.minutes(2);
    expect(await scene.w.operate(ID, { type: 'advance', ...FORCE })).toMatchObject({ ok: true });
  });

  it('take no peer of a cohort along whose own shadow is not there', async () => {
    const planner = declarationOf('component', { id: 'planner', plan: SHORT, cohort: 'web' });
    const scene = run({ cutovers: [planner, shortTable({ cohort: 'web' })] });
    await scene.minutes(2);
    const mend = breaks(scene, 'arm', away());
    await scene.accepted({ type: 'start' });
    expect(await scene.w.operate('planner', { type: 'start' })).toMatchObject({ ok: true });
    await scene.minutes(2);
    expect(await scene.w.operate('planner', { type: 'advance', ...FORCE })).toMatchObject({ ok: true });
    expect([scene.o.state('planner').stage, scene.stage()]).toEqual(['r10', 'dual_write']);
    mend();
  });

  it('take a peer of a cohort along only when its flags say where it is', async () => {
    const member = (id: string) => declarationOf('component', { id, plan: SHORT, cohort: 'web' });
    const scene = run({ cutovers: [member('planner'), member('basket')] });
    await scene.minutes(2);
    expect(await scene.w.operate('planner', { type: 'start' })).toMatchObject({ ok: true });
    await scene.minutes(2);
    scene.w.flags.block();
    expect(await scene.w.operate('basket', { type: 'start' })).toMatchObject({ ok: true });
    const stages = () => ['planner', 'basket'].map((id) => scene.o.state(id).stage);
    const [, before] = stages();
    expect(await scene.w.operate('planner', { type: 'advance', ...FORCE })).toMatchObject({ ok: true });
    expect(stages()).toEqual(['r10', before]);
  });

  it('would send readers to a shadow without rows, were the copy taken at its word: negative control', async () => {
    const scene = run();
    scene.w.faults.backfill = false;
    await scene.minutes(2);
    await scene.accepted({ type: 'start' });
    await scene.minutes(1);
    const { inspecting } = scene.w.ports;
    const statuses = inspecting.statuses;
    inspecting.statuses = async (ids) => {
      const seen = [...(await statuses(ids))];
      return new Map(seen.map(([id, one]) => [id, { ...one, backfill: { ...one.backfill, state: 'done' } }]));
    };
    expect(await scene.w.operate(ID, { type: 'advance', ...FORCE })).toMatchObject({ ok: true });
    const { authoritative, follower } = scene.w.tables.rows(ID);
    expect(authoritative.size).toBeGreaterThan(0);
    expect(follower.size).toBeLessThan(authoritative.size);
    await scene.w.minute();
    expect(scene.nobodyReadsTheShadow()).toBe(false);
  });

  it('are refused before the copy is done', async () => {
    const scene = run();
    scene.w.faults.backfill = false;
    await scene.minutes(2);
    await scene.accepted({ type: 'start' });
    await scene.minutes(1);
    expect(await scene.w.operate(ID, { type: 'advance', ...FORCE })).toMatchObject({
      code: 'held',
      message: expect.stringMatching(/Copy: 0 of about \d+ rows/),
    });
    scene.w.faults.backfill = true;
    await scene.minutes(2);
    expect(await scene.w.operate(ID, { type: 'advance', ...FORCE })).toMatchObject({ ok: true });
  });

  it.each([
    ['advance', 'r10'],
    ['complete', 'full_100'],
  ] as const)('%s is refused while the shadow is minutes behind, or its lag is not known', async (type, stage) => {
    const scene = run();
    await scene.reach(stage);
    await scene.minutes(1);
    const command = type === 'advance' ? { type, ...FORCE } : { type, confirm: ID, ...FORCE };
    const mend = breaks(scene, 'statuses', away());
    expect(await scene.w.operate(ID, command)).toMatchObject({
      code: 'held',
      message: expect.stringContaining('No answer within 10000 ms.'),
    });
    mend();
    scene.w.faults.converge = false;
    await scene.minutes(7);
    expect(await scene.w.operate(ID, command)).toMatchObject({
      code: 'held',
      message: expect.stringContaining('oldest un-applied change'),
    });
    expect(scene.stage()).toBe(stage);
    scene.w.faults.converge = true;
    await scene.minutes(1);
    expect(await scene.w.operate(ID, command)).toMatchObject({ ok: true });
  });

  it('are refused when capture was taken away, or the fence belongs to another run', async () => {
    const scene = run();
    await scene.reach('r10');
    const table = inside(scene.w, ID) as unknown as { direction: string };
    table.direction = 'none';
    expect(await scene.w.operate(ID, { type: 'advance', ...FORCE })).toMatchObject({
      code: 'held',
      message: expect.stringContaining('armed in no direction'),
    });
  });
});

describe('a start', () => {
  it('that the database refuses for good is taken back, with the cause, also for the same request again', async () => {
    const scene = run();
    await scene.minutes(2);
    const mend = breaks(scene, 'arm', denied());
    const answered = await scene.w.operate(ID, { type: 'start' }, { key: 'once' });
    expect(answered).toMatchObject({ ok: false, code: 'access_denied', message: expect.stringContaining('42501') });
    expect(scene.o.state(ID)).toMatchObject({ stage: 'disabled', pending: null, rollback: null });
    expect(await scene.w.operate(ID, { type: 'start' }, { key: 'once', basedOn: 0 })).toMatchObject({ ok: false });
    await scene.minutes(2);
    expect(scene.nobodyReadsTheShadow()).toBe(true);
    mend();
    await scene.reach('r10');
  });

  it('that finds the database busy stands, and a tick arms it', async () => {
    const scene = run();
    await scene.minutes(2);
    const mend = breaks(scene, 'arm', away());
    expect(await scene.w.operate(ID, { type: 'start' })).toMatchObject({ ok: true });
    mend();
    await scene.minutes(2);
    expect(inside(scene.w, ID).direction).toBe('forward');
  });

  it('of a second store of states is refused with what is there, and changes nothing', async () => {
    const first = run();
    await first.reach('r10');
    const { epoch, version } = first.o.state(ID);
    const second = run();
    const status = await first.w.tables.inspecting.status(ID);
    const mend = replaceCall(second.w.ports, 'status', async () => status);
    const answered = await second.w.operate(ID, { type: 'start' });
    expect(answered).toMatchObject({ ok: false, code: 'conflict' });
    expect((answered as { message: string }).message).toContain(`(epoch ${epoch}, version ${version}, stage 'r10')`);
    expect(second.stage()).toBe('disabled');
    mend();
    // One that the mirror does not show, since it only armed, is found by arming.
    const cutover = {
      id: ID,
      table: { primary: 'public.customer', shadow: 'public.customer_v2' },
      validation: 'strict' as const,
    };
    await second.w.tables.capture.arm(cutover, { epoch: 9, version: 9 });
    expect(await second.w.operate(ID, { type: 'start' })).toMatchObject({ ok: false, code: 'conflict' });
    expect(second.stage()).toBe('disabled');
  });
});
