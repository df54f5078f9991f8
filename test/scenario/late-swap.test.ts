/** A swap back that lands after its intent was given up must not leave the cutover stuck. */

import { expect, it } from 'vitest';
import { ID, run, shortTable } from './run.ts';

it('I13, I23 a repeated rollback finds the swap that landed late, and the state follows', async () => {
  const scene = run({ cutovers: [shortTable()] });
  await scene.reach('completed');
  const completed = scene.o.state(ID);
  const cutover = {
    id: ID,
    table: { primary: 'public.customer', shadow: 'public.customer_v2' },
    validation: 'strict' as const,
  };

  // The database has gone back under epoch 3, but nobody told the state: the call's answer and its intent were lost.
  const late = {
    fromEpoch: completed.epoch,
    toEpoch: completed.epoch + 1,
    stage: 'rolled_back',
    version: completed.version + 2,
  };
  expect(await scene.w.tables.swapping.revert(cutover, late)).toMatchObject({ kind: 'swapped' });
  expect(await scene.w.tables.swapping.rollbackReady(ID)).toMatchObject({ ready: false });

  await scene.accepted({ type: 'rollback', reason: 'once more' });
  await scene.minutes(2);
  expect(scene.o.state(ID)).toMatchObject({ stage: 'rolled_back', epoch: completed.epoch + 1, pending: null });
});

it('I13 a swap whose intent was given up changes nothing when it lands at last, and a new one goes', async () => {
  const scene = run({ cutovers: [shortTable()] });
  await scene.reach('full_100');
  await scene.minutes(8);
  scene.w.tables.postpone(ID, 'old transactions');
  await scene.accepted({ type: 'complete', confirm: ID });
  const intent = scene.o.state(ID);
  const cutover = {
    id: ID,
    table: { primary: 'public.customer', shadow: 'public.customer_v2' },
    validation: 'strict' as const,
  };
  const call = () =>
    scene.w.tables.swapping.promote(cutover, {
      fromEpoch: intent.epoch,
      toEpoch: intent.epoch + 1,
      stage: 'completed',
      version: intent.version + 1,
    });
  await scene.minutes(12);
  expect(scene.o.state(ID)).toMatchObject({ stage: 'full_100', pending: null });

  scene.w.tables.postpone(ID, null);
  expect((await call()).kind).toBe('postponed');
  await scene.minutes(1);
  expect(scene.o.state(ID)).toMatchObject({ stage: 'full_100', epoch: intent.epoch });

  await scene.accepted({ type: 'complete', confirm: ID });
  await scene.minutes(2);
  expect(scene.o.state(ID)).toMatchObject({ stage: 'completed', epoch: intent.epoch + 1, pending: null });
});
