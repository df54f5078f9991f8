/** What a call makes of a pending promotion: done, left for the next tick, or given up, and never given up on a guess. */

import { describe, expect, it } from 'vitest';
import { CrossfadeError } from '../../../lib/core/base/errors.ts';
import type { CutoverState, PendingAction } from '../../../lib/core/cutover/cutover.ts';
import { GIVE_UP_AFTER_MS } from '../../../lib/core/gates/pending.ts';
import type { CutoverFlag } from '../../../lib/core/routing/flags.ts';
import { type CarryOutPorts, carryOut } from '../../../lib/flows/control/carry-out.ts';
import { undoable } from '../../../lib/flows/control/roll-back-one.ts';
import type { SwapResult } from '../../../lib/ports/swapping.ts';
import { declarationOf, NOW, STAGES, type StageName, stateIn } from '../../property/samples.ts';

const PENDING: PendingAction = { action: 'promote', epoch: 4, sinceMs: NOW, actor: 'ada', reason: 'proven' };
/** Of the state in which the promotion is pending. */
const EPOCH = stateIn('full_100').epoch;
const WITHDRAWN = { actor: 'bob', reason: 'no', cause: 'operator' as const, atMs: NOW };
const away = new CrossfadeError('database_unavailable', 'No answer.', { retryable: true });
const denied = new CrossfadeError('access_denied', 'permission denied');

type Case = {
  swap: SwapResult | Error;
  abandon?: 'swapped' | 'abandoned' | Error;
  pending?: Partial<PendingAction>;
  afterMs?: number;
  stopped?: boolean;
  /** The flag that was deployed last; none unless given. */
  flag?: Partial<CutoverFlag>;
};

/** The calls of the database, and the stage and the intent that are left. */
async function carried({ swap, abandon = 'abandoned', pending, afterMs = 0, stopped = false, flag }: Case) {
  const state = stateIn('full_100', { pending: { ...PENDING, ...pending } });
  const calls: string[] = [];
  const answer = async (call: string, result: unknown) => {
    calls.push(call);
    if (result instanceof Error) throw result;
    return result;
  };
  const ports = {
    state: { writeCutover: async () => ({ kind: 'applied' }) },
    swapping: {
      promote: () => answer('promote', swap),
      abandon: () => answer('abandon', abandon instanceof Error ? abandon : { kind: abandon }),
      revert: () => answer('revert', { kind: 'swapped', lockHeldMs: 1 }),
    },
    sightings: { last: async () => (flag ? { cutovers: { [state.id]: flag } } : null) },
    log: { event: () => {}, failure: () => {} },
  } as unknown as CarryOutPorts;
  const after = await carryOut(ports, declarationOf('table'), state, { nowMs: NOW + afterMs, stopped });
  return [calls, after.state.stage, after.state.pending?.action ?? null];
}

const SWAPPED: SwapResult = { kind: 'swapped', lockHeldMs: 1, waitedMs: 0, attempts: 1 };
const POSTPONED: SwapResult = { kind: 'postponed', why: 'the outbox is not drained' };
const late = { afterMs: GIVE_UP_AFTER_MS + 1 };
const waits = (...calls: string[]) => [calls, 'full_100', 'promote'];
const given = (...calls: string[]) => [calls, 'full_100', null];

describe('a pending promotion', () => {
  it.each<[string, Case, unknown[]]>([
    ['is done', { swap: SWAPPED }, [['promote'], 'completed', null]],
    ['was done before', { swap: { kind: 'already' } }, [['promote'], 'completed', null]],
    ['is not begun while everything is stopped', { swap: SWAPPED, stopped: true }, waits()],
    ['is not now', { swap: POSTPONED }, waits('promote')],
    ['is not now, in its last moment', { swap: POSTPONED, afterMs: GIVE_UP_AFTER_MS }, waits('promote')],
    ['is not now, and late', { swap: POSTPONED, ...late }, given('promote', 'abandon')],
    ['is refused', { swap: { kind: 'refused', why: 'a rule', items: [] } }, given('promote', 'abandon')],
    ['is not answered', { swap: away }, waits('promote')],
    ['is not answered, and late', { swap: away, ...late }, given('promote', 'abandon')],
    ['fails for good', { swap: denied }, given('promote', 'abandon')],
    ['is done after all', { swap: denied, abandon: 'swapped' }, [['promote', 'abandon'], 'completed', null]],
    ['can be neither done nor given up', { swap: denied, abandon: away }, waits('promote', 'abandon')],
    ['an error of no kind that is known', { swap: new TypeError('x is undefined') }, waits('promote')],
  ])('%s', async (_, one, expected) => {
    expect(await carried(one)).toEqual(expected);
  });

  it.each<[string, Case, unknown[]]>([
    ['is fenced off, never tried', { swap: SWAPPED }, [['abandon'], 'rolled_back', null]],
    ['also while everything is stopped', { swap: SWAPPED, stopped: true }, [['abandon'], 'rolled_back', null]],
    [
      'goes back at once where it was done',
      { swap: SWAPPED, abandon: 'swapped' },
      [['abandon', 'revert'], 'rolled_back', null],
    ],
    [
      'goes back at once where its readers have left',
      { swap: SWAPPED, abandon: 'swapped', flag: { epoch: EPOCH, read_ppm: 0 } },
      [['abandon', 'revert'], 'rolled_back', null],
    ],
    [
      'goes back at once where its readers know of the promotion',
      { swap: SWAPPED, abandon: 'swapped', flag: { epoch: EPOCH + 1, read_ppm: 1_000_000 } },
      [['abandon', 'revert'], 'rolled_back', null],
    ],
    [
      'waits where one reader may be on the shadow still',
      { swap: SWAPPED, abandon: 'swapped', flag: { epoch: EPOCH, read_ppm: 1 } },
      [['abandon'], 'completed', 'revert'],
    ],
    ['waits where the database is away, however late', { swap: SWAPPED, abandon: away, ...late }, waits('abandon')],
  ])('that was withdrawn %s', async (_, one, expected) => {
    expect(await carried({ ...one, pending: { withdrawn: WITHDRAWN } })).toEqual(expected);
  });
});

it('there is something to undo while the other side is kept equal and no rollback is under way', () => {
  const can = (stage: StageName, pending: CutoverState['pending'] = null) => undoable(stateIn(stage, { pending }));
  const stages = (Object.keys(STAGES) as StageName[]).filter((stage) => can(stage));
  expect(stages).toEqual(['dual_write', 'r1', 'r2', 'full_100', 'completed']);
  expect(can('full_100', PENDING)).toBe(true);
  expect(can('full_100', { ...PENDING, withdrawn: WITHDRAWN })).toBe(false);
  expect(can('completed', { ...PENDING, action: 'revert' })).toBe(false);
  expect(can('completed', { ...PENDING, action: 'cleanup' })).toBe(true);
});
