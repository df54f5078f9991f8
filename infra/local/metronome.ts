/**
 * The schedules of the local stack. A deployed schedule fires once a minute; here a minute may be accelerated, so the
 * functions are called directly, each never twice at once, exactly as often per (virtual) minute as deployed.
 */

import type { LocalFunctions } from './functions.ts';

export type Metronome = { stop(): Promise<void>; failures(): readonly string[] };

type Beat = { name: string; everyMs: number; event: object };

/** The relay and the backfill work until their time is up; locally their turns are short so that a stop is quick. */
const TURN_MS = 2_000;

export function startMetronome(functions: Pick<LocalFunctions, 'invoke'>, minuteMs: number): Metronome {
  const schedule = { source: 'crossfade.local' };
  const beats: Beat[] = [
    { name: 'publisher', everyMs: minuteMs, event: { ...schedule, maxMs: TURN_MS } },
    { name: 'tick', everyMs: minuteMs, event: schedule },
    { name: 'verify', everyMs: minuteMs, event: schedule },
    { name: 'relay', everyMs: 0, event: { ...schedule, maxMs: TURN_MS } },
    { name: 'backfill', everyMs: Math.min(minuteMs, 1_000), event: { ...schedule, maxMs: TURN_MS } },
  ];
  const failures: string[] = [];
  let stopping = false;
  let wake = () => {};
  const stopped = new Promise<void>((resolve) => {
    wake = resolve;
  });

  async function play({ name, everyMs, event }: Beat): Promise<void> {
    while (!stopping) {
      const started = Date.now();
      const ok = await functions.invoke(name, event).then(
        () => true,
        (error: Error) => {
          // A failed call is repeated by the next beat, as a failed schedule is.
          failures.push(error.message);
          return false;
        },
      );
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
