/**
 * Model of retries: the real flows, any interleaving at every await, and what must be true at the end of each story: one
 * key is one write on each side, both sides hold the same, and no person was asked. Each rule is taken back once.
 */

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { live, type Step, stories } from '../../helpers/retry-stories.ts';
import type { Flows, WorldOptions } from '../../helpers/retry-world.ts';
import { type Fault, sourceMutant } from '../../helpers/source-mutant.ts';

const handedOver = fc
  .tuple(stories, fc.nat())
  .map(([steps, at]): Step[] => steps.toSpliced(at % (steps.length + 1), 0, { do: 'complete' }));

const WORLDS: Readonly<Record<string, { options: WorldOptions; told: typeof stories }>> = {
  'through the gateway': { options: {}, told: stories },
  'through the gateway, to services that answer 404 for what is gone': { options: { strict: true }, told: stories },
  'through the SDK': { options: { through: 'sdk' }, told: stories },
  'through the gateway after completion': { options: { stage: 'completed' }, told: stories },
  'through the gateway, completed in between': { options: { stage: 'full_100' }, told: handedOver },
  'through the SDK, completed in between': { options: { stage: 'full_100', through: 'sdk' }, told: handedOver },
};

const law = ({ options, told }: (typeof WORLDS)[string], flows?: Flows) =>
  fc.asyncProperty(told, async (steps) => {
    expect(await live(steps, flows ? { ...options, flows } : options)).toEqual([]);
  });

describe('I6 retries in any order, with deaths, lost answers and late wake-ups', () => {
  it.each(Object.entries(WORLDS))('are one write on each side %s', async (_, world) => {
    await fc.assert(law(world), { numRuns: 150 });
  });
});

const LATER = 'lib/core/forwards/later-writes.ts';
const OUTCOMES = 'lib/core/forwards/forward.ts';
const APPLY = 'lib/flows/forwards/apply-forwards.ts';
const ENTRIES = [
  'lib/flows/forwards/write-both.ts',
  APPLY,
  'lib/flows/forwards/record-write.ts',
  'lib/client/write-cutover.ts',
];

const gateway = WORLDS['through the gateway']!;
const strict = WORLDS['through the gateway, to services that answer 404 for what is gone']!;
const completed = WORLDS['through the gateway, completed in between']!;

/** With the seed whose stories find it soon. */
const FAULTS: readonly (readonly [name: string, seed: number, world: typeof gateway, fault: Fault])[] = [
  [
    'a later success under the same key says nothing of the earlier ones',
    1,
    gateway,
    [LATER, 'later.some((one) => isReady(one) && isSameWrite(one, forward))', 'later.length < 0'],
  ],
  ['a PUT replaces nothing', 4, gateway, [LATER, "return method === 'PUT' && isAtIt;", 'return false;']],
  ['a DELETE removes nothing', 5, gateway, [LATER, 'return isAtIt || (', 'return false && (']],
  [
    'its side is asked although there are later ones',
    28,
    gateway,
    [LATER, 'if (!last)', 'if (!last || isInDoubt(last))'],
  ],
  [
    'of two in doubt the last is not asked first',
    4,
    gateway,
    [LATER, 'if (mayAnswer && isInDoubt(last))', 'if (!last)'],
  ],
  [
    'later ones are those of an old list',
    14,
    gateway,
    [APPLY, '(await ports.forwards.open(head.cutover, head.orderKey))', '([] as ForwardHead[])'],
  ],
  [
    'a DELETE that finds nothing is refused',
    29,
    strict,
    [OUTCOMES, "method === 'DELETE' && (status", "method === '' && (status"],
  ],
  ['a conflict is always a refusal', 4, gateway, [OUTCOMES, 'status === 409 && attempts < MAX_ATTEMPTS', 'status < 0']],
  ['a side that lost its authority is not asked', 1, completed, [APPLY, '  keysKnown(work) || (rep', '  (rep']],
];

describe('negative control: the stories notice when', () => {
  it.each(FAULTS)('%s', async (_name, seed, world, fault) => {
    const flows = await sourceMutant<Flows>(ENTRIES, [fault]);
    const { failed } = await fc.check(law(world, flows), { seed, numRuns: 20_000, endOnFailure: true });
    expect(failed).toBe(true);
  });
});
