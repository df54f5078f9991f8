/**
 * The whole life of table cutovers while an application writes: start, copy, verify, promote, verify, roll back, start over,
 * copy, promote, clean up. Each step begins with the application's transactions open, and at its end, with nobody writing and
 * every hint applied, the test looks at both tables.
 */

import type postgres from 'postgres';
import { expect } from 'vitest';
import { isCrossfadeError } from '../../lib/core/base/errors.ts';
import type { SwapResult } from '../../lib/ports/swapping.ts';
import type { TableCutover } from '../../lib/ports/tables.ts';
import type { OwnDatabase } from './postgres.ts';
import { eventually, type TestPlane } from './postgres-tables.ts';
import type { Writer } from './writer.ts';

type LifeStep =
  | 'start'
  | 'copy'
  | 'verify'
  | 'promote'
  | 'verify the way back'
  | 'roll back'
  | 'start over'
  | 'promote again'
  | 'clean up';

export type World = {
  plane: TestPlane;
  /** Another instance, which applies hints all the time. */
  follower: TestPlane;
  cutovers: readonly TableCutover[];
  writers: readonly Writer[];
  /** Carries out a step while transactions of the application are open that began before it. */
  across<T>(cutover: TableCutover, act: () => Promise<T>): Promise<T>;
  /** Nobody writes, and no hint is left. `pair`: whether the other table is filled and follows. */
  atRest(step: LifeStep, pair: boolean): Promise<void>;
};

/** Transactions of each writer between two steps. */
const PART = 8;
const SWAP_CALLS = 10;

export async function live(world: World): Promise<{ heldMs: number[] }> {
  const { plane, cutovers, writers } = world;
  const epochs = new Map(cutovers.map(({ id }) => [id, 1]));
  const epochOf = (id: string) => epochs.get(id)!;
  const heldMs: number[] = [];
  /** Why a swap was put off, each time: a failure of its step says so. */
  const waitedFor: string[] = [];
  const running = { yes: true };
  const following = follow(world, epochOf, running);

  const step = async (name: LifeStep, pair: boolean, act: (cutover: TableCutover) => Promise<unknown>) => {
    for (const cutover of cutovers) {
      await Promise.all(writers.map((one) => one.after(PART)));
      await world
        .across(cutover, () => act(cutover))
        .catch((error: unknown) => {
          const putOff = waitedFor.length === 0 ? '' : `\nPut off before: ${waitedFor.join('\n')}`;
          throw new Error(
            `Step '${name}' of ${cutover.id}: ${error instanceof Error ? error.message : error}${putOff}`,
            {
              cause: error,
            },
          );
        });
    }
    await Promise.all(writers.map((one) => one.after(PART)));
    await Promise.all(writers.map((one) => one.pause()));
    for (const { id } of pair ? cutovers : []) await plane.settle(id, epochOf(id));
    await world.atRest(name, pair);
    for (const one of writers) one.resume();
  };
  const swap = (act: 'promote' | 'revert') => async (cutover: TableCutover) => {
    const epoch = epochOf(cutover.id);
    const stage = act === 'promote' ? 'completed' : 'rolled_back';
    const request = { fromEpoch: epoch, toEpoch: epoch + 1, stage, version: epoch + 1 };
    waitedFor.length = 0;
    heldMs.push(await untilSwapped(() => plane[act](cutover, request), waitedFor));
    waitedFor.length = 0;
    epochs.set(cutover.id, epoch + 1);
  };
  const verify = async ({ id }: TableCutover) => {
    const answer = await plane.verify(id, epochOf(id), 1);
    expect(answer).toMatchObject({ kind: 'verified', result: { divergences: 0 } });
  };
  const copy = ({ id }: TableCutover) => plane.copy(id, epochOf(id), 100);

  try {
    await step('start', false, (cutover) => plane.start(cutover, epochOf(cutover.id)));
    await step('copy', true, copy);
    await step('verify', true, verify);
    await step('promote', true, swap('promote'));
    await step('verify the way back', true, verify);
    await step('roll back', false, swap('revert'));
    await step('start over', true, async (cutover) => {
      await plane.forget(cutover.id);
      epochs.set(cutover.id, epochOf(cutover.id) + 1);
      await plane.start(cutover, epochOf(cutover.id));
      await copy(cutover);
    });
    await step('promote again', true, swap('promote'));
    await step('clean up', false, async (cutover) => {
      const cleanup = () => plane.cleanup(cutover, epochOf(cutover.id));
      expect(await againWhileBusy(cleanup, waitedFor)).toEqual({ kind: 'cleaned' });
    });
  } finally {
    running.yes = false;
    await Promise.all(writers.map((one) => one.stop()));
    await following;
  }
  return { heldMs };
}

