/** A rollback waits for nothing: not for a promotion that is pending, not for a database that does not answer. */

import { describe, expect, it } from 'vitest';
import { CrossfadeError } from '../../lib/core/base/errors.ts';
import { emergencyStop, rollBackSystem } from '../../lib/flows/control/stop.ts';
import { type CutoverReport, report } from '../../lib/flows/report/report.ts';
import { replaceCall, type TableCall } from '../helpers/table-ports.ts';
import { declarationOf } from '../property/samples.ts';
import { inside } from './oracle.ts';
import { DWELL_MINUTES, ID, type Run, run, SHORT, shortTable } from './run.ts';

const ROLLBACK = { type: 'rollback', reason: 'wrong totals' } as const;

/** At 100 %, with a promotion that waits behind somebody's open transaction. */
async function waiting(scene: Run = run()): Promise<Run> {
  await scene.reach('full_100');
  await scene.minutes(DWELL_MINUTES + 3);
  scene.w.tables.postpone(ID, 'one reader is open');
  expect(await scene.accepted({ type: 'complete', confirm: ID })).toMatchObject({ answer: { pending: 'promote' } });
  return scene;
}

/** From now on this call of the database throws, every time, until the function that is returned is called. */
function breaks(scene: Run, call: TableCall, error: Error): () => void {
  return replaceCall(scene.w.ports, call, async () => {
    throw error;
  });
}
const away = () => new CrossfadeError('database_unavailable', 'Postgres did not answer.', { retryable: true });
const missing = () => new CrossfadeError('refused_table', 'Table public.customer_old does not exist.');

