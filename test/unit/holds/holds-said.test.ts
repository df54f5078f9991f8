/** Every hold at its edges: what is seen, where the limit lies, how it reads and what releases it. */

import { expect, it } from 'vitest';
import type { PhaseStatus } from '../../../lib/core/cutover/phase.ts';
import { UNTOUCHED_PHASE } from '../../../lib/core/cutover/phase.ts';
import type { TableStatus } from '../../../lib/core/gates/table-status.ts';
import { cohortBar, cohortHold, fellBehind, takesBack } from '../../../lib/core/holds/cohort.ts';
import { deadlineDemands } from '../../../lib/core/holds/deadline.ts';
import { demandsOf } from '../../../lib/core/holds/demands.ts';
import { armedHold, missingOf, missingText } from '../../../lib/core/holds/existence.ts';
import { forwardsCondition } from '../../../lib/core/holds/forwards.ts';
import { freezeCondition, frozenAt, frozenText } from '../../../lib/core/holds/freeze.ts';
import { migrationPhaseOf, phaseHold } from '../../../lib/core/holds/phase-order.ts';
import { rehearsalObstacle, type SignedRehearsal } from '../../../lib/core/holds/rehearsal.ts';
import { shapeConditions } from '../../../lib/core/holds/shape.ts';
import { switchHolds, writesGuard, writesHold } from '../../../lib/core/holds/switches.ts';
import { combinations, said } from '../../helpers/said.ts';
import { declarationOf, NOW, STAGES, type StageName, stateIn, verdictOf } from '../../property/samples.ts';

const MINUTE = 60_000;
const page = (name: string) => `../../fixtures/said/${name}.txt`;
const switched = (shadowReads: boolean, shadowWrites: boolean, sinceMs = 0) => ({ shadowReads, shadowWrites, sinceMs });
const STAGE_NAMES = Object.keys(STAGES) as StageName[];

it('holds of a cutover and of those beside it', async () => {
  const policies = combinations({
    onDeadline: ['hold', 'rollback'],
    stage: ['r1', 'full_100'],
    minutes: [-1, 0, 29, 30],
  });
  const peers = combinations({
    member: STAGE_NAMES,
    peer: [...STAGE_NAMES, null],
    verdict: ['advance', 'hold', null] as const,
  });
  const cohorts = peers.filter(({ member }) => ['r1', 'r2', 'rolled_back', 'cleaned'].includes(member));
  const peerOf = (peer: StageName | null, verdict: 'advance' | 'hold' | null) => ({
    id: 'other',
    state: peer && stateIn(peer),
    verdict: verdict && verdictOf(verdict),
  });
  const statuses: PhaseStatus[] = ['waiting', 'running', 'soaking', 'done', 'rolled_back'];
  const phase = { name: 'two', place: 1, cutovers: [], after: ['one'], reach: 'full', soakMinutes: 0 } as const;
  const two = { ...phase, preparation: [], validation: [], criteria: [], decision: 'person' } as const;
  const one = { ...two, name: 'one', place: 0, after: [] };
  const system = (of: { one: PhaseStatus; two: PhaseStatus }) => ({
    phases: { one: { ...UNTOUCHED_PHASE, status: of.one }, two: { ...UNTOUCHED_PHASE, status: of.two } },
  });
  await expect(
    [
      said('the deadline', policies, ({ onDeadline, stage, minutes }) =>
        deadlineDemands(
          { ...declarationOf().policy, deadlineMinutes: 30, onDeadline } as never,
          stateIn(stage as StageName),
          NOW - 60 * MINUTE + minutes * MINUTE,
        ),
      ),
      said('a peer of the cohort', cohorts, ({ member, peer, verdict }) => {
        const of = peerOf(peer, verdict);
        return [
          cohortHold('shop', { id: 'me', state: stateIn(member), verdict: null }, [of])?.says,
          fellBehind(stateIn(member), [of]),
        ];
      }),
      said(
        'a peer by force',
        combinations({ member: ['r1', 'r2'], peer: ['r1', 'r2', 'dual_write'] } as const),
        ({ member, peer }) => cohortBar('shop', stateIn(member), [stateIn(peer)]),
      ),
      said(
        'a rollback of a peer',
        combinations({ cause: ['gates', 'emergency'], started: [null, 5], atMs: [4, 5, 6] }),
        ({ cause, started, atMs }) =>
          takesBack(
            stateIn('rolled_back', { rollback: { cause, atMs } as never }),
            stateIn('r1', { started: started === null ? null : { actor: 'a', atMs: started } }),
          ),
      ),
      said('the order of phases', combinations({ one: statuses, two: statuses }), (of) => [
        migrationPhaseOf([one, two], system(of)),
        phaseHold({ phase: two }, system(of)),
      ]),
      said(
        'the switches',
        combinations({
          stage: ['dual_write', 'r1'] as const,
          reads: [true, false],
          writes: [true, false],
          all: [true, false],
        }),
        ({ stage, reads, writes, all }) => {
          const state = stateIn(stage, { switches: switched(reads, writes) });
          const master = { shadowWritesEnabled: all };
          return [
            switchHolds(state),
            writesHold(state, master)?.says,
            writesHold({ kind: 'service' }, master),
            writesGuard(state, master)?.code,
          ];
        },
      ),
      said(
        'a freeze window',
        combinations({ from: [600, 1320], at: [479, 480, 599, 600, 601, 719, 720, 1319, 1320, 1439] }),
        ({ from, at }) =>
          freezeCondition(
            [
              {
                name: 'nights',
                weekdays: ['thu'],
                fromMinute: from,
                toMinute: from === 600 ? 720 : 480,
                timeZone: 'UTC',
              },
            ],
            NOW - 720 * MINUTE + at * MINUTE,
          ),
      ),
      said(
        'a freeze window where clocks are changed',
        combinations({
          day: ['2026-03-28', '2026-10-24'],
          to: [119, 120, 121, 150, 180, 181],
          hours: [22, 23.9, 24, 24.5, 25, 25.5, 25.99, 26],
        }),
        ({ day, to, hours }) => {
          const [from, atMs] = [1380, Date.parse(`${day}T00:00Z`) + hours * 60 * MINUTE];
          const window = {
            name: 'n',
            weekdays: ['sat'] as const,
            fromMinute: from,
            toMinute: to,
            timeZone: 'Europe/Berlin',
          };
          const untilMs = frozenAt([window], atMs)?.untilMs;
          return untilMs ? new Date(untilMs).toISOString().slice(5, 16) : null;
        },
      ),
      said('no freeze window', [0, 1], (many) =>
        freezeCondition([{ name: 'n', fromMs: NOW + 1, toMs: NOW + 2 }].slice(0, many), NOW),
      ),
      said('freeze windows in a row', [1, 27, 28, 29], (many) => {
        const windows = Array.from({ length: many }, (_, i) => ({ name: `n${i}`, fromMs: NOW + i, toMs: NOW + i + 1 }));
        const frozen = frozenAt(windows, NOW);
        return [frozen?.name, frozen?.untilMs && frozen.untilMs - NOW, frozen && frozenText(frozen).slice(0, 60)];
      }),
      said('all demands', combinations({ stage: STAGE_NAMES, writes: [true, false] }), ({ stage, writes }) =>
        demandsOf({
          declaration: declarationOf('table', { freeze: [{ name: 'now', fromMs: NOW - 1, toMs: NOW + 1 }] }),
          policy: declarationOf().policy,
          state: stateIn(stage),
          system: { phases: {}, shadowWritesEnabled: writes },
          windows: [],
          nowMs: NOW,
        }),
      ),
    ].join('\n'),
  ).toMatchFileSnapshot(page('holds'));
});

