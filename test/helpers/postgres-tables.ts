/** A table cutover on a real Postgres: the data plane with its own connections, and the loops that the flows run. */

import { expect } from 'vitest';
import { readTablesByOid } from '../../lib/adapters/postgres/capture/catalog.ts';
import { inlineMode } from '../../lib/adapters/postgres/capture/inline.ts';
import {
  type ConnectionOptions,
  type PgConnection,
  postgresConnection,
} from '../../lib/adapters/postgres/connection/connection.ts';
import { postgresTables } from '../../lib/adapters/postgres/tables.ts';
import { random, systemClock } from '../../lib/adapters/system.ts';
import type { TableShape } from '../../lib/core/table/shape.ts';
import { tableObjects } from '../../lib/core/table/sql/table.ts';
import { compileTransform } from '../../lib/core/table/transform.ts';
import type { TablePorts } from '../../lib/ports/ports.ts';
import type { MirrorRow } from '../../lib/ports/switches.ts';
import type { StateFence, TableCutover } from '../../lib/ports/tables.ts';
import type { OwnDatabase } from './postgres.ts';
import { asGenerated, type Rewrites } from './sql-plants.ts';
import { type TableCalls, tableCalls } from './table-ports.ts';

type Counts = {
  claimed: number;
  written: number;
  deleted: number;
  checked: number;
  mismatched: number;
  quarantined: number;
};

/** All calls on one object, since a test of the database is about several subjects; `ports` has them apart. */
export type TestPlane = Omit<TableCalls, 'arm' | 'disarm' | 'forget'> & {
  ports: TablePorts;
  /** By the newest state there can be, unless the test is about older ones. */
  arm(cutover: TableCutover, by?: StateFence): ReturnType<TableCalls['arm']>;
  disarm(id: string, by?: StateFence): ReturnType<TableCalls['disarm']>;
  forget(id: string, by?: StateFence): ReturnType<TableCalls['forget']>;
  /** A further connection, like another instance of a function. */
  connection(): PgConnection;
  /** Arms, and writes the fence at this epoch. */
  start(cutover: TableCutover, epoch?: number): Promise<void>;
  fence(id: string, epoch: number, changes?: Partial<MirrorRow>): Promise<void>;
  /** Applies hints until none is left. Those that were put off are due as soon as no other is. */
  settle(id: string, epoch: number): Promise<Counts>;
  copy(id: string, epoch: number, rows?: number): Promise<number>;
  close(): Promise<void>;
};

/** All calls over connections of the test's own. */
export const postgresCalls = (roles: Parameters<typeof postgresTables>[0]): TableCalls =>
  tableCalls(postgresTables(roles));

const SETTLE_MS = 20_000;
const NEWEST: StateFence = { epoch: 1_000_000, version: 1_000_000 };

/** @param clock one whose `sleep` is over at once makes a call that was cut off come again at once */
export function testPlane(db: OwnDatabase, clock: ConnectionOptions['clock'] = systemClock()): TestPlane {
  const open: PgConnection[] = [];
  const connection = (url = db.roles?.owner ?? db.url) => {
    const made = db.connection?.(url, clock) ?? postgresConnection({ url, clock, random });
    open.push(made);
    return made;
  };
  const owner = connection();
  const ports = postgresTables({ runtime: connection(db.roles?.runtime), owner });
  const plane = tableCalls(ports);
  const fence: TestPlane['fence'] = async (id, epoch, changes = {}) => {
    const row = {
      id,
      epoch,
      version: epoch,
      stage: 'dual_write',
      shadowWrites: true,
      readPpm: 0,
      salt: id,
      ...changes,
    };
    expect(await plane.mirror(row)).toEqual({ kind: 'written' });
  };
  return {
    ...plane,
    ports,
    arm: (cutover, by = NEWEST) => plane.arm(cutover, by),
    disarm: (id, by = NEWEST) => plane.disarm(id, by),
    forget: (id, by = NEWEST) => plane.forget(id, by),
    connection: () => connection(),
    fence,
    async start(cutover, epoch = 1) {
      expect(await plane.arm(cutover, NEWEST)).toEqual({ kind: 'armed' });
      await fence(cutover.id, epoch);
    },
    settle: (id, epoch) => settle(plane, owner, id, epoch),
    async copy(id, epoch, rows = 500) {
      for (;;) {
        const step = await plane.backfill(id, epoch, rows);
        if (step.kind === 'done') return step.rowsDone;
        // Busy: somebody else copies, or has a row locked that gets a companion. A tick comes again, too.
        expect(step.kind).toMatch(/^(copied|busy)$/);
      }
    },
    close: async () => void (await Promise.all(open.map((made) => made.close()))),
  };
}

