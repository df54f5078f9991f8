/**
 * Writes through the SDK: whoever dies wherever, and whatever answer is lost, in the end the other side has exactly what
 * the authoritative side has, in its order, and nothing twice.
 */

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { ForwardRecorder } from '../../../lib/client/write-cutover.ts';
import { CrossfadeError } from '../../../lib/core/base/errors.ts';
import type { Side } from '../../../lib/core/cutover/cutover.ts';
import { INTENT_LIFE_MS } from '../../../lib/core/forwards/forward.ts';
import { type Death, type Fate, writeWorld } from '../../helpers/write-world.ts';

/** Awaits of one write: intent, the side itself, what became of it. */
const AWAITS = 3;
const deaths: Death[] = Array.from({ length: AWAITS }, (_, i) => i + 1).flatMap((at) => [
  { at, effect: 'before' as const },
  { at, effect: 'after' as const },
]);

describe('a write', () => {
  it('goes to the side that the state names, gives back what it gives, and reaches the other one', async () => {
    const it_ = writeWorld();
    expect(await it_.write('a')).toBe('primary a');
    expect(it_.sides.shadow.applied).toEqual([]);
    expect(await it_.apply()).toMatchObject({ applied: 1 });
    expect(it_.sides.shadow.applied).toEqual(['a']);
    expect(it_.forwardStore.all()).toEqual([]);
  });

  it.each(['dual_write', 'r1', 'full_100', 'completed'] as const)('is forwarded in stage %s', async (stage) => {
    const it_ = writeWorld({ stage });
    expect(await it_.write('a')).toBe(stage === 'completed' ? 'shadow a' : 'primary a');
    await it_.settle();
    expect([it_.sides.primary.applied, it_.sides.shadow.applied]).toEqual([['a'], ['a']]);
  });

  it.each(['disabled', 'rolled_back', 'cleaned'] as const)('is not forwarded in stage %s', async (stage) => {
    const it_ = writeWorld({ stage });
    expect(await it_.write('a')).toBe(stage === 'cleaned' ? 'shadow a' : 'primary a');
    expect(it_.forwardStore.all()).toEqual([]);
  });

  it('has the id that its caller gave it on both sides, and one intent however often it is recorded', async () => {
    const it_ = writeWorld();
    await it_.write('a', { intend: 'applied-and-lost' }, it_.recorder, { id: 'mine' });
    expect(it_.forwardStore.all()).toHaveLength(1);
    await it_.settle();
    for (const side of ['primary', 'shadow'] as const) expect([...it_.sides[side].seen]).toEqual(['mine']);
  });

  it('that is made again under its id is one write on both sides', async () => {
    const it_ = writeWorld();
    await it_.write('a', { death: { at: 2, effect: 'after' } }, it_.recorder, { id: 'mine' });
    expect(await it_.write('a', {}, it_.recorder, { id: 'mine' })).toBe('primary a');
    await it_.settle();
    expect([it_.sides.primary.applied, it_.sides.shadow.applied]).toEqual([['a'], ['a']]);
  });

  it('waits after completion for the earlier ones of its key, and is not begun while they cannot arrive', async () => {
    const it_ = writeWorld({ stage: 'full_100' });
    await it_.write('old');
    it_.enter('completed');
    const refused = await it_.write('new');
    expect(refused).toMatchObject({ code: 'copy_not_recorded', retryable: true, cause: { code: 'copy_pending' } });
    expect(it_.sides.shadow.applied).toEqual([]);
    expect(await it_.write('elsewhere', { key: 'other' })).toBe('shadow elsewhere');
    await it_.settle();
    expect(await it_.write('new')).toBe('shadow new');
    await it_.settle();
    expect(it_.sides.shadow.applied).toEqual(['elsewhere', 'old', 'new']);
    expect([...it_.sides.primary.applied].sort()).toEqual(['elsewhere', 'new', 'old']);
  });

  it('waits for them also where nothing is forwarded any more: after a rollback the old side may still lack some', async () => {
    const it_ = writeWorld({ stage: 'completed' });
    await it_.write('old');
    it_.enter('rolled_back');
    it_.sides.primary.mode = 'refuses';
    const startedMs = it_.clock.ms;
    expect(await it_.write('new')).toMatchObject({ code: 'copy_not_recorded', cause: { code: 'copy_pending' } });
    expect(it_.clock.ms - startedMs).toBeGreaterThan(4_500);
    expect(it_.sides.primary.applied).toEqual([]);
    it_.sides.primary.mode = 'ok';
    await it_.settle();
    expect(await it_.write('new')).toBe('primary new');
    expect(it_.sides.primary.applied).toEqual(['old', 'new']);
  });

  it('pauses between two tries to record it, and gives up in time', async () => {
    const it_ = writeWorld();
    const startedMs = it_.clock.ms;
    let tries = 0;
    const away: ForwardRecorder = {
      intend: async () => {
        tries += 1;
        throw new CrossfadeError('store_unavailable', 'away', { retryable: tries < 1_000 });
      },
      settle: async () => {},
    };
    expect(await it_.write('a', {}, away)).toMatchObject({ code: 'copy_not_recorded' });
    expect([tries, it_.clock.ms - startedMs]).toEqual([50, 4_900]);
  });

  it('whose side says for certain that it refused it leaves nothing to forward', async () => {
    const it_ = writeWorld();
    expect(await it_.write('a', { own: 'lost' }, it_.recorder, { isRefused: () => true })).toBeInstanceOf(TypeError);
    expect(it_.forwardStore.all()).toEqual([]);
    await it_.settle();
    expect([it_.sides.primary.applied, it_.sides.shadow.applied]).toEqual([[], []]);
  });
});

