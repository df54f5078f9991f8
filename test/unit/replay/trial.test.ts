/** Other limits on recorded minutes: what they change, what cannot be tried, and what is said of it. */

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { DEFAULT_POLICY } from '../../../lib/core/cutover/cutover.ts';
import type { MinuteWindow } from '../../../lib/core/gates/minute-window.ts';
import { type ReplayedMinute, type ReplayTrace, replay } from '../../../lib/core/replay/replay.ts';
import * as trials from '../../../lib/core/replay/trial.ts';
import { POLICY_KEYS } from '../../../lib/schemas/policy.ts';
import { readTrace } from '../../../lib/schemas/replay.ts';
import { replayQuery } from '../../../lib/schemas/reports.ts';
import { cli, type FakeApi, fakeApi } from '../../helpers/fake-api.ts';
import { sourceMutant } from '../../helpers/source-mutant.ts';

const fileOf = (name: string) => join(import.meta.dirname, '../../fixtures/replay', name);
const traceOf = (name: string) => readTrace(readFileSync(fileOf(name)), name);
const ENV = { CROSSFADE_TOKEN: 't' };

/** The first minutes of a replay say what a test needs of it; a look at each of all minutes takes its time. */
function* first(most: number, minutes: Iterable<ReplayedMinute>): Generator<ReplayedMinute> {
  for (const minute of minutes) {
    yield minute;
    if (minute.minute === most) return;
  }
}

/** The comparison, and the minutes with the limits. */
function tried(trace: ReplayTrace, set: trials.TriedLimits, { most = 14, room = trials } = {}) {
  const minutes: ReplayedMinute[] = [];
  const running = room.trial(set, first(most, replay(trace)), first(most, replay(room.withLimits(trace, set))));
  let step = running.next();
  for (; !step.done; step = running.next()) minutes.push(step.value);
  return { minutes, ...step.value };
}

/** With what is said of every row. */
const saying = (trace: ReplayTrace, said: (window: MinuteWindow) => Partial<MinuteWindow>): ReplayTrace => ({
  ...trace,
  rows: {
    ...trace.rows,
    row: (index) => {
      const row = trace.rows.row(index);
      return { ...row, part: { ...row.part, window: { ...row.part.window, ...said(row.part.window) } } };
    },
  },
});

const HEALTHY = traceOf('healthy-100rps.json');
const ERRORS = traceOf('errors-plus-10pp.json');
const SLOW = traceOf('latency-plus-30.json');
const tenthDiffers = ({ checks }: MinuteWindow) => ({ mismatches: Math.ceil(checks / 10) });
const oneDiffers = ({ minute, checks }: MinuteWindow) => ({ mismatches: minute === 1 ? Math.min(1, checks) : 0 });

