/**
 * I1 I16 the example new-cluster, by its commands and ticks: from Debian's server to the embedded one, completed, taken back with what was
 * written there, completed again, and cleaned up.
 */

import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { newClusterCutovers } from '../../../infra/examples/new-cluster/cutovers.ts';
import { defineCutovers } from '../../../lib/define/cutovers.ts';
import type { OperatorCommand } from '../../../lib/flows/control/operate.ts';
import { outcomeBuffer } from '../../../lib/flows/forwards/outcome-buffer.ts';
import { backfillAll } from '../../../lib/flows/rows/backfill.ts';
import { relay } from '../../../lib/flows/rows/relay.ts';
import { serveWakeUps } from '../../../lib/flows/rows/serve-wake-ups.ts';
import { tableCutover, tableOf } from '../../../lib/flows/rows/table-of.ts';
import { verifyAll } from '../../../lib/flows/rows/verify.ts';
import type { Ports } from '../../../lib/ports/ports.ts';
import {
  type RemotePlane,
  remotePlane,
  rowsApart,
  type TwoDatabases,
  twoDatabases,
} from '../../helpers/remote-plane.ts';
import { MINUTE_MS, type World, world } from '../../helpers/world.ts';

const ROWS = 400;
const FORCE = { force: true, reason: 'a test' } as const;
const script = (name: string) =>
  readFileSync(fileURLToPath(new URL(`../../../infra/examples/new-cluster/${name}.sql`, import.meta.url)), 'utf8');
const plan = { name: 'one', ramp: [['full', 100]] as [string, number][] };
const CUTOVERS = defineCutovers(newClusterCutovers.map((one) => ({ ...one, plan })));
const [DECLARED] = CUTOVERS;
const NONE = { left: [], right: [] };

describe.skipIf(inject('servers') === null)('the example new-cluster', () => {
  let two: TwoDatabases;
  let plane: RemotePlane;
  let w: World;
  let ports: Ports;
  const ask = (command: OperatorCommand) => w.operate('orders', command, { ports });
  const accepted = async (command: OperatorCommand, stage: string) =>
    expect(await ask(command)).toMatchObject({ ok: true, answer: { stage, pending: null } });
  const write = (side: 'primary' | 'shadow', note: string) =>
    two[side].owner`INSERT INTO orders (total, note) VALUES (1, ${note})`;
  const apart = () =>
    rowsApart(
      two,
      "SELECT id::bigint, placed_at AT TIME ZONE 'UTC', status, total, note FROM orders",
      "SELECT id, placed_at AT TIME ZONE 'UTC', status, total, note FROM orders",
    );
  /** As the relay and the writer that it wakes. */
  async function settle(): Promise<void> {
    expect(await relay(ports, 0, CUTOVERS)).toMatchObject({ wakeUps: 1 });
    const serving = { ...ports, outcomes: outcomeBuffer(ports, 10_000) };
    const woken = [{ sequenceNumber: '1', cutover: 'orders' }];
    expect(await serveWakeUps(serving, CUTOVERS, woken, { deadlineMs: 1e9 })).toMatchObject({ served: 1 });
  }
  async function completed(): Promise<void> {
    await accepted({ type: 'start' }, 'dual_write');
    await backfillAll(ports, CUTOVERS, 1e9);
    await verifyAll(ports, CUTOVERS);
    await accepted({ type: 'advance', ...FORCE }, 'full');
    await write('primary', 'before completion');
    // Readers that were held back go first.
    expect(await ask({ type: 'complete', confirm: 'orders', ...FORCE })).toMatchObject({
      answer: { pending: 'promote' },
    });
    w.clock.pass(2 * MINUTE_MS);
    await w.tick(ports);
    expect(await w.state.readCutover('orders')).toMatchObject({ stage: 'completed', pending: null });
    await expect(write('primary', 'late')).rejects.toMatchObject({ code: '25006' });
    await write('shadow', 'after completion');
    await settle();
    expect(await apart()).toEqual(NONE);
    expect((await ports.inspecting.statuses(['orders'])).get('orders')).toMatchObject({
      armed: 'reverse',
      outboxRows: 0,
    });
  }

  beforeAll(async () => {
    two = await twoDatabases();
    await two.primary.owner.unsafe(`SET new_cluster.rows = '${ROWS}'; ${script('primary')}`).simple();
    await two.shadow.owner.unsafe(script('shadow')).simple();
    plane = remotePlane(two, tableCutover(tableOf(DECLARED!)));
    w = world({ cutovers: CUTOVERS });
    ports = { ...w.ports, ...plane.ports };
  });
  afterAll(async () => {
    await plane.close();
    await two.drop();
  });

  it('is completed, taken back, completed again and cleaned up, and each order is there', async () => {
    await completed();
    await accepted({ type: 'rollback', reason: 'a try' }, 'rolled_back');
    await w.tick(ports);
    await expect(write('shadow', 'late')).rejects.toMatchObject({ code: '25006' });
    await write('primary', 'after the rollback');
    await accepted({ type: 'reset', confirm: 'orders' }, 'disabled');
    await w.tick(ports);
    await completed();
    await accepted({ type: 'cleanup', confirm: 'orders' }, 'cleaned');
    await w.tick(ports);
    await expect(write('primary', 'late')).rejects.toMatchObject({ code: '25006' });
    await write('shadow', 'the last one');
    const [found] = await two.shadow
      .sql`SELECT count(*)::integer AS orders, count(DISTINCT id)::integer AS ids FROM orders`;
    expect(found).toEqual({ orders: ROWS + 6, ids: ROWS + 6 });
    expect(w.failures).toEqual([]);
  });
});