describe('I6 a process that dies at any await of a write', () => {
  const cases = deaths.flatMap((death) =>
    (['r1', 'completed'] as const).map((stage) => [death!.effect, death!.at, stage, death] as const),
  );

  it.each(cases)('%s call %i in stage %s loses nothing and doubles nothing', async (_effect, _at, stage, death) => {
    const it_ = writeWorld({ stage });
    await it_.write('a', { death });
    it_.clock.ms += INTENT_LIFE_MS;
    await it_.settle();
    const { primary, shadow } = it_.sides;
    expect(it_.forwardStore.all()).toEqual([]);
    expect(shadow.applied).toEqual(primary.applied);
    // Only what was never recorded is nowhere.
    expect(primary.applied).toEqual(death!.at === 1 && death!.effect === 'before' ? [] : ['a']);
  });
});

const fate = fc.constantFrom<Fate>('ok', 'ok', 'lost', 'applied-and-lost');
const step = fc.oneof(
  {
    weight: 3,
    arbitrary: fc.record({
      do: fc.constant('write' as const),
      user: fc.integer({ min: 1, max: 3 }),
      death: fc.option(fc.constantFrom(...deaths), { freq: 2 }),
      intend: fate,
      own: fate,
      settle: fate,
    }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('apply' as const), twice: fc.boolean() }) },
  {
    weight: 1,
    arbitrary: fc.record({
      do: fc.constant('wait' as const),
      ms: fc.integer({ min: 1, max: INTENT_LIFE_MS + 10_000 }),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      do: fc.constant('mode' as const),
      side: fc.constantFrom<Side>('primary', 'shadow'),
      mode: fc.constantFrom(
        'ok' as const,
        503,
        500,
        404,
        308,
        'refuses' as const,
        'lost' as const,
        'applied-and-lost' as const,
      ),
    }),
  },
);

