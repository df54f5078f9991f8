/** What every state store must do. Run against the one in memory and the one on DynamoDB. */

import { describe, expect, it } from 'vitest';
import { condition } from '../../../lib/core/conditions/condition.ts';
import type { Verdict } from '../../../lib/core/conditions/verdict.ts';
import {
  type CutoverState,
  DEFAULT_POLICY,
  INITIAL_SYSTEM,
  initialState,
  NO_OVERRIDES,
  NORMAL_SWITCHES,
  type SystemState,
} from '../../../lib/core/cutover/cutover.ts';
import type { PhaseChange } from '../../../lib/core/cutover/phase.ts';
import { BUILT_IN_PLAN_NAMES, builtInPlan } from '../../../lib/core/cutover/plan.ts';
import { type Evidence, newEvidence } from '../../../lib/core/gates/evidence.ts';
import { fold } from '../../../lib/core/gates/fold.ts';
import { nextEntry, verifyChain } from '../../../lib/core/stage/audit.ts';
import type { Event, SystemChange } from '../../../lib/core/stage/events.ts';
import { record, replay } from '../../../lib/core/stage/evolve.ts';
import { recordSystem, replaySystem } from '../../../lib/core/stage/system.ts';
import type { Clock } from '../../../lib/ports/machine.ts';
import type { IdempotencyRecord, StateChange, StateStore } from '../../../lib/ports/state.ts';
import { exactMinute } from '../../property/traffic.ts';
import { partsOf } from '../parts.ts';

export type StateHarness = {
  store: StateStore;
  /** The clock the store was given. */
  clock: TestClock;
  /** Changes fields of a stored cutover past the store; `undefined` removes a field, `null` removes the item. */
  edit(id: string, fields: Readonly<Record<string, unknown>> | null): Promise<void>;
};

/** Beyond the clock of every machine: the local engine removes what has expired by that one, in the middle of a test. */
export const START_MS = Date.UTC(2100, 0, 15, 12);

export type TestClock = Clock & { nowMs: number };

/** A clock that stands still until a test moves it; pauses end at once. */
export function testClock(nowMs = START_MS): TestClock {
  const clock = {
    nowMs,
    now: (): number => clock.nowMs,
    monotonicMs: (): number => clock.nowMs,
    sleep: async () => {},
  };
  return clock;
}

// -------------------------------------------------------------------------------------------------------- samples

const PLAN = builtInPlan('canary', 5);
const STARTED: Event = { type: 'started', plan: PLAN };
const PAUSED: Event = { type: 'paused' };

export function freshCutover(id = 'customer', kind: CutoverState['kind'] = 'table'): CutoverState {
  return initialState({ id, kind, plan: PLAN });
}

/** The change that records these events on a state. */
export function changeOf(before: CutoverState, events: readonly Event[] = [PAUSED]): StateChange<CutoverState> {
  const { state: after, entries } = record(before, events, { nowMs: START_MS + before.auditSeq, actor: 'ada' });
  return { before, after, entries };
}

function systemChangeOf(before: SystemState, change: SystemChange): StateChange<SystemState> {
  const version = before.version + 1;
  const entry = nextEntry<Event>(before, {
    subject: 'system',
    atMs: START_MS,
    actor: 'ada',
    event: { type: 'system_changed', change, reason: 'test' },
    version,
    epoch: 0,
  });
  const after = { ...before, ...change, version, auditSeq: entry.seq, auditHash: entry.hash };
  return { before, after, entries: [entry] };
}

export function idempotencyOf(key: string, expiresAtMs = START_MS + 86_400_000): IdempotencyRecord {
  return { key, caller: 'ada', fingerprint: 'f'.repeat(64), answer: { status: 200, body: { key } }, expiresAtMs };
}

async function written(store: StateStore, id = 'customer'): Promise<CutoverState> {
  const change = changeOf(freshCutover(id), [STARTED]);
  expect(await store.writeCutover(change)).toEqual({ kind: 'applied' });
  return change.after;
}

const wholeLog = (store: StateStore, subject = 'customer') =>
  store.readAudit(subject, { limit: 1_000, oldestFirst: true });

/**
 * I18: twenty writers hold the same state and write the same change at the same moment. How many were told `applied`,
 * and how many audit entries there are; both must be one.
 */