describe('a limit', () => {
  it.each<[keyof trials.TriedLimits, number, ReplayTrace]>([
    ['errorRateRollback', 0.2, ERRORS],
    ['errorRateAdvance', 0.009, HEALTHY],
    ['latencyIncreaseRollback', 0.5, SLOW],
    ['latencyIncreaseAdvance', 0.02, HEALTHY],
    ['latencyFloorMs', 60, SLOW],
    ['validationScoreRollback', 0.5, saying(HEALTHY, tenthDiffers)],
    [
      'validationScoreAdvance',
      0.9999,
      trials.withLimits(saying(HEALTHY, oneDiffers), { validationScoreRollback: 0.9 }),
    ],
    ['consecutiveFailures', 9, ERRORS],
    ['warmUpMinutes', 30, SLOW],
    ['minSamples', 50_000, HEALTHY],
    ['keylessAdvance', 0.001, saying(HEALTHY, ({ count }) => ({ keyless: Math.ceil(count / 200) }))],
    ['p95LimitMs', 45, trials.withLimits(SLOW, { latencyIncreaseRollback: 0.9 })],
    ['availabilityMin', 0.95, trials.withLimits(ERRORS, { errorRateRollback: 0.2 })],
    ['connectionDropsMax', 0.01, HEALTHY],
    ['memoryMax', 0.5, saying(HEALTHY, ({ side, count }) => (side === 'shadow' ? { memory: { 90: count } } : {}))],
    ['dwellMinutes', 60, HEALTHY],
  ])('%s changes verdicts when it is tried', (key, value, trace) => {
    const found = tried(trace, { [key]: value });
    expect(found.differences).not.toEqual([]);
    expect(found.set).toEqual({ [key]: value });
  });

  it('that is as it was changes nothing (control)', () => {
    const { errorRateRollback, latencyIncreaseRollback } = DEFAULT_POLICY;
    const found = tried(HEALTHY, { errorRateRollback, latencyIncreaseRollback, minSamples: 1 });
    expect(found).toMatchObject({ differences: [], before: found.after });
    expect(found.minutes).toEqual([...first(14, replay(HEALTHY))]);
  });

  it('that cannot be tried would change nothing', () => {
    const set = {
      lagAdvanceMs: 1,
      holdBackPercent: 50,
      autoAdvance: false,
      autoRollback: false,
      approvalRequired: false,
      twoPersonApproval: true,
      deadlineMinutes: 1,
      onDeadline: 'rollback' as const,
    };
    const others = POLICY_KEYS.filter((key) => !(trials.TRIED_LIMITS as readonly string[]).includes(key));
    expect(Object.keys(set)).toEqual(others);
    const changed = { ...ERRORS, policy: { ...ERRORS.policy, ...set } };
    expect([...replay(changed)]).toEqual([...replay(ERRORS)]);
  });
});

describe('the comparison', () => {
  it('names the minutes that differ, and ends where one of both was rolled back', () => {
    const found = tried(ERRORS, { errorRateRollback: 0.2 });
    expect(found.differences).toEqual([{ fromMinute: 3, toMinute: 3, before: 'rollback', after: 'hold' }]);
    expect(found.before).toMatchObject({ rollback: 3, lastMinute: 3 });
    expect(found.after).toMatchObject({ rollback: null, lastMinute: 14 });
    expect(found.minutes).toHaveLength(14);
  });

  it('reads the one before to its end, when the other one was rolled back first', () => {
    const set = { errorRateRollback: DEFAULT_POLICY.errorRateRollback };
    const tolerant = trials.withLimits(ERRORS, { errorRateRollback: 0.2 });
    const found = tried(tolerant, set);
    expect(found.after).toMatchObject({ rollback: 3 });
    expect(found.before).toMatchObject({ rollback: null, lastMinute: 14 });
  });

  it('would say nothing of limits that are not used (negative control)', async () => {
    const room = await sourceMutant<typeof trials>(
      ['lib/core/replay/trial.ts'],
      [['lib/core/replay/trial.ts', 'policy: { ...trace.policy, ...limits },', 'policy: trace.policy,']],
    );
    expect(tried(ERRORS, { errorRateRollback: 0.2 }, { room }).differences).toEqual([]);
  });
});

