/**
 * A transaction in which things are tried, and which is always rolled back. What reads and installs over a connection works in
 * it as it does elsewhere; text of a person is run by the protocol that takes one statement and refuses a second one.
 */

import type postgres from 'postgres';
import { CrossfadeError, isCrossfadeError } from '../../../core/base/errors.ts';
import { OWN_PATH } from '../../../core/table/sql/session.ts';
import { placeOf } from './address.ts';
import {
  type CallOptions,
  type ConnectionOptions,
  connect,
  head,
  type PgConnection,
  withValues,
} from './connection.ts';
import { translated } from './failures.ts';

export type Trial = {
  connection: PgConnection;
  /** One statement, by the extended protocol. What it changes is there until the end of the trial. */
  statement(text: string): Promise<void>;
  /** The same of a person's text, under the path that the names in it are meant for: the role's own. */
  theirs(text: string): Promise<void>;
};

/**
 * What the server says of a statement that it refuses.
 * @throws the error itself where it is any other failure, which may pass
 */
export function refusedBy(error: unknown): { said: string; error: CrossfadeError } {
  if (!isCrossfadeError(error) || error.retryable) throw error;
  return { said: String(error.details.said ?? error.message), error };
}

const DEADLINE_MS = 30_000;
const LOCK_TIMEOUT = '2s';

/**
 * @returns what `work` returned, after everything that it did was taken back
 * @throws what `work` throws, and `CrossfadeError` for what the server refuses
 */
export async function undone<T>(options: ConnectionOptions, work: (trial: Trial) => Promise<T>): Promise<T> {
  const target = placeOf(options.url);
  const password = await options.password?.();
  const sql = connect(options, () => password ?? '');
  const fail = (error: unknown, statement: string) =>
    translated(error, { target, statement, attempts: 1, deadlineMs: DEADLINE_MS });
  // Whatever came of it is thrown, so that the driver rolls back.
  const ended: { outcome?: PromiseSettledResult<T> } = {};
  try {
    await sql.begin(async (transaction) => {
      await transaction.unsafe(head(DEADLINE_MS, { settings: { lock_timeout: LOCK_TIMEOUT } })).simple();
      [ended.outcome] = await Promise.allSettled([work(trialIn(transaction, fail))]);
      throw ended;
    });
  } catch (error) {
    if (error !== ended) throw fail(error, 'a trial');
  } finally {
    await sql.end({ timeout: 1 }).catch(() => {});
  }
  const outcome = ended.outcome!;
  if (outcome.status === 'rejected') throw outcome.reason;
  return outcome.value;
}

type Fail = (error: unknown, statement: string) => CrossfadeError;

function trialIn(sql: postgres.TransactionSql, fail: Fail): Trial {
  /** A statement that fails takes back itself alone, as it would without a transaction around it. */
  const tried = async (statement: string, simple: boolean, kept: boolean): Promise<object[]> => {
    await sql.unsafe('SAVEPOINT tried').simple();
    try {
      const rows = await sql.unsafe(statement, [], { simple } as object);
      await sql.unsafe(kept ? 'RELEASE tried' : 'ROLLBACK TO tried').simple();
      return [...rows];
    } catch (error) {
      await sql.unsafe('ROLLBACK TO tried').simple();
      throw fail(error, statement);
    }
  };
  const settled = (settings: object = {}) =>
    Object.entries(settings).map(([name, value]) => `SET LOCAL ${name} = '${value}'`);
  const connection: PgConnection = {
    async call<Row extends object>(
      statement: string,
      parameters: Parameters<PgConnection['call']>[1] = [],
      call: CallOptions = {},
    ) {
      for (const setting of settled(call.settings)) await tried(setting, true, true);
      return (await tried(withValues(statement, parameters), true, false)) as Row[];
    },
    script: async (text) => void (await tried(text, true, true)),
    async longCall<Row extends object>(statement: string) {
      return (await tried(statement, true, false)) as Row[];
    },
    alone: () => Promise.reject(new CrossfadeError('internal', 'A trial is one transaction.')),
    close: async () => {},
  };
  const statement = async (text: string) => void (await tried(text, false, true));
  const theirs = async (text: string) => {
    await tried('SET LOCAL search_path TO DEFAULT', true, true);
    await statement(text).finally(() => tried(`SET LOCAL search_path TO ${OWN_PATH}`, true, true));
  };
  return { connection, statement, theirs };
}
