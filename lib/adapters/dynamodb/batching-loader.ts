/**
 * Requests of one moment go out as one. A caller that asks in the same turn of the event loop shares a request with the others;
 * each gets an answer, or an error, of its own.
 *
 *   a(1) a(2) a(3) ─ end of the turn ─ send([1, 2, 3]) ─ 1, 2, 3 hear
 */

import { inBatches } from '../../core/base/in-batches.ts';

type Waiting<Ask, Answer> = { ask: Ask; resolve(answer: Answer): void; reject(error: unknown): void };

/**
 * @param most asks in one request
 * @param send answers them all: what it gives back finds the answer of each, and throws for one that has none
 * @param kind only asks of one kind share a request
 */
export function batchingLoader<Ask, Answer>(
  most: number,
  send: (asks: readonly Ask[]) => Promise<(ask: Ask) => Answer>,
  kind: (ask: Ask) => string = () => '',
): (ask: Ask) => Promise<Answer> {
  let waiting: Waiting<Ask, Answer>[] = [];

  const sendAll = () => {
    const kinds = new Map<string, Waiting<Ask, Answer>[]>();
    for (const one of waiting) {
      const alike = kinds.get(kind(one.ask));
      if (alike) alike.push(one);
      else kinds.set(kind(one.ask), [one]);
    }
    waiting = [];
    for (const alike of kinds.values()) for (const some of inBatches(alike, most)) void answer(some, send);
  };

  return (ask) =>
    new Promise((resolve, reject) => {
      if (waiting.length === 0) setImmediate(sendAll);
      waiting.push({ ask, resolve, reject });
    });
}

async function answer<Ask, Answer>(
  some: readonly Waiting<Ask, Answer>[],
  send: (asks: readonly Ask[]) => Promise<(ask: Ask) => Answer>,
): Promise<void> {
  try {
    const answerOf = await send(some.map(({ ask }) => ask));
    for (const { ask, resolve, reject } of some) {
      try {
        resolve(answerOf(ask));
      } catch (error) {
        reject(error);
      }
    }
  } catch (error) {
    for (const { reject } of some) reject(error);
  }
}

/** The same work for every caller, some at a time and in turn. */
export function atMost<Args extends unknown[], Result>(
  lanes: number,
  work: (...args: Args) => Promise<Result>,
): (...args: Args) => Promise<Result> {
  const waiting: (() => void)[] = [];
  let free = lanes;
  return async (...args) => {
    if (free > 0) free -= 1;
    else await new Promise<void>((turn) => waiting.push(turn));
    try {
      return await work(...args);
    } finally {
      const next = waiting.shift();
      if (next) next();
      else free += 1;
    }
  };
}

/** For errors, which are about all that were asked for. */
export const named = (ids: readonly string[]): string =>
  `${ids.length > 1 ? 'cutovers' : 'cutover'} ${ids.map((id) => `'${id}'`).join(', ')}`;
