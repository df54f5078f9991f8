/**
 * A code path with two sides: what the caller gets and when, whatever the other side does. Promises are settled by hand
 * and the clock stands still.
 */

import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { CutoverRun } from '../../../lib/client/cutover-run.ts';
import type { SimulatedWrite } from '../../../lib/client/run-call.ts';
import {
  bench,
  failing,
  never,
  PRIMARY,
  PROMOTED,
  READ,
  SHADOW,
  settled,
  stopTheClock,
  throwing,
} from '../../helpers/cutover-client.ts';
import { systemFlagOf } from '../../property/samples.ts';

beforeEach(stopTheClock);
afterEach(() => vi.useRealTimers());

/** How many turns of the event loop's own queue the caller waits. No timer fires meanwhile: the clock stands still. */
async function turnsUntilAnswered(
  run: (of: { primary: () => unknown; shadow: () => unknown }) => Promise<unknown>,
  shadow: () => unknown,
) {
  let turns = 0;
  let answered = false;
  void run({ primary: async () => 'old', shadow }).then(
    () => {
      answered = true;
    },
    () => {
      answered = true;
    },
  );
  while (!answered && turns < 1_000) {
    await Promise.resolve();
    turns += 1;
  }
  return answered ? turns : 'never';
}

describe('runs that leave a shadow which fails', () => {
  it('are reported as such, and those before are not', async () => {
    const { client, window } = await bench(SHADOW);
    const run = { ...READ, compare: false, primary: async () => 'old', shadow: failing() };
    for (let i = 0; i < 13; i += 1) expect(await client.runCutover(run)).toBe('old');
    expect(await window('primary')).toMatchObject({ count: 3, left: 3 });
    expect(await window('shadow')).not.toHaveProperty('left');
  });

  it('are none while the share sends them to the primary', async () => {
    const { client, window } = await bench(PRIMARY);
    await client.runCutover({ ...READ, compare: false, primary: async () => 'old', shadow: failing() });
    expect(await window('primary')).not.toHaveProperty('left');
  });
});

const BAD_SHADOWS: [string, () => unknown][] = [
  ['hangs for ever', never],
  ['throws at once', throwing()],
  ['fails later', failing()],
  ['fails after the deadline', () => new Promise((_, reject) => setTimeout(reject, 5_000, new Error('late')))],
  ['answers after the deadline', () => new Promise((resolve) => setTimeout(resolve, 5_000, 'late'))],
  ['lies', async () => 'wrong'],
  // biome-ignore lint/suspicious/noThenProperty: the subject of the test
  ['gives something that is no answer', () => ({ then: 'no function' })],
  [
    'gives a promise that is none',
    () => ({
      // biome-ignore lint/suspicious/noThenProperty: the subject of the test
      then: () => {
        throw new Error('then');
      },
    }),
  ],
];

describe('I33 a caller that the old path serves, while the new one', () => {
  it.each(BAD_SHADOWS)('%s, gets its answer at the same moment as without it', async (_, shadow) => {
    const { client } = await bench(PRIMARY);
    const run = (paths: { primary: () => unknown; shadow: () => unknown }) => client.runCutover({ ...READ, ...paths });
    const alone = await turnsUntilAnswered(run, async () => 'old');
    expect(await turnsUntilAnswered(run, shadow)).toBe(alone);
    await vi.advanceTimersByTimeAsync(10_000);
    expect(await client.runCutover({ ...READ, primary: () => 'old', shadow })).toBe('old');
    await vi.advanceTimersByTimeAsync(60_000);
  });

  it('begins only after the caller has gone on', async () => {
    const { client } = await bench(PRIMARY);
    const order: string[] = [];
    const shadow = () => void order.push('shadow');
    await client.runCutover<unknown>({ ...READ, primary: () => undefined, shadow }).then(() => order.push('caller'));
    await settled(client);
    expect(order).toEqual(['caller', 'shadow']);
  });

  it('negative control: a run that awaits the other side is caught by the same count', async () => {
    const awaiting = async ({ primary, shadow }: { primary: () => unknown; shadow: () => unknown }) => {
      const answer = await primary();
      await Promise.resolve(shadow()).catch(() => {});
      return answer;
    };
    const alone = await turnsUntilAnswered(
      async ({ primary }) => primary(),
      async () => 'old',
    );
    expect(await turnsUntilAnswered(awaiting, never)).toBe('never');
    expect(await turnsUntilAnswered(awaiting, async () => 'old')).toBeGreaterThan(alone as number);
  });

  it.each(BAD_SHADOWS.slice(0, 6))('%s, and the mismatch is counted once it is known', async (name, shadow) => {
    const { client, window } = await bench(PRIMARY);
    await client.runCutover({ ...READ, primary: () => 'old', shadow });
    await vi.advanceTimersByTimeAsync(1_001);
    const alone = name === 'lies' ? {} : { onlyShadow: 1 };
    expect(await window('shadow')).toMatchObject({ count: 0, checks: 1, mismatches: 1, pairs: 1, ...alone });
    const kind = name === 'lies' ? 'difference' : /hangs|after/.test(name) ? 'timeout' : 'failure';
    expect(client.mismatches('planner')).toMatchObject([{ kind, count: 1 }]);
  });
});