export async function twentyWritersAtOnce(store: StateStore): Promise<{ applied: number; entries: number }> {
  const before = await written(store);
  const change = changeOf(before);
  const results = await Promise.all(Array.from({ length: 20 }, () => store.writeCutover(change)));
  const entries = await wholeLog(store);
  return { applied: results.filter(({ kind }) => kind === 'applied').length, entries: entries.length - 1 };
}

export const VERDICT: Verdict = {
  verdict: 'hold',
  reasons: [
    condition('samples', { ok: false, seen: 12, limit: 100, says: '12 of 100 samples.', release: { wait: 'samples' } }),
    condition('alert', { name: 'slow', ok: false, seen: 900, limit: 300, unit: 'ms', says: 'Alert: slow.' }),
  ],
  conditions: [condition('lag', { ok: true, seen: null, limit: '30 s', says: 'No lag.' })],
  evidence: {
    primary: { count: 12, errors: 0, errorRate: 0, p50Ms: 1.5, p95Ms: null },
    shadow: { count: 0, errors: 0, errorRate: null, p50Ms: null, p95Ms: null },
    checks: 3,
    mismatches: 0,
    badMinutes: 0,
    minutesInStage: 2.25,
    minutesToEligibility: 57.75,
  },
};

/** A minute of each side, folded. */
export const EVIDENCE: Evidence = fold(
  newEvidence('stage'),
  partsOf([
    exactMinute(7, 'primary', 900, { errors: 2 }),
    exactMinute(7, 'shadow', 100, { errors: 3, checks: 5, latencyMs: 0.4 }),
  ]),
  {
    key: 'stage',
    policy: DEFAULT_POLICY,
    stageKind: 'ramp',
    share: 0.1,
    firstMinute: 6,
    openMinute: 12,
    ends: [0.1, 1],
    runMinute: 6,
    flagsDeployed: true,
  },
).closed;

// ------------------------------------------------------------------------------------------------------- contract

export function stateContract(name: string, make: () => Promise<StateHarness>): void {
  describe(`state store contract: ${name}`, () => {
    reading(make);
    writing(make);
    concurrency(make);
    idempotency(make);
    editedByHand(make);
    auditLog(make);
  });
}

type Make = () => Promise<StateHarness>;

function reading(make: Make): void {
  describe('what was never written', () => {
    it('is null for a cutover, the initial state for the system, and empty elsewhere', async () => {
      const { store } = await make();
      expect(await store.readCutover('customer')).toBeNull();
      expect(await store.readAll()).toEqual([]);
      expect(await store.readSystem()).toEqual(INITIAL_SYSTEM);
      expect(await store.readAudit('customer', { limit: 10 })).toEqual([]);
      expect(await store.readIdempotency('k')).toBeNull();
    });
  });

  describe('readAll', () => {
    it('has every cutover and not the system', async () => {
      const { store } = await make();
      for (const id of ['order_line', 'customer', 'a']) await written(store, id);
      await store.writeSystem(systemChangeOf(INITIAL_SYSTEM, { readonly: true }));
      const all = await store.readAll();
      expect(all.map(({ id }) => id).sort()).toEqual(['a', 'customer', 'order_line']);
      expect(all.find(({ id }) => id === 'customer')).toEqual(await store.readCutover('customer'));
    });
  });
}

