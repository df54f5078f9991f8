/** Criteria of the user's own through the life of a table: they hold, take back, and are asked until the old side is dropped. */

import { describe, expect, it } from 'vitest';
import type { Criterion } from '../../lib/core/cutover/criterion.ts';
import { report } from '../../lib/flows/report/report.ts';
import { ID, run, shortTable } from './run.ts';

const ARN = 'arn:aws:cloudwatch:eu-central-1:123456789012:alarm:slow';
const ROWS: Criterion = {
  name: 'rows',
  equal: { primary: 'SELECT * FROM {primary}', shadow: 'SELECT * FROM {shadow}' },
  onFailure: 'rollback',
  everyMinutes: 2,
};
const ALARM: Criterion = { name: 'slow', alarm: ARN, onFailure: 'hold', everyMinutes: 1 };

function live(...criteria: Criterion[]) {
  const cutovers = [shortTable({ criteria })];
  const scene = run({ cutovers });
  const alarm = (state: 'OK' | 'ALARM') =>
    scene.w.criteria.setAlarm(ARN, { state, sinceMs: scene.w.clock.now(), reason: 'tried' });
  alarm('OK');
  return { ...scene, alarm, reported: async () => (await report(scene.w.ports, cutovers, { only: ID })).cutovers[0]! };
}

describe('a criterion in the life of a table', () => {
  it('lets it go through all stages while it passes, though the table is written all the time', async () => {
    const scene = live(ROWS, ALARM);
    await scene.reach('completed');
    expect(await scene.reported()).toMatchObject({ health: 'done' });
    await scene.accepted({ type: 'cleanup', confirm: ID });
  });

  it('that fails takes it back from a stage that is read, with the rows that differ', async () => {
    const scene = live(ROWS);
    await scene.reach('r10');
    const [key] = [...scene.w.tables.rows(ID).follower.keys()];
    scene.w.tables.tamper(ID, key!, 'wrong');
    await scene.until('rolled_back', 4);
    expect(scene.o.state(ID).rollback).toMatchObject({
      cause: 'guard',
      reason: expect.stringMatching(/Invariant 'rows' is broken in 1 of \d+ rows: .*new wrong/),
    });
  });

  it('on a metric that the application records takes it back, with both sides', async () => {
    const basket: Criterion = {
      name: 'basket',
      value: 'basket',
      atLeast: { ofPrimary: 0.9 },
      minSamples: 50,
      windowMinutes: 30,
      everyMinutes: 1,
      onFailure: 'rollback',
    };
    const scene = live(basket);
    let worth = 10;
    const record = async () => {
      const minute = Math.floor(scene.w.clock.now() / 60_000);
      const sums = (['primary', 'shadow'] as const).map((side) => {
        const mean = side === 'primary' ? 10 : worth;
        return {
          cutover: ID,
          minute,
          side,
          metric: 'value.basket',
          n: 20,
          sum: 20 * mean,
          squares: 20 * (mean ** 2 + 4),
        };
      });
      await scene.w.ports.customMetrics.add(`f${minute}`, 'app', sums);
    };
    await scene.reach('dual_write');
    await scene.until('r10', 60, record);
    await scene.until('r50', 20, record);
    worth = 6;
    await scene.until('rolled_back', 12, record);
    expect(scene.o.state(ID).rollback!.reason).toMatch(
      /^'basket' of the shadow is [678]\.?\d* on average \(\d+ operations\); at least 9, 90 % of the primary's 10, is wanted\./,
    );
  });

  it('that holds can be overruled by force, and says so until it passes', async () => {
    const scene = live(ALARM);
    await scene.reach('r10');
    scene.alarm('ALARM');
    await scene.minutes(10);
    expect([scene.stage(), await scene.held()]).toEqual(['r10', ['alarm']]);
    expect(await scene.w.operate(ID, { type: 'advance' })).toMatchObject({
      code: 'held',
      message: expect.stringContaining("'slow' is in ALARM: tried"),
    });
    await scene.accepted({ type: 'advance', force: true, reason: 'known' });
    scene.alarm('OK');
    await scene.until('full_100', 20);
  });

  it('that fails after promotion keeps the way back, until it passes or is declared no more', async () => {
    const scene = live(ROWS, ALARM);
    await scene.reach('completed');
    scene.alarm('ALARM');
    await scene.minutes(1);
    const said = expect.stringContaining("'slow' is in ALARM");
    expect(await scene.reported()).toMatchObject({
      health: 'held',
      nextSteps: [expect.stringContaining('rollback'), said],
    });
    expect(await scene.w.operate(ID, { type: 'cleanup', confirm: ID })).toMatchObject({ code: 'held', message: said });
    scene.alarm('OK');
    await scene.minutes(1);
    await scene.accepted({ type: 'cleanup', confirm: ID });
  });

  it('that cannot be read at all holds, and the tick goes on', async () => {
    const scene = live(ALARM);
    await scene.reach('r10');
    const { alarms } = scene.w.criteria;
    scene.w.criteria.alarms = () => Promise.reject(new Error('no client'));
    await scene.minutes(2);
    expect((await scene.verdict())!.reasons.filter(({ code }) => code === 'alarm')).toMatchObject([
      { seen: 'not read', says: expect.stringContaining('cannot be read: no client') },
    ]);
    scene.w.criteria.alarms = alarms;
    await scene.until('r50', 20);
  });

  it('is not asked before the start, nor after a rollback', async () => {
    const scene = live(ALARM);
    scene.alarm('ALARM');
    await scene.minutes(2);
    expect(await scene.reported()).toMatchObject({ health: 'idle' });
    await scene.accepted({ type: 'start' });
    await scene.minutes(3);
    expect(await scene.held()).toContain('alarm');
    await scene.accepted({ type: 'rollback', reason: 'enough' });
    await scene.minutes(2);
    expect((await scene.verdict())!.conditions.filter(({ code }) => code === 'alarm')).toEqual([]);
  });
});
