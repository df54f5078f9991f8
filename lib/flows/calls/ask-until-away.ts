/**
 * The data plane as one tick sees it: once Postgres has not answered, it is not asked again until the next tick. A server
 * that hangs costs its deadline once, not once for every table, and what needs no Postgres is not kept waiting.
 */

import { isCrossfadeError } from '../../core/base/errors.ts';
import type { DataPlane } from '../../ports.ts';

/** Answers of a server that is there: a lock, a deadlock or a limit of one statement says nothing about the next table. */
const STILL_THERE = /^(40|55|57014)/;

type Call = (...args: unknown[]) => Promise<unknown>;

/** One question at a time, as the one connection to the server takes them: those that wait learn that it is away. */
export function askUntilAway(tables: DataPlane): DataPlane {
  let away: unknown = null;
  let tail: Promise<unknown> = Promise.resolve();
  return new Proxy(tables, {
    get:
      (target, name) =>
      (...args: unknown[]) => {
        const answer = tail.then(async () => {
          if (away) throw away;
          try {
            const call: Call = Reflect.get(target, name);
            return await call.apply(target, args);
          } catch (error) {
            if (isAway(error)) away = error;
            throw error;
          }
        });
        tail = answer.catch(() => undefined);
        return answer;
      },
  });
}

function isAway(error: unknown): boolean {
  if (!isCrossfadeError(error) || error.code !== 'database_unavailable') return false;
  return !STILL_THERE.test(String(error.details.sqlstate ?? ''));
}