describe('I23 a rollback while a promotion is pending', () => {
  it('withdraws it and rolls back in the same command, and no late swap happens', async () => {
    const scene = await waiting();
    const intent = scene.o.state(ID);
    expect(await scene.accepted(ROLLBACK)).toMatchObject({
      published: true,
      answer: { stage: 'rolled_back', pending: null, epoch: intent.epoch + 1 },
    });
    expect(scene.o.state(ID).rollback).toMatchObject({ fromStage: 'full_100', reason: 'wrong totals', actor: 'ada' });
    scene.w.tables.postpone(ID, null);
    const late = {
      fromEpoch: intent.epoch,
      toEpoch: intent.epoch + 1,
      stage: 'completed',
      version: intent.version + 1,
    };
    const cutover = {
      id: ID,
      table: { primary: 'public.customer', shadow: 'public.customer_v2' },
      validation: 'strict' as const,
    };
    expect((await scene.w.tables.swapping.promote(cutover, late)).kind).not.toBe('swapped');
    await scene.minutes(2);
    expect(scene.nobodyReadsTheShadow()).toBe(true);
    expect(inside(scene.w, ID).direction).toBe('none');
  });

  it('is fenced off in the database first: where it is not, a late swap comes through, and is seen (negative control)', async () => {
    const scene = await waiting();
    const intent = scene.o.state(ID);
    const { swapping, switches, capture } = scene.w.ports;
    swapping.abandon = async () => ({ kind: 'abandoned' });
    // The second fence, which is the epoch of the mirror: it comes later, with the flags.
    switches.mirror = async () => ({ kind: 'written' });
    capture.disarm = async () => ({ kind: 'disarmed' });
    expect(await scene.accepted(ROLLBACK)).toMatchObject({ answer: { stage: 'rolled_back' } });
    scene.w.tables.postpone(ID, null);
    const late = {
      fromEpoch: intent.epoch,
      toEpoch: intent.epoch + 1,
      stage: 'completed',
      version: intent.version + 1,
    };
    const cutover = {
      id: ID,
      table: { primary: 'public.customer', shadow: 'public.customer_v2' },
      validation: 'strict' as const,
    };
    expect((await scene.w.tables.swapping.promote(cutover, late)).kind).toBe('swapped');
    expect(inside(scene.w, ID).direction).toBe('reverse');
  });

  it('goes on from the completed stage when the swap has happened and nobody was told', async () => {
    const scene = run();
    await scene.reach('full_100');
    await scene.minutes(DWELL_MINUTES + 3);
    scene.w.tables.failNext('promote', true);
    const { epoch } = scene.o.state(ID);
    expect(await scene.accepted({ type: 'complete', confirm: ID })).toMatchObject({ answer: { pending: 'promote' } });
    expect(await scene.accepted(ROLLBACK)).toMatchObject({ answer: { stage: 'rolled_back', epoch: epoch + 2 } });
    expect(scene.o.state(ID).rollback).toMatchObject({ fromStage: 'completed', reason: 'wrong totals' });
    await scene.minutes(2);
    expect(inside(scene.w, ID).direction).toBe('none');
  });

  it.each([
    ['does not answer', away],
    ['throws for ever', missing],
    ['fails in the driver', () => new TypeError('torn')],
  ])('while the database %s takes the readers away at once, and the rest follows by itself', async (_, error) => {
    const scene = await waiting();
    const mend = (['promote', 'abandon', 'status', 'statuses'] as const).map((call) => breaks(scene, call, error()));
    expect(await scene.accepted(ROLLBACK)).toMatchObject({
      answer: { stage: 'full_100', pending: 'rollback', sharePpm: 0 },
    });
    // Whoever asks again is told the same, and refused nothing.
    expect(await scene.accepted(ROLLBACK)).toMatchObject({ answer: { pending: 'rollback' } });
    expect(scene.w.served()!.cutovers[ID]).toMatchObject({ read_ppm: 0 });
    scene.o.calm(false);
    scene.w.failures.length = 0;
    for (const heal of mend) heal();
    await scene.minutes(2);
    expect(scene.o.state(ID)).toMatchObject({ stage: 'rolled_back', pending: null, rollback: { actor: 'ada' } });
    expect(inside(scene.w, ID).direction).toBe('none');
  });

  it.each(['stop', 'rollback-system'] as const)('is what %s does, too', async (how) => {
    const scene = await waiting();
    const { ports, cutovers } = scene.w;
    const asked = { reason: 'fire', actor: 'ada', confirm: 'system' };
    const result = await (how === 'stop' ? emergencyStop : rollBackSystem)(ports, cutovers, asked);
    expect(result).toEqual({ published: true, cutovers: [{ id: ID, from: 'full_100', to: 'rolled_back' }] });
    scene.w.tables.postpone(ID, null);
    await scene.minutes(2);
    expect(scene.stage()).toBe('rolled_back');
  });

  it('is what a guard does on a tick, with the reason of the guard', async () => {
    const scene = await waiting();
    await scene.minutes(1);
    expect(scene.o.state(ID).pending?.action).toBe('promote');
    const value = '999';
    for (let key = 1; key <= 40; key += 1) scene.w.tables.tamper(ID, key, value);
    await scene.until('rolled_back', 12);
    expect(scene.o.state(ID).rollback).toMatchObject({ cause: 'guard', reason: expect.stringContaining('differ') });
  });

  it('takes the peers of a cohort with it, and one whose promotion is pending', async () => {
    const cohort = { cohort: 'orders', salt: 'orders' };
    const peer = declarationOf('component', { id: 'planner', plan: SHORT, ...cohort });
    const scene = run({ cutovers: [shortTable(cohort), peer] });
    await scene.minutes(2);
    for (const id of [ID, 'planner']) expect(await scene.w.operate(id, { type: 'start' })).toMatchObject({ ok: true });
    const force = { force: true, reason: 'rehearsal' };
    for (let step = 0; step < 3; step += 1) {
      await scene.minutes(2);
      await scene.accepted({ type: 'advance', ...force });
    }
    await scene.minutes(2);
    scene.w.tables.postpone(ID, 'one reader is open');
    expect(await scene.w.operate(ID, { type: 'complete', confirm: ID, ...force })).toMatchObject({
      answer: { pending: 'promote' },
    });
    expect(await scene.w.operate('planner', ROLLBACK)).toMatchObject({ ok: true });
    expect(scene.stage()).toBe('rolled_back');
  });
});

