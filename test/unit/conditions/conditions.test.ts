/** The table of conditions: every code that is emitted has a row, every row is emitted, and units are those of the figures. */

import { describe, expect, it } from 'vitest';
import { seenAndLimit } from '../../../lib/cli/render.ts';
import { type Alert, newAlert } from '../../../lib/core/alerts/alert.ts';
import { rulesOf } from '../../../lib/core/alerts/rule.ts';
import { demands } from '../../../lib/core/alerts/watch.ts';
import { type Condition, condition, fired, idOf } from '../../../lib/core/conditions/condition.ts';
import { figureText } from '../../../lib/core/conditions/figures.ts';
import { conditionText, seenText, show } from '../../../lib/core/conditions/show.ts';
import {
  CONDITION_CODES,
  type ConditionCode,
  hasRole,
  isConditionCode,
  rowOf,
} from '../../../lib/core/conditions/table.ts';
import { type AlertRule, METRICS } from '../../../lib/core/cutover/alert-rule.ts';
import { DEFAULT_POLICY } from '../../../lib/core/cutover/cutover.ts';
import type { TableStatus } from '../../../lib/core/gates/table-status.ts';
import { deadlineCondition } from '../../../lib/core/holds/deadline.ts';
import { forwardsCondition } from '../../../lib/core/holds/forwards.ts';
import { conditionLine } from '../../../lib/dashboard/condition-lines.ts';
import { storedVerdict as verdictSchema } from '../../../lib/schemas/state.ts';
import * as scenes from '../../helpers/dashboard-reports.ts';
import { readSources, type Source, withoutComments } from '../../helpers/imports.ts';
import { NOW, stateIn, verdictOf } from '../../property/samples.ts';

// ----------------------------------------------------------------------------------------------------------- emissions

const CALL = /\b(?:condition|fired)\(\s*(?:'([^']+)'|`([^`]+)`|([\w.]+(?:\(\w*\))?))\s*,/g;

/** Codes that come from a variable, by what stands there. The compiler holds each to these. */
const VARIABLES: Readonly<Record<string, readonly ConditionCode[]>> = {
  'read-conditions.ts metric': ['latency_p50', 'latency_p95'],
  'guards.ts tested.metric': ['latency_p50', 'latency_p95', 'latency_p99'],
  'absolute-guards.ts code': ['connection_drops', 'memory'],
  'checks.ts code': ['check_share', 'check_validation', 'check_errors'],
  'checks.ts codeOf(check)': ['check_reached', 'check_rollbacks'],
};

/** The codes that a file emits; a template stands for every code of its form. */
function emittedBy({ file, text }: Source): string[] {
  return [...withoutComments(text).matchAll(CALL)].flatMap(([, literal, template, variable]): readonly string[] => {
    if (literal !== undefined) return [literal];
    if (template !== undefined) {
      const form = new RegExp(`^${template.replace(/\$\{[^}]*\}/, '\\w+')}$`);
      return CONDITION_CODES.filter((code) => form.test(code));
    }
    return VARIABLES[`${file.split('/').at(-1)} ${variable}`] ?? [`${file} ${variable}`];
  });
}

const SOURCES = readSources(['lib', 'functions']).filter(({ file }) => !file.startsWith('lib/core/conditions/'));
const EMITTED = new Set(SOURCES.flatMap(emittedBy));

describe('the table of conditions', () => {
  it('has a row for every code that is emitted', () => {
    expect([...EMITTED].filter((code) => !isConditionCode(code))).toEqual([]);
  });

  it('has no row that nothing emits, but for what another version has stored', () => {
    expect(CONDITION_CODES.filter((code) => !EMITTED.has(code))).toEqual(['other']);
  });

  it('would notice a code without a row, and a variable that nobody has looked at', () => {
    const made = { file: 'lib/core/gates/x.ts', text: "condition('no_such', { ok }); fired(which, { seen });" };
    expect(emittedBy(made).filter((code) => !isConditionCode(code))).toEqual(['no_such', 'lib/core/gates/x.ts which']);
  });

  it('is what the compiler holds a code, its unit and its name to', () => {
    const figures = { ok: false, seen: 1, limit: 2 };
    // @ts-expect-error no such code
    expect(() => condition('no_such_code', figures)).toThrow();
    // @ts-expect-error the row says milliseconds
    expect(condition('lag', { ...figures, unit: 'rate' }).code).toBe('lag');
    // @ts-expect-error there are many alerts
    expect(condition('alert', figures).code).toBe('alert');
    // @ts-expect-error there is one lag
    expect(condition('lag', { ...figures, name: 'mine' }).code).toBe('lag');
  });
});