describe('a request that both paths were asked', () => {
  it.each<[what: string, primary: () => unknown, shadow: () => unknown, counted: object]>([
    ['and neither fails', () => 'old', () => 'old', { pairs: 1 }],
    ['and the new one fails', () => 'old', failing(), { pairs: 1, onlyShadow: 1 }],
    ['and the old one fails', failing(), () => 'old', { pairs: 1, onlyPrimary: 1 }],
    ['and both fail', failing(), failing(), { pairs: 1 }],
    ['and the new one answers what counts as a failure', () => 'old', () => 'bad', { pairs: 1, onlyShadow: 1 }],
  ])('%s is a pair', async (_what, primary, shadow, counted) => {
    const { client, window } = await bench(PRIMARY);
    const run = { ...READ, primary, shadow, isFailure: (answer: unknown) => answer === 'bad' };
    await client.runCutover(run).catch(() => {});
    await settled(client);
    const { pairs, onlyShadow, onlyPrimary } = (await window('shadow'))!;
    expect({ pairs, onlyShadow, onlyPrimary }).toEqual({ onlyShadow: undefined, onlyPrimary: undefined, ...counted });
  });

  it('says nothing where both took longer than a comparison may: the new one may be as fast as the old', async () => {
    const { client, window } = await bench(PRIMARY);
    const slow = () => new Promise((resolve) => setTimeout(resolve, 5_000, 'slow'));
    const answer = client.runCutover({ ...READ, primary: slow, shadow: slow });
    await vi.advanceTimersByTimeAsync(12_000);
    expect(await answer).toBe('slow');
    await settled(client);
    expect(client.comparisons('planner')).toMatchObject({ compared: 0, incomparable: 1 });
    expect(await window('shadow')).toBeUndefined();
  });

  it('is none where the new one served: what it fails is never compared, and the rest would flatter it', async () => {
    const { client, window } = await bench(SHADOW);
    await client.runCutover({ ...READ, primary: () => 'old', shadow: () => 'old' });
    await settled(client);
    expect(await window('shadow')).toMatchObject({ count: 1, checks: 1 });
    expect((await window('shadow'))!.pairs ?? 0).toBe(0);
  });
});