function writing(make: Make): void {
  describe('a write', () => {
    it('is read back as it was written', async () => {
      const { store } = await make();
      const state = await written(store);
      expect(await store.readCutover('customer')).toEqual(state);
    });

    it('keeps pending intents, rollbacks and any text', async () => {
      const { store } = await make();
      const reason = 'größer "als" \u202egedacht\u202c 🚀 \\ \n <script>';
      let state = await written(store);
      for (const event of [
        { type: 'intent_recorded', action: 'promote', epoch: state.epoch + 1, reason } as const,
        { type: 'intent_abandoned', action: 'promote', why: reason } as const,
        { type: 'rolled_back', from: state.stage, reason, cause: 'operator' } as const,
      ]) {
        const change = changeOf(state, [event]);
        expect(await store.writeCutover(change)).toEqual({ kind: 'applied' });
        expect(await store.readCutover('customer')).toEqual(change.after);
        state = change.after;
      }
      expect(state.rollback?.reason).toBe(reason);
    });

    it.each(BUILT_IN_PLAN_NAMES)('keeps the plan %s', async (plan) => {
      const { store } = await make();
      const before = freshCutover();
      const change = changeOf(before, [{ type: 'started', plan: builtInPlan(plan, 0.5) }]);
      await store.writeCutover(change);
      expect((await store.readCutover('customer'))?.plan).toEqual(change.after.plan);
    });

    it('shares nothing with the caller', async () => {
      const { store } = await make();
      const state = await written(store);
      const read = await store.readCutover('customer');
      (read as { paused: boolean }).paused = true;
      (read!.plan.stages[0] as { name: string }).name = 'mine';
      expect(await store.readCutover('customer')).toEqual(state);
    });

    it('based on an older version is stale, says what is there now, and changes nothing', async () => {
      const { store } = await make();
      const state = await written(store);
      const newer = changeOf(state);
      await store.writeCutover(newer);
      const late = changeOf(state, [{ type: 'approved' }]);
      expect(await store.writeCutover(late)).toEqual({ kind: 'stale', current: newer.after });
      expect(await store.readCutover('customer')).toEqual(newer.after);
      expect(await wholeLog(store)).toEqual([...changeOf(freshCutover(), [STARTED]).entries, ...newer.entries]);
    });

    it('based on nothing is stale when something is there', async () => {
      const { store } = await make();
      const state = await written(store);
      expect(await store.writeCutover(changeOf(freshCutover(), [STARTED]))).toEqual({ kind: 'stale', current: state });
    });

    it('based on an older audit head of the same version is stale', async () => {
      const { store } = await make();
      const state = await written(store);
      const denied = changeOf(state, [{ type: 'denied', command: 'reset', code: 'illegal_transition', why: 'no' }]);
      expect(denied.after.version).toBe(state.version);
      await store.writeCutover(denied);
      expect(await store.writeCutover(changeOf(state))).toEqual({ kind: 'stale', current: denied.after });
    });

    it('after a refused command on a cutover that was never started continues its audit log', async () => {
      const { store } = await make();
      const denied = changeOf(freshCutover(), [{ type: 'denied', command: 'reset', code: 'held', why: 'no' }]);
      expect(denied.after.version).toBe(0);
      expect(await store.writeCutover(denied)).toEqual({ kind: 'applied' });
      expect(await store.writeCutover(changeOf(denied.after, [STARTED]))).toEqual({ kind: 'applied' });
      expect((await wholeLog(store)).map(({ seq }) => seq)).toEqual([1, 2]);
    });

    it('based on another epoch is stale', async () => {
      const { store, edit } = await make();
      const state = await written(store);
      await edit('customer', { epoch: 7 });
      expect(await store.writeCutover(changeOf(state))).toEqual({ kind: 'stale', current: { ...state, epoch: 7 } });
    });

    it('with several entries numbers them in order', async () => {
      const { store } = await make();
      const change = changeOf(freshCutover(), [STARTED, PAUSED, { type: 'resumed' }]);
      expect(await store.writeCutover(change)).toEqual({ kind: 'applied' });
      expect(await wholeLog(store)).toEqual(change.entries);
    });

    it('of one cutover leaves the others alone', async () => {
      const { store } = await make();
      const [a, b] = [await written(store, 'a'), await written(store, 'a_b')];
      await store.writeCutover(changeOf(a));
      expect(await store.readCutover('a_b')).toEqual(b);
      expect(await wholeLog(store, 'a_b')).toHaveLength(1);
    });
  });

  describe('the system state', () => {
    it('is written, read back and fenced like a cutover', async () => {
      const { store } = await make();
      const stop = systemChangeOf(INITIAL_SYSTEM, { emergencyStop: true });
      expect(await store.writeSystem(stop)).toEqual({ kind: 'applied' });
      expect(await store.readSystem()).toEqual(stop.after);
      expect(await store.writeSystem(systemChangeOf(INITIAL_SYSTEM, { readonly: true }))).toEqual({
        kind: 'stale',
        current: stop.after,
      });
      const next = systemChangeOf(stop.after, { emergencyStop: false });
      expect(await store.writeSystem(next)).toEqual({ kind: 'applied' });
      expect(await wholeLog(store, 'system')).toEqual([...stop.entries, ...next.entries]);
    });

    it('keeps phases, and its log replays to them', async () => {
      const { store } = await make();
      const said = (change: PhaseChange): Event => ({
        type: 'phase_changed',
        phase: 'one',
        change,
        migrationPhase: 'one',
      });
      const events = [
        said({ kind: 'started' }),
        said({ kind: 'confirmed', check: 'c' }),
        said({ kind: 'soaking', untilMs: 9 }),
      ];
      const { state: after, entries } = recordSystem(INITIAL_SYSTEM, [...events, said({ kind: 'done' })], {
        nowMs: START_MS,
        actor: 'ada',
      });
      expect(await store.writeSystem({ before: INITIAL_SYSTEM, after, entries })).toEqual({ kind: 'applied' });
      expect(await store.readSystem()).toEqual(after);
      expect(replaySystem(INITIAL_SYSTEM, await wholeLog(store, 'system'))).toEqual(after);
    });
  });

  it('an item that an earlier version of the program wrote is read as if what is new had never been used', async () => {
    const { store, edit } = await make();
    const state = await written(store);
    await edit('customer', { started: undefined, askedBy: undefined, overrides: undefined, switches: undefined });
    const expected = { ...state, started: null, askedBy: null, overrides: NO_OVERRIDES, switches: NORMAL_SWITCHES };
    expect(await store.readCutover('customer')).toEqual(expected);
    expect(await store.writeCutover(changeOf(expected))).toEqual({ kind: 'applied' });
  });

  it('limits changed at run time and the steps of a rollback are read back', async () => {
    const { store } = await make();
    const before = await written(store);
    const change = changeOf(before, [
      {
        type: 'policy_changed',
        stage: 'canary_10',
        set: { minSamples: 7, deadlineMinutes: null },
        unset: ['autoAdvance'],
      },
      { type: 'rolled_back', from: 'dual_write', reason: 'r', cause: 'guard' },
      { type: 'rollback_seen', steps: [{ name: 'flags_safe', tookMs: 12.5, text: 't' }] },
    ]);
    expect(await store.writeCutover(change)).toEqual({ kind: 'applied' });
    expect(await store.readCutover('customer')).toEqual(change.after);
    expect(change.after.version).toBe(before.version + 2);
  });
}

