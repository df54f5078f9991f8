/**
 * I26 I33 An Express application that was written from the SDK's page alone. New reads that throw take the cutover back, and no
 * user gets an error.
 */

import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { DEFAULT_POLICY } from '../../lib/core/cutover/cutover.ts';
import { type ExpressApplication, expressApplication } from '../helpers/express-application.ts';
import type { Replacement } from '../helpers/replace-once.ts';
import { NOW } from '../property/samples.ts';
import { ID, run, shortTable } from './run.ts';

const REQUESTS_A_MINUTE = 480;
/** It takes five. */
const MINUTES = 8;
/** One in 33: 3 %. */
const FAIL_EVERY = 33;

let application: ExpressApplication | undefined;
let scene: ReturnType<typeof run>;

beforeEach(() => {
  // Nobody else reads: what the gates judge, by the limits that nobody has set, is what this application has sent.
  scene = run({ cutovers: [shortTable({ policy: DEFAULT_POLICY })], load: { readsPerMinute: 0 } });
  const real = performance.now.bind(performance);
  const { clock } = scene.w;
  vi.spyOn(Date, 'now').mockImplementation(() => clock.now());
  vi.spyOn(performance, 'now').mockImplementation(() => real() + clock.now() - NOW);
});
afterEach(async () => {
  await application?.close();
  application = undefined;
  vi.restoreAllMocks();
});

/** From the start of the cutover to half of the reads, and on until `minutes` have passed or it is rolled back. */
async function half(failEvery: number, minutes: number, changes: readonly Replacement[] = []) {
  application = await expressApplication(scene.w, failEvery, changes);
  await scene.minutes(1);
  await scene.accepted({ type: 'start' });
  await application.minute(REQUESTS_A_MINUTE);
  for (const stage of ['r10', 'r50']) {
    await scene.accepted({ type: 'advance', force: true, reason: 'tried' });
    expect(scene.stage()).toBe(stage);
  }
  for (let minute = 0; minute < minutes && scene.stage() === 'r50'; minute += 1)
    await application.minute(REQUESTS_A_MINUTE);
  return { ...application.seen, rollback: scene.o.state(ID).rollback };
}

describe('an Express application of which 3 % of the new reads throw', () => {
  it('is rolled back, and its users get no error', async () => {
    const { answers, errors, rollback } = await half(FAIL_EVERY, MINUTES);
    expect(rollback).toMatchObject({
      fromStage: 'r50',
      actor: 'tick',
      reason: expect.stringMatching(/fails [\d.]+ % of its operations/),
    });
    expect({ errors, some: answers > 1_000 }).toEqual({ errors: 0, some: true });
  });

  it('negative control: without one that throws it is not rolled back', async () => {
    expect(await half(0, MINUTES)).toMatchObject({ errors: 0, rollback: null });
  });

  it('negative control: users of one that does not fall back do get errors', async () => {
    const changes: Replacement[] = [['key: id,', 'key: id, fallback: false,']];
    const { errors } = await half(FAIL_EVERY, 1, changes);
    expect(errors).toBeGreaterThan(2);
  });
});
