/** Alert rules, the figures they watch, and the life of one alert. */

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Alert, acknowledge, MAX_MESSAGES, newAlert, step } from '../../../lib/core/alerts/alert.ts';
import { type AlertSample, measure } from '../../../lib/core/alerts/measure.ts';
import { BUILT_IN_RULE_IDS, builtInRules, lookMinutes, ruleProblems, rulesOf } from '../../../lib/core/alerts/rule.ts';
import { demands, evaluateRules } from '../../../lib/core/alerts/watch.ts';
import { condition, idOf } from '../../../lib/core/conditions/condition.ts';
import { type AlertMetric, type AlertRule, METRICS } from '../../../lib/core/cutover/alert-rule.ts';
import { type CutoverState, DEFAULT_POLICY } from '../../../lib/core/cutover/cutover.ts';
import { bucketIndex } from '../../../lib/core/gates/histogram.ts';
import { emptyWindow, type MinuteWindow } from '../../../lib/core/gates/minute-window.ts';
import type { TableStatus } from '../../../lib/core/gates/table-status.ts';
import { NOW, stateIn, verdictOf } from '../../property/samples.ts';

const MINUTE = NOW / 60_000;
const STATE = stateIn('r2', { enteredAtMs: NOW - 60 * 60_000, changedAtMs: NOW - 60 * 60_000 });

function minute(ago: number, side: 'primary' | 'shadow', fields: Partial<MinuteWindow> = {}): MinuteWindow {
  return { ...emptyWindow(MINUTE - ago, side), count: 100, latency: { [bucketIndex(10)]: 100 }, ...fields };
}

const TABLE: TableStatus = {
  armed: 'forward',
  mirror: null,
  lagMs: 1_500,
  outboxRows: 3,
  quarantined: 1,
  quarantine: [],
  backfill: { state: 'done', rowsDone: 100, rowsTotal: 100, rowsPerSecond: 0 },
  verification: { rowsCompared: 100, divergences: 2, score: 0.98, atMs: NOW - 1_000, samples: [] },
};

function sampleOf(fields: Partial<AlertSample> = {}): AlertSample {
  return {
    state: STATE,
    policy: DEFAULT_POLICY,
    windows: [minute(2, 'primary'), minute(2, 'shadow'), minute(1, 'primary'), minute(1, 'shadow')],
    table: TABLE,
    flagsDeployed: true,
    nowMs: NOW,
    verdict: verdictOf('hold'),
    rolledBack: null,
    ...fields,
  };
}

const ruleOf = (fields: Partial<AlertRule> = {}): AlertRule => ({
  ...builtInRules(DEFAULT_POLICY)[0]!,
  id: 'mine',
  metric: 'error_rate',
  operator: '>',
  value: 0.05,
  ...fields,
});

describe('how far a tick looks back', () => {
  it('is as far as its farthest rule pools windows', () => {
    expect(lookMinutes(builtInRules(DEFAULT_POLICY))).toBe(10);
    const declared = [{ id: 'busy', metric: 'operations', operator: '<', value: 5, windowMinutes: 300 }] as const;
    expect(lookMinutes(rulesOf(DEFAULT_POLICY, declared))).toBe(300);
    expect(lookMinutes([])).toBe(0);
  });
});

const PENDING = { epoch: 4, sinceMs: NOW, actor: 'ada', reason: '' };
const WITHDRAWN = { actor: 'ada', reason: 'no', cause: 'operator' as const, atMs: NOW };

