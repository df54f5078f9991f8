/**
 * Reads on the primary and writes off on a real Postgres, through the flows: a shadow whose writes are off stays as it is
 * under load, nothing that was written meanwhile is lost, and SQL sends readers where the flags do.
 */

import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { systemClock } from '../../../lib/adapters/system.ts';
import { defineCutovers } from '../../../lib/define/cutovers.ts';
import type { OperatorCommand } from '../../../lib/flows/control/operate.ts';
import { runCommand } from '../../../lib/flows/control/run-command.ts';
import { backfillAll } from '../../../lib/flows/rows/backfill.ts';
import { converge, stateNow } from '../../../lib/flows/rows/converge.ts';
import { relay } from '../../../lib/flows/rows/relay.ts';
import type { Ports } from '../../../lib/ports/ports.ts';
import { inMemoryAlerts } from '../../helpers/fakes/alerts.ts';
import { inMemoryCriteria } from '../../helpers/fakes/criteria.ts';
import { inMemoryCustomMetrics } from '../../helpers/fakes/custom-metrics.ts';
import { inMemoryExperiments } from '../../helpers/fakes/experiments.ts';
import { inMemoryFlags } from '../../helpers/fakes/flags.ts';
import { forwardPorts, inMemoryForwards, nobodyThere } from '../../helpers/fakes/forwards.ts';
import { inMemoryState } from '../../helpers/fakes/state.ts';
import { inMemoryVerdicts } from '../../helpers/fakes/verdicts.ts';
import { inMemoryWakeUps } from '../../helpers/fakes/wake-ups.ts';
import { inMemoryWindows } from '../../helpers/fakes/windows.ts';
import { type OwnDatabase, ownDatabase } from '../../helpers/postgres.ts';
import { differences, type TestPlane, tamper, testPlane } from '../../helpers/postgres-tables.ts';
import { route } from '../../helpers/route.ts';
import { edited } from '../../helpers/sql-plants.ts';

const MODES = ['streamed', 'inline'] as const;
type Mode = (typeof MODES)[number];
const KEYS = 40;

const cutovers = defineCutovers(
  MODES.map((mode) => ({
    id: mode,
    kind: 'table' as const,
    primary: `public.${mode}`,
    shadow: `public.${mode}_v2`,
    columns: { label: { from: 'name' } },
    mode,
  })),
);

let db: OwnDatabase;
let plane: TestPlane;
let ports: Ports;
let flags: ReturnType<typeof inMemoryFlags>;
let keys = 0;

beforeAll(async () => {
  db = await ownDatabase();
  plane = testPlane(db);
  flags = inMemoryFlags();
  const clock = systemClock();
  ports = {
    clock,
    ids: { next: () => `id-${++keys}` },
    log: { event: () => {}, failure: () => {} },
    metrics: { record: () => {}, flush: () => {} },
    state: inMemoryState({ clock }),
    verdicts: inMemoryVerdicts({ clock }),
    windows: inMemoryWindows({ clock }),
    wakeUps: inMemoryWakeUps(),
    ...forwardPorts(inMemoryForwards({ realNow: clock.now })),
    deliver: nobodyThere,
    flags,
    sightings: flags.sightings,
    ...plane.ports,
    alerts: inMemoryAlerts(),
    customMetrics: inMemoryCustomMetrics(),
    criteria: inMemoryCriteria(),
    experiments: inMemoryExperiments(),
  };
  for (const mode of MODES) {
    await db.sql.unsafe(`CREATE TABLE ${mode} (id integer PRIMARY KEY, name text);
      CREATE TABLE ${mode}_v2 (id bigint PRIMARY KEY, label text);
      INSERT INTO ${mode} SELECT i, 'seed' FROM generate_series(1, ${KEYS}) i`);
    await command(mode, { type: 'start' });
  }
  await backfillAll(ports, cutovers, clock.monotonicMs() + 20_000);
});
afterAll(async () => {
  await plane.close();
  await db.drop();
});

async function command(mode: Mode, asked: OperatorCommand): Promise<void> {
  const declaration = cutovers.find(({ id }) => id === mode)!;
  const basedOn = (await ports.state.readCutover(mode))?.version ?? 0;
  const idempotency = { key: `key-${++keys}`, fingerprint: 'f' };
  const done = await runCommand(ports, cutovers, declaration, { command: asked, actor: 'ada', basedOn, idempotency });
  expect(done.published).toBe(true);
}
const writes = (mode: Mode, enabled: boolean) => command(mode, { type: 'shadow-writes', enabled, reason: 'load' });
const applying = (mode: Mode) =>
  converge(ports, mode, { deadlineMs: ports.clock.monotonicMs() + 10_000, turnMs: 10_000, now: stateNow(ports) });

const shadowOf = (mode: Mode) => db.sql.unsafe(`SELECT id::integer, label FROM ${mode}_v2 ORDER BY id`);
const differing = (mode: Mode) =>
  differences(db, `SELECT id::bigint, name FROM ${mode}`, `SELECT id, label FROM ${mode}_v2`);

async function settled(mode: Mode): Promise<unknown[]> {
  await plane.settle(mode, (await ports.state.readCutover(mode))!.epoch);
  return differing(mode);
}