describe('what is pending and waits', () => {
  const seen = async ({ w }: Run) => (await report(w.ports, [shortTable()], { only: ID })).cutovers[0] as CutoverReport;
  const HELD = "the locks were not granted. Held by 'psql' (process 7). Let that transaction end, or end it.";

  it('says for what, since when, until when, and what ends it: in the answer, in status, and as a condition', async () => {
    const scene = run();
    await scene.reach('completed');
    scene.w.tables.postpone(ID, HELD);
    expect(await scene.accepted(ROLLBACK)).toMatchObject({ answer: { pending: 'revert', waits: HELD } });
    await scene.minutes(2);
    const shown = await seen(scene);
    const clock = (ms: number) => `${new Date(ms).toISOString().slice(11, 16)} UTC`;
    const { sinceMs } = scene.o.state(ID).pending!;
    const text = `The rollback that ada asked for at ${clock(sinceMs)} waits: ${HELD} Every tick tries again; after ${clock(sinceMs + 10 * 60_000)} it is given up, and that is said.`;
    expect(shown.nextSteps).toEqual([text]);
    expect(shown).toMatchObject({ health: 'rolling_back', recommendation: `Wait: ${text}` });
    const [waits] = shown.verdict.reasons.filter(({ code }) => code === 'pending');
    expect(waits).toMatchObject({ text, limit: 10 });
    expect(waits!.value).toBeGreaterThanOrEqual(1);

    scene.w.tables.postpone(ID, null);
    await scene.minutes(1);
    const after = await seen(scene);
    expect(after).toMatchObject({ stage: 'rolled_back', pending: null });
    expect(after.verdict.conditions.map(({ code }) => code)).not.toContain('pending');
  });

  it('is not told with the reason of an earlier one', async () => {
    const scene = run();
    await scene.reach('completed');
    scene.w.tables.postpone(ID, 'somebody reads');
    await scene.accepted(ROLLBACK);
    await scene.minutes(12);
    expect(scene.o.state(ID).pending).toBeNull();
    await scene.accepted(ROLLBACK);
    expect((await seen(scene)).nextSteps).toEqual(['revert is being carried out; nothing to do']);
    await scene.minutes(1);
    expect((await seen(scene)).nextSteps[0]).toContain('somebody reads');
  });

  it('says how a promotion is withdrawn; of a withdrawn one, that the database is asked', async () => {
    const scene = await waiting();
    await scene.minutes(1);
    const shown = await seen(scene);
    expect(shown.health).toBe('held');
    expect(shown.nextSteps).toEqual([
      expect.stringMatching(/^The promotion that ada .* waits: one reader is open\. .*'crossfade rollback customer/),
    ]);
    const mend = breaks(scene, 'abandon', away());
    expect(await scene.accepted(ROLLBACK)).toMatchObject({
      answer: { pending: 'rollback', waits: expect.any(String) },
    });
    await scene.minutes(1);
    const asking = await seen(scene);
    expect(asking.health).toBe('rolling_back');
    expect(asking.nextSteps[0]).toMatch(
      /^The rollback that ada .* waits until the database says whether the promotion has happened: Postgres did not answer\./,
    );
    scene.o.calm(false);
    scene.w.failures.length = 0;
    mend();
    await scene.minutes(2);
    expect(scene.stage()).toBe('rolled_back');
  });

  it('says under a stop that no promotion begins', async () => {
    const scene = await waiting();
    const mend = breaks(scene, 'abandon', away());
    const asked = { reason: 'fire', actor: 'ada', confirm: 'system' };
    const { cutovers } = await emergencyStop(scene.w.ports, scene.w.cutovers, asked);
    expect(cutovers).toEqual([
      { id: ID, from: 'full_100', to: expect.stringContaining('rollback pending: Postgres did not answer.') },
    ]);
    mend();
    scene.o.calm(false);
    scene.w.failures.length = 0;
    await scene.minutes(2);
    expect(scene.stage()).toBe('rolled_back');
  });
});

describe('I23 a rollback while a cleanup is pending', () => {
  it('withdraws it, and a cleanup that is still under way drops nothing', async () => {
    const scene = run();
    await scene.reach('completed');
    scene.w.tables.failNext('cleanup');
    expect(await scene.accepted({ type: 'cleanup', confirm: ID })).toMatchObject({ answer: { pending: 'cleanup' } });
    const intent = scene.o.state(ID);
    scene.w.tables.postpone(ID, 'one reader is open');
    expect(await scene.accepted(ROLLBACK)).toMatchObject({ answer: { stage: 'completed', pending: 'revert' } });
    const cutover = {
      id: ID,
      table: { primary: 'public.customer', shadow: 'public.customer_v2' },
      validation: 'strict' as const,
    };
    const late = scene.w.tables.swapping.cleanup(cutover, intent.epoch, { version: intent.version + 1 });
    await expect(late).rejects.toMatchObject({ code: 'stale_epoch' });
    scene.w.tables.postpone(ID, null);
    await scene.minutes(2);
    expect(scene.stage()).toBe('rolled_back');
  });
});

describe('a rollback of a promoted table', () => {
  it('is recorded while Postgres is away, and carried out when it is back', async () => {
    const scene = run();
    await scene.reach('completed');
    const mend = (['rollbackReady', 'revert', 'status'] as const).map((call) => breaks(scene, call, away()));
    expect(await scene.accepted(ROLLBACK)).toMatchObject({ answer: { stage: 'completed', pending: 'revert' } });
    for (const heal of mend) heal();
    await scene.minutes(2);
    expect(scene.stage()).toBe('rolled_back');
  });

  it('whose old table is gone is refused at once with what is missing, and told until the next command', async () => {
    const scene = run();
    await scene.reach('completed');
    const mend = breaks(scene, 'revert', missing());
    const answered = await scene.w.operate(ID, ROLLBACK, { key: 'once' });
    expect(answered).toMatchObject({ ok: false, code: 'rollback_not_ready' });
    expect(answered).toMatchObject({
      message: expect.stringMatching(/customer_old does not exist.*repeat 'crossfade rollback/s),
    });
    expect(await scene.w.operate(ID, ROLLBACK, { key: 'once', basedOn: 0 })).toEqual(answered);
    expect(scene.o.state(ID)).toMatchObject({ stage: 'completed', pending: null, dropped: { action: 'revert' } });

    // A tick whose intent is dropped says so, too.
    await scene.minutes(1);
    const alert = (await scene.w.alerts.readAll()).find(({ rule }) => rule === 'intent_dropped');
    expect(alert).toMatchObject({ status: 'firing', severity: 'critical' });
    expect(alert!.text).toContain('customer_old does not exist');
    mend();
    await scene.accepted(ROLLBACK);
    await scene.minutes(5);
    expect(scene.o.state(ID)).toMatchObject({ stage: 'rolled_back', dropped: null });
    expect((await scene.w.alerts.read(`${ID}.intent_dropped`))!.status).toBe('quiet');
  });

  it('that keys in quarantine keep from happening is dropped by a tick with their number', async () => {
    const scene = run();
    await scene.reach('completed');
    scene.w.tables.postpone(ID, '1 keys are in quarantine, first {"id": 7}');
    await scene.accepted(ROLLBACK);
    await scene.minutes(12);
    expect(scene.o.state(ID)).toMatchObject({ stage: 'completed', pending: null });
    expect(scene.o.state(ID).dropped!.why).toContain('1 keys are in quarantine');
    expect((await scene.w.alerts.read(`${ID}.intent_dropped`))!.text).toContain('quarantine');
  });
});
