/** How long a write asks to be recorded, and when it goes on by the flags alone. */

import { afterEach, describe, expect, it, vi } from 'vitest';
import {
  type CutoverWrite,
  type WriteParts,
  type WritePlace,
  writeCutover,
} from '../../../lib/client/write-cutover.ts';
import { CrossfadeError } from '../../../lib/core/base/errors.ts';

const DEADLINE_MS = 5_000;
const away = new TypeError('fetch failed');
const pending = new CrossfadeError('copy_pending', 'The earlier ones wait.', { retryable: true });
const refused = new CrossfadeError('forbidden', 'Not yours.');

/** One write, its time passing as it waits; what it asked, and what became of it. */
async function written(
  stage: string | null,
  answers: (WritePlace | Error)[],
  { isReadonly = false, ...over }: Partial<CutoverWrite<string>> & { isReadonly?: boolean } = {},
) {
  let nowMs = 0;
  const [asked, unasked, ids]: [number[], number[], Set<string>] = [[], [], new Set()];
  const settled: string[] = [];
  let next = 0;
  const parts: WriteParts = {
    isReadonly: () => isReadonly,
    nextId: () => {
      next += 1;
      return `id-${next}`;
    },
    simulated: () => {},
    believed: () => ({ side: 'primary', stage }),
    sliceOf: () => null,
    record: () => {},
    unasked: () => unasked.push(nowMs),
    now: () => nowMs,
    sleep: async (ms) => {
      nowMs += ms;
    },
    deadlineMs: DEADLINE_MS,
    forwards: {
      async intend({ intent }) {
        asked.push(nowMs);
        ids.add(intent);
        const answer = answers[Math.min(asked.length, answers.length) - 1]!;
        if (answer instanceof Error) throw answer;
        return answer;
      },
      async settle({ outcome }) {
        settled.push(outcome);
        throw away;
      },
    },
  };
  const sides: string[] = [];
  const side = (name: string) => () => {
    sides.push(name);
    return name;
  };
  const write = {
    cutover: 'customer',
    key: 'k',
    payload: {},
    primary: side('primary'),
    shadow: side('shadow'),
    ...over,
  };
  const answer = await writeCutover(parts, write).catch(
    (error: Error & { code?: string }) => error.code ?? error.message,
  );
  return { answer, sides, asked, unasked, settled, intents: ids.size };
}

const PLACE: WritePlace = { side: 'shadow', forward: 'f' };

describe('a write that cannot be recorded', () => {
  it.each(['disabled', 'cleaned', 'rolled_back'])(
    'goes on by the flags where nothing is forwarded: %s',
    async (stage) => {
      expect(await written(stage, [away])).toMatchObject({ answer: 'primary', unasked: [0], settled: [] });
    },
  );

  it.each(['dual_write', 'r1', 'full_100', 'completed', null])(
    'is not made in %s, whatever the time',
    async (stage) => {
      const { answer, sides, asked, unasked, intents } = await written(stage, [away]);
      expect({ answer, sides, unasked, intents }).toEqual({
        answer: 'copy_not_recorded',
        sides: [],
        unasked: [],
        intents: 1,
      });
      expect(asked.at(-1)).toBeLessThan(DEADLINE_MS);
      expect(asked.length).toBeGreaterThan(10);
    },
  );

  it.each(['disabled', 'rolled_back', 'r1'])(
    'waits for the earlier ones of its key also where flags say %s',
    async (stage) => {
      expect(await written(stage, [pending])).toMatchObject({ answer: 'copy_not_recorded', sides: [], unasked: [] });
      expect(await written(stage, [pending, pending, PLACE])).toMatchObject({
        answer: 'shadow',
        settled: ['applied'],
        intents: 1,
      });
    },
  );

  it('is refused at once where it is refused as such, and not asked for by a process that only reads', async () => {
    expect(await written('r1', [refused])).toMatchObject({ answer: 'forbidden', sides: [], asked: [0] });
    expect(await written('r1', [PLACE], { isReadonly: true })).toMatchObject({
      answer: 'primary',
      asked: [],
      settled: [],
    });
  });
});

describe('how long one question may take', () => {
  afterEach(() => {
    vi.restoreAllMocks();
  });

  it.each([
    ['disabled', 1_000],
    ['cleaned', 1_000],
    ['rolled_back', DEADLINE_MS],
    ['r1', DEADLINE_MS],
    [null, DEADLINE_MS],
  ])(
    'in stage %s: %i ms, since little is lost without an answer only where nothing is on its way',
    async (stage, ms) => {
      const patience = vi.spyOn(AbortSignal, 'timeout');
      await written(stage, [{ side: 'primary', forward: null }]);
      expect(patience.mock.calls).toEqual([[ms]]);
    },
  );
});

describe('what became of a write', () => {
  const failing = () => {
    throw new Error('broken');
  };
  const judged = async (isRefused?: CutoverWrite<string>['isRefused']) => {
    const { answer, settled } = await written('r1', [PLACE], { shadow: failing, ...(isRefused ? { isRefused } : {}) });
    expect(answer).toBe('broken');
    return settled;
  };

  it('is refused only where the host says so, in so many words: anything else is found out', async () => {
    expect(await judged(() => true)).toEqual(['refused']);
    expect(await judged()).toEqual(['unknown']);
    expect(await judged(() => false)).toEqual(['unknown']);
    expect(await judged(() => 'yes' as never)).toEqual(['unknown']);
    expect(await judged(failing)).toEqual(['unknown']);
  });

  it('is the caller’s, also when it cannot be noted', async () => {
    expect(await written('r1', [PLACE])).toMatchObject({ answer: 'shadow', settled: ['applied'] });
  });
});