function concurrency(make: Make): void {
  describe('I18 two writers never both succeed from the same version and epoch', () => {
    it('one of twenty writers of the same change is told that it was applied', async () => {
      const { store } = await make();
      expect(await twentyWritersAtOnce(store)).toEqual({ applied: 1, entries: 1 });
    });

    it('the losers of a race see the state of the winner', async () => {
      const { store } = await make();
      const before = await written(store);
      const changes = Array.from({ length: 20 }, (_, n) =>
        changeOf(before, [{ type: 'denied', command: `c${n}`, code: 'held', why: 'race' }]),
      );
      const results = await Promise.all(changes.map((change) => store.writeCutover(change)));
      const winner = results.findIndex(({ kind }) => kind === 'applied');
      const current = changes[winner]!.after;
      results.forEach((result, n) => {
        expect(result).toEqual(n === winner ? { kind: 'applied' } : { kind: 'stale', current });
      });
    });

    it('writers of different cutovers do not disturb each other', async () => {
      const { store } = await make();
      const ids = Array.from({ length: 20 }, (_, n) => `cutover_${n}`);
      const results = await Promise.all(ids.map((id) => store.writeCutover(changeOf(freshCutover(id), [STARTED]))));
      expect(results).toEqual(ids.map(() => ({ kind: 'applied' })));
    });
  });

  describe('I19 version and audit numbers grow by one without a gap', () => {
    it('when eight writers each try until they are through', async () => {
      const { store } = await make();
      await written(store);
      const persistent = async () => {
        for (;;) {
          const state = (await store.readCutover('customer'))!;
          const result = await store.writeCutover(changeOf(state, [state.paused ? { type: 'resumed' } : PAUSED]));
          if (result.kind === 'applied') return;
        }
      };
      await Promise.all(Array.from({ length: 8 }, persistent));
      const state = (await store.readCutover('customer'))!;
      const log = await wholeLog(store);
      expect(state.version).toBe(9);
      expect(log.map(({ seq }) => seq)).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9]);
      expect(log.map(({ version }) => version)).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9]);
      expect(verifyChain(log, state)).toEqual({ intact: true, entries: 9 });
      expect(replay(freshCutover(), log)).toEqual(state);
    });
  });
}

