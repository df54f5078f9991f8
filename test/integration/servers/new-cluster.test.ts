/**
 * I1 I16 the example new-cluster: its page line by line, then by commands and ticks: from Debian's server to the embedded one, completed, taken
 * back with what was written there, completed again, and cleaned up.
 */

import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
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
import { commandServer } from '../../helpers/command-server.ts';
import { cli } from '../../helpers/fake-api.ts';
import { ROOT } from '../../helpers/imports.ts';
import {
  type RemotePlane,
  remotePlane,
  rowsApart,
  type TwoDatabases,
  twoDatabases,
} from '../../helpers/remote-plane.ts';
import { type Programs, tutorial, typedCommands } from '../../helpers/tutorial.ts';
import { MINUTE_MS, type World, world } from '../../helpers/world.ts';

const ROWS = 400;
const FORCE = { force: true, reason: 'a test' } as const;
const PAGE = 'infra/examples/new-cluster/README.md';
const read = (file: string) => readFileSync(resolve(ROOT, file), 'utf8');
const plan = { name: 'one', ramp: [['full', 100]] as [string, number][] };
const CUTOVERS = defineCutovers(newClusterCutovers.map((one) => ({ ...one, plan })));
const [DECLARED] = CUTOVERS;
const NONE = { left: [], right: [] };

describe.skipIf(inject('servers') === null)('the example new-cluster', () => {
  let two: TwoDatabases;
  let plane: RemotePlane;
  let w: World;
  let ports: Ports;
  let server: Awaited<ReturnType<typeof commandServer>> | null = null;
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
  /** By the port in a line of the page. */
  const at = (words: readonly string[]) => (words[words.indexOf('-p') + 1] === '5432' ? two.primary : two.shadow);
  const after = (words: readonly string[], option: string) => words[words.indexOf(option) + 1]!;
  const programs: Programs = {
    createdb: async (words) => expect(words).toEqual(['-p', expect.stringMatching(/^543[23]$/), 'shop']),
    psql: async (words) =>
      at(words)
        .owner.unsafe(`SET new_cluster.rows = '${ROWS}'; ${read(after(words, '-f'))}`)
        .simple(),
    // The one address that the page gives is that of the new cluster.
    export: async ([assigned]) =>
      expect(JSON.parse(assigned!.replace(/^CROSSFADE_CONNECTIONS=/, ''))).toEqual({
        new: 'postgres://localhost:5433/shop',
      }),
    pgbench: async (words) => {
      const load = read(after(words, '-f')).replaceAll(/^(--|\\).*$/gm, '');
      await at(words).owner.unsafe(load.replaceAll(':id', '7').replaceAll(':total', '9')).simple();
    },
    async crossfade(words) {
      if (words[0] === 'migrate') {
        expect(new URL(after(words, '--database-url')).port).toBe('5433');
        expect(await cli(['migrate', '--database-url', two.shadow.roles.owner])).toMatchObject({ exit: 0 });
        return;
      }
      if (words[0] === 'dev') {
        const declared = (await import(resolve(ROOT, after(words, '--config')))) as { default: { id: string }[] };
        expect(declared.default.map(({ id }) => id)).toEqual(CUTOVERS.map(({ id }) => id));
        server = await commandServer({ ports, cutovers: CUTOVERS, clock: ports.clock });
        return;
      }
      return typedCommands({ url: server!.url, nowMs: () => ports.clock.now() })(words);
    },
  };
  /** As the relay and the writer that it wakes. */
  async function settle(): Promise<void> {
    expect(await relay(ports, 0, CUTOVERS)).toMatchObject({ wakeUps: 1 });
    const serving = { ...ports, outcomes: outcomeBuffer(ports, 10_000) };
    const woken = [{ sequenceNumber: '1', cutover: 'orders' }];
    expect(await serveWakeUps(serving, CUTOVERS, woken, { deadlineMs: 1e9 })).toMatchObject({ served: 1 });
  }
  async function completed(): Promise<void> {
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
    plane = remotePlane(two, tableCutover(tableOf(DECLARED!)));
    w = world({ cutovers: CUTOVERS });
    ports = { ...w.ports, ...plane.ports };
  });
  afterAll(async () => {
    await server?.close();
    await plane.close();
    await two.drop();
  });

  it('has a page whose lines work one after the other', async () => {
    const page = tutorial({ file: PAGE, text: read(PAGE) }, programs);
    expect(String(await page.through('npx --no-install crossfade preview orders'))).toContain("of connection 'new'");
    await page.through('npx --no-install crossfade start orders');
    expect(page.left()).toEqual([]);
    expect(await w.state.readCutover('orders')).toMatchObject({ stage: 'dual_write', pending: null });
  });

  it('is completed, taken back, completed again and cleaned up, and each order is there', async () => {
    await completed();
    await accepted({ type: 'rollback', reason: 'a try' }, 'rolled_back');
    await w.tick(ports);
    await expect(write('shadow', 'late')).rejects.toMatchObject({ code: '25006' });
    await write('primary', 'after the rollback');
    await accepted({ type: 'reset', confirm: 'orders' }, 'disabled');
    await w.tick(ports);
    await accepted({ type: 'start' }, 'dual_write');
    await completed();
    await accepted({ type: 'cleanup', confirm: 'orders' }, 'cleaned');
    await w.tick(ports);
    await expect(write('primary', 'late')).rejects.toMatchObject({ code: '25006' });
    await write('shadow', 'the last one');
    const [found] = await two.shadow
      .sql`SELECT count(*)::integer AS orders, count(DISTINCT id)::integer AS ids FROM orders`;
    expect(found).toEqual({ orders: ROWS + 7, ids: ROWS + 7 });
    expect(w.failures).toEqual([]);
  });
});
