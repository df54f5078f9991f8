/** When each step of a rollback is seen done: by what is deployed, what the database says and what was read, never by the state alone. */

import { describe, expect, it } from 'vitest';
import type { CutoverState, RollbackStepName } from '../../../lib/core/cutover/cutover.ts';
import { emptyWindow, type MinuteWindow } from '../../../lib/core/gates/minute-window.ts';
import type { TableStatus } from '../../../lib/core/gates/table-status.ts';
import { isVerified, type ProcedureFacts, SCENARIOS, stepsSeen } from '../../../lib/core/stage/rollback-procedure.ts';
import { flagOf, NOW, stateIn, systemFlagOf } from '../../property/samples.ts';

const MINUTE_MS = 60_000;
const DECIDED = NOW / MINUTE_MS;
const rollback = { fromStage: 'r1', reason: 'slow', cause: 'operator', actor: 'ada', atMs: NOW, steps: [] } as const;
const STATE = stateIn('rolled_back', { epoch: 5, rollback });
const SAFE = { epoch: 5, read_ppm: 0 };
const deployed = (over: object | null): ProcedureFacts['deployed'] => ({
  system: systemFlagOf(),
  cutovers: over ? { customer: flagOf({ ...SAFE, ...over }) } : {},
});
const tableOf = (over: object) => ({ armed: 'none', mirror: { epoch: 5 }, ...over }) as TableStatus;
const ALL: ProcedureFacts = { deployed: deployed({}), table: tableOf({}), windows: [], nowMs: NOW + 3 * MINUTE_MS };
const STEPS: RollbackStepName[] = ['flags_safe', 'fence_raised', 'capture_removed', 'reads_left'];
const seen = (facts: Partial<ProcedureFacts>, state: CutoverState = STATE) =>
  stepsSeen(state, { ...ALL, ...facts }).map(({ name }) => name);
const reads = (minute: number, count = 1, side: MinuteWindow['side'] = 'shadow') => ({
  ...emptyWindow(minute, side),
  count,
});

describe('what else can be undone', () => {
  it.each(SCENARIOS)('$name: cannot be taken back where it wants a confirmation, or no command does it', (scenario) => {
    const { command, destructive } = scenario;
    expect(destructive).toBe(command.includes('--confirm ID') || !command.startsWith('crossfade '));
  });
});

describe('a step of a rollback', () => {
  it('is seen in its place when everything is back, and recorded once', () => {
    expect(seen({})).toEqual(STEPS);
    const steps = [{ name: 'fence_raised' as const, tookMs: 1, text: '' }];
    expect(seen({}, { ...STATE, rollback: { ...rollback, steps } })).toEqual(
      STEPS.filter((name) => name !== 'fence_raised'),
    );
    expect(seen({}, { ...STATE, rollback: { ...rollback, fromStage: 'completed' } })).toEqual([
      'tables_swapped',
      ...STEPS,
    ]);
    expect(seen({}, { ...STATE, kind: 'component' })).toEqual(['flags_safe', 'reads_left']);
    expect(seen({}, { ...STATE, stageKind: 'disabled' })).toEqual([]);
  });

  it('has taken the time from the decision until it was seen, and none by a clock that is behind', () => {
    const windows = [reads(DECIDED), reads(DECIDED + 1, 9, 'primary')];
    const took = (afterMs: number, decidedMs = NOW) =>
      stepsSeen(
        { ...STATE, rollback: { ...rollback, fromStage: 'completed', atMs: decidedMs } },
        { ...ALL, windows, nowMs: NOW + afterMs },
      ).map(({ name, tookMs }) => [name, tookMs]);
    const alike = (tookMs: number) => ['tables_swapped', ...STEPS.slice(0, 3)].map((name) => [name, tookMs]);
    expect(took(4_321)).toEqual(alike(4_321));
    expect(took(0)).toEqual(alike(0));
    expect(took(-1)).toEqual(alike(0));
    // The minute in which somebody has read last is over then.
    expect(took(3 * MINUTE_MS, NOW + 20_000)).toEqual([...alike(3 * MINUTE_MS - 20_000), ['reads_left', 40_000]]);
  });

  it.each<[string, RollbackStepName[], Partial<ProcedureFacts>]>([
    ['no flags', ['flags_safe'], { deployed: null }],
    ['flags without the cutover', ['flags_safe'], { deployed: deployed(null) }],
    ['flags of the epoch before', ['flags_safe'], { deployed: deployed({ epoch: 4 }) }],
    ['flags that send one reader', ['flags_safe'], { deployed: deployed({ read_ppm: 1 }) }],
    ['flags of a promoted table', ['flags_safe'], { deployed: deployed({ shadow_is_primary: true }) }],
    ['no answer of the database', ['fence_raised', 'capture_removed'], { table: null }],
    ['no fence', ['fence_raised'], { table: tableOf({ mirror: null }) }],
    ['a fence of the epoch before', ['fence_raised'], { table: tableOf({ mirror: { epoch: 4 } }) }],
    ['a trigger that is left', ['capture_removed'], { table: tableOf({ armed: 'forward' }) }],
    ['the second minute not over', ['reads_left'], { nowMs: NOW + 3 * MINUTE_MS - 1 }],
    ['a read in the first minute', ['reads_left'], { windows: [reads(DECIDED + 1)] }],
    ['a read in the last minute', ['reads_left'], { windows: [reads(DECIDED + 2)] }],
  ])('is not seen with %s', (_, missing, facts) => {
    expect(seen(facts)).toEqual(STEPS.filter((name) => !missing.includes(name)));
  });

  it.each([
    ['of a later epoch', { deployed: deployed({ epoch: 6 }), table: tableOf({ mirror: { epoch: 6 } }) }],
    ['with reads of the primary', { windows: [reads(DECIDED + 2, 9, 'primary')] }],
    ['with a minute in which nothing was read', { windows: [reads(DECIDED + 2, 0)] }],
    ['with reads from before and from the minute of the decision', { windows: [reads(DECIDED - 1), reads(DECIDED)] }],
  ])('is seen %s', (_, facts) => {
    expect(seen(facts)).toEqual(STEPS);
  });

  it('all of them make it a rollback that was seen through', () => {
    const steps = STEPS.map((name) => ({ name, tookMs: 1, text: '' }));
    expect(isVerified({ ...STATE, rollback: { ...rollback, steps } })).toBe(true);
    for (const name of STEPS) {
      const some = steps.filter((step) => step.name !== name);
      expect(isVerified({ ...STATE, rollback: { ...rollback, steps: some } })).toBe(false);
    }
  });
});