type Step = { do: 'write' | 'delete' | 'move'; key: number; to: number } | { do: 'apply' | 'off' | 'on' | 'wake' };
const key = fc.integer({ min: 1, max: KEYS });
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 6, arbitrary: fc.record({ do: fc.constantFrom('write', 'write', 'delete', 'move'), key, to: key }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constantFrom('apply', 'off', 'on', 'wake') }) },
);
const sqlOf = (mode: Mode, { do: what, key, to }: Extract<Step, { key: number }>): string =>
  ({
    write: `INSERT INTO ${mode} VALUES (${key}, 'n${to}') ON CONFLICT (id) DO UPDATE SET name = 'u${to}'`,
    delete: `DELETE FROM ${mode} WHERE id = ${key}`,
    move: `UPDATE ${mode} SET id = ${to} WHERE id = ${key} AND NOT EXISTS (SELECT FROM ${mode} t WHERE t.id = ${to})`,
  })[what];

describe.each(MODES)('writes off, %s', (mode) => {
  it('leave the shadow as it was, wake nobody and lose nothing, whatever was done', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 8, maxLength: 24 }), async (steps) => {
        await writes(mode, true);
        let frozen: unknown = null;
        for (const one of steps) {
          if ('key' in one) await db.sql.unsafe(sqlOf(mode, one));
          else if (one.do === 'apply') await applying(mode);
          else if (one.do === 'wake') {
            await relay(ports, 0, cutovers);
            if (frozen) expect((await plane.waiting()).map(({ id }) => id)).not.toContain(mode);
          } else {
            await writes(mode, one.do === 'on');
            frozen = one.do === 'on' ? null : await shadowOf(mode);
          }
          if (frozen) expect(await shadowOf(mode)).toEqual(frozen);
        }
        await writes(mode, true);
        expect(await settled(mode)).toEqual([]);
      }),
      { numRuns: 12 },
    );
  });

  it('under four writers at full speed: off in the middle, and equal in the end', async () => {
    const load = async (changes: number) => {
      const writers = Array.from({ length: 4 }, (_, writer) => ({ sql: db.connect(), writer }));
      await Promise.all(
        writers.map(async ({ sql, writer }) => {
          for (let i = 0; i < changes; i += 1) {
            const what = i % 5 === 4 ? 'delete' : 'write';
            const at = 1 + ((i * 7 + writer * 13) % KEYS);
            await sql.unsafe(sqlOf(mode, { do: what, key: at, to: i * 4 + writer }));
          }
        }),
      );
    };
    let appliers = applied(mode);
    const first = load(60);
    await writes(mode, false);
    await first;
    // Those that were under way when it went off end; those that come now find it off.
    await appliers.stop();
    appliers = applied(mode);
    const before = await shadowOf(mode);
    await load(60);
    expect(await shadowOf(mode)).toEqual(before);
    expect(await differing(mode)).not.toEqual([]);
    const last = load(60);
    await writes(mode, true);
    await last;
    await appliers.stop();
    expect(await settled(mode)).toEqual([]);
  });
});

/** Two appliers that go on until they are stopped. */
function applied(mode: Mode): { stop(): Promise<void> } {
  let stopped = false;
  const running = Array.from({ length: 2 }, async () => {
    while (!stopped) {
      const { calls } = await applying(mode);
      if (calls === 0) await new Promise((resolve) => setTimeout(resolve, 5));
    }
  });
  return {
    stop: async () => {
      stopped = true;
      await Promise.all(running);
    },
  };
}

describe('I32 readers in SQL and by the flags', () => {
  it('are sent to the same side, whichever switches are turned', async () => {
    const agree = async () => {
      const { cutovers: served, system } = flags.served()!;
      const keys = Array.from({ length: 200 }, (_, i) => `user-${i}`);
      const rows = await db.sql.unsafe(
        `SELECT k AS key, crossfade.should_route_to_shadow('streamed', 'read', k) AS shadow FROM unnest(ARRAY[${keys.map((k) => `'${k}'`).join(',')}]) k`,
      );
      for (const row of rows)
        expect([row.key, row.shadow]).toEqual([
          row.key,
          route(served.streamed, system, { key: row.key as string }).side === 'shadow',
        ]);
      return rows.filter(({ shadow }) => shadow).length;
    };
    for (let i = 0; i < 3; i += 1) await command('streamed', { type: 'advance', force: true, reason: 'a test' });
    await settled('streamed');
    while ((await plane.verify('streamed', 1, Date.now())).kind !== 'verified');
    const all = await agree();
    expect(all).toBeGreaterThan(50);
    await command('streamed', { type: 'reads', to: 'primary', reason: 'slow' });
    expect(await agree()).toBe(0);
    await command('streamed', { type: 'reads', to: 'shadow', reason: 'mended' });
    expect(await agree()).toBe(all);
    await writes('streamed', false);
    expect(await agree()).toBe(0);
    await writes('streamed', true);
    expect(await agree()).toBe(0);
    await command('streamed', { type: 'reads', to: 'shadow', reason: 'mended' });
    expect(await agree()).toBe(all);
  });
});

describe('negative controls', () => {
  it('hints that are dropped while writes are off: the tables differ', async () => {
    await writes('inline', false);
    await db.sql.unsafe("UPDATE inline SET name = 'late'; TRUNCATE crossfade.outbox_inline");
    await writes('inline', true);
    expect(await settled('inline')).not.toEqual([]);
    await db.sql.unsafe("UPDATE inline SET name = name || '.'");
    expect(await settled('inline')).toEqual([]);
  });

  it('a trigger that does not ask for the switch: the shadow does not stay as it was', async () => {
    const { table, validation } = cutovers[1] as Extract<(typeof cutovers)[number], { kind: 'table' }>;
    const careless = edited([['inline', 'c.shadow_writes AND ', '']]);
    await tamper(db, plane.connection(), { id: 'inline', table, validation }, careless);
    await writes('inline', false);
    const before = await shadowOf('inline');
    await db.sql.unsafe("UPDATE inline SET name = name || '!'");
    expect(await shadowOf('inline')).not.toEqual(before);
  });
});
