/** Criteria of the user's own: what is refused, what an answer means, what holds and what rolls back. */

import { describe, expect, it } from 'vitest';
import type { Criterion, Finding, InvariantReading, Observation } from '../../../lib/core/cutover/criterion.ts';
import type { CutoverState } from '../../../lib/core/cutover/cutover.ts';
import { UNTOUCHED_PHASE } from '../../../lib/core/cutover/phase.ts';
import { criteriaDemands, isDue, withFindings } from '../../../lib/core/holds/criteria.ts';
import { alarmFinding, invariantFinding, statusFinding } from '../../../lib/core/holds/findings.ts';
import { evaluateCheck } from '../../../lib/core/phases/checks.ts';
import { type CutoverInput, defineCutovers } from '../../../lib/define/cutovers.ts';
import { definePhases } from '../../../lib/define/phases.ts';
import { sourceMutant } from '../../helpers/source-mutant.ts';
import { declarationOf, NOW, stateIn, verdictOf } from '../../property/samples.ts';

const ARN = 'arn:aws:cloudwatch:eu-central-1:123456789012:alarm:slow';
const MINUTE_MS = 60_000;
const TABLE = { id: 'invoice', kind: 'table', primary: 'public.invoice', shadow: 'public.invoice_v2' } as const;

const problemsOf = (define: () => unknown): readonly string[] => {
  try {
    define();
  } catch (error) {
    return (error as { details: { problems: string[] } }).details.problems;
  }
  return [];
};
const refused = (criteria: unknown, over: object = { id: 'planner', kind: 'component' }) =>
  problemsOf(() => defineCutovers([{ ...over, criteria } as CutoverInput]));

describe('criteria in a declaration', () => {
  it('are completed with their defaults', () => {
    const criteria: CutoverInput['criteria'] = [
      { name: 'slow', alarm: ARN, onFailure: 'rollback' },
      { name: 'totals', equal: { primary: 'SELECT 1 FROM {primary}', shadow: 'SELECT 1 FROM {shadow}' } },
      { name: 'none', empty: 'SELECT 1 FROM {shadow}', everyMinutes: 60 },
      { name: 'asked', http: 'https://check.test/ok' },
    ];
    expect(defineCutovers([{ ...TABLE, criteria }])[0]!.criteria).toMatchObject([
      { name: 'slow', onFailure: 'rollback', everyMinutes: 1 },
      { name: 'totals', onFailure: 'hold', everyMinutes: 5 },
      { name: 'none', everyMinutes: 60 },
      { name: 'asked', everyMinutes: 1, timeoutMs: 2_000, privateHosts: [] },
    ]);
  });

  it.each<[string, object, RegExp]>([
    ['no ARN', { name: 'a', alarm: 'slow' }, /criteria\.0\.alarm: 'slow' is no ARN of an alarm, such as arn:aws/],
    [
      'the ARN of something else',
      { name: 'a', alarm: 'arn:aws:sns:eu-central-1:123456789012:slow' },
      /no ARN of an alarm/,
    ],
    ['nothing to observe', { name: 'a', onFailure: 'hold' }, /criteria\.0: it must say .* it has none/],
    ['two things to observe', { name: 'a', alarm: ARN, http: 'https://a.test/' }, /it has alarm and http/],
    [
      'a misspelt key',
      { name: 'a', alarm: ARN, onFailur: 'hold' },
      /onFailur is not known here. Did you mean 'onFailure'/,
    ],
    ['another act', { name: 'a', alarm: ARN, onFailure: 'stop' }, /criteria\.0\.onFailure/],
    ['a name with capitals', { name: 'A', alarm: ARN }, /a criterion is called in lower_snake_case/],
    ['SQL of a component', { name: 'a', empty: 'SELECT 1 FROM {shadow}' }, /'planner' moves a component/],
    ['http without a reason', { name: 'a', http: 'http://check.test/' }, /criteria\.0\.http .* write https/],
    ['a metadata address', { name: 'a', http: 'https://169.254.169.254/' }, /169\.254\.169\.254/],
    ['too long a wait', { name: 'a', http: 'https://a.test/', timeoutMs: 60_000 }, /criteria\.0\.timeoutMs/],
  ])('are refused with %s', (_, criterion, says) => {
    expect(refused([criterion]).join('\n')).toMatch(says);
  });

  it('are refused when two have one name, and when a query names no table', () => {
    expect(
      refused([
        { name: 'a', alarm: ARN },
        { name: 'a', alarm: ARN },
      ]),
    ).toEqual(["planner.criteria.1: criterion 'a' is declared twice"]);
    const equal = { primary: 'SELECT 1 FROM public.invoice', shadow: 'SELECT 1 FROM {primary}' };
    const found = refused([{ name: 'a', equal }], TABLE);
    expect(found).toHaveLength(2);
    expect(found[0]).toMatch(/criteria\.0\.equal\.primary: it does not read \{primary\}/);
    expect(found[1]).toMatch(/criteria\.0\.equal\.shadow: it does not read \{shadow\}/);
  });
});