describe('measuring', () => {
  const bad = [minute(1, 'shadow', { errors: 20 }), minute(1, 'primary', { errors: 10, keyless: 4 })];
  it.each<[AlertMetric, Partial<AlertSample>, number | null]>([
    ['error_rate', { windows: bad }, 0.2],
    ['error_increase', { windows: bad }, 0],
    ['error_increase', { windows: [minute(1, 'shadow', { errors: 70 }), minute(1, 'primary', { errors: 10 })] }, 0.6],
    ['primary_error_rate', { windows: bad }, 0.1],
    ['availability', { windows: bad }, 0.8],
    ['keyless_rate', { windows: bad }, 0.02],
    ['operations', { windows: bad }, 100],
    ['mismatch_rate', { windows: [minute(1, 'shadow', { checks: 50, mismatches: 5 })] }, 0.1],
    [
      'p95_increase',
      { windows: [minute(1, 'primary'), minute(1, 'shadow', { latency: { [bucketIndex(20)]: 100 } })] },
      1,
    ],
    ['lag_ms', {}, 1_500],
    ['outbox_rows', {}, 3],
    ['quarantined', {}, 1],
    ['divergences', {}, 2],
    ['divergence_rate', {}, 0.02],
    ['validation_score', {}, 0.98],
    ['sync_rate', {}, 0.94],
    ['flag_drift_minutes', { flagsDeployed: false }, 60],
    ['flag_drift_minutes', {}, 0],
    ['data_age_minutes', { windows: [minute(7, 'primary'), minute(1, 'shadow')] }, 7],
    ['data_age_minutes', { windows: [minute(1, 'shadow')], active: { primary: MINUTE - 40, shadow: null } }, 40],
    ['early_warning_minutes', {}, 1_440],
    ['database_away_minutes', {}, 0],
    ['rolled_back', {}, 0],
    ['rolled_back', { rolledBack: 'errors' }, 1],
    ['rolled_back', { state: { ...STATE, pending: { ...PENDING, action: 'promote' } } }, 0],
    ['rolled_back', { state: { ...STATE, pending: { ...PENDING, action: 'revert' } } }, 1],
    ['rolled_back', { state: { ...STATE, pending: { ...PENDING, action: 'promote', withdrawn: WITHDRAWN } } }, 1],
    // The bounds: as many operations as are wanted, and the first and the last minute of the window.
    ['error_rate', { windows: [minute(1, 'shadow', { count: 30, errors: 3 })] }, 0.1],
    ['operations', { windows: [6, 5, 1, 0].map((ago) => minute(ago, 'shadow')) }, 200],
  ])('%s', (metric, fields, expected) => {
    expect(measure(metric, sampleOf(fields), 5, 30)).toBeCloseTo(expected!, 1);
  });

  it('early warning is the least number of minutes that the gates foresee', () => {
    const verdict = {
      ...verdictOf('hold'),
      conditions: [
        condition('early_warning', { ok: false, seen: 12, limit: 15 }),
        condition('early_warning_latency_p95', { ok: false, seen: 9, limit: 15 }),
      ],
    };
    expect(measure('early_warning_minutes', sampleOf({ verdict }), 1, 1)).toBe(9);
  });

  it.each([
    [false, 7],
    [true, 0],
  ])('of a database that answers: %s, since when is told by the condition', (ok, minutes) => {
    const asked = { ...condition('database', { ok, seen: null, limit: null }), sinceMs: NOW - 7 * 60_000 };
    const verdict = { ...verdictOf('hold'), conditions: [asked] };
    expect(measure('database_away_minutes', sampleOf({ verdict }), 1, 1)).toBe(minutes);
  });

  it.each<[string, AlertMetric, Partial<AlertSample>]>([
    ['too few operations', 'error_rate', { windows: [minute(1, 'shadow', { count: 29, errors: 29 })] }],
    ['no operations', 'p95_ms', { windows: [] }],
    ['minutes that are open', 'error_rate', { windows: [minute(0, 'shadow')] }],
    ['minutes before the stage', 'error_rate', { state: { ...STATE, enteredAtMs: NOW - 60_000 } }],
    ['no database', 'lag_ms', { table: null }],
    ['no verification', 'validation_score', { table: { ...TABLE, verification: null } }],
    ['no verdict yet', 'hold_minutes', { verdict: null }],
    ['no look yet', 'database_away_minutes', { verdict: null }],
    ['a figure that is NaN', 'lag_ms', { table: { ...TABLE, lagMs: Number.NaN } }],
    ['an infinite figure', 'lag_ms', { table: { ...TABLE, lagMs: Number.POSITIVE_INFINITY } }],
    ['an empty table', 'sync_rate', { table: { ...TABLE, verification: { ...TABLE.verification!, rowsCompared: 0 } } }],
  ])('%s is no figure', (_, metric, fields) => {
    expect(measure(metric, sampleOf(fields), 5, 30)).toBeNull();
  });

  it('every metric gives a finite number or none, whatever was seen', () => {
    const count = fc.constantFrom(0, 1, 50, Number.NaN, -5, 1e308);
    const windows = fc.array(
      fc.record({
        ago: fc.integer({ min: -2, max: 9 }),
        side: fc.constantFrom('primary', 'shadow'),
        count,
        errors: count,
      }),
      { maxLength: 6 },
    );
    fc.assert(
      fc.property(fc.constantFrom(...(Object.keys(METRICS) as AlertMetric[])), windows, (metric, seen) => {
        const sample = sampleOf({
          windows: seen.map(({ ago, side, ...fields }) => minute(ago, side as 'shadow', fields)),
        });
        const value = measure(metric, sample, 5, 1);
        expect(value === null || Number.isFinite(value)).toBe(true);
      }),
    );
  });
});

