/** Others alter the tables, or switch capture off, while a cutover runs: it is held with what differs, no force helps, nothing is lost. */

import { describe, expect, it } from 'vitest';
import type { ShapeDifference } from '../../lib/core/gates/table-status.ts';
import { report } from '../../lib/flows/report/report.ts';
import { adopt } from '../../lib/flows/rows/adopt.ts';
import { DWELL_MINUTES, ID, run, SERVING, shortTable } from './run.ts';

const ADDED: ShapeDifference[] = [{ object: 'column 5 of public.customer', was: null, is: 'paid_at timestamptz' }];
const FORCE = { force: true, reason: 'now' } as const;

/** The application writes a row, and no trigger sees it. */
function miss({ w }: ReturnType<typeof run>, key: number): void {
  w.tables.miss(ID, key, 'unseen');
  (w.app.twin(ID) as Map<number, string>).set(key, 'unseen');
}

const reported = async ({ w }: ReturnType<typeof run>) =>
  (await report(w.ports, [shortTable()], { only: ID })).cutovers[0]!;

describe('a column that is added while it runs', () => {
  it.each(SERVING)('holds in %s, by force too, and a rollback is possible', async (stage) => {
    const scene = run();
    await scene.reach(stage);
    await scene.minutes(1);
    scene.w.tables.alter(ID, ADDED);
    await scene.minutes(3 * DWELL_MINUTES);
    expect(scene.stage()).toBe(stage);
    expect(await scene.held()).toContain('schema_changed');
    const command =
      stage === 'full_100' ? ({ type: 'complete', confirm: ID } as const) : ({ type: 'advance' } as const);
    for (const how of [{}, FORCE])
      expect(await scene.w.operate(ID, { ...command, ...how })).toMatchObject({
        ok: false,
        code: 'held',
        message: expect.stringContaining('column 5 of public.customer is new (paid_at timestamptz)'),
      });
    await scene.accepted({ type: 'rollback', reason: 'altered' });
    expect(scene.stage()).toBe('rolled_back');
  });

  it('is over when it is undone, and only after every row was copied and compared again', async () => {
    const scene = run();
    await scene.reach('r10');
    scene.w.tables.alter(ID, ADDED);
    await scene.minutes(2);
    scene.w.tables.alter(ID, []);
    scene.w.faults.verify = false;
    await scene.minutes(3 * DWELL_MINUTES);
    expect(await scene.held()).toContain('sweep');
    scene.w.faults.verify = true;
    await scene.until('r50', 10);
  });

  it('is taken over by a command that is audited, and goes on after every row was compared', async () => {
    const scene = run();
    await scene.reach('r10');
    const before = shortTable();
    await expect(adopt(scene.w.ports, { ...before, id: 'other' }, { actor: 'ada' })).rejects.toMatchObject({
      code: 'illegal_transition',
    });
    scene.w.tables.alter(ID, ADDED);
    await scene.minutes(3 * DWELL_MINUTES);
    scene.w.tables.refuse(ID, 'column paid_at would be lost');
    await expect(adopt(scene.w.ports, before, { actor: 'ada' })).rejects.toMatchObject({ code: 'refused_table' });
    scene.w.tables.refuse(ID, null);
    await adopt(scene.w.ports, before, { actor: 'ada', reason: 'both have it' });
    const [entry] = await scene.w.state.readAudit(ID, { limit: 1 });
    expect(entry).toMatchObject({
      actor: 'ada',
      event: { type: 'rows_handled', action: 'shape_adopted', reason: 'both have it' },
    });
    expect((await scene.w.tables.inspecting.status(ID))!.shape).toMatchObject({
      differences: [],
      gap: expect.any(String),
    });
    await scene.until('r50', 10);
  });

  it('closes the way back of a promoted table, and status, alert and exit say so', async () => {
    const scene = run();
    await scene.reach('completed');
    expect(await reported(scene)).toMatchObject({ health: 'done' });
    scene.w.tables.alter(ID, [{ object: 'table public.customer_old', was: 'public.customer_old', is: null }]);
    await scene.minutes(2);
    const said = expect.stringContaining('table public.customer_old is gone');
    expect(await reported(scene)).toMatchObject({
      health: 'held',
      nextSteps: [said, expect.anything()],
      recommendation: said,
    });
    expect(await scene.w.operate(ID, { type: 'rollback', reason: 'back' })).toMatchObject({
      ok: false,
      code: 'rollback_not_ready',
      message: said,
    });
    const alert = (await scene.w.ports.alerts.readAll()).find(({ rule }) => rule === 'schema_changed');
    expect(alert).toMatchObject({ status: 'firing', severity: 'critical', text: said });
    // What is left to do is possible.
    await scene.accepted({ type: 'cleanup', confirm: ID });
  });
});

describe('writes while the triggers are off', () => {
  it.each(['r50', 'full_100', 'completed'])(
    'in %s are found by a copy and a comparison of every row',
    async (stage) => {
      const scene = run();
      await scene.reach(stage);
      for (const key of [3, 4, 901]) miss(scene, key);
      if (stage === 'completed')
        expect(await scene.w.operate(ID, { type: 'rollback', reason: 'back' })).toMatchObject({ ok: false });
      if (stage === 'full_100')
        expect(await scene.w.operate(ID, { type: 'complete', confirm: ID, ...FORCE })).toMatchObject({
          ok: false,
          code: 'held',
        });
      await scene.minutes(8);
      const { authoritative, follower } = scene.w.tables.rows(ID);
      expect([...authoritative].filter(([key, value]) => follower.get(key) !== value)).toEqual([]);
      expect((await scene.w.tables.inspecting.status(ID))!.shape).toMatchObject({ gap: null, due: false });
      if (stage === 'completed') await scene.accepted({ type: 'rollback', reason: 'back' });
    },
  );

  it('negative control: without the watch of the tick they are missing for good', async () => {
    const plant = {
      ports: (ports: ReturnType<typeof run>['w']['ports']) => ({
        ...ports,
        capture: { ...ports.capture, watch: async () => ({ kind: 'watched' as const }) },
        verifying: { ...ports.verifying, verify: async () => ({ kind: 'unready' as const, why: 'off' }) },
      }),
    };
    const scene = run({ plant });
    await scene.reach('dual_write');
    await scene.minutes(3);
    miss(scene, 901);
    await scene.minutes(5);
    expect(scene.w.tables.rows(ID).follower.has(901)).toBe(false);
    expect(await scene.held()).toContain('sweep');
  });
});
