/**
 * Chaos itself: a scene with a fault on purpose fails, and by the check that is there for it. The other faults take a minute each:
 * npm run chaos -- --plant NAME
 */

import { expect, it } from 'vitest';
import { PLANTS, planted } from '../chaos/plants.ts';
import { rounds } from '../chaos/rounds.ts';

const SEED = Number(process.env.CROSSFADE_SEED ?? Math.floor(Math.random() * 2 ** 20));
const NAME = 'ack-before-commit';
const plant = PLANTS[NAME]!;

it(`chaos notices the fault '${NAME}', as npm run chaos -- --plant ${NAME} --seed ${SEED}`, async () => {
  const { value: round } = await rounds([plant.scene], SEED, planted(plant)).next();
  expect(round.said).toMatch(plant.notices);
  expect(round.held).toBe(false);
});
