/** What an instance knows of the state spares its writes a read, and never a hand-over. */

import { describe, expect, it } from 'vitest';
import type { CutoverState } from '../../../lib/core/cutover/cutover.ts';
import { handOverMs, type KnownStates, knownState, readState } from '../../../lib/flows/forwards/known-state.ts';
import { passingClock } from '../../helpers/passing-clock.ts';
import { type Flows, retryWorld, type Write } from '../../helpers/retry-world.ts';
import { sourceMutant } from '../../helpers/source-mutant.ts';
import { declarationOf, NOW, type StageName, stateIn } from '../../property/samples.ts';

const declaration = declarationOf('service', { id: 'chat' });
const inStage = (stage: StageName, over: Partial<CutoverState> = {}) =>
  stateIn(stage, { id: 'chat', kind: 'service', ...over });

function instance(stage: StageName) {
  const clock = passingClock();
  const known: KnownStates = new Map();
  const it_ = { reads: 0, state: inStage(stage), isAway: false };
  const readCutover = async () => {
    it_.reads += 1;
    if (it_.isAway) throw new Error('away');
    return it_.state;
  };
  const ports = { clock, known, state: { readCutover } as never };
  return Object.assign(it_, { clock, ports, read: () => readState(ports, declaration) });
}

describe('what an instance has read of the state', () => {
  it('counts for a second, and is read again beside when half of it is over', async () => {
    const it_ = instance('r1');
    expect(knownState(it_.ports, declaration)).toBeNull();
    await it_.read();
    it_.clock.ms = 499;
    expect(knownState(it_.ports, declaration)?.state.stage).toBe('r1');
    expect(it_.reads).toBe(1);
    it_.clock.ms = 999;
    expect(knownState(it_.ports, declaration)).not.toBeNull();
    expect(knownState(it_.ports, declaration)).not.toBeNull();
    await Promise.resolve();
    expect(it_.reads).toBe(2);
    await new Promise(setImmediate);
    it_.clock.ms = 1_998;
    expect(knownState(it_.ports, declaration)).not.toBeNull();
    await new Promise(setImmediate);
    it_.clock.ms = 2_998;
    expect(knownState(it_.ports, declaration)).toBeNull();
  });

  it('is not prolonged by a store that does not answer', async () => {
    const it_ = instance('r1');
    await it_.read();
    it_.isAway = true;
    it_.clock.ms = 999;
    expect(knownState(it_.ports, declaration)).not.toBeNull();
    await new Promise(setImmediate);
    it_.clock.ms = 1_000;
    expect(knownState(it_.ports, declaration)).toBeNull();
  });

  it('counts from the question, and an earlier question does not undo a later one', async () => {
    const it_ = instance('r1');
    let answer = (_: CutoverState) => {};
    const late = { readCutover: () => new Promise<CutoverState>((resolve) => (answer = resolve)) } as never;
    const first = readState({ ...it_.ports, state: late }, declaration);
    it_.clock.ms = 600;
    it_.state = inStage('completed', { epoch: 9 });
    await it_.read();
    answer(inStage('r1'));
    await first;
    expect(knownState(it_.ports, declaration)?.state.stageKind).toBe('completed');
    it_.clock.ms = 1_600;
    expect(knownState(it_.ports, declaration)).toBeNull();
  });

  it.each(['disabled', 'rolled_back', 'cleaned'] as const)(
    'does not count while nothing is kept equal: %s',
    async (stage) => {
      const it_ = instance(stage);
      await it_.read();
      expect(knownState(it_.ports, declaration)).toBeNull();
    },
  );
});

describe('the side that takes over', () => {
  const rollback = (fromStage: string) => ({
    fromStage,
    reason: '',
    cause: 'operator',
    actor: 'a',
    atMs: NOW,
    steps: [],
  });
  it.each<[string, StageName, Partial<CutoverState>, number]>([
    ['is written two seconds later', 'completed', { enteredAtMs: NOW }, 2_000],
    ['is written later while clocks may differ by so much', 'completed', { enteredAtMs: NOW - 100_000 }, 2_000],
    ['is written at once where everybody knows', 'completed', { enteredAtMs: NOW - 120_001 }, 0],
    [
      'waits on the way back, too',
      'rolled_back',
      { enteredAtMs: NOW, rollback: rollback('completed') } as never,
      2_000,
    ],
    [
      'is none when reads alone are taken back',
      'rolled_back',
      { enteredAtMs: NOW, rollback: rollback('r1') } as never,
      0,
    ],
    ['is none before', 'r1', { enteredAtMs: NOW }, 0],
  ])('%s', async (_name, stage, over, wantedMs) => {
    const it_ = instance(stage);
    it_.state = inStage(stage, over);
    const known = await it_.read();
    expect(handOverMs(it_.ports, known)).toBe(wantedMs);
    it_.clock.ms = 1_500;
    // Seen by this instance when it was seen first.
    expect(handOverMs(it_.ports, await it_.read())).toBe(Math.max(0, wantedMs - 1_500));
  });
});

const put = (key: string): Write => ({ key, method: 'PUT', path: 'tasks/7' });

/** An instance that knows the old side records an intent that takes until the other side has taken over. */
async function lateIntent(through: 'gateway' | 'sdk', flows?: Flows) {
  const world = retryWorld({ stage: 'full_100', through, ...(flows ? { flows } : {}) });
  await world.run(world.send(put('first')));
  await world.run(world.send(put('elsewhere')));
  world.enter('completed');
  const late = world.send(put('late'));
  world.clock.ms += 1_100;
  await world.run(late);
  const sent = world.services.primary.applied.includes('late');
  return {
    answered: late.answered,
    sent,
    left: world.store.all().some(({ idempotencyKey }) => idempotencyKey === 'late'),
  };
}

describe.each(['gateway', 'sdk'] as const)(
  'through the %s, an intent that is durable only after the hand-over',
  (way) => {
    it('is taken back, and nothing is sent', async () => {
      expect(await lateIntent(way)).toEqual({ answered: 'unknown', sent: false, left: false });
    });

    it('negative control: it is sent to the old side where the state is not asked once more', async () => {
      const entries = [
        ...['write-both', 'apply-forwards', 'record-write'].map((name) => `lib/flows/forwards/${name}.ts`),
        'lib/client/write-cutover.ts',
      ];
      const flows = await sourceMutant<Flows>(entries, [
        [
          'lib/flows/forwards/known-state.ts',
          'if (ports.clock.monotonicMs() - askedMs < STATE_COUNTS_MS)',
          'if (askedMs >= 0)',
        ],
      ]);
      expect(await lateIntent(way, flows)).toMatchObject({ sent: true });
    });
  },
);
