/**
 * Many lives from seeds: whatever the order of commands and faults, what must hold holds at every moment, and half an hour
 * after the faults have ended everything agrees. Planted bugs show that these lives would notice.
 */

import { describe, expect, it } from 'vitest';
import { initialState } from '../../lib/core/cutover/cutover.ts';
import type { Plant } from '../helpers/world.ts';
import { BEYOND, EDGES, edgesOf } from '../property/model/edges.ts';
import { declarationOf } from '../property/samples.ts';
import { PLANTS, type Planted } from './plants.ts';
import { type Outcome, simulate } from './simulation.ts';

/** Enough for every edge and every planted bug. */
const FEW = 40;
const FIRST_SEED = Number(process.env.CROSSFADE_SEED ?? 1);
/** More of them: CROSSFADE_SEEDS=1000. */
const SEEDS = Number(process.env.CROSSFADE_SEEDS ?? FEW);
/** Seeds that failed once. */
const CORPUS: readonly number[] = [];

const replay = (seed: number) =>
  `CROSSFADE_SEED=${seed} CROSSFADE_SEEDS=1 npx vitest run --project unit test/scenario/simulation.test.ts -t 'random lives'`;

async function lives(seeds: readonly number[]): Promise<Outcome[]> {
  const outcomes: Outcome[] = [];
  for (const seed of seeds) {
    outcomes.push(
      await simulate(seed).catch((error) => {
        throw new Error(`Seed ${seed}: ${error.message}\nReplay: ${replay(seed)}`, { cause: error });
      }),
    );
  }
  return outcomes;
}

const from = (first: number, count: number) => Array.from({ length: count }, (_, i) => first + i);

describe('I1, I2, I3, I17, I18, I19, I21, I26, I27, I29 random lives', () => {
  it(`${SEEDS} lives from seed ${FIRST_SEED}, and every one that failed once, keep every promise`, async () => {
    const outcomes = await lives([...CORPUS, ...from(FIRST_SEED, SEEDS)]);
    if (SEEDS < FEW) return;
    // A simulation in which little happens proves little.
    const ended = outcomes.filter(({ stage }) => stage === 'completed' || stage === 'cleaned').length;
    expect(ended / outcomes.length).toBeGreaterThan(0.8);
    const moves = outcomes.reduce((sum, outcome) => sum + outcome.moves, 0);
    expect(moves / outcomes.length).toBeGreaterThan(20);
    const edges = edgesOf(
      outcomes.map(({ log }) => log),
      initialState(declarationOf('table')),
    );
    expect([...edges].filter((edge) => ![...EDGES, ...BEYOND].includes(edge))).toEqual([]);
    expect(edges.size).toBeGreaterThan(7);
  });
});

/** What each bug breaks, and a seed that shows it soon. The same seeds keep every promise without it: see above. */
const BROKEN: Readonly<Record<Planted, [RegExp, number]>> = {
  no_version_condition: [/I17|I18|I19/, 6],
  publish_on_events: [/I26|I27/, 5],
  dwell_in_ticks: [/I21.*minutes/, 1],
  zero_samples_pass: [/I21.*(data|samples)/, 22],
  quarantine_does_not_gate: [/I21.*quarantine/, 28],
  unknown_is_failure: [/I1 |I26|I27/, 8],
};

describe('negative control: within as many lives a planted bug is caught for what it breaks', () => {
  it.each(Object.keys(BROKEN) as Planted[])('%s', async (name) => {
    const plant: Plant = PLANTS[name];
    const [broken, first] = BROKEN[name];
    let caught = '';
    for (let n = 0; n < SEEDS && !caught; n += 1) {
      const seed = 1 + ((first - 1 + n) % SEEDS);
      await simulate(seed, plant).catch((error: Error) => {
        if (broken.test(error.message)) caught = `seed ${seed}: ${error.message}`;
      });
    }
    expect(caught).not.toBe('');
  });
});
