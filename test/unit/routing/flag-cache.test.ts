import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { CrossfadeError } from '../../../lib/core/base/errors.ts';
import { compareFlagAge, type FlagDocument, type ServedFlags, UNSEEN } from '../../../lib/core/routing/flags.ts';
import { type FlagSource, flagCache } from '../../../lib/routing/flag-cache.ts';
import { mergeFlags } from '../../../lib/routing/flag-merge.ts';
import { someFlags } from '../../helpers/contracts/flags.ts';

const FIRST = someFlags({ version: 1 });
const SECOND = someFlags({ version: 2 });

/** A source whose answers are given one by one, by hand. */
function scripted() {
  const waiting: { resolve(answer: Awaited<ReturnType<FlagSource['fetch']>>): void; reject(error: unknown): void }[] =
    [];
  const signals: AbortSignal[] = [];
  const source: FlagSource = {
    fetch: (signal) => {
      signals.push(signal);
      return new Promise((resolve, reject) => waiting.push({ resolve, reject }));
    },
  };
  return {
    source,
    signals,
    fetches: () => signals.length,
    answer: (document: ServedFlags) => waiting.shift()!.resolve({ document }),
    unchanged: () => waiting.shift()!.resolve({ unchanged: true }),
    fail: (error: unknown) => waiting.shift()!.reject(error),
  };
}

let nowMs = 0;
const now = () => nowMs;
const advance = async (ms: number) => {
  nowMs += ms;
  await vi.advanceTimersByTimeAsync(ms);
};