describe('an answer', () => {
  const kinds = (findings: Finding[]) => findings.map(({ answer }) => answer);

  it('of CloudWatch passes in OK, fails in ALARM, and is unclear otherwise', () => {
    const at = (state: 'OK' | 'ALARM' | 'INSUFFICIENT_DATA') =>
      alarmFinding(ARN, { state, sinceMs: 5, reason: 'Because.' });
    expect(kinds([at('OK'), at('ALARM'), at('INSUFFICIENT_DATA')])).toEqual(['passes', 'fails', 'unclear']);
    expect(kinds([alarmFinding(ARN, undefined), alarmFinding(ARN, { problem: 'AccessDenied' })])).toEqual([
      'unclear',
      'unclear',
    ]);
    expect(at('ALARM')).toMatchObject({ sinceMs: 5, says: "CloudWatch alarm 'slow' is in ALARM: Because." });
  });

  it('of a check passes with 2xx, fails by a status of its own, and is unclear by one of a proxy or a redirect', () => {
    const of = (...statuses: number[]) =>
      new Set(kinds(statuses.map((status) => statusFinding('https://a.test/x', status))));
    expect([...of(200, 204, 299)]).toEqual(['passes']);
    expect([...of(400, 409, 412, 422, 500)]).toEqual(['fails']);
    expect([...of(100, 301, 401, 403, 404, 429, 502, 503, 504)]).toEqual(['unclear']);
  });

  const compared = (primary: string[][], shadow: string[][], rows = 24): InvariantReading => ({
    kind: 'compared',
    rows,
    differing: Math.max(primary.length, shadow.length),
    primary,
    shadow,
  });

  it.each<[string, InvariantReading, string]>([
    [
      'groups with both values',
      compared(
        [
          ['Chile', '46.62'],
          ['Norway', '39.62'],
        ],
        [
          ['Chile', '51.29'],
          ['Norway', '43.59'],
        ],
      ),
      'in 2 of 24 rows: Chile: old 46.62, new 51.29; Norway: old 39.62, new 43.59.',
    ],
    [
      'a group that one side lacks',
      compared(
        [
          ['Chile', '1'],
          ['Peru', '2'],
        ],
        [['Chile', '3']],
      ),
      'in 2 of 24 rows: Chile: old 1, new 3; Peru: old 2, new nothing.',
    ],
    [
      'several values',
      compared([['Chile', '7', '46.62']], [['Chile', '8', '51.29']]),
      'Chile: old 7, 46.62, new 8, 51.29.',
    ],
    ['one figure', compared([['412']], [['411']], 1), 'in 1 of 1 row: old 412, new 411.'],
    [
      'rows without a partner',
      compared([['a']], [['b'], ['c']]),
      'a only in the old table; b only in the new table; c only in the new table.',
    ],
    [
      'the first five of many',
      compared(
        Array.from({ length: 9 }, (_, i) => [`g${i}`, '1']),
        Array.from({ length: 9 }, (_, i) => [`g${i}`, '2']),
      ),
      'g4: old 1, new 2; and 4 more.',
    ],
    [
      'rows that should not be there',
      {
        kind: 'found',
        rows: 7,
        samples: [
          ['5', 'x'],
          ['6', 'y'],
        ],
      },
      'by 7 rows: 5, x; 6, y; and 5 more.',
    ],
  ])('of an invariant names %s', (_, reading, says) => {
    const finding = invariantFinding('totals', reading, 0);
    expect(finding.answer).toBe('fails');
    expect(finding.says).toContain(says);
    // A key that could not be applied is known: it does not take the cutover back.
    expect(invariantFinding('totals', reading, 1).answer).toBe('unclear');
  });

  it.each<[InvariantReading, string]>([
    [{ kind: 'unready', why: 'the copy is not done' }, 'unclear'],
    [{ kind: 'too_slow', limitMs: 4_000 }, 'unclear'],
    [{ kind: 'too_many', limit: 10_000 }, 'unclear'],
    [{ kind: 'refused', why: 'permission denied' }, 'unclear'],
    [{ kind: 'found', rows: 0, samples: [] }, 'passes'],
    [compared([], []), 'passes'],
  ])('of an invariant, %j, is no failure', (reading, answer) => {
    expect(invariantFinding('totals', reading, 0).answer).toBe(answer);
  });
});

