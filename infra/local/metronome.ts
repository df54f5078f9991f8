/**
 * The schedules of the local stack. A deployed schedule fires once a minute; here a minute may be accelerated, so the
 * functions are called directly, exactly as often per (virtual) minute as deployed. Each is never called twice at once but the
 * relay, which lives for two periods here as well.
 */

import type { LocalFunctions } from './functions.ts';

export type Metronome = { stop(): Promise<void>; failures(): readonly string[] };

type Beat = { name: string; everyMs: number; event: object; beside?: true };

/** The backfill works until its time is up; locally its turns are short so that a stop is quick. */
const TURN_MS = 2_000;
/** Of a relay, in periods: 125 of 60 s, as deployed. */
const RELAY_LIFE = 125 / 60;
const SHORTEST_RELAY_PERIOD_MS = 1_000;

export function startMetronome(functions: Pick<LocalFunctions, 'invoke'>, minuteMs: number): Metronome {
  const schedule = { source: 'crossfade.local' };
  const relayMs = Math.max(minuteMs, SHORTEST_RELAY_PERIOD_MS);
  const beats: Beat[] = [
    { name: 'publisher', everyMs: minuteMs, event: { ...schedule, maxMs: TURN_MS } },
    { name: 'tick', everyMs: minuteMs, event: schedule },
    { name: 'verify', everyMs: minuteMs, event: schedule },
    { name: 'relay', everyMs: relayMs, event: { ...schedule, maxMs: RELAY_LIFE * relayMs }, beside: true },
    { name: 'backfill', everyMs: Math.min(minuteMs, 1_000), event: { ...schedule, maxMs: TURN_MS } },
  ];
  const failures: string[] = [];
  let stopping = false;
  let wake = () => {};
  const stopped = new Promise<void>((resolve) => {
    wake = resolve;
  });

  const call = ({ name, event }: Beat): Promise<boolean> =>
    functions.invoke(name, event).then(
      () => true,
      (error: Error) => {
        // A failed call is repeated by the next beat, as a failed schedule is.
        if (!stopping) failures.push(error.message);
        return false;
      },
    );

  async function play(beat: Beat): Promise<void> {
    const { everyMs } = beat;
    while (!stopping) {
      const started = Date.now();
      const called = call(beat);
      // One that lives on is not waited for, here and at the end: it ends with its process.
      const ok = beat.beside ? true : await called;
      const restMs = Math.max(ok ? 0 : 500, everyMs - (Date.now() - started));
      if (restMs > 0) await Promise.race([new Promise((resolve) => setTimeout(resolve, restMs)), stopped]);
    }
  }

  const players = beats.map(play);
  return {
    failures: () => failures,
    async stop() {
      stopping = true;
      wake();
      await Promise.allSettled(players);
    },
  };
}
