/** Plans, policies, addresses and phases: what is made of a declaration and what is wrong with it, at the edges of each. */

import { expect, it } from 'vitest';
import { METRICS, metricOf, OPERATORS } from '../../../lib/core/cutover/alert-rule.ts';
import { DEFAULT_POLICY, INITIAL_SYSTEM, initialState } from '../../../lib/core/cutover/cutover.ts';
import { type PhaseChange, phaseChangeText } from '../../../lib/core/cutover/phase.ts';
import * as plans from '../../../lib/core/cutover/plan.ts';
import { changedOverrides, policyOf, policyProblems, withOverrides } from '../../../lib/core/cutover/policy.ts';
import { remoteProblems, shadowName, unknownConnections } from '../../../lib/core/cutover/remote-shadow.ts';
import * as kinds from '../../../lib/core/cutover/stage-kinds.ts';
import * as switches from '../../../lib/core/cutover/switches.ts';
import { declaredAddresses, splitAddress, writeTarget } from '../../../lib/core/cutover/write-target.ts';
import { combinations, said } from '../../helpers/said.ts';
import { declarationOf, NOW, PLAN, STAGES, type StageName, stateIn, systemOf } from '../../property/samples.ts';

const STAGE_NAMES = Object.keys(STAGES) as StageName[];

it('of declarations', async () => {
  const policies = combinations({
    kind: ['table', 'service'] as const,
    memoryMax: [null, 5],
    errors: [
      [0.1, 0.1],
      [0.2, 0.1],
    ],
    latency: [
      [0.1, 0.1],
      [0.2, 0.1],
    ],
    score: [
      [0.9, 0.9],
      [0.8, 0.9],
    ],
    deadlineMinutes: [null, 29, 30, 31],
  }).filter((_, i) => i % 5 === 0);
  const full = { name: 'full', kind: 'full', sharePpm: 1_000_000, dwellMinutes: 0 };
  const stages: Record<string, object[]> = {
    none: [],
    'no ramp': [{ ...full, kind: 'ramp' }],
    'less than all': [{ ...full, sharePpm: 999_999 }],
    'a long name': [
      { ...full, name: 'a'.repeat(40) },
      { ...full, name: 'a'.repeat(41) },
    ],
    'a name twice': [{ ...full, sharePpm: 5, kind: 'ramp' }, full],
    'no dwell': [{ ...full, dwellMinutes: -1 }],
    'a dwell without end': [{ ...full, dwellMinutes: Number.POSITIVE_INFINITY }],
    'half a part': [{ ...full, name: 'r', kind: 'ramp', sharePpm: 0.5 }, full],
    'no share': [{ ...full, name: 'r', kind: 'ramp', sharePpm: 0 }, full],
    'a share twice': [
      { ...full, name: 'r', kind: 'ramp', sharePpm: 5 },
      { ...full, name: 's', kind: 'ramp', sharePpm: 5 },
      full,
    ],
    'as many as may be': Array.from({ length: 50 }, (_, i) => ({
      ...full,
      name: `s${i}`,
      kind: i === 49 ? 'full' : 'ramp',
      sharePpm: i === 49 ? 1_000_000 : i + 1,
    })),
    'one more': Array.from({ length: 51 }, (_, i) => ({
      ...full,
      name: `s${i}`,
      kind: i === 50 ? 'full' : 'ramp',
      sharePpm: i === 50 ? 1_000_000 : i + 1,
    })),
  };
  const remote = combinations({
    connection: [undefined, 'other'],
    mode: ['streamed', 'inline'] as const,
    indexesAfterCopy: [false, true],
    companions: [false, true],
  });
  const table = (over: object) =>
    ({
      ...declarationOf('table'),
      table: { primary: 'public.a', shadow: 'public.b', ...over },
      criteria: [
        { name: 'c', empty: 'x' },
        { name: 'h', http: 'https://a.test', privateHosts: ['a.test'] },
      ],
    }) as never;
  const component = {
    ...declarationOf('component'),
    writes: { primary: 'https://a.test/x', shadow: 'https://b.test', privateHosts: ['b.test'] },
  } as never;
  const changes: PhaseChange[] = [
    { kind: 'confirmed', check: 'a' },
    { kind: 'withdrawn', check: 'a' },
    { kind: 'started' },
    { kind: 'soaking', untilMs: NOW },
    { kind: 'soak_broken' },
    { kind: 'extended', untilMs: NOW },
    { kind: 'rolled_back' },
  ];
  await expect(
    [
      said('a policy', policies, ({ kind, memoryMax, errors, latency, score, deadlineMinutes }) =>
        policyProblems(
          {
            ...DEFAULT_POLICY,
            memoryMax,
            deadlineMinutes,
            errorRateAdvance: errors[0]!,
            errorRateRollback: errors[1]!,
            latencyIncreaseAdvance: latency[0]!,
            latencyIncreaseRollback: latency[1]!,
            validationScoreAdvance: score[0]!,
            validationScoreRollback: score[1]!,
          },
          kind,
          30,
        ),
      ),
      said('the built-in plans', plans.BUILT_IN_PLAN_NAMES, (name) => plans.builtInPlan(name)),
      said('a plan with dwells', [undefined, 7, { r1: 9 }], (dwells) =>
        plans.makePlan(
          'p',
          [
            ['r1', 0.0003],
            ['full', 100],
          ],
          dwells,
        ),
      ),
      said('a plan that cannot be', Object.keys(stages), (name) =>
        plans.planProblems({ name: 'p', stages: stages[name] } as never),
      ),
      said('held back', [0, 0.0001, 5], (percent) => [
        plans.withHoldBack(PLAN, percent).holdBackPpm,
        PLAN.stages.map((stage) => plans.servedPpm(stage, plans.withHoldBack(PLAN, percent))),
      ]),
      said('the next stage', [...STAGE_NAMES, 'none'], (stage) => plans.nextStage({ plan: PLAN, stage })?.name),
      said('a shadow elsewhere', remote, ({ companions, ...over }) => [
        remoteProblems(table({ ...over, ...(companions ? { companions: [] } : {}) })),
        shadowName({ shadow: 's', ...(over.connection ? { connection: over.connection } : {}) }),
        unknownConnections([table(over), declarationOf('service')], ['known']),
      ]),
      said('a known connection', ['known', 'other'], (connection) =>
        unknownConnections([table({ connection })], ['known']),
      ),
      said('addresses', ['table', 'service', 'component'] as const, (kind) => {
        const one = kind === 'component' ? component : kind === 'table' ? table({}) : declarationOf(kind);
        return [
          writeTarget(one, 'primary'),
          writeTarget(one, 'shadow'),
          declaredAddresses(one),
          writeTarget(declarationOf('component'), 'shadow'),
        ];
      }),
      said(
        'parts of an address',
        ['https://a.test', 'https://a.test/', 'https://a.test/x', 'https://a.test/x/', 'https://a.test:8/x/y?z=1'],
        splitAddress,
      ),
      said('a change of a phase', changes, phaseChangeText),
      said('the first state', ['table', 'service'] as const, (kind) => [
        initialState(declarationOf(kind)),
        INITIAL_SYSTEM,
      ]),
    ].join('\n'),
  ).toMatchFileSnapshot('../../fixtures/said/declarations.txt');
});