it('holds of what is there: capture, copy, shape, forwarded writes, a rehearsal', async () => {
  const tables = combinations({
    stage: ['disabled', 'r1', 'completed'] as const,
    armed: ['none', 'forward', 'reverse'] as const,
    epoch: [2, 3, null],
  });
  const summaries = combinations({ open: [1], quarantined: [0, 1], lagMs: [30_000, 30_001], more: [false, true] });
  const difference = (object: string, was: string | null, is: string | null) => ({ object, was, is });
  const differences = [
    difference('a', null, null),
    difference('b', 'x', null),
    difference('c', null, 'y'),
    difference('d', 'x', 'y'),
  ];
  const good: SignedRehearsal = {
    cutover: 'a',
    passed: true,
    endedMs: NOW,
    declaration: 'd',
    shape: 's',
    signedBy: 'k',
  };
  const rehearsals: (Partial<SignedRehearsal> | null)[] = [
    null,
    { cutover: 'b' },
    { passed: false },
    { declaration: 'e' },
    { shape: 't' },
    { signedBy: 'l' },
    ...[5 * MINUTE, 5 * MINUTE + 1, -24 * 60 * MINUTE, -24 * 60 * MINUTE - 1].map((ms) => ({ endedMs: NOW + ms })),
  ];
  const lags = combinations({ code: ['lag', 'samples'], seen: [300_000, 300_001, 400_001], limit: [30_000, 400_000] });
  await expect(
    [
      said('capture', tables, ({ stage, armed, epoch }) =>
        armedHold(stateIn(stage), {
          armed,
          mirror: epoch === null ? null : { epoch, version: 1, stage },
        } as TableStatus),
      ),
      said('capture of what is no table', ['component', 'service'] as const, (kind) =>
        armedHold(stateIn('r1', {}, kind), { armed: 'none', mirror: null } as TableStatus),
      ),
      said('lag by force', lags, ({ code, seen, limit }) => {
        const one = { code, ok: false, seen, limit, unit: 'ms', says: '', release: [] } as never;
        const missing = missingOf(verdictOf('hold', [one]));
        return [missing.length, missingOf(null).length, missingText(missing)];
      }),
      said('forwarded writes', [null, ...summaries], (summary) =>
        forwardsCondition('a', summary, { lagAdvanceMs: 30_000 }),
      ),
      said(
        'the shape',
        combinations({
          first: [0, 1, 2, 3],
          many: [0, 1, 3, 4],
          sinceMs: [null, NOW],
          gap: [null, 'a trigger was off'],
        }),
        ({ first, many, sinceMs, gap }) =>
          shapeConditions('a', {
            shape: {
              differences: [...differences, ...differences].slice(first, first + many),
              sinceMs,
              gap,
              due: false,
            },
          }).map(({ code, seen, says }) => [code, seen, says]),
      ),
      said('the release of a shape', [1], () =>
        shapeConditions('a', { shape: { differences: differences.slice(1), sinceMs: null, gap: 'x', due: false } }),
      ),
      said('a rehearsal', rehearsals, (over) =>
        rehearsalObstacle(
          over && { ...good, ...over },
          { id: 'a', declaration: 'd', shape: 's', rule: { hours: 24, signedBy: ['k'] } },
          NOW,
        ),
      ),
      said('a rehearsal by any key', ['k', 'l'], (signedBy) =>
        rehearsalObstacle(
          { ...good, signedBy },
          { id: 'a', declaration: 'd', shape: 's', rule: { hours: 24 } as never },
          NOW,
        ),
      ),
    ].join('\n'),
  ).toMatchFileSnapshot(page('holds-of-what-is-there'));
});
