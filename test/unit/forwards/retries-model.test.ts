/**
 * Model of retries: the real flows, any interleaving at every await, and what must be true at the end of each story: one
 * key is one write on each side, both sides hold the same, and no person was asked. Each rule is taken back once.
 */

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { live, type Step, stories } from '../../helpers/retry-stories.ts';
import { type Flows, type Mode, retryWorld, type WorldOptions, type Write } from '../../helpers/retry-world.ts';
import { type Fault, sourceMutant } from '../../helpers/source-mutant.ts';
import { seeded } from '../../property/samples.ts';

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
const KNOWN = 'lib/flows/forwards/known-state.ts';
const RECORD = 'lib/flows/forwards/record-write.ts';
const ENTRIES = ['lib/flows/forwards/write-both.ts', APPLY, RECORD, 'lib/client/write-cutover.ts'];

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
  ['the side that takes over is written at once', 3, completed, [KNOWN, 'if (!isHandedOver(state) ||', 'if (state ||']],
];

describe('negative control: the stories notice when', () => {
  it.each(FAULTS)('%s', async (_name, seed, world, fault) => {
    const flows = await sourceMutant<Flows>(ENTRIES, [fault]);
    const { failed } = await fc.check(law(world, flows), { seed, numRuns: 20_000, endOnFailure: true });
    expect(failed).toBe(true);
  });
});

/** Found once in a thousand stories: an intent is withdrawn since the sides have changed, and is asked for again under its name. */
const WITHDRAWN: readonly Step[] = [
  { do: 'send' },
  { do: 'step', process: 0, gate: 0 },
  { do: 'complete' },
  { do: 'wait', ms: 1_500 },
];

describe('an intent of the SDK that was withdrawn', () => {
  const { options } = WORLDS['through the SDK, completed in between']!;

  it('is recorded anew when it is asked for again', async () => {
    expect(await live(WITHDRAWN, options)).toEqual([]);
  });

  it('negative control: taken for recorded, its write would be on the old side alone', async () => {
    const fault: Fault = [RECORD, 'open.some(({ id }) => id === recorded.id)', 'open.length >= 0'];
    const flows = await sourceMutant<Flows>(ENTRIES, [fault]);
    expect(await live(WITHDRAWN, { ...options, flows })).toContain('k1 was acknowledged and is lost');
  });
});

const FAILURES: readonly Mode[] = ['applied-and-lost', 'lost', 'slow', 'applied-and-500', 500, 503];
const TIMES = 40;

/** Four writes fail, each in its way, others of their resources follow, and the same writes are made again, within 30 s. */
async function fourRetries(seed: number, flows?: Flows) {
  const random = seeded(seed);
  const world = retryWorld(flows ? { flows } : {});
  const { services } = world;
  const make = async (write: Write, mode: Mode) => {
    services.primary.mode = mode;
    const { answered } = await world.run(world.send(write));
    services.primary.mode = 'ok';
    world.pass(1 + random() * 15_000);
    return answered;
  };
  const answers: (string | null)[] = [];
  for (let n = 1; n <= 4; n += 1) {
    const write: Write = { key: `k${n}`, method: 'POST', path: `tasks/${n}` };
    await make(write, FAILURES[Math.floor(random() * FAILURES.length)]!);
    await make({ ...write, key: `other-${n}` }, 'ok');
    if (random() < 0.5) await world.run(world.stream());
    answers.push(await make(write, 'ok'));
  }
  await world.settle();
  const differing = world.windows.additions('chat').reduce((sum, { window }) => sum + window.mismatches, 0);
  return { answers, differing, left: world.store.all().length, asked: world.events };
}

async function many(times: number, flows?: Flows) {
  const seen = { unanswered: 0, quarantined: 0, differing: 0, left: 0 };
  for (let seed = 1; seed <= times; seed += 1) {
    const { answers, differing, left, asked } = await fourRetries(seed, flows);
    seen.unanswered += answers.filter((answer) => answer !== 'yes').length;
    seen.quarantined += asked.filter((name) => name === 'forward_quarantined').length;
    seen.differing += differing;
    seen.left += left;
  }
  return seen;
}

describe('four writes that fail and are made again, forty times', () => {
  it('end with nothing in quarantine, and with no row for the gates to roll back for', async () => {
    expect(await many(TIMES)).toEqual({ unanswered: 0, quarantined: 0, differing: 0, left: 0 });
  });

  it('negative control: they do not where a later success says nothing of the earlier attempts', async () => {
    const [, , , fault] = FAULTS[0]!;
    const { quarantined } = await many(5, await sourceMutant<Flows>(ENTRIES, [fault]));
    expect(quarantined).toBeGreaterThan(1);
  });
});