/** The alert after these values, one a minute; `undefined` is a minute in which the rule does not apply. */
function lived(rule: AlertRule, values: readonly (number | null | undefined)[], start: Alert | null = null): Alert {
  return values.reduce<Alert>((alert, value, index) => {
    const seen = { rule, state: STATE, applies: value !== undefined, value: value ?? null };
    const next = step(alert, seen, NOW + index * 60_000);
    return next === alert ? alert : { ...next, version: alert.version + 1 };
  }, start ?? newAlert('customer', rule));
}

const changes = (alert: Alert) => alert.messages.map(({ change }) => change);

describe('the life of an alert', () => {
  const BAD = 0.2;
  it('a pooled figure beyond its limit fires at once, with one message, however long it lasts', () => {
    const alert = lived(ruleOf(), [BAD, BAD, BAD, BAD, BAD]);
    expect(alert).toMatchObject({ status: 'firing', firedAtMs: NOW, value: BAD });
    expect(changes(alert)).toEqual(['fired']);
    expect(alert.text).toBe('customer: errors of the shadow 20 % over 5 min, critical above 5 %. Stage r2.');
  });

  it('a level fires when it has lasted as long as the window', () => {
    const rule = ruleOf({ metric: 'lag_ms', value: 1_000, windowMinutes: 3 });
    expect(lived(rule, [2_000, 2_000, 2_000])).toMatchObject({ status: 'pending', messages: [] });
    expect(lived(rule, [2_000, 2_000, 2_000, 2_000]).status).toBe('firing');
    expect(lived(rule, [2_000, 2_000, 500, 2_000, 2_000])).toMatchObject({ status: 'pending', messages: [] });
  });

  it('it ends when the value has been inside for three minutes, and a good minute in between ends nothing', () => {
    expect(changes(lived(ruleOf(), [BAD, 0, 0, BAD, 0, 0]))).toEqual(['fired']);
    const alert = lived(ruleOf(), [BAD, 0, 0, 0, 0]);
    expect(changes(alert)).toEqual(['fired', 'resolved']);
    expect(alert.messages[1]!.text).toContain('errors of the shadow 0 %');
  });

  it('missing values change nothing, neither from quiet nor from firing', () => {
    expect(lived(ruleOf(), [null, null])).toEqual(newAlert('customer', ruleOf()));
    expect(changes(lived(ruleOf(), [BAD, ...Array(12).fill(null)]))).toEqual(['fired']);
  });

  it('it ends when the stage has no such figure, and when the cutover is started anew', () => {
    expect(changes(lived(ruleOf(), [BAD, undefined]))).toEqual(['fired', 'resolved']);
    const firing = lived(ruleOf({ metric: 'lag_ms', windowMinutes: 1 }), [BAD, BAD, BAD]);
    const state = stateIn('dual_write', { enteredAtMs: NOW + 600_000 });
    const rule = ruleOf({ metric: 'lag_ms' });
    expect(step(firing, { rule, state, applies: true, value: null }, NOW + 660_000).status).toBe('quiet');
  });

  it('one that fired before the start belongs to the run before, one that fired in it does not', () => {
    const rule = ruleOf({ metric: 'lag_ms' });
    const firing = { ...lived(rule, []), status: 'firing' as const, firedAtMs: NOW };
    const after = (enteredAtMs: number) =>
      step(firing, { rule, state: stateIn('dual_write', { enteredAtMs }), applies: true, value: null }, NOW + 1).status;
    expect([NOW - 1, NOW, NOW + 1].map(after)).toEqual(['firing', 'firing', 'quiet']);
  });

  it('a level that lasts fires a tick early by five seconds at most, since ticks are not quite a minute apart', () => {
    const rule = ruleOf({ metric: 'lag_ms', value: 1_000, windowMinutes: 3 });
    const pending = lived(rule, [2_000]);
    const after = (ms: number) => step(pending, { rule, state: STATE, applies: true, value: 2_000 }, NOW + ms).status;
    expect([174_999, 175_000].map(after)).toEqual(['pending', 'firing']);
  });

  it('nobody acknowledges it: it is escalated once', () => {
    const rule = ruleOf({ escalateAfterMinutes: 5 });
    expect(changes(lived(rule, Array(20).fill(BAD)))).toEqual(['fired', 'escalated']);
    expect(changes(lived(rule, [BAD, ...Array(20).fill(null)]))).toEqual(['fired', 'escalated']);
    // While it seems to end, a figure that is missing is no reason.
    expect(changes(lived(rule, [BAD, 0, ...Array(20).fill(null)]))).toEqual(['fired']);
    expect(changes(lived(ruleOf({ escalateAfterMinutes: null }), Array(20).fill(BAD)))).toEqual(['fired']);
  });

  it('somebody does: it is not', () => {
    const rule = ruleOf({ escalateAfterMinutes: 5 });
    const taken = acknowledge(lived(rule, [BAD]), 'ada', 'looking', NOW);
    if (taken.kind !== 'acknowledged') throw new Error(taken.kind);
    expect(changes(lived(rule, Array(20).fill(BAD), { ...taken.alert, version: 2 }))).toEqual([
      'fired',
      'acknowledged',
    ]);
    expect(acknowledge(taken.alert, 'ada', 'again', NOW).kind).toBe('already');
    expect(acknowledge(taken.alert, 'eve', 'mine', NOW)).toMatchObject({
      kind: 'refused',
      why: expect.stringContaining('ada has'),
    });
    expect(acknowledge(newAlert('customer', rule), 'ada', 'nothing', NOW).kind).toBe('refused');
  });

  it('messages tell one change each, alternate, and never share an id', () => {
    const values = fc.array(fc.constantFrom(0, BAD, null, undefined), { maxLength: 60 });
    const metric = fc.constantFrom<AlertMetric>('error_rate', 'lag_ms');
    fc.assert(
      fc.property(values, metric, (seen, kind) => {
        const alert = lived(ruleOf({ metric: kind, windowMinutes: 2, escalateAfterMinutes: null }), seen);
        const told = changes(alert);
        expect(new Set(alert.messages.map(({ id }) => id)).size).toBe(told.length);
        for (const [index, change] of told.entries())
          if (told.length < MAX_MESSAGES) expect(change).toBe(index % 2 === 0 ? 'fired' : 'resolved');
        expect(alert.status === 'firing').toBe(told.at(-1) === 'fired');
      }),
    );
  });

  it('messages that nobody takes are bounded, and the loss is counted', () => {
    const alert = lived(ruleOf(), Array(80).fill([BAD, undefined]).flat());
    expect(alert.messages).toHaveLength(MAX_MESSAGES);
    expect(alert.dropped).toBe(160 - MAX_MESSAGES);
  });
});