// ------------------------------------------------------------------------------------------------------------ demands

const ALARM: Criterion = { name: 'slow', alarm: ARN, onFailure: 'rollback', everyMinutes: 1 };
const HOURLY: Criterion = { name: 'none', empty: 'SELECT 1 FROM {shadow}', onFailure: 'hold', everyMinutes: 60 };
const started = { actor: 'ada', atMs: NOW - 30 * MINUTE_MS };

function situation(seen: Partial<Observation> | null, state: Partial<CutoverState> = {}, criterion = ALARM) {
  const of = { ...stateIn('r1', { epoch: 3, started }), ...state };
  const whole: Observation = {
    atMs: NOW,
    epoch: 3,
    answer: 'fails',
    sinceMs: NOW,
    seen: 'ALARM',
    says: 'It rings.',
    ...seen,
  };
  const observations = seen ? { [criterion.name]: whole } : {};
  return { declaration: declarationOf('table', { criteria: [criterion] }), state: of, observations, nowMs: NOW };
}
type Situated = ReturnType<typeof situation>;
const outcome = (of: Situated, demandsOf = criteriaDemands) => {
  const { holds, guards } = demandsOf(of);
  return guards.length > 0 ? 'rollback' : holds.every(({ ok }) => ok) ? 'pass' : 'hold';
};

describe('a criterion', () => {
  const CASES: readonly [string, Situated, string][] = [
    ['that passes', situation({ answer: 'passes' }), 'pass'],
    ['that fails', situation({}), 'rollback'],
    ['that fails and only holds', situation({}, {}, { ...ALARM, onFailure: 'hold' }), 'hold'],
    ['that is unclear', situation({ answer: 'unclear' }), 'hold'],
    ['that was never asked', situation(null), 'hold'],
    ['that failed long ago', situation({ atMs: NOW - 5 * MINUTE_MS }), 'hold'],
    ['that passed long ago', situation({ answer: 'passes', atMs: NOW - 5 * MINUTE_MS }), 'hold'],
    // Twice the time between two observations, and two minutes.
    ['that failed as long ago as counts', situation({ atMs: NOW - 4 * MINUTE_MS }), 'rollback'],
    ['that failed longer ago', situation({ atMs: NOW - 4 * MINUTE_MS - 1 }), 'hold'],
    ['that passed two hours ago', situation({ answer: 'passes', atMs: NOW - 122 * MINUTE_MS }, {}, HOURLY), 'pass'],
    ['that passed longer ago', situation({ answer: 'passes', atMs: NOW - 122 * MINUTE_MS - 1 }, {}, HOURLY), 'hold'],
    ['that passed in an earlier run', situation({ answer: 'passes', epoch: 2 }), 'hold'],
    ['that has failed since before the start', situation({ sinceMs: started.atMs - 1 }), 'hold'],
    [
      'that fails while writes are off',
      situation({}, { switches: { shadowReads: true, shadowWrites: false, sinceMs: 0 } }),
      'hold',
    ],
    [
      'that fails since before a switch was turned back',
      situation({ sinceMs: NOW - 2 }, { switches: { shadowReads: true, shadowWrites: true, sinceMs: NOW - 1 } }),
      'hold',
    ],
    ['that fails after promotion', situation({}, { stageKind: 'completed', stage: 'completed' }), 'hold'],
    ['of a cutover that was not started', situation({}, { stageKind: 'disabled', stage: 'disabled' }), 'pass'],
  ];

  it.each(CASES)('%s: %3$s', (_, of, wanted) => {
    expect(outcome(of)).toBe(wanted);
  });

  it.each([
    ['every failure takes it back', "seen?.answer !== 'fails'", "(!seen || seen.answer === 'passes')"],
    ['an old failure takes it back', ' || isStale(criterion, seen, observed))', ')'],
    ['an older cause takes it back', 'seen.sinceMs >= Math.max(', '0 <= Math.max('],
    ['an old answer is a good one', 'if (isStale(criterion, seen, observed)) {', 'if (false) {'],
    ['an earlier run counts', 'found?.epoch === state.epoch && !isOld ? found : undefined', 'found'],
  ] as const)('is judged wrongly, and these cases notice it, where %s', async (_, is, becomes) => {
    const file = 'lib/core/holds/criteria.ts';
    const mutant = await sourceMutant<typeof import('../../../lib/core/holds/criteria.ts')>(
      [file],
      [[file, is, becomes]],
    );
    expect(CASES.filter(([, of, wanted]) => outcome(of, mutant.criteriaDemands) !== wanted)).not.toEqual([]);
  });

  it('says what was seen, since when, and what releases it', () => {
    const { holds } = criteriaDemands(
      situation({ sinceMs: NOW - 12 * MINUTE_MS }, {}, { ...ALARM, onFailure: 'hold' }),
    );
    expect(holds).toMatchObject([
      {
        code: 'alarm',
        name: 'slow',
        seen: 'ALARM',
        limit: 'OK',
        says: 'It rings. Since 11:48 UTC (12 min).',
        release: [{ wait: 'alarm_ok' }],
      },
    ]);
    const old = criteriaDemands(situation({ atMs: NOW - 23 * MINUTE_MS })).holds[0]!;
    expect(old.says).toBe('It rings. That was 23 min ago: too old to count.');
  });

  it('is asked again when its time has come, and at once while it is unclear, unless it took too long', () => {
    const minutesAgo = (minutes: number, over: Partial<Observation> = {}) => ({
      atMs: NOW - minutes * MINUTE_MS,
      ...over,
    });
    const due = (seen: Partial<Observation> | null) => isDue(HOURLY, situation(seen, {}, HOURLY));
    expect([due(null), due(minutesAgo(59)), due(minutesAgo(60))]).toEqual([true, false, true]);
    expect(due(minutesAgo(1, { answer: 'unclear', seen: null }))).toBe(true);
    expect(due(minutesAgo(1, { answer: 'unclear', seen: 'too slow' }))).toBe(false);
    expect(due(minutesAgo(1, { epoch: 2 }))).toBe(true);
  });

  it('keeps what was seen when it is not asked, and since when', () => {
    const before = situation({ atMs: NOW - MINUTE_MS, sinceMs: NOW - 9 * MINUTE_MS });
    expect(withFindings(before, {})).toEqual(before.observations);
    const finding = { answer: 'fails', seen: 'ALARM', says: 'Still.' } as const;
    expect(withFindings(before, { slow: finding }).slow).toMatchObject({
      atMs: NOW,
      sinceMs: NOW - 9 * MINUTE_MS,
      says: 'Still.',
    });
    expect(withFindings(before, { slow: { ...finding, answer: 'passes' } }).slow).toMatchObject({ sinceMs: NOW });
    expect(withFindings(before, { slow: { ...finding, sinceMs: 7 } }).slow).toMatchObject({ sinceMs: 7 });
  });
});

