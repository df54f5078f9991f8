/** A table cutover whose primary is on the distribution's Postgres and whose shadow is on the embedded one. */

import { type PgConnection, postgresConnection } from '../../lib/adapters/postgres/connection/connection.ts';
import { rowStreams } from '../../lib/adapters/postgres/connection/row-streams.ts';
import type { Remote } from '../../lib/adapters/postgres/remote/remote.ts';
import { withRemote } from '../../lib/adapters/postgres/remote/tables.ts';
import { postgresTables } from '../../lib/adapters/postgres/tables.ts';
import { random, systemClock, systemIds } from '../../lib/adapters/system.ts';
import { CrossfadeError } from '../../lib/core/base/errors.ts';
import type { TablePorts } from '../../lib/ports/ports.ts';
import type { TableCutover } from '../../lib/ports/tables.ts';
import { type ServedDatabase, servedDatabase } from './postgres.ts';
import { eventually } from './postgres-tables.ts';
import { type TableCalls, tableCalls } from './table-ports.ts';

export type TwoDatabases = { primary: ServedDatabase; shadow: ServedDatabase; drop(): Promise<void> };

export async function twoDatabases(): Promise<TwoDatabases> {
  const [primary, shadow] = await Promise.all([
    servedDatabase('debian', 'direct'),
    servedDatabase('embedded', 'direct'),
  ]);
  return { primary, shadow, drop: async () => void (await Promise.all([primary.drop(), shadow.drop()])) };
}

export type RemotePlane = TableCalls & {
  ports: TablePorts;
  remote: Remote;
  /** Arms, and writes the fence at this epoch. */
  start(epoch?: number): Promise<void>;
  fence(epoch: number, stage?: string): Promise<void>;
  copy(epoch: number, rows?: number): Promise<number>;
  /** Applies hints until none is left. */
  settle(epoch: number): Promise<void>;
  close(): Promise<void>;
};

/** @param wrap changes what a mover talks to: one that dies at a named moment */
export function remotePlane(
  two: TwoDatabases,
  cutover: TableCutover,
  wrap: (remote: Remote) => Remote = (one) => one,
): RemotePlane {
  const clock = systemClock();
  const connect = (url: string) => postgresConnection({ url, clock, random });
  const streams = (url: string) => rowStreams({ url, clock, random });
  const { owner, runtime } = two.primary.roles;
  const remote = wrap({
    cutover,
    clock,
    ids: systemIds(),
    primary: { owner: connect(owner), runtime: connect(runtime) },
    streams: streams(owner),
    shadow: { connection: connect(two.shadow.roles.owner), streams: streams(two.shadow.roles.owner) },
  });
  const ports = withRemote(postgresTables(remote.primary), [remote]);
  const plane = tableCalls(ports);
  const { id } = cutover;
  const fence = async (epoch: number, stage = 'dual_write') => {
    const row = { id, epoch, version: epoch, stage, shadowWrites: true, readPpm: 0, salt: id };
    const { kind } = await plane.mirror(row);
    if (kind !== 'written') throw new Error(`The mirror of ${id} was not written: ${kind}.`);
  };
  return {
    ...plane,
    ports,
    remote,
    fence,
    async start(epoch = 1) {
      const armed = await plane.arm(cutover, { epoch, version: 1 });
      if (armed.kind !== 'armed') throw new Error(`${id} was not armed.`);
      await fence(epoch);
    },
    async copy(epoch, rows = 500) {
      for (;;) {
        const step = await plane.backfill(id, epoch, rows);
        if (step.kind === 'done') return step.rowsDone;
        if (step.kind !== 'copied' && step.kind !== 'busy') throw new Error(`copy of ${id}: ${JSON.stringify(step)}`);
      }
    },
    async settle(epoch) {
      await eventually(async () => {
        const result = await plane.converge(id, epoch, 500);
        if (result.kind !== 'converged') throw new Error(`converge of ${id}: ${JSON.stringify(result)}`);
        return (await plane.status(id))!.outboxRows === 0;
      }, `no hint of ${id} is left`);
    },
    async close() {
      const { primary, shadow } = remote;
      await Promise.all(
        [primary.owner, primary.runtime, remote.streams, shadow.connection, shadow.streams].map((one) => one.close()),
      );
    },
  };
}