// ------------------------------------------------------------------------------------------------------------ sentences

/** Where a sentence of a condition, or a step, is taken apart or compared: what it says is for people alone. */
const READS_A_SENTENCE =
  /\b(?:says|text|nextSteps|(?:conditionText|seenText|releaseText)\([^()]*\))!?\??\.(?:match|matchAll|search|split|startsWith|endsWith|includes|indexOf)\(|\.(?:exec|test)\(\s*\w*\.?(?:says|text|step)\s*\)|\bwhy\??\.startsWith\(/;
/** Rooms that handle conditions; in others `text` is something else. */
const HANDLES_CONDITIONS =
  /^lib\/core\/(conditions|gates|holds|stage|alerts|phases|report|replay)\/|^lib\/flows\/(control|report|alerts|rows)\/|^lib\/dashboard\/|^lib\/cli\/(render|failure)|^functions\/control/;

describe('sentences of conditions', () => {
  const all = readSources(['lib', 'functions']).filter(({ file }) => HANDLES_CONDITIONS.test(file));

  it('are read by nothing', () => {
    expect(all.length).toBeGreaterThan(100);
    expect(all.filter(({ text }) => READS_A_SENTENCE.test(withoutComments(text))).map(({ file }) => file)).toEqual([]);
  });

  it.each([
    "if (run?.why?.startsWith('waits for')) continue;",
    'const leading = LEADING.exec(step);',
    'return [...reason.text.matchAll(QUOTED)];',
    "reasons.filter(({ says }) => says.includes('crossfade'));",
  ])('would be noticed in %s', (line) => {
    expect(READS_A_SENTENCE.test(line)).toBe(true);
  });
});

// --------------------------------------------------------------------------------------------------------------- units

const table = {
  armed: 'forward',
  mirror: null,
  lagMs: 181_800,
  outboxRows: 12,
  quarantined: 0,
  quarantine: [],
  backfill: { state: 'done', rowsDone: 1, rowsTotal: 1, rowsPerSecond: 0 },
  verification: null,
} as TableStatus;

/** An alert rule whose action is a rollback, while it fires. */
function guardOf(rule: object): Condition {
  const state = stateIn('r2', { enteredAtMs: NOW - 3_600_000, changedAtMs: NOW - 3_600_000 });
  const sample = {
    state,
    policy: DEFAULT_POLICY,
    windows: [],
    table,
    flagsDeployed: true,
    nowMs: NOW,
    verdict: null,
    rolledBack: null,
  };
  const rules: readonly AlertRule[] = rulesOf(DEFAULT_POLICY, [rule] as never);
  const stored = rules.map((one): Alert => ({ ...newAlert(state.id, one), status: 'pending', sinceMs: NOW - 600_000 }));
  return demands(rules, stored, sample).guards[0]!;
}

describe('the unit of a figure is that of what was measured', () => {
  it('for an alert rule that rolls back for the lag', () => {
    const lag = guardOf({ id: 'lag', value: 30_000, windowMinutes: 1, action: 'rollback' });
    expect(conditionLine(show(lag, true))).toMatchObject({ label: 'Alert: lag', seen: '181.8 s', limit: '30 s' });
    expect(seenAndLimit(show(lag, true))).toBe(' (181.8 s, limit 30 s)');
    expect(show(lag, true)).toMatchObject({ code: 'alert_lag', seen: 181_800, limit: 30_000, unit: 'ms' });
  });

  it('for the p95 in milliseconds that must not be exceeded', () => {
    const guard = fired('p95_limit', { seen: 412, limit: 300 });
    expect(conditionLine(show(guard, true))).toMatchObject({ label: 'p95 limit', seen: '412 ms', limit: '300 ms' });
  });

  it('for a deadline that rolls back', () => {
    const state = stateIn('r1', { enteredAtMs: NOW - 45 * 60_000 });
    const deadline = deadlineCondition({ deadlineMinutes: 30, onDeadline: 'rollback' }, state, NOW)!;
    expect(conditionLine(show(deadline, true))).toMatchObject({ label: 'Deadline', seen: '45 min', limit: '30 min' });
    expect(seenAndLimit(show(deadline, true))).toBe(' (45 min, limit 30 min)');
  });

  it('for writes that are forwarded: how long the oldest waits, and how many wait for a person', () => {
    const summary = { open: 7, more: false, quarantined: 0, lagMs: 181_800 };
    const late = forwardsCondition('chat', summary as never, { lagAdvanceMs: 30_000 });
    const stuck = forwardsCondition('chat', { ...summary, quarantined: 3 } as never, { lagAdvanceMs: 30_000 });
    const label = 'Forwarded writes';
    expect(conditionLine(show(late))).toMatchObject({ label, seen: '181.8 s', limit: '30 s', limitIs: 'limit' });
    expect(conditionLine(show(stuck))).toMatchObject({ label, seen: '3', limit: '0', limitIs: 'limit' });
  });

  it('for every metric that an alert rule can watch', () => {
    const { unit } = rowOf('alert');
    for (const metric of Object.values(METRICS)) expect(unit).toContain(metric.unit);
  });
});

/** Whether the sentence, in which the units were written where the figure was measured, has the limit as the table shows it. */
function agrees({ limit, unit, says }: Condition): boolean {
  if (typeof limit !== 'number' || unit === 'word' || unit === 'evidence') return true;
  const shown = figureText(limit, unit);
  return says.includes(unit === 'minutes' ? shown.replace(' min', '') : shown);
}

describe('sentences of the gates', () => {
  const SAY_NO_LIMIT = ['quarantine', 'dwell', 'backfill', 'verification', 'flags', 'cohort'];

  it('name the limit as the table renders it', async () => {
    const cast = [scenes.held, scenes.serving, scenes.copying, scenes.failing];
    const { report } = await scenes.scene(cast);
    const conditions = report.cutovers.flatMap((cutover) => ('verdict' in cutover ? cutover.verdict.conditions : []));
    const judged = conditions.filter(
      ({ row, limit }) => limit !== null && !SAY_NO_LIMIT.includes(row) && !hasRole({ code: row }, 'forecast'),
    );
    expect(judged.length).toBeGreaterThan(30);
    const wrong = judged.filter((one) => !agrees(one as unknown as Condition));
    expect(wrong.map(({ code, limit, unit, says }) => [code, limit, unit, says])).toEqual([]);
  });

  it('would tell a row with a wrong unit', () => {
    const lag = condition('lag', {
      ok: false,
      seen: 90_000,
      limit: 30_000,
      says: 'It is 90 s old; the limit is 30 s.',
    });
    expect(agrees(lag)).toBe(true);
    expect(agrees({ ...lag, unit: 'rate' })).toBe(false);
    expect(agrees({ ...lag, unit: 'count' })).toBe(false);
  });
});

// ------------------------------------------------------------------------------------------------------------ the rest

describe('a condition without a sentence of its own', () => {
  it('says label, figures and direction as the table has them', () => {
    const lag = condition('lag', { ok: false, seen: 90_000, limit: 30_000, release: { wait: 'catch_up' } });
    expect(seenText(lag)).toBe('Lag: 90 s, at most 30 s.');
    expect(conditionText(lag)).toBe(
      'Lag: 90 s, at most 30 s. It is released when the writer has caught up to within the limit.',
    );
  });

  it('keeps nothing of what would release it while it holds', () => {
    expect(condition('lag', { ok: true, seen: 1, limit: 2, release: { wait: 'catch_up' } }).release).toEqual([]);
  });
});

describe('a verdict that an earlier version has stored', () => {
  const old = { ok: false, value: 12, limit: 100, text: '12 of 100 samples. More release it.' };
  const read = (...reasons: object[]) => {
    const verdict = JSON.stringify({ ...verdictOf('hold'), reasons, conditions: [] });
    return verdictSchema.parse({ atMs: 1, verdict, evidence: 'null' }).verdict.reasons;
  };

  it('is read with its figures, in the unit of its row, and with the very text', () => {
    const [reason] = read({ ...old, code: 'samples' });
    expect(reason).toMatchObject({ code: 'samples', ok: false, seen: 12, limit: 100, unit: 'count' });
    expect(conditionText(reason!)).toBe(old.text);
  });

  it('keeps the name of what has no row', () => {
    const [reason] = read({ ...old, code: 'alert_slow' });
    expect(idOf(reason!)).toBe('alert_slow');
    expect(conditionText(reason!)).toBe(old.text);
  });

  it('of a later version is read as far as it is known, with the very text', () => {
    const later = { row: 'no_such_row', unit: 'furlongs', says: '12 of 100 samples.', release: [{ wait: 'the_moon' }] };
    const [reason] = read({ ...old, code: 'no_such_row', ...later });
    expect(reason).toMatchObject({ code: 'other', name: 'no_such_row', unit: 'word', release: [] });
    expect(conditionText(reason!)).toBe(old.text);
  });
});
