/**
 * The deployed relay on its schedule, as processes beside each other: how long a change waits until it is in the shadow, and what it
 * costs that a relay is killed. The schedule is shrunk here. On the real one, five minutes and a minute with a kill:
 *
 *   CROSSFADE_RELAY_PERIOD_MS=60000 npx vitest run --project e2e test/e2e/relay-schedule.test.ts
 */

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { CutoverDeclaration } from '../../lib/core/cutover/cutover.ts';
import { deployedFunctions, type FunctionHost, functionHost } from '../helpers/handler-process.ts';
import { LIFE_MS, PERIOD_MS, quantile } from '../helpers/relay-world.ts';
import { environmentOf } from '../helpers/stack-parts.ts';
import { type Items, items, startAll } from '../helpers/stack-parts-items.ts';
import { type StreamMapping, streamMapping, streamReader } from '../helpers/stack-parts-stream.ts';

const PERIOD = Number(process.env.CROSSFADE_RELAY_PERIOD_MS ?? 1_000);
const IS_REAL = PERIOD === PERIOD_MS;
const PERIODS = IS_REAL ? 5 : 2;
const WRITE_EVERY_MS = 50;
/** What a kill may cost a change, beyond what it waits anyhow. */
const KILL_COSTS_MS = 2_000;
const FIRST_ID = 1_000;
const NOWHERE = 'postgres://nobody@127.0.0.1:1/none';

let world: Items;
let functions: string;
let writer: FunctionHost;
let mapping: StreamMapping;
const settings = mkdtempSync(join(tmpdir(), 'crossfade-relay-'));
const relays: FunctionHost[] = [];
const calls: Promise<unknown>[] = [];

beforeAll(async () => {
  world = await items(['item']);
  await startAll(world);
  functions = deployedFunctions();
  writer = host('shadow-writer', 60_000);
  mapping = streamMapping(streamReader(world.on.endpoint, world.on.tables.changes), writer.invoke);
  for (const n of [1, 2, 3]) relays.push(host(`relay:${n}`, 130_000));
  await Promise.all(relays.map((one) => one.invoke({ source: 'crossfade.local', maxMs: 1 })));
});

afterAll(async () => {
  await mapping?.stop();
  await Promise.all([...relays, writer].map((one) => one?.stop()));
  await Promise.all(calls);
  await world?.stop();
  for (const directory of [functions, settings]) rmSync(directory, { recursive: true, force: true });
});

function host(
  name: string,
  timeoutMs: number,
  { databaseUrl, declarations } = { databaseUrl: world.db.url, declarations: world.declarations },
): FunctionHost {
  const cutovers = join(settings, `${name}.json`);
  writeFileSync(cutovers, JSON.stringify(declarations));
  const environment = environmentOf(world.on, { databaseUrl, cutovers, speed: 1, originMs: 0 });
  return functionHost({ functions, name, environment, timeoutMs });
}

const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

/** The schedule fires, whatever still runs: the newest instance leads. Where all are busy the platform starts one more. */
function fire(): FunctionHost {
  const free = relays.find((one) => !one.busy()) ?? host(`relay:${relays.length + 1}`, 130_000);
  if (!relays.includes(free)) relays.push(free);
  const event = { source: 'crossfade.local', maxMs: (LIFE_MS / PERIOD_MS) * PERIOD };
  calls.push(free.invoke(event).catch(() => {}));
  return free;
}

let lastId = FIRST_ID;
/** How long each row that is written meanwhile takes to the shadow, in ms and sorted. The schedule goes on until all are there. */
async function lagsWhile(work: () => Promise<void>): Promise<number[]> {
  const waiting = new Map<number, number>();
  const lags: number[] = [];
  let isOver = false;
  const writing = (async () => {
    while (!isOver) {
      lastId += 1;
      await world.db.sql`INSERT INTO item VALUES (${lastId}, 'written')`;
      waiting.set(lastId, performance.now());
      await pause(WRITE_EVERY_MS);
    }
  })();
  const watching = (async () => {
    while (!isOver || waiting.size > 0) {
      const ids = `{${[...waiting.keys()]}}`;
      const rows = await world.db.sql<{ id: string }[]>`SELECT id FROM item_v2 WHERE id = ANY(${ids})`;
      for (const { id } of rows) {
        lags.push(performance.now() - waiting.get(Number(id))!);
        waiting.delete(Number(id));
      }
      await pause(10);
    }
  })();
  await work();
  isOver = true;
  const next = setInterval(fire, PERIOD);
  await Promise.all([writing, watching]).finally(() => clearInterval(next));
  return lags.sort((a, b) => a - b);
}

const told = (lags: readonly number[]) =>
  [0.5, 0.99, 1]
    .map((share) => `${share === 1 ? 'max' : `p${share * 100}`} ${Math.round(quantile(lags, share))} ms`)
    .join(', ');

describe(`relays that begin every ${PERIOD} ms`, () => {
  it(
    'let no change wait where one ends and the next one leads, nor for long where one is killed',
    async () => {
      fire();
      await pause(PERIOD);
      const usual = await lagsWhile(async () => {
        for (let n = 0; n < PERIODS; n += 1) {
          fire();
          await pause(PERIOD);
        }
      });
      const killed = await lagsWhile(async () => {
        const leader = fire();
        await pause(PERIOD / 3);
        leader.kill();
        await pause((PERIOD * 2) / 3);
        fire();
        await pause(PERIOD / 3);
      });
      console.log(`changes: ${usual.length}; ${told(usual)}; with a kill: ${killed.length}; ${told(killed)}`);
      expect(relays.reduce((sum, { figures }) => sum + figures.kills, 0)).toBe(1);
      expect(quantile(killed, 1)).toBeLessThan(quantile(usual, 1) + KILL_COSTS_MS);
      if (!IS_REAL) return;
      expect(quantile(usual, 0.5)).toBeLessThanOrEqual(500);
      expect(quantile(usual, 0.99)).toBeLessThanOrEqual(1_000);
    },
    (3 + PERIODS) * PERIOD + 60_000,
  );

  it('ask no database where nothing was ever started', async () => {
    const [item] = world.declarations as [CutoverDeclaration];
    const idle = host('relay:idle', 130_000, {
      databaseUrl: NOWHERE,
      declarations: [{ ...item, id: 'never_started' }],
    });
    relays.push(idle);
    expect(await idle.invoke({ source: 'crossfade.local' })).toEqual({ rounds: 1, wakeUps: 0 });
    const armed = host('relay:armed', 130_000, { databaseUrl: NOWHERE, declarations: [item] });
    relays.push(armed);
    await expect(armed.invoke({ source: 'crossfade.local', maxMs: 1 })).rejects.toThrow('ECONNREFUSED');
  });
});