describe('a check of a phase on a criterion', () => {
  const cutovers = defineCutovers([
    { id: 'planner', kind: 'component', criteria: [{ name: 'planning', alarm: ARN }] },
    { id: 'bundler', kind: 'component' },
  ]);
  const define = (over: object) =>
    problemsOf(() =>
      definePhases(
        [
          { name: 'one', cutovers: ['planner'] },
          { name: 'two', cutovers: ['bundler'], after: ['one'], ...over },
        ],
        cutovers,
      ),
    );
  const check = { name: 'fast', criterion: 'planning' };

  it('names a criterion that a cutover has which it is about', () => {
    expect(define({ validation: [check] })).toEqual([]);
    expect(define({ criteria: [check] })).toEqual([
      "phases.two.criteria: check 'fast' wants criterion 'planning', which none of bundler declares.",
    ]);
    expect(define({ validation: [{ ...check, criterion: 'planing' }] })[0]).toContain("Did you mean 'planning'?");
    expect(define({ preparation: [check] })[0]).toMatch(
      /observed only once its cutover has started: put it into criteria/,
    );
  });

  it('holds when the criterion passes, and says of whom it does not', () => {
    const member = (seen: Partial<Observation> | null) => ({
      ...situation(seen, {}, ALARM),
      verdict: verdictOf('advance'),
      table: null,
    });
    const asked = { name: 'fast', criterion: 'slow' } as const;
    expect(evaluateCheck(asked, UNTOUCHED_PHASE, [member({ answer: 'passes' })])).toMatchObject({
      ok: true,
      seen: 1,
      limit: 1,
    });
    expect(evaluateCheck(asked, UNTOUCHED_PHASE, [member({}), member({ answer: 'passes' })])).toMatchObject({
      code: 'check_criterion',
      ok: false,
      seen: 1,
      limit: 2,
      says: expect.stringMatching(/^customer: It rings\. Since/),
      release: [{ wait: 'alarm_ok' }],
    });
    expect(evaluateCheck(asked, UNTOUCHED_PHASE, [undefined])).toMatchObject({ code: 'check_criterion', ok: false });
  });
});