async function settle(plane: TableCalls, owner: PgConnection, id: string, epoch: number): Promise<Counts> {
  const total = { claimed: 0, written: 0, deleted: 0, checked: 0, mismatched: 0, quarantined: 0 };
  const deadline = Date.now() + SETTLE_MS;
  for (;;) {
    const result = await plane.converge(id, epoch, 500);
    if (result.kind !== 'converged') throw new Error(`converge of ${id} at epoch ${epoch}: ${JSON.stringify(result)}`);
    for (const name of Object.keys(total) as (keyof Counts)[]) total[name] += result[name];
    if (result.remaining > 0 && result.claimed > 0) continue;
    const left = (await plane.status(id))!.outboxRows;
    if (left === 0) return total;
    if (Date.now() > deadline) throw new Error(`${left} hints of ${id} are left after ${SETTLE_MS} ms`);
    if (result.claimed === 0 && (await endPauses(owner, id)) === 0)
      await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

/** The pauses before further tries are over now, but for hints that somebody is at work on. How many were put off. */
export async function endPauses(owner: PgConnection, id: string): Promise<number> {
  const outbox = `crossfade."outbox_${id}"`;
  const due = await owner.call(`UPDATE ${outbox} SET not_before = NULL
    WHERE seq IN (SELECT seq FROM ${outbox} WHERE not_before > clock_timestamp() FOR UPDATE SKIP LOCKED) RETURNING seq`);
  return due.length;
}

/** Repeats a look at the world until it shows what is expected; the deadline is a failure, not a pace. */
export async function eventually(look: () => Promise<boolean>, what: string, withinMs = 30_000): Promise<void> {
  const deadline = Date.now() + withinMs;
  while (!(await look())) {
    if (Date.now() > deadline) throw new Error(`Not within ${withinMs} ms: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

/** Rows that only one of two queries returns, as text: the oracle of equality, written independently of the product. */
export async function differences(db: OwnDatabase, left: string, right: string): Promise<unknown[]> {
  return db.sql.unsafe(`SELECT 'left' AS side, d::text AS row FROM (${left} EXCEPT ALL ${right}) d
    UNION ALL SELECT 'right', d::text FROM (${right} EXCEPT ALL ${left}) d LIMIT 10`);
}

/**
 * Replaces the armed functions of a cutover, in the direction that is armed, by ones that dawdle, halt or break a rule: for
 * races and negative controls.
 */
export async function tamper(
  db: OwnDatabase,
  owner: PgConnection,
  cutover: TableCutover,
  rewrites: Rewrites,
): Promise<void> {
  const { id, validation } = cutover;
  const [row] = await db.sql.unsafe(
    `SELECT primary_oid::int AS primary, shadow_oid::int AS shadow, direction FROM crossfade.cutover WHERE id = '${id}'`,
  );
  const [primary, shadow] = (await readTablesByOid(owner, [row!.primary, row!.shadow])) as [TableShape, TableShape];
  const compiled = compileTransform(primary, shadow, cutover.table, id);
  if (!compiled.ok) throw new Error(compiled.problems.join('; '));
  const { create } =
    row!.direction === 'reverse'
      ? tableObjects({ id, source: shadow, target: primary, mapping: compiled.reverse }, validation)
      : tableObjects(
          { id, source: primary, target: shadow, mapping: compiled.forward },
          validation,
          inlineMode(cutover.table),
        );
  for (const [name, rewrite] of Object.entries(rewrites)) {
    const generated = create.find((text) => text.startsWith(`CREATE FUNCTION crossfade."${name}_${id}"`));
    if (!generated) throw new Error(`No function ${name} is generated for ${id}.`);
    const statement = rewrite(generated);
    if (statement === generated && rewrite !== asGenerated)
      throw new Error(`What is planted in ${name} of ${id} changes nothing. Make it fit what is generated now.`);
    const trigger = name === 'capture' || name === 'truncated';
    const replaced = trigger ? statement.replace('CREATE', 'CREATE OR REPLACE') : statement;
    const dropped = trigger ? '' : `DROP FUNCTION crossfade."${name}_${id}"; `;
    await db.sql.unsafe(dropped + replaced);
  }
  // What is planted here is not for the watch over the shape to find.
  await db.sql.unsafe(`SELECT crossfade.record_shape('${id}')`);
}