/** Lives a story and says what is wrong at its end. */
async function live(
  stage: 'r1' | 'completed',
  steps: readonly (typeof step extends fc.Arbitrary<infer T> ? T : never)[],
  recorderOf: (world: ReturnType<typeof writeWorld>) => ForwardRecorder = ({ recorder }) => recorder,
  /** The step at which the cutover is completed: before it, or while its side writes. */
  completed: { at: number; during: boolean } | null = null,
  forgets = false,
): Promise<string[]> {
  const it_ = writeWorld({ stage, forgets });
  const recorder = recorderOf(it_);
  const authority = stage === 'completed' ? 'shadow' : 'primary';
  const acknowledged: string[] = [];
  for (const [n, one] of steps.entries()) {
    it_.clock.ms += 1;
    const complete = () => it_.enter('completed');
    if (completed?.at === n && !(completed.during && one.do === 'write')) complete();
    if (one.do === 'write') {
      const line = `user ${one.user} #${n}`;
      const during = completed?.at === n ? complete : () => {};
      const answer = await it_.write(line, { ...one, key: `users/${one.user}`, during }, recorder);
      if (typeof answer === 'string') acknowledged.push(line);
    } else if (one.do === 'apply') await Promise.all([it_.apply(), ...(one.twice ? [it_.apply()] : [])]);
    else if (one.do === 'wait') it_.clock.ms += one.ms;
    else it_.sides[one.side].mode = one.mode;
  }
  for (const side of ['primary', 'shadow'] as const) it_.sides[side].mode = 'ok';
  it_.clock.ms += INTENT_LIFE_MS;
  await it_.settle();
  const { applied } = it_.sides[authority];
  const other = it_.sides[authority === 'primary' ? 'shadow' : 'primary'].applied;
  const ofUser = (lines: readonly string[], user: number) => lines.filter((line) => line.startsWith(`user ${user} `));
  // What a person lets go on after the roles have changed comes late.
  const of = (lines: readonly string[], user: number) => (completed ? ofUser(lines, user).sort() : ofUser(lines, user));
  const unequal = [1, 2, 3].filter((user) => of(applied, user).join() !== of(other, user).join());
  return [
    ...(it_.forwardStore.all().length > 0 ? [`${it_.forwardStore.all().length} forwarded writes are left`] : []),
    ...acknowledged
      .filter((line) => !applied.includes(line))
      .map((line) => `${line} was acknowledged and is not there`),
    ...unequal.map((user) => `of user ${user}: ${of(applied, user).join()} and ${of(other, user).join()}`),
  ];
}

const stories = fc.array(step, { minLength: 3, maxLength: 30 });

describe('I5 any order of writes, deaths, lost answers and tries', () => {
  it.each(['r1', 'completed'] as const)('ends with both sides equal, in order, in stage %s', async (stage) => {
    await fc.assert(
      fc.asyncProperty(stories, async (steps) => {
        expect(await live(stage, steps)).toEqual([]);
      }),
      { numRuns: 80 },
    );
  });

  it('ends with the same writes on both sides also when their roles change in the middle of one', async () => {
    const flip = fc.record({ at: fc.nat(), during: fc.boolean() });
    await fc.assert(
      fc.asyncProperty(stories, flip, async (steps, { at, during }) => {
        const flipAt = steps.length === 0 ? 0 : at % steps.length;
        expect(await live('r1', steps, undefined, { at: flipAt, during })).toEqual([]);
      }),
      { numRuns: 80 },
    );
  });

  it('negative control: with an intent that lives in the process, the same stories lose writes', async () => {
    const late = ({ recorder }: ReturnType<typeof writeWorld>): ForwardRecorder => {
      const kept = new Map<string, Parameters<ForwardRecorder['intend']>[0]>();
      return {
        intend: async (write) => {
          kept.set(write.intent, write);
          return { side: 'primary', forward: write.intent };
        },
        settle: async ({ forward, outcome, ...rest }, signal) => {
          const { forward: durable } = await recorder.intend(kept.get(forward)!, signal);
          await recorder.settle({ ...rest, forward: durable!, outcome }, signal);
        },
      };
    };
    const { failed } = await fc.check(
      fc.asyncProperty(stories, async (steps) => {
        expect(await live('r1', steps, late)).toEqual([]);
      }),
      { numRuns: 80 },
    );
    expect(failed).toBe(true);
  });

  it('negative control: with sides that do not know their writes again, the same stories double writes', async () => {
    const { failed } = await fc.check(
      fc.asyncProperty(stories, async (steps) => {
        expect(await live('r1', steps, undefined, null, true)).toEqual([]);
      }),
      { numRuns: 150 },
    );
    expect(failed).toBe(true);
  });
});