describe('what the gates must respect', () => {
  const windows = [minute(1, 'shadow', { errors: 50 }), minute(1, 'primary')];
  it('a firing rule with an action holds or rolls back, with its figures', () => {
    const rules = rulesOf(DEFAULT_POLICY, [
      { id: 'errors', action: 'hold' },
      { id: 'mine', metric: 'error_rate', operator: '>=', value: 0.5, action: 'rollback' },
      { id: 'lag', action: 'hold' },
    ]);
    const { holds, guards } = demands(rules, [], sampleOf({ windows }));
    expect(holds.map(idOf)).toEqual(['alert_errors']);
    expect(guards).toMatchObject([{ code: 'alert', name: 'mine', ok: false, seen: 0.5, limit: 0.5, unit: 'rate' }]);
    expect(guards.map(idOf)).toEqual(['alert_mine']);
  });

  it('what a switch brought about, while it is turned or before it was over, holds and does not roll back', () => {
    const rule = ruleOf({ metric: 'lag_ms', operator: '>', value: 1_000, windowMinutes: 5, action: 'rollback' });
    const firing: Alert = { ...newAlert('customer', rule), status: 'firing', value: 1_500, firedAtMs: NOW };
    const demanded = (switches: Partial<CutoverState['switches']>) => {
      const state = { ...STATE, switches: { ...STATE.switches, ...switches } };
      const { holds, guards } = demands([rule], [firing], sampleOf({ state }));
      return { holds: holds.length, guards: guards.length };
    };
    const [held, back] = [
      { holds: 1, guards: 0 },
      { holds: 0, guards: 1 },
    ];
    const beganMs = NOW - 5 * 60_000;
    const since = [beganMs - 1, beganMs, beganMs + 1].map((sinceMs) => demanded({ sinceMs }));
    expect(since).toEqual([back, back, held]);
    expect([demanded({ shadowWrites: false }), demanded({ shadowReads: false })]).toEqual([held, held]);
  });

  it('built-in rules alone demand nothing', () => {
    expect(demands(rulesOf(DEFAULT_POLICY), [], sampleOf({ windows }))).toEqual({ holds: [], guards: [] });
  });

  it('a rollback is told with its reason', () => {
    const alerts = evaluateRules(rulesOf(DEFAULT_POLICY), [], sampleOf({ rolledBack: 'too many errors' }));
    expect(alerts.find(({ rule }) => rule === 'rolled_back')).toMatchObject({
      status: 'firing',
      text: 'customer: rolled back, critical. Stage r2. too many errors',
    });
  });

  it('a long hold is told with what holds, first what a person can end, and with how long it takes', () => {
    const waits = (code: 'samples' | 'proof_errors', aboutMinutes: number) =>
      condition(code, { ok: false, seen: 1, limit: 20, says: `${code}.`, release: { wait: 'samples', aboutMinutes } });
    const lag = condition('lag', { ok: false, seen: 90_000, limit: 30_000, release: { wait: 'catch_up' } });
    const held = verdictOf('hold', [waits('samples', 12), waits('proof_errors', 200), lag]);
    const evidence = { ...held.evidence, minutesInStage: 900 };
    const heldFor = (minutes: number) =>
      evaluateRules(
        rulesOf(DEFAULT_POLICY),
        [],
        sampleOf({ verdict: { ...held, evidence, heldSinceMs: NOW - minutes * 60_000 } }),
      ).find(({ rule }) => rule === 'long_hold');
    // A look that held after hours of none is no long hold, however long the stage has been going on.
    expect(heldFor(59)!.status).toBe('quiet');
    const alert = heldFor(61);
    expect(alert!.text).toMatch(
      /Stage r2\. Lag: 90 s, at most 30 s\. .* limit\. samples\. More operations of the shadow release it, in about 12 min at the present rate\. And 1 more\.$/,
    );
  });
});

