/**
 * The database as one tick sees it: once Postgres has not answered, it is not asked again until the next tick. A server
 * that hangs costs its deadline once, not once for every table, and what needs no Postgres is not kept waiting.
 */

import { isCrossfadeError } from '../../core/base/errors.ts';
import type { TablePorts } from '../../ports/ports.ts';

/** Answers of a server that is there: a lock, a deadlock or a limit of one statement says nothing about the next table. */
const STILL_THERE = /^(40|55|57014)/;

const ASKS_POSTGRES: Readonly<Record<keyof TablePorts, true>> = {
  capture: true,
  switches: true,
  copying: true,
  converging: true,
  verifying: true,
  swapping: true,
  inspecting: true,
};

type Call = (...args: unknown[]) => Promise<unknown>;

/**
 * The same ports. Those that ask Postgres take one question at a time, as the one connection to the server does: questions that
 * wait learn that it is away.
 */
export function shortCircuit<Some extends Partial<TablePorts>>(ports: Some): Some {
  let away: unknown = null;
  let tail: Promise<unknown> = Promise.resolve();
  const inTurn =
    (call: Call): Call =>
    (...args) => {
      const answer = tail.then(async () => {
        if (away) throw away;
        try {
          return await call(...args);
        } catch (error) {
          if (isAway(error)) away = error;
          throw error;
        }
      });
      tail = answer.catch(() => undefined);
      return answer;
    };
  const guarded = Object.entries(ports)
    .filter(([name]) => name in ASKS_POSTGRES)
    .map(([name, port]) => [name, eachCall(port as object, inTurn)]);
  return { ...ports, ...Object.fromEntries(guarded) };
}

/** A proxy, since a port may be made when it is first used. */
const eachCall = (port: object, wrap: (call: Call) => Call) =>
  new Proxy(port, { get: (target, name): Call => wrap(Reflect.get(target, name)) });

function isAway(error: unknown): boolean {
  if (!isCrossfadeError(error) || error.code !== 'database_unavailable') return false;
  return !STILL_THERE.test(String(error.details.sqlstate ?? ''));
}