describe('crossfade replay --set', () => {
  const replayed = (...words: string[]) => cli(['replay', ...words], { env: ENV });

  it('says what became of it before and with the change, which minutes differ, and what that would have cost', async () => {
    const { exit, out } = await replayed('--set', 'errorRateRollback=0.2', fileOf('errors-plus-10pp.json'));
    expect(exit).toBe(0);
    expect(out).toMatchInlineSnapshot(`
      "20-errors-plus-10pp, with errorRateRollback 0.2:
        before            rolled back in minute 3 (errors); never to advance.
        with the change   not rolled back in 120 minutes, held at the end by data_missing, errors,
                          proof_errors, not_validated, proven_regression; never to advance.
        minute 3          rollback → hold
                          It would not have been rolled back in the 120 minutes on record. By then the
                          shadow had served 1,616 operations more, and 167 of them failed.
      "
    `);
  });

  it('answers with the minutes and the comparison by id', async () => {
    const words = ['--set', 'dwellMinutes=60', '--set', 'minSamples=2', '--json', fileOf('errors-plus-10pp.json')];
    const { minutes, trial } = JSON.parse((await replayed(...words)).out)['20-errors-plus-10pp'];
    expect(minutes).toEqual([...replay(trials.withLimits(ERRORS, { dwellMinutes: 60, minSamples: 2 }))]);
    expect(trial).toMatchObject({ set: { dwellMinutes: 60, minSamples: 2 }, before: { rollback: 3 }, differences: [] });
  });

  it('says when nothing would have been different', async () => {
    const { out } = await replayed('--set', 'minSamples=2', fileOf('errors-plus-10pp.json'));
    expect(out).toContain('No verdict would have been another one.');
  });

  it.each([
    ['errorRateRolback=0.2', /no limit that a replay can try\. Did you mean 'errorRateRollback'\?.*dwellMinutes/s],
    ['autoAdvance=false', /'autoAdvance' is no limit that a replay can try/],
    ['errorRateRollback', /--set takes key=value, not 'errorRateRollback'/],
    ['errorRateRollback=many', /--set cannot be used: errorRateRollback:.*number/s],
    ['errorRateRollback=2', /--set cannot be used: errorRateRollback:.*<1/s],
    ['latencyIncreaseRollback=none', /latencyIncreaseRollback/],
    ['errorRateRollback=0.0001', /errorRateAdvance 0.001 is above\s+errorRateRollback 0.0001\. Set both/],
  ])('refuses %s, and names what would be right', async (pair, why) => {
    const { exit, err, out } = await replayed('--set', pair, fileOf('healthy-100rps.json'));
    expect([exit, out]).toEqual([2, '']);
    expect(err).toMatch(why);
  });

  describe('--cutover', () => {
    let api: FakeApi;
    beforeAll(async () => {
      api = await fakeApi();
    });
    afterAll(() => api.close());

    it('asks for the stored minutes with these limits, and shows the comparison of each stage', async () => {
      const { minutes, ...trial } = tried(ERRORS, { errorRateRollback: 0.2, minSamples: 5 });
      const query = 'hours=24&set=errorRateRollback%3D0.2%2CminSamples%3D5';
      api.routes[`GET /v1/cutovers/customer/replay?${query}`] = {
        body: { stages: [{ stage: 'r10', fromMs: 0, toMs: null, minutes, trial }] },
      };
      const words = ['--cutover', 'customer', '--set', 'errorRateRollback=0.2', '--set', 'minSamples=5'];
      const { out, exit } = await replayed(...words, '--url', api.url);
      expect(exit).toBe(0);
      expect(out).toContain('customer/r10 1970-01-01T00:00:00.000Z, with errorRateRollback 0.2, minSamples 5:');
      expect(out).toMatch(/minute 3 +rollback → hold/);
      const { out: json } = await replayed(...words, '--url', api.url, '--json');
      expect(Object.values(JSON.parse(json))).toEqual([{ minutes, trial }]);
    });

    it('asks for nothing when a limit is refused', async () => {
      const before = api.asked.length;
      expect((await replayed('--cutover', 'customer', '--set', 'x=1', '--url', api.url)).exit).toBe(2);
      expect(api.asked).toHaveLength(before);
    });
  });
});

describe('the query of a replay', () => {
  it('takes limits as the command line sends them, and as a gateway joins them', () => {
    expect(replayQuery.read({ set: 'errorRateRollback=0.2,minSamples=5' })).toEqual({
      hours: 24,
      set: { errorRateRollback: 0.2, minSamples: 5 },
    });
  });

  it.each([
    ['errorRateRolback=0.2', /Did you mean 'errorRateRollback'/],
    ['minSamples=0', /minSamples/],
    ['', /set/],
  ])('refuses set=%s', (set, why) => expect(() => replayQuery.read({ set })).toThrow(why));
});