describe('rules', () => {
  it('built-in ones are those that are named', () => {
    expect(builtInRules(DEFAULT_POLICY).map(({ id }) => id)).toEqual(BUILT_IN_RULE_IDS);
    expect(ruleProblems(DEFAULT_POLICY, builtInRules(DEFAULT_POLICY))).toEqual([]);
  });

  it('are changed, switched off and added by id', () => {
    const rules = rulesOf(DEFAULT_POLICY, [
      { id: 'lag', value: 60_000, severity: 'info' },
      { id: 'sync', off: true },
      { id: 'slow', metric: 'p95_ms', operator: '>', value: 300 },
    ]);
    expect(rules.find(({ id }) => id === 'lag')).toMatchObject({
      value: 60_000,
      metric: 'lag_ms',
      escalateAfterMinutes: null,
    });
    expect(rules.some(({ id }) => id === 'sync')).toBe(false);
    expect(rules.at(-1)).toMatchObject({ id: 'slow', severity: 'warning', windowMinutes: 5, action: 'alert' });
  });

  it.each([
    ['twice', [{ id: 'lag' }, { id: 'lag' }], /declared twice/],
    ['without a metric', [{ id: 'mine', value: 1 }], /needs metric, operator/],
    ['off, and none of ours', [{ id: 'mine', off: true }], /no built-in rule/],
    ['a share above 1', [{ id: 'validation', value: 99 }], /above 1/],
    ['a negative age', [{ id: 'lag', value: -1 }], /below 0/],
    [
      'an action on what the gates say',
      [{ id: 'long_hold', action: 'rollback' as const }],
      /can alert and not rollback/,
    ],
  ])('that cannot be are refused: %s', (_, declared, says) => {
    expect(ruleProblems(DEFAULT_POLICY, declared).join()).toMatch(says);
  });
});