it('of states', async () => {
  const of = combinations({ stage: STAGE_NAMES, reads: [true, false], writes: [true, false], all: [true, false] });
  const overrides = combinations({
    everywhere: [{}, { dwellMinutes: 7 }, { holdBackPercent: 5 }] as const,
    r1: [{}, { dwellMinutes: 9, minSamples: 3 }] as const,
  });
  await expect(
    [
      said('stages and switches', of, ({ stage, reads, writes, all }) => {
        const state = stateIn(stage, {
          enteredAtMs: 5,
          switches: { shadowReads: reads, shadowWrites: writes, sinceMs: reads ? 4 : 6 },
        });
        const { isUnderWay, syncsShadow, isPromoted, isReadingStage, isIdle } = kinds;
        return [
          ...[isUnderWay, syncsShadow, isPromoted, isReadingStage, isIdle, switches.isNormal, switches.readsShadow].map(
            (is) => (is(state) ? 1 : 0),
          ),
          switches.writesShadow(state, systemOf({ shadowWritesEnabled: all })),
          ...[switches.effectiveKind, switches.stageText, switches.evidenceSinceMs, switches.switchesText].map((say) =>
            say(state),
          ),
        ];
      }),
      said('policies in force', overrides, ({ everywhere, r1 }) => {
        const given = { everywhere, stages: { r1 } };
        const declaration = declarationOf('table', { policy: { twoPersonApproval: 'minSamples' in r1 } });
        const { minSamples, approvalRequired } = policyOf(declaration, stateIn('r1', { overrides: given }));
        return [
          minSamples,
          approvalRequired,
          withOverrides(PLAN, given),
          changedOverrides(given, { stage: 'r1', set: { minSamples: 4 }, unset: ['dwellMinutes'] }),
          changedOverrides(given, { stage: null, set: { minSamples: 4 }, unset: ['dwellMinutes'] }),
          changedOverrides(given, { stage: 'r2', set: {}, unset: [] }),
        ];
      }),
      said(
        'shares',
        combinations({ stage: [...STAGE_NAMES, 'none' as StageName], percent: [0, 60] }),
        ({ stage, percent }) =>
          plans.stageSharePpm({ stage, stageKind: STAGES[stage] ?? 'ramp', plan: plans.withHoldBack(PLAN, percent) }),
      ),
      said(
        'operators',
        combinations({ operator: Object.keys(OPERATORS) as (keyof typeof OPERATORS)[], value: [1, 2, 3] }),
        ({ operator, value }) => [OPERATORS[operator].fires(value, 2), OPERATORS[operator].says],
      ),
      said('metrics of alerts', Object.keys(METRICS) as (keyof typeof METRICS)[], metricOf),
    ].join('\n'),
  ).toMatchFileSnapshot('../../fixtures/said/states.txt');
});