/** How the shadow's database reads the queries that are like this one, as EXPLAIN VERBOSE tells it, each before it runs. */
export function explaining(like: RegExp, plans: string[]): (remote: Remote) => Remote {
  return (remote) => {
    const { connection } = remote.shadow;
    const call: PgConnection['call'] = async (statement, values, options) => {
      if (like.test(statement)) {
        const lines = await connection.call<{ 'QUERY PLAN': string }>(`EXPLAIN VERBOSE ${statement}`, values, options);
        plans.push(lines.map((line) => line['QUERY PLAN']).join('\n'));
      }
      return connection.call(statement, values, options);
    };
    return { ...remote, shadow: { ...remote.shadow, connection: { ...connection, call } } };
  };
}

export const died = () => new CrossfadeError('database_unavailable', 'the mover died', { retryable: true });

/** A mover that is dead from a moment on: the call before or after which it died, and everything later, is not made. */
export function dyingAt(when: 'before' | 'after', name: string): (remote: Remote) => Remote {
  const named = new RegExp(`crossfade\\."?${name}(_|\\()`);
  let dead = false;
  const unlessDead = async <T>(statement: string, make: () => Promise<T>): Promise<T> => {
    const isIt = named.test(statement);
    dead ||= isIt && when === 'before';
    if (dead) throw died();
    const answer = await make();
    dead ||= isIt;
    if (dead) throw died();
    return answer;
  };
  const mortal = (connection: PgConnection): PgConnection => ({
    ...connection,
    call: (statement, ...rest) => unlessDead(statement, () => connection.call(statement, ...rest)),
    script: (text, ...rest) => unlessDead(text, () => connection.script(text, ...rest)),
  });
  return (remote) => {
    const owner = mortal(remote.primary.owner);
    const primary = { owner, runtime: mortal(remote.primary.runtime) };
    return { ...remote, primary, shadow: { ...remote.shadow, connection: mortal(remote.shadow.connection) } };
  };
}

/** A link that hangs: the first answer to a script of each of these names is lost. @param limits of the calls that were lost, in ms */
export function losingAnswersOf(
  names: readonly string[],
  limits: [string, number | undefined][],
): (remote: Remote) => Remote {
  const hanging = (connection: PgConnection): PgConnection => ({
    ...connection,
    async script(text, options) {
      await connection.script(text, options);
      const name = names.find((one) => text.includes(`crossfade.${one}(`));
      if (name === undefined || limits.some(([lost]) => lost === name)) return;
      limits.push([name, options?.deadlineMs]);
      throw died();
    },
  });
  return (remote) => ({
    ...remote,
    primary: { ...remote.primary, owner: hanging(remote.primary.owner) },
    shadow: { ...remote.shadow, connection: hanging(remote.shadow.connection) },
  });
}

/** A link that breaks: the first answer of each of these functions is lost. A connection that may ask again does. */
export function losingFirstAnswersOf(names: readonly string[], lost: string[]): (remote: Remote) => Remote {
  return (remote) => {
    const { runtime } = remote.primary;
    const call: PgConnection['call'] = async (statement, values, options) => {
      const name = names.find((one) => new RegExp(`crossfade\\."?${one}(_|\\()`).test(statement));
      if (name === undefined || lost.includes(name)) return runtime.call(statement, values, options);
      lost.push(name);
      await runtime.call(statement, values, options);
      if (options?.attempts === 1) throw died();
      return runtime.call(statement, values, options);
    };
    return { ...remote, primary: { ...remote.primary, runtime: { ...runtime, call } } };
  };
}

/** A mover that asks the primary once, where others come again and again. */
export const triedOnce = (remote: Remote): Remote => {
  const { owner } = remote.primary;
  const once: PgConnection = {
    ...owner,
    call: (text, values, options) => owner.call(text, values, { ...options, attempts: 1 }),
  };
  return { ...remote, primary: { ...remote.primary, owner: once } };
};

/** Rows that only one of the two databases has, as texts: the oracle, which knows nothing of the product. */
export async function rowsApart(
  { primary, shadow }: TwoDatabases,
  left: string,
  right: string,
): Promise<{ left: string[]; right: string[] }> {
  const texts = async (db: ServedDatabase, query: string) =>
    (await db.sql.unsafe(`SELECT r::text AS row FROM (${query}) r`)).map(({ row }) => row as string);
  const [here, there] = [await texts(primary, left), await texts(shadow, right)];
  const except = (all: string[], others: string[]) => {
    const known = new Set(others);
    return all.filter((row) => !known.has(row));
  };
  return { left: except(here, there), right: except(there, here) };
}
