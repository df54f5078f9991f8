/**
 * Runs two flows step by step, where a step ends at the next call of a port. A schedule says whose turn it is: whoever
 * begins, and after how many calls the turn changes. All schedules with few changes are few enough to try every one.
 */

import type { Ports } from '../../lib/ports/ports.ts';
import { before } from '../helpers/world.ts';

/** Which flow begins, and after how many of its calls each turn ends; the last turns have no end. */
export type Schedule = { first: 0 | 1; turns: readonly number[] };

/** Every schedule in which the turn changes at most twice before one flow has ended. */
export function schedules(calls: readonly [number, number]): Schedule[] {
  return ([0, 1] as const).flatMap((first) => {
    const mine = calls[first];
    const others = calls[first === 0 ? 1 : 0];
    const inTwo = (turn: number) =>
      Array.from({ length: others + 1 }, (_, other): Schedule => ({ first, turns: [turn, other] }));
    return [{ first, turns: [] }, ...Array.from({ length: mine }, (_, turn) => inTwo(turn)).flat()];
  });
}

type Flow<Result> = (ports: Ports) => Promise<Result>;

/** The results of both flows, and how many calls each of them made. */
export async function interleaved<A, B>(
  ports: Ports,
  flows: readonly [Flow<A>, Flow<B>],
  { first, turns }: Schedule,
): Promise<{ results: [A, B]; calls: [number, number] }> {
  const queues: (() => void)[][] = [[], []];
  const calls: [number, number] = [0, 0];
  const done = [false, false];
  const run = async <Result>(flow: Flow<Result>, which: 0 | 1) => {
    const gated = before(ports, () => new Promise<void>((resolve) => queues[which]!.push(resolve)));
    try {
      return await flow(gated);
    } finally {
      done[which] = true;
    }
  };
  const results = Promise.all([run(flows[0], 0), run(flows[1], 1)]);
  let who = first;
  let turn = 0;
  let made = 0;
  while (!(done[0] && done[1])) {
    const which = who;
    await settled(() => done[which]! || queues[which]!.length > 0);
    if (done[who] || made >= (turns[turn] ?? Number.POSITIVE_INFINITY)) {
      const other = who === 0 ? 1 : 0;
      if (!done[other] || done[who]) {
        who = other;
        turn += 1;
        made = 0;
      }
    }
    const next = queues[who]!.shift();
    if (!next) continue;
    calls[who] += 1;
    made += 1;
    next();
  }
  return { results: (await results) as [A, B], calls };
}

/** Waits until there is something to do: ports in memory need micro-tasks only, and few. */
async function settled(ready: () => boolean): Promise<void> {
  for (let turns = 0; !ready(); turns += 1) {
    if (turns > 10_000) throw new Error('A flow waits for something that is no call of a port.');
    await null;
  }
}