function idempotency(make: Make): void {
  describe('I20 an idempotency key', () => {
    it('is stored with the change and answers the second call', async () => {
      const { store } = await make();
      const record = idempotencyOf('k1');
      const change = { ...changeOf(freshCutover(), [STARTED]), idempotency: record };
      expect(await store.writeCutover(change)).toEqual({ kind: 'applied' });
      expect(await store.readIdempotency('k1')).toEqual(record);
      const again = { ...changeOf(change.after), idempotency: record };
      expect(await store.writeCutover(again)).toEqual({ kind: 'repeated', record });
      expect(await store.readCutover('customer')).toEqual(change.after);
      expect(await wholeLog(store)).toHaveLength(1);
    });

    it('is answered before staleness: the first call is why the state has moved', async () => {
      const { store } = await make();
      const record = idempotencyOf('k1');
      const change = { ...changeOf(freshCutover(), [STARTED]), idempotency: record };
      await store.writeCutover(change);
      expect(await store.writeCutover(change)).toEqual({ kind: 'repeated', record });
    });

    it('used by ten calls at once has one effect', async () => {
      const { store } = await make();
      const record = idempotencyOf('k1');
      const change = { ...changeOf(await written(store)), idempotency: record };
      const results = await Promise.all(Array.from({ length: 10 }, () => store.writeCutover(change)));
      expect(results.filter(({ kind }) => kind === 'applied')).toHaveLength(1);
      expect(results.filter(({ kind }) => kind === 'repeated')).toHaveLength(9);
    });

    it('of another change does not get in the way', async () => {
      const { store } = await make();
      const first = { ...changeOf(freshCutover(), [STARTED]), idempotency: idempotencyOf('k1') };
      await store.writeCutover(first);
      const second = { ...changeOf(first.after), idempotency: idempotencyOf('k2') };
      expect(await store.writeCutover(second)).toEqual({ kind: 'applied' });
    });

    it('is not stored when the change is stale', async () => {
      const { store } = await make();
      await written(store);
      const change = { ...changeOf(freshCutover(), [STARTED]), idempotency: idempotencyOf('k1') };
      expect((await store.writeCutover(change)).kind).toBe('stale');
      expect(await store.readIdempotency('k1')).toBeNull();
    });

    it('that has expired is not read and may be used again', async () => {
      const { store, clock } = await make();
      const first = { ...changeOf(freshCutover(), [STARTED]), idempotency: idempotencyOf('k1', clock.nowMs + 1_000) };
      await store.writeCutover(first);
      clock.nowMs += 1_000;
      expect(await store.readIdempotency('k1')).toBeNull();
      const record = idempotencyOf('k1', clock.nowMs + 1_000);
      expect(await store.writeCutover({ ...changeOf(first.after), idempotency: record })).toEqual({ kind: 'applied' });
      expect(await store.readIdempotency('k1')).toEqual(record);
    });

    it('keeps any JSON answer', async () => {
      const { store } = await make();
      const body = { list: [1, null, 'x', { deep: [] }], none: null, big: 1e21, small: 1e-9, empty: '' };
      const record = { ...idempotencyOf('k1'), answer: { status: 202, body } };
      await store.writeCutover({ ...changeOf(freshCutover(), [STARTED]), idempotency: record });
      expect(await store.readIdempotency('k1')).toEqual(record);
    });

    it('works for the system state as well', async () => {
      const { store } = await make();
      const record = idempotencyOf('k1');
      const change = { ...systemChangeOf(INITIAL_SYSTEM, { emergencyStop: true }), idempotency: record };
      expect(await store.writeSystem(change)).toEqual({ kind: 'applied' });
      expect(await store.writeSystem(change)).toEqual({ kind: 'repeated', record });
    });
  });
}