beforeEach(() => {
  nowMs = 1_000;
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

async function filled(options: { document?: FlagDocument } = {}) {
  const script = scripted();
  const cache = flagCache({ source: script.source, now });
  const refreshing = cache.refreshIfStale();
  script.answer(options.document ?? FIRST);
  await refreshing;
  return { cache, script };
}

describe('the flag cache', () => {
  it('knows nothing before the first answer, and everything after it', async () => {
    const script = scripted();
    const cache = flagCache({ source: script.source, now });
    expect(cache.current()).toBeNull();
    const refreshing = cache.refreshIfStale();
    script.answer(FIRST);
    await refreshing;
    expect(cache.current()).toEqual({ document: FIRST, ageMs: 0 });
  });

  it('asks nobody while the flags are younger than 15 s', async () => {
    const { cache, script } = await filled();
    await advance(14_999);
    await cache.refreshIfStale();
    expect([script.fetches(), cache.current()?.ageMs]).toEqual([1, 14_999]);
    await advance(1);
    void cache.refreshIfStale();
    expect(script.fetches()).toBe(2);
  });

  it('sends one request for any number of callers', async () => {
    const script = scripted();
    const cache = flagCache({ source: script.source, now });
    const callers = Array.from({ length: 100 }, () => cache.refreshIfStale());
    expect(script.fetches()).toBe(1);
    script.answer(FIRST);
    await Promise.all(callers);
    expect(cache.current()?.document).toEqual(FIRST);
  });

  it('makes a caller wait for 200 ms at most, and takes the answer that comes later', async () => {
    const script = scripted();
    const cache = flagCache({ source: script.source, now });
    let waited = false;
    void cache.refreshIfStale().then(() => {
      waited = true;
    });
    await advance(199);
    expect(waited).toBe(false);
    await advance(1);
    expect(waited).toBe(true);
    expect(cache.current()).toBeNull();
    script.answer(FIRST);
    await advance(50);
    expect(cache.current()).toEqual({ document: FIRST, ageMs: 250 });
  });

  it('gives a request up after 2 s, tells it, and asks again', async () => {
    const { cache, script } = await filled();
    await advance(15_000);
    void cache.refreshIfStale();
    await advance(2_000);
    expect(script.signals[1]?.aborted).toBe(true);
    expect(cache.current()).toMatchObject({ document: FIRST, problem: { code: 'flags_unavailable' } });
    await advance(1_000);
    void cache.refreshIfStale();
    expect(script.fetches()).toBe(3);
  });

  it('after a freeze of the process it does not wait for the request from before', async () => {
    const { cache, script } = await filled();
    await advance(15_000);
    void cache.refreshIfStale();
    nowMs += 3_600_000;
    const refreshing = cache.refreshIfStale();
    expect(script.fetches()).toBe(3);
    script.fail(new Error('socket from before the freeze'));
    script.answer(SECOND);
    await refreshing;
    expect(cache.current()).toEqual({ document: SECOND, ageMs: 0 });
  });

  it('keeps the last good flags when a refresh fails, and pauses for a second', async () => {
    const { cache, script } = await filled();
    await advance(15_000);
    const refreshing = cache.refreshIfStale();
    script.fail(new CrossfadeError('flags_invalid', 'a page of HTML'));
    await refreshing;
    const problem = { code: 'flags_invalid', message: 'a page of HTML' };
    expect(cache.current()).toEqual({ document: FIRST, ageMs: 15_000, problem });
    await advance(999);
    await cache.refreshIfStale();
    expect(script.fetches()).toBe(2);
    await advance(1);
    const again = cache.refreshIfStale();
    script.unchanged();
    await again;
    expect(cache.current()).toEqual({ document: FIRST, ageMs: 0 });
  });

  it('never throws, whatever the source throws, and says why there are no flags', async () => {
    const cache = flagCache({ source: { fetch: () => Promise.reject('a string') }, now });
    await cache.refreshIfStale();
    expect([cache.current(), cache.problem()]).toEqual([null, { code: 'flags_unavailable', message: 'a string' }]);
    const synchronous: FlagSource = {
      fetch: () => {
        throw new Error('at once');
      },
    };
    const other = flagCache({ source: synchronous, now });
    await other.refreshIfStale();
    expect(other.problem()?.message).toBe('at once');
  });

  it('counts the age from the moment of the question, not of the answer', async () => {
    const script = scripted();
    const cache = flagCache({ source: script.source, now });
    const refreshing = cache.refreshIfStale();
    await advance(150);
    script.answer(FIRST);
    await refreshing;
    expect(cache.current()?.ageMs).toBe(150);
  });

  it('tells listeners of changes only, and survives what they throw', async () => {
    const script = scripted();
    const cache = flagCache({ source: script.source, now });
    const seen: number[] = [];
    cache.onChange(() => {
      throw new Error('a careless host');
    });
    const end = cache.onChange((document) => seen.push(document.cutovers.customer!.version));
    for (const document of [FIRST, structuredClone(FIRST), SECOND]) {
      const refreshing = cache.refreshIfStale();
      script.answer(document);
      await refreshing;
      await advance(15_000);
    }
    end();
    const refreshing = cache.refreshIfStale();
    script.answer(someFlags({ version: 3 }));
    await refreshing;
    expect(seen).toEqual([1, 2]);
  });
});

describe('I28 a reader never acts on a lower (epoch, version)', () => {
  it('older flags are ignored, and their age keeps growing however often they are served', async () => {
    const { cache, script } = await filled({ document: SECOND });
    for (let n = 1; n <= 3; n += 1) {
      await advance(15_000);
      const refreshing = cache.refreshIfStale();
      if (n === 2) script.unchanged();
      else script.answer(FIRST);
      await refreshing;
      expect(cache.current()).toMatchObject({
        document: SECOND,
        ageMs: n * 15_000,
        problem: { code: 'flags_older', message: expect.stringContaining('customer') },
      });
    }
    await advance(1_000);
    const refreshing = cache.refreshIfStale();
    script.answer(SECOND);
    await refreshing;
    expect(cache.current()).toEqual({ document: SECOND, ageMs: 0 });
  });

  it('a stop of the system is not undone by older switches with the same flags', () => {
    const stopped = someFlags({ systemVersion: 2, stop: true, readPpm: 0 });
    const before = someFlags({ systemVersion: 1, readPpm: 500_000 });
    expect(mergeFlags(stopped, before)).toEqual({ document: stopped, older: ['system'] });
    expect(mergeFlags(before, stopped)).toEqual({ document: stopped, older: [] });
  });

  it('a flag that an older document does not have yet stays', () => {
    const newer = someFlags({ version: 2, systemVersion: 2 });
    const { document } = mergeFlags(newer, { ...someFlags({ systemVersion: 1 }), cutovers: {} });
    expect(document).toEqual(newer);
  });

  const anyFlags = fc
    .record({
      version: fc.nat(3),
      epoch: fc.nat(2),
      systemVersion: fc.nat(2),
      readPpm: fc.constantFrom(0, 500_000, 1_000_000),
      present: fc.boolean(),
    })
    .map(({ present, ...at }) => (present ? someFlags(at) : { ...someFlags(at), cutovers: {} }));

  /** What breaks the rule, or null: the flags acted on after each document, looked at in order. */
  function firstStepBack(documents: readonly FlagDocument[], merge: typeof mergeFlags): string | null {
    let known: FlagDocument | null = null;
    for (const served of documents) {
      const next: FlagDocument = merge(known, served).document;
      if (known) {
        const [before, after] = [known.cutovers.customer, next.cutovers.customer];
        if (before && (!after || compareFlagAge(after, before) < 0)) return 'the flag went back';
        if (next.system.version < known.system.version) return 'the system went back';
      }
      known = next;
    }
    return null;
  }

  it('whatever is served, in whichever order', () => {
    fc.assert(
      fc.property(fc.array(anyFlags, { maxLength: 8 }), (documents) => {
        expect(firstStepBack(documents, mergeFlags)).toBeNull();
      }),
      { numRuns: 2_000 },
    );
  });

  it('a reader that takes what it is served is caught', () => {
    const naive: typeof mergeFlags = (_known, served) => ({ document: served as FlagDocument, older: [] });
    expect(() =>
      fc.assert(
        fc.property(fc.array(anyFlags, { maxLength: 8 }), (documents) => firstStepBack(documents, naive) === null),
      ),
    ).toThrow(/Property failed/);
  });

  it('serving the same again changes nothing', () => {
    fc.assert(
      fc.property(anyFlags, anyFlags, (known, served) => {
        const { document } = mergeFlags(known, served);
        expect(mergeFlags(document, served).document).toEqual(document);
      }),
    );
  });
});

describe('each flag is judged by itself', () => {
  const invoiceAt = (version: number) => someFlags({ version }).cutovers.customer!;
  const both = (at: Parameters<typeof someFlags>[0], version: number): FlagDocument => {
    const { system, cutovers } = someFlags(at);
    return { system, cutovers: { ...cutovers, invoice: invoiceAt(version) } };
  };

  it('one that cannot be read keeps its last good value and takes no stop from the others', () => {
    const stopped = { ...both({ systemVersion: 2, stop: true, readPpm: 0 }, 4), refused: ['customer'] };
    const { customer: _, ...cutovers } = stopped.cutovers;
    const { document } = mergeFlags(both({}, 3), { ...stopped, cutovers });
    expect(document).toEqual({
      system: stopped.system,
      cutovers: { customer: someFlags().cutovers.customer, invoice: invoiceAt(4) },
    });
  });

  it.each<[string, Partial<ServedFlags>]>([
    ['switched off', { off: ['customer'] }],
    ['served no more', {}],
  ])('one that is %s is no side for the shadow, until it is served again or promoted', (_what, how) => {
    const known = someFlags();
    const gone = { ...known, ...how, cutovers: {} };
    const off = mergeFlags(known, gone).document;
    expect(off.cutovers.customer).toEqual({ ...known.cutovers.customer, enabled: false });
    expect(mergeFlags(off, known).document).toEqual(known);
    expect(mergeFlags(off, someFlags({ version: 2 })).document).toEqual(off);
    const promoted = { ...known, cutovers: { customer: { ...known.cutovers.customer!, shadow_is_primary: true } } };
    expect(mergeFlags(promoted, gone).document).toEqual(promoted);
  });

  it('warm and cold processes take one that is switched off alike', () => {
    const served = { ...someFlags(), cutovers: {}, off: ['customer'] };
    expect(mergeFlags(null, served).document.cutovers.customer).toBe(UNSEEN);
    for (const known of [null, someFlags()])
      expect(mergeFlags(known, served).document.cutovers.customer!.enabled).toBe(false);
  });

  it('what cannot be read of the system is as it was; without a past it stops', () => {
    const { migration_phase: _, emergency_stop: __, ...readable } = someFlags({ systemVersion: 2 }).system;
    const known = { ...someFlags(), system: { ...someFlags().system, migration_phase: 'phase2' } };
    const served = { ...someFlags(), system: readable };
    expect(mergeFlags(known, served).document.system).toEqual({
      ...readable,
      migration_phase: 'phase2',
      emergency_stop: false,
    });
    expect(mergeFlags(null, served).document.system).toEqual({
      ...readable,
      migration_phase: 'none',
      emergency_stop: true,
    });
  });

  it('the problem is said for as long as such flags are served, while their age is that of the rest', async () => {
    const seen: string[] = [];
    const script = scripted();
    const cache = flagCache({ source: script.source, now, onProblem: ({ message }) => seen.push(message) });
    const refreshing = cache.refreshIfStale();
    script.answer({ ...someFlags(), refused: ['invoice'], problems: ['invoice.read_ppm is -1'] });
    await refreshing;
    expect(cache.current()).toMatchObject({ ageMs: 0, problem: { code: 'flags_invalid' } });
    await advance(15_000);
    const again = cache.refreshIfStale();
    script.unchanged();
    await again;
    expect(cache.current()).toMatchObject({
      ageMs: 0,
      problem: { message: expect.stringContaining('invoice.read_ppm') },
    });
    expect(seen).toHaveLength(2);
  });

  it('flags that were kept are known at once, as old as they are, and are asked for again', async () => {
    const script = scripted();
    const cache = flagCache({ source: script.source, now, kept: { document: FIRST, ageMs: 90_000 } });
    expect(cache.current()).toEqual({ document: FIRST, ageMs: 90_000 });
    const refreshing = cache.refreshIfStale();
    script.answer(SECOND);
    await refreshing;
    expect(cache.current()).toEqual({ document: SECOND, ageMs: 0 });
  });
});
