/**
 * Whatever is read from outside, broken in ways that nobody wrote down: what reaches new code is kept and broken further.
 *
 * More of them: npm run fuzz -- --inputs 1000000
 */

import { describe, expect, it } from 'vitest';
import { fuzz, guidedReaders } from '../fuzz/guided.ts';
import { PLANT } from '../fuzz/plant.ts';
import { READERS } from '../fuzz/readers.ts';

const seed = Number(process.env.CROSSFADE_SEED ?? 1);

describe('readers of what comes from outside', () => {
  it.each(Object.entries(READERS))('%s: what they are broken from is right', (_, { seeds, holds }) => {
    expect(seeds.map(holds)).toEqual(seeds.map(() => true));
  });

  it('give what their types promise, or refuse with a code of their own', async () => {
    const { readers, branches } = await guidedReaders([]);
    for (const [name, reader] of Object.entries(readers)) {
      const { finding, kept } = fuzz(reader, { seed, inputs: 300 }, branches);
      expect(finding, `npm run fuzz -- ${name} --seed ${seed}`).toBeNull();
      expect(kept, `${name}: what reached more is kept`).toBeGreaterThan(reader.seeds.length);
    }
  });

  it('have a fault behind three conditions that guidance finds, and breaking the seeds as often does not (negative control)', async () => {
    const { readers, branches } = await guidedReaders([PLANT]);
    const budget = { seed: 100_000, inputs: 2_000 };
    expect(fuzz(readers.flags!, budget, branches).finding?.error).toContain('The planted fault.');
    expect(fuzz(readers.flags!, budget, null).finding).toBeNull();
  });

  it('would be noticed if one did not look at what it is given (negative control)', async () => {
    const { readers, branches } = await guidedReaders([['lib/schemas/stream.ts', 'image?.id?.S', 'image.id.S']]);
    expect(fuzz(readers.event!, { seed, inputs: 300 }, branches).finding?.error).toContain('TypeError');
  });
});