describe('a new path that serves', () => {
  it.each<[string, () => unknown]>([
    ['throws at once', throwing()],
    ['fails', failing()],
  ])('and %s is replaced by the old one, and its failure is recorded', async (_, shadow) => {
    const { client, window } = await bench(SHADOW);
    expect(await client.runCutover({ ...READ, primary: () => 'old', shadow })).toBe('old');
    expect(await window('shadow')).toMatchObject({ count: 1, errors: 1, checks: 0 });
    expect(client.health().fallbacks).toBe(1);
  });

  it('and loses its connection is told apart from one that fails otherwise', async () => {
    const { client, window } = await bench(SHADOW);
    const lost = Object.assign(new Error('connect ECONNREFUSED'), { code: 'ECONNREFUSED' });
    for (const error of [lost, new Error('no')])
      await client.runCutover({ ...READ, primary: () => 'old', shadow: () => Promise.reject(error) });
    expect(await window('shadow')).toMatchObject({ count: 2, errors: 2, drops: 1 });
  });

  it('and hangs is given up at its deadline; what comes later is ignored', async () => {
    const { client, window } = await bench(SHADOW);
    const signals: AbortSignal[] = [];
    const shadow = (call: { signal: AbortSignal }) => {
      signals.push(call.signal);
      return never();
    };
    const answer = client.runCutover<unknown>({ ...READ, primary: () => 'old', shadow, deadlineMs: 300 });
    await vi.advanceTimersByTimeAsync(299);
    expect(signals[0]!.aborted).toBe(false);
    await vi.advanceTimersByTimeAsync(1);
    expect([await answer, signals[0]!.aborted]).toEqual(['old', true]);
    expect(await window('shadow')).toMatchObject({ count: 1, errors: 1 });
  });

  it('and keeps hanging is left altogether after ten', async () => {
    const { client } = await bench(SHADOW);
    for (let i = 0; i < 10; i += 1) {
      const answer = client.runCutover<unknown>({ ...READ, primary: () => 'old', shadow: never });
      await vi.advanceTimersByTimeAsync(2_000);
      expect(await answer).toBe('old');
    }
    expect(client.health()).toMatchObject({ openCircuits: 1, fallbacks: 10 });
    expect(await client.runCutover<unknown>({ ...READ, primary: () => 'old', shadow: never })).toBe('old');
  });

  it.each([
    ['on the new side', SHADOW, { shadow: 'new' }],
    ['on the old side', PRIMARY, { primary: 'old' }],
  ] as const)('that may write and hangs %s is recorded as failed, once, and is waited for', async (_, flag, sides) => {
    const { client, window } = await bench(flag);
    const [[side, value]] = Object.entries(sides) as [['primary' | 'shadow', string]];
    const slow = () => new Promise((resolve) => setTimeout(resolve, 30_000, value));
    const paths = { primary: () => 'other', shadow: () => 'other', [side]: slow };
    const answer = client.runCutover<unknown>({ cutover: 'planner', key: 'k', ...paths });
    await vi.advanceTimersByTimeAsync(9_900);
    expect(await window(side)).toBeUndefined();
    await vi.advanceTimersByTimeAsync(400);
    expect(await window(side)).toMatchObject({ count: 1, errors: 1 });
    await vi.advanceTimersByTimeAsync(20_000);
    expect(await answer).toBe(value);
    expect(client.health().fallbacks).toBe(0);
    await client.flush();
  });

  it('fails to its caller where falling back is not wanted, or after promotion', async () => {
    const { client } = await bench(SHADOW);
    const run = { ...READ, primary: () => 'old', shadow: failing('new') };
    await expect(client.runCutover<unknown>({ ...run, fallback: false })).rejects.toThrow('new');
    await expect(client.runCutover<unknown>({ ...run, fallback: () => false })).rejects.toThrow('new');
    await expect(client.runCutover<unknown>({ ...run, fallback: throwing() as never })).rejects.toThrow('new');
    const promoted = await bench(PROMOTED);
    await expect(promoted.client.runCutover<unknown>(run)).rejects.toThrow('new');
  });

  it('counts as failed when the application says so, and the old one answers', async () => {
    const { client, window } = await bench(SHADOW);
    const run = { ...READ, primary: () => ({ status: 200 }), shadow: () => ({ status: 500 }) };
    const isFailure = ({ status }: { status: number }) => status >= 500;
    expect(await client.runCutover({ ...run, isFailure })).toEqual({ status: 200 });
    expect(await client.runCutover({ ...run, isFailure, fallback: false })).toEqual({ status: 500 });
    const fallback = vi.fn(() => false);
    expect(await client.runCutover({ ...run, isFailure, fallback })).toEqual({ status: 500 });
    expect(fallback).toHaveBeenCalledWith({ status: 500 });
    await client.runCutover({ ...run, isFailure: throwing() as never });
    expect(await window('shadow')).toMatchObject({ count: 4, errors: 3 });
  });

  it('is not run twice for a comparison that nobody asked for', async () => {
    const { client } = await bench(SHADOW);
    const run = { cutover: 'planner', key: 'k', compare: true, primary: () => 'old', shadow: () => 'new' };
    await expect(client.runCutover(run)).rejects.toMatchObject({
      code: 'invalid_config',
      message: expect.stringContaining('readonly: true'),
    });
  });
});

describe('a failure of the old path', () => {
  it('is the caller’s, as it was before Crossfade', async () => {
    const { client, window } = await bench(PRIMARY);
    const error = new TypeError('its own');
    const run = { ...READ, primary: () => Promise.reject(error), shadow: () => 'new' };
    await expect(client.runCutover<unknown>(run)).rejects.toBe(error);
    expect(await window('primary')).toMatchObject({ count: 1, errors: 1 });
  });

  it('that the new path shares is no mismatch; one of another kind is', async () => {
    const { client } = await bench(PRIMARY);
    const refusing = (error: Error) => () => Promise.reject(error);
    const run = { ...READ, primary: refusing(new TypeError('a')) };
    await expect(client.runCutover<unknown>({ ...run, shadow: refusing(new TypeError('b')) })).rejects.toThrow('a');
    expect(await settled(client)).toMatchObject({ compared: 1, mismatched: 0 });
    await expect(client.runCutover<unknown>({ ...run, shadow: refusing(new RangeError('a')) })).rejects.toThrow('a');
    expect(await settled(client)).toMatchObject({ compared: 2, mismatched: 1 });
    await expect(client.runCutover<unknown>({ ...run, shadow: () => 'fine' })).rejects.toThrow('a');
    expect(await settled(client)).toMatchObject({ compared: 3, mismatched: 2 });
  });

  it('row 9: work that no side could finish is kept by the application, under the id both sides had', async () => {
    const { client } = await bench(SHADOW);
    const ids: string[] = [];
    const kept: unknown[] = [];
    const path = (call: { id: string }) => {
      ids.push(call.id);
      throw new Error('no database');
    };
    const run: CutoverRun<unknown> = { ...READ, operation: 'plan', primary: path, shadow: path };
    const unfinished = (work: unknown) => {
      kept.push(work);
      return { accepted: true };
    };
    expect(await client.runCutover({ ...run, unfinished })).toEqual({ accepted: true });
    expect([ids.length, new Set(ids).size]).toEqual([2, 1]);
    expect(kept).toMatchObject([{ id: ids[0], cutover: 'planner', key: 'k', operation: 'plan' }]);
    // When it cannot be kept, the caller learns why the work failed, not why keeping it did.
    await expect(client.runCutover({ ...run, unfinished: throwing('full') as never })).rejects.toThrow('no database');
  });
});