/** What a person may do to an item in the console, and the field the error must name. */
const EDITS: readonly (readonly [what: string, field: string, fields: Record<string, unknown>])[] = [
  ['the version removed', 'version', { version: undefined }],
  ['a string for a number', 'version', { version: '3' }],
  ['half a version', 'version', { version: 1.5 }],
  ['a negative epoch', 'epoch', { epoch: -1 }],
  ['an unknown stage', 'stage', { stage: 'half_51' }],
  ['an unknown kind of stage', 'stageKind', { stageKind: 'test' }],
  ['a stage of another kind', 'stage', { stageKind: 'full' }],
  ['another id', 'id', { id: 'invoice' }],
  ['a cut hash', 'auditHash', { auditHash: 'abc' }],
  ['a number for a boolean', 'paused', { paused: 0 }],
  ['half an intent', 'pending.epoch', { pending: { action: 'promote' } }],
  ['the plan removed', 'plan', { plan: null }],
  [
    'a share of 150 %',
    'plan.stages.0.sharePpm',
    { plan: { name: 'p', stages: [{ ...PLAN.stages[0], sharePpm: 1_500_000 }] } },
  ],
];

function editedByHand(make: Make): void {
  describe('an item edited by hand is refused as state_invalid', () => {
    it.each(EDITS)('%s', async (_, field, fields) => {
      const { store, edit } = await make();
      await written(store);
      await edit('customer', fields);
      await expect(store.readCutover('customer')).rejects.toMatchObject({
        code: 'state_invalid',
        retryable: false,
        message: expect.stringContaining(`${field}: `),
      });
    });

    it('and does not hide the other cutovers', async () => {
      const { store, edit } = await make();
      await written(store, 'bad');
      const good = await written(store, 'good');
      await edit('bad', { version: 'three' });
      const all = await store.readAll();
      expect(all).toHaveLength(2);
      expect(all).toContainEqual(good);
      expect(all).toContainEqual({ id: 'bad', invalid: expect.stringContaining('version: ') });
    });

    it('when it was removed after it was read', async () => {
      const { store, edit } = await make();
      const state = await written(store);
      await edit('customer', null);
      await expect(store.writeCutover(changeOf(state))).rejects.toMatchObject({ code: 'state_invalid' });
    });

    it('when it was put back to an older state than its audit log tells of', async () => {
      const { store, edit } = await make();
      const state = await written(store);
      await store.writeCutover(changeOf(state));
      await edit('customer', state);
      await expect(store.writeCutover(changeOf(state, [{ type: 'approved' }]))).rejects.toMatchObject({
        code: 'state_invalid',
      });
      expect(await store.readCutover('customer')).toEqual(state);
    });
  });
}

function auditLog(make: Make): void {
  describe('the audit log', () => {
    const withTwelve = async () => {
      const { store } = await make();
      const pauses = Array.from({ length: 11 }, (_, n): Event => (n % 2 ? { type: 'resumed' } : PAUSED));
      const change = changeOf(freshCutover(), [STARTED, ...pauses]);
      await store.writeCutover(change);
      const read = async (page: Parameters<StateStore['readAudit']>[1]) =>
        (await store.readAudit('customer', page)).map(({ seq }) => seq);
      return { store, change, read };
    };

    it('is read newest first, as many as asked for', async () => {
      const { read } = await withTwelve();
      expect(await read({ limit: 3 })).toEqual([12, 11, 10]);
      expect(await read({ limit: 3, afterSeq: 10 })).toEqual([9, 8, 7]);
      expect(await read({ limit: 100, afterSeq: 3 })).toEqual([2, 1]);
      expect(await read({ limit: 3, afterSeq: 1 })).toEqual([]);
    });

    it('is read oldest first on demand', async () => {
      const { read } = await withTwelve();
      expect(await read({ limit: 3, oldestFirst: true })).toEqual([1, 2, 3]);
      expect(await read({ limit: 100, oldestFirst: true, afterSeq: 9 })).toEqual([10, 11, 12]);
      expect(await read({ limit: 3, oldestFirst: true, afterSeq: 12 })).toEqual([]);
    });

    it('I19 verifies as a chain, and replaying it gives the state', async () => {
      const { store, change } = await withTwelve();
      const log = await wholeLog(store);
      expect(verifyChain(log, change.after)).toEqual({ intact: true, entries: 12 });
      expect(replay(freshCutover(), log)).toEqual(await store.readCutover('customer'));
    });

    it('keeps events exactly, whatever their text', async () => {
      const { store } = await make();
      const why = 'lone \ud83d surrogate, nul \u0000, emoji 🚀';
      const change = changeOf(freshCutover(), [{ type: 'denied', command: 'start', code: 'held', why }]);
      await store.writeCutover(change);
      expect(verifyChain(await wholeLog(store), change.after)).toEqual({ intact: true, entries: 1 });
    });
  });
}