async function follow(
  { follower, cutovers, writers }: World,
  epochOf: (id: string) => number,
  running: { yes: boolean },
) {
  while (running.yes) {
    let claimed = 0;
    for (const { id } of cutovers) {
      // As the stream does, which brings the same hints again: a server may have ended an idle session in between.
      const result = await follower.converge(id, epochOf(id), 200).catch((error: unknown) => {
        if (isCrossfadeError(error) && error.retryable) return { kind: 'again' as const };
        throw error;
      });
      if (result.kind === 'converged') claimed += result.claimed;
    }
    if (claimed === 0) await Promise.race(writers.map((one) => one.after(1)));
  }
}

/** As a tick would, which comes again where the application held its tables for too long. */
async function againWhileBusy<Result>(act: () => Promise<Result>, waitedFor: string[]): Promise<Result> {
  for (let calls = 1; ; calls += 1) {
    try {
      return await act();
    } catch (error) {
      if (!isCrossfadeError(error) || !error.retryable || calls === SWAP_CALLS) throw error;
      waitedFor.push(error.message);
    }
  }
}

async function untilSwapped(act: () => Promise<SwapResult>, waitedFor: string[]): Promise<number> {
  for (let calls = 1; ; calls += 1) {
    // As a tick would, which calls again: a server may have ended an idle session in between.
    const result = await act().catch((error: unknown): SwapResult => {
      if (isCrossfadeError(error) && error.retryable) return { kind: 'postponed', why: error.message };
      throw error;
    });
    if (result.kind === 'swapped') return result.lockHeldMs;
    if (result.kind === 'postponed') waitedFor.push(result.why);
    if (result.kind !== 'postponed' || calls === SWAP_CALLS) throw new Error(JSON.stringify(result));
  }
}

/** Two transactions, with what each does at its beginning and after the step has begun to wait, or is over. */
export type Straddling = {
  /** Has used the table before the step. */
  holder: readonly [string, string];
  /** Has begun, and comes to the table afterwards. */
  late: readonly [string, string];
};

/** A step, with two transactions that began before it and end after it has begun. Their statements must not fail. */
export async function astride<T>(
  db: OwnDatabase,
  clients: readonly [postgres.Sql, postgres.Sql],
  { holder, late }: Straddling,
  act: () => Promise<T>,
): Promise<T> {
  let over = false;
  let begun = 0;
  const waits = `SELECT FROM pg_locks l JOIN pg_database d ON d.oid = l.database
    WHERE d.datname = current_database() AND l.locktype = 'relation' AND NOT l.granted`;
  const waited = () =>
    eventually(async () => over || (await db.sql.unsafe(waits)).length > 0, 'the step waits, or is over', 60_000).catch(
      async (error: Error) => {
        throw new Error(`${error.message}\nAt work: ${await atWork(db)}`, { cause: error });
      },
    );
  const transaction = (client: postgres.Sql, [first, second]: readonly [string, string]) =>
    client.begin(async (tx) => {
      await tx.unsafe(first).simple();
      begun += 1;
      await waited();
      await tx.unsafe(second).simple();
    });
  const open = [transaction(clients[0], holder), transaction(clients[1], late)];
  await Promise.race([eventually(async () => begun === 2, 'both transactions have begun'), Promise.all(open)]);
  const acting = act().finally(() => {
    over = true;
  });
  const [result] = await Promise.all([acting, ...open]);
  return result;
}

/** Sessions and transactions of the database as they are now: what each does, how long it has, and what it waits for. */
async function atWork(db: OwnDatabase): Promise<string> {
  const rows =
    await db.sql.unsafe(`SELECT a.pid, a.application_name AS name, a.usename AS role, a.state, left(a.query, 120) AS query,
      extract(epoch FROM clock_timestamp() - a.xact_start)::float AS seconds, a.wait_event_type || ' ' || a.wait_event AS waits,
      pg_blocking_pids(a.pid) AS for,
      (SELECT array_agg(concat_ws(' ', l.locktype, l.mode, l.relation::regclass)) FROM pg_locks l WHERE l.pid = a.pid AND NOT l.granted) AS locks
    FROM pg_stat_activity a WHERE a.datname = current_database() AND a.pid <> pg_backend_pid() AND (a.state <> 'idle' OR a.state IS NULL)
    UNION ALL SELECT NULL, p.gid, p.owner, 'prepared', NULL, extract(epoch FROM clock_timestamp() - p.prepared)::float, NULL, NULL, NULL
    FROM pg_prepared_xacts p WHERE p.database = current_database()`);
  return rows.map((row) => JSON.stringify(row)).join('\n');
}