describe('writes to the outside', () => {
  it('are done once, by the side that serves; a comparison only says them', async () => {
    const writes: string[] = [];
    const said: SimulatedWrite[] = [];
    const { client } = await bench(PRIMARY, { onSimulatedWrite: (write) => void said.push(write) });
    const path = (name: string) => (call: { effect<T>(what: string, write: () => T): T | undefined }) => {
      call.effect('send', () => writes.push(name));
      return 'sent';
    };
    await client.runCutover<unknown>({ ...READ, primary: path('old'), shadow: path('new') });
    expect(await settled(client)).toMatchObject({ compared: 1, mismatched: 0 });
    expect(writes).toEqual(['old']);
    expect(said).toEqual([{ cutover: 'planner', side: 'shadow', what: 'send', because: 'comparison' }]);
  });

  it.each([
    ['the environment', { environment: { CROSSFADE_READONLY: 'true' } }, systemFlagOf()],
    ['the system', {}, systemFlagOf({ readonly: true })],
  ])('are only said when %s is read-only', async (_, options, system) => {
    const write = vi.fn(() => 'done');
    const said: SimulatedWrite[] = [];
    const onSimulatedWrite = (one: SimulatedWrite) => {
      said.push(one);
      throw new Error('the host’s own');
    };
    const { client } = await bench(PRIMARY, { ...options, onSimulatedWrite }, system);
    expect(client.isReadonly()).toBe(true);
    const run = { cutover: 'planner', shadow: () => 'new' };
    expect(await client.runCutover({ ...run, primary: (call) => call.effect('pay', write, 'simulated') })).toBe(
      'simulated',
    );
    expect(client.effect('mail', write)).toBeUndefined();
    expect(write).not.toHaveBeenCalled();
    expect(said.map(({ what, because }) => [what, because])).toEqual([
      ['pay', 'readonly'],
      ['mail', 'readonly'],
    ]);
  });

  it('are logged as one line of JSON by default', async () => {
    const info = vi.spyOn(console, 'info').mockImplementation(() => {});
    const { client } = await bench(PRIMARY, { environment: { CROSSFADE_READONLY: '1' } });
    client.effect('mail', () => 'done');
    expect(JSON.parse(info.mock.calls[0]![0])).toMatchObject({ event: 'write_simulated', what: 'mail' });
    info.mockRestore();
  });

  it('are done when nothing is switched, and the phase is the environment’s or the system’s', async () => {
    const { client } = await bench(PRIMARY, {}, systemFlagOf({ migration_phase: 'phase2' }));
    expect([client.isReadonly(), client.effect('mail', () => 'done'), client.migrationPhase()]).toEqual([
      false,
      'done',
      'phase2',
    ]);
    const own = await bench(PRIMARY, { environment: { CROSSFADE_MIGRATION_PHASE: 'cleanup' } });
    expect(own.client.migrationPhase()).toBe('cleanup');
  });

  it('row 68: values that mean nothing are ignored, and can be asked for', async () => {
    const environment = {
      CROSSFADE_READONLY: 'yes',
      CROSSFADE_MIGRATION_PHASE: 'Phase 1',
      CROSSFADE_PLANNER: 'SHADOW ',
    };
    const { client } = await bench(PRIMARY, { environment });
    expect([client.isReadonly(), client.migrationPhase()]).toEqual([false, systemFlagOf().migration_phase]);
    expect(client.health().invalidVariables).toEqual(Object.keys(environment));
    expect(client.route('planner', { key: 'k' })).toMatchObject({ side: 'primary', reason: 'override_invalid' });
  });
});

describe('I33 whatever the host hands over', () => {
  it('a run of another shape fails to its own promise, and nothing else happens', async () => {
    const { client } = await bench(PRIMARY);
    for (const junk of [
      {},
      { cutover: 'planner' },
      { cutover: Symbol('x'), primary: () => 1 },
      { cutover: 'planner', primary: 5 },
    ]) {
      await Promise.resolve(client.runCutover(junk as never)).catch(() => {});
    }
    await settled(client);
    expect(await client.runCutover({ cutover: 'unknown', primary: () => 'old', shadow: () => 'new' })).toBe('old');
  });
});
