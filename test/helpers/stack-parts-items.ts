/** Two small tables that cross over and a code path, on servers of their own, for tests that run the flows in this process. */

import { expect } from 'vitest';
import type { CutoverDeclaration } from '../../lib/core/cutover/cutover.ts';
import { type CutoverInput, defineCutovers } from '../../lib/define/cutovers.ts';
import { tick } from '../../lib/flows/control/tick.ts';
import type { Ports } from '../../lib/ports/ports.ts';
import { type OwnDatabase, ownDatabase } from './postgres.ts';
import {
  auditProblems,
  type Backing,
  backing,
  command,
  driftOf,
  type MovableClock,
  movableClock,
  type OwnPorts,
  portsOn,
  recordTraffic,
} from './stack-parts.ts';
import { type Fault, faultyAt } from './stack-parts-faults.ts';

export type Items = {
  on: Backing;
  db: OwnDatabase;
  clock: MovableClock;
  ports: OwnPorts;
  declarations: readonly CutoverDeclaration[];
  /** Another instance: the same servers, connections of its own. */
  another(options?: Partial<Parameters<typeof portsOn>[1]>): OwnPorts;
  stop(): Promise<void>;
};

const MANY_STAGES = Array.from({ length: 45 }, (_, i) => [`step_${i + 1}`, i + 1] as const);
const LONG = { name: 'long', ramp: [...MANY_STAGES, ['full_100', 100]] as [string, number][] };
const SHORT = { name: 'short', ramp: [['full_100', 100]] as [string, number][] };

/** Both tables of `part` are partitioned, each in its way. */
const TABLES = `
  CREATE TABLE item (id integer PRIMARY KEY, value text NOT NULL);
  CREATE TABLE item_v2 (id bigint PRIMARY KEY, label text NOT NULL);
  CREATE TABLE part (id integer PRIMARY KEY, value text NOT NULL) PARTITION BY HASH (id);
  CREATE TABLE part_even PARTITION OF part FOR VALUES WITH (MODULUS 2, REMAINDER 0);
  CREATE TABLE part_odd PARTITION OF part FOR VALUES WITH (MODULUS 2, REMAINDER 1);
  CREATE TABLE part_v2 (id bigint PRIMARY KEY, label text NOT NULL) PARTITION BY RANGE (id);
  CREATE TABLE part_low PARTITION OF part_v2 FOR VALUES FROM (MINVALUE) TO (20);
  CREATE TABLE part_high PARTITION OF part_v2 FOR VALUES FROM (20) TO (MAXVALUE);
  INSERT INTO item SELECT i, 'row ' || i FROM generate_series(1, 30) i;
  INSERT INTO part TABLE item`;

/**
 * @param ids which of `item`, `part` (tables) and `planner` (a component) are declared
 * @param own cutovers of the test's own, with the SQL that makes their tables
 */
export async function items(
  ids: readonly string[],
  plan: 'long' | 'short' = 'long',
  own: { sql?: string; cutovers?: CutoverInput[] } = {},
): Promise<Items> {
  const [on, db] = await Promise.all([backing(), ownDatabase()]);
  await db.sql.unsafe(TABLES);
  const common = {
    plan: plan === 'long' ? LONG : SHORT,
    dwellMinutes: 0,
    policy: { minSamples: 10, holdBackPercent: 0, warmUpMinutes: 0 },
  };
  const table = (id: string) => ({
    ...common,
    id,
    kind: 'table' as const,
    primary: `public.${id}`,
    shadow: `public.${id}_v2`,
    columns: { label: { from: 'value' } },
  });
  const all = [table('item'), table('part'), { ...common, id: 'planner', kind: 'component' as const }];
  if (own.sql) await db.sql.unsafe(own.sql);
  const chosen = all.filter(({ id }) => ids.includes(id));
  const declarations = defineCutovers([...chosen, ...(own.cutovers ?? [])]);
  const clock = movableClock();
  const open: OwnPorts[] = [];
  const another: Items['another'] = (options = {}) => {
    const made = portsOn(on, { databaseUrl: db.url, clock, ...options });
    open.push(made);
    return made;
  };
  return {
    on,
    db,
    clock,
    ports: another(),
    declarations,
    another,
    async stop() {
      await Promise.all(open.map((ports) => ports.close()));
      await Promise.all([on.stop(), db.drop()]);
    },
  };
}

/** Started, copied, compared: everything that a table needs to go on but fresh traffic. */
export async function startAll({ ports, declarations, clock }: Items): Promise<void> {
  for (const { id, kind } of declarations) {
    await command(ports, declarations, id, { type: 'start' });
    if (kind !== 'table') continue;
    const { epoch } = (await ports.state.readCutover(id))!;
    while ((await ports.copying.backfill(id, epoch, 1_000)).kind !== 'done');
    await emptied(ports, id, epoch);
    await ports.verifying.verify(id, epoch, clock.now());
  }
}

async function emptied(ports: Ports, id: string, epoch: number): Promise<void> {
  for (;;) {
    const result = await ports.converging.converge(id, epoch, 500);
    if (result.kind === 'stale') throw new Error(`converge of ${id} is stale: ${JSON.stringify(result)}`);
    if (result.claimed === 0) return;
  }
}

/** Two minutes later, with a healthy minute of both sides behind it that proves enough: the next tick may advance. */
export async function readyToAdvance({ ports, clock, declarations }: Items): Promise<void> {
  clock.pass(2);
  await Promise.all(declarations.map(({ id }) => recordTraffic(ports, id, 5_000, 1)));
}

export const versionOf = async ({ ports }: Items, id: string) => (await ports.state.readCutover(id))?.version ?? 0;

/** I19 and I27: the logs are whole, and two ticks without faults make everything agree. */
export async function expectHealed({ ports, declarations }: Items): Promise<void> {
  await tick(ports, declarations);
  await tick(ports, declarations);
  expect(await driftOf(ports, declarations)).toEqual([]);
  for (const declaration of declarations) expect(await auditProblems(ports, declaration)).toEqual([]);
}

/** A tick that is hit at one of its calls. Returns the name of that call, or null when the tick did not get to it. */
export async function hitTick(world: Items, ports: Ports, at: number | string, fault: Fault): Promise<string | null> {
  const faulty = faultyAt(ports, at, fault);
  await Promise.race([tick(faulty.ports, world.declarations).catch(() => {}), faulty.died]);
  return faulty.hit();
}

/** Rows that are in one of two tables only. */
export async function unequal(db: OwnDatabase, primary: string, shadow: string): Promise<string[]> {
  const rows = await db.sql.unsafe<{ id: string }[]>(
    `WITH a AS (SELECT id::bigint, value FROM ${primary}), b AS (SELECT id, label FROM ${shadow})
     (TABLE a EXCEPT TABLE b) UNION ALL (TABLE b EXCEPT TABLE a) ORDER BY 1`,
  );
  return rows.map(({ id }) => id);
}
