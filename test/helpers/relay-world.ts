/**
 * Calls of the relay on a schedule, over virtual time: one table is written steadily, and its writer serves whatever waits some
 * moments after it was woken. A call may be killed in the middle.
 */

import { relay } from '../../lib/flows/rows/relay.ts';
import { declarationOf, stateIn } from '../property/samples.ts';
import { eventClock } from './event-clock.ts';

export const PERIOD_MS = 60_000;
/** As deployed: the time-out of serverless.yml less the margin of the middleware. */
export const LIFE_MS = 125_000;
const SERVED_AFTER_MS = 60;

export type RelayRun = {
  periods: number;
  /** From the moment at which a call is due to its beginning; one for each period. */
  lateMs: readonly number[];
  lifeMs?: number;
  /** Which call, counted from 0, and how long after its beginning. */
  kill?: { call: number; afterMs: number };
};

/** @returns how long each change waited, and how often the database was asked and the writer woken */
export async function relayed({ periods, lateMs, lifeMs = LIFE_MS, kill }: RelayRun) {
  const clock = eventClock();
  const declaration = declarationOf('table', { id: 'customer' });
  const lags: number[] = [];
  let waiting: number[] = [];
  let looks = 0;
  let wakes = 0;

  function call(number: number): void {
    const killedAtMs = kill?.call === number ? clock.now() + kill.afterMs : Number.POSITIVE_INFINITY;
    /** What a killed process does next, it does never. */
    const alive = async () => {
      if (clock.now() >= killedAtMs) await new Promise(() => {});
    };
    const ports = {
      clock: { ...clock, sleep: (ms: number) => clock.sleep(ms).then(alive) },
      log: { event: () => {}, failure: () => {} },
      state: { readAll: async () => [stateIn('r1', { id: 'customer' })] },
      converging: {
        async waiting() {
          looks += 1;
          return waiting.length === 0
            ? []
            : [{ id: 'customer', hints: waiting.length, lagMs: clock.now() - waiting[0]! }];
        },
      },
      wakeUps: {
        async wake() {
          wakes += 1;
          clock.at(clock.now() + SERVED_AFTER_MS, serve);
        },
      },
    };
    void relay(ports as never, clock.now() + lifeMs, [declaration]);
  }

  function serve(): void {
    lags.push(...waiting.map((atMs) => clock.now() - atMs));
    waiting = [];
  }

  for (let number = 0; number < periods; number += 1)
    clock.at(number * PERIOD_MS + lateMs[number]!, () => call(number));
  // From the second period on, as on any day but the first.
  for (let ms = PERIOD_MS; ms < periods * PERIOD_MS; ms += 97)
    clock.at(ms, () => {
      waiting.push(clock.now());
    });
  await clock.runUntil(periods * PERIOD_MS);
  serve();
  // None comes in the first period, whose changes are not written.
  const minutes = ((periods - 1) * PERIOD_MS) / 60_000;
  return { lags: lags.sort((a, b) => a - b), looksPerMinute: looks / periods, wakesPerMinute: wakes / minutes };
}

export const quantile = (sorted: readonly number[], share: number): number =>
  sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))]!;
