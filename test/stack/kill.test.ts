/**
 * I1 I2 I3 I6 I16 I19 I27: whatever is killed, and whenever, the run still converges. The deployed bundles run as child
 * processes, two of the tick and two of the shadow-writer; they get SIGKILL several times a second, most of them in the
 * middle of a call. Postgres gets SIGKILL, too, all of its processes at once, and comes back on what its disk holds. What the
 * functions say to Postgres and DynamoDB is held on its way, for longer and for less, and AppConfig refuses. All the while four applications write, each with
 * a ledger of what was acknowledged. How long anything may take is counted in answers of the functions: a busy machine gives fewer.
 *
 * Replay one run with: CROSSFADE_SEED=<seed> npx vitest run --project stack test/stack/kill.test.ts
 */

import postgres from 'postgres';
import { afterAll, beforeAll, describe, expect, it, onTestFailed, vi } from 'vitest';
import { customerCutover } from '../../infra/examples/chinook/cutover.ts';
import {
  PROVE_BEFORE,
  PROVE_PROMOTED,
  PROVE_REVERSE,
  PROVE_ROLLED_BACK,
} from '../../infra/examples/chinook/statements.ts';
import { systemClock } from '../../lib/adapters/system.ts';
import { isCrossfadeError } from '../../lib/core/base/errors.ts';
import { textOf } from '../../lib/core/conditions/show.ts';
import { defineCutovers } from '../../lib/define/cutovers.ts';
import type { OperatorCommand } from '../../lib/flows/control/operate.ts';
import { distinctDeeds } from '../helpers/asked-deeds.ts';
import type { CrashableServer } from '../helpers/crashable-postgres.ts';
import { ledgerAgainst } from '../helpers/grants.ts';
import type { FunctionHost } from '../helpers/handler-process.ts';
import { type Fleet, startFleet } from '../helpers/handler-process-fleet.ts';
import { deniedIn, usedIn } from '../helpers/role-evaluation.ts';
import { type SlowLink, slowLink } from '../helpers/slow-link.ts';
import {
  auditOf,
  auditProblems,
  type Backing,
  backing,
  command,
  driftOf,
  type OwnPorts,
  portsOn,
  seeded,
} from '../helpers/stack-parts.ts';
import { crashablePostgres } from '../helpers/stack-parts-postgres.ts';
import { INSERT_SEED, startWriters, type Writers } from '../helpers/stack-parts-writers.ts';

const SEED = Number(process.env.CROSSFADE_SEED ?? Math.floor(Math.random() * 2 ** 31));
const ID = 'customer';
/** Virtual minutes a real minute: one of them takes a second, and an intent is given up after ten. */
const SPEED = 60;
const KILLS = 20;
const WRITERS = 4;
/** From one kill to the next, in answers of all functions: several a second where nothing else is at work. */
const ANSWERS_BETWEEN = 3;
/** Answers until something has come that is waited for. Ten times what it takes. */
const MOST_ANSWERS = 4_000;
/** No function has answered for so long: something hangs. */
const SILENCE_MS = 60_000;
/** What AppConfig answers to the next request, from kill to kill; `null` as it should. */
const REFUSALS = [null, null, 'conflict', 'internal', 'throttle', 'reset'] as const;
/** Milliseconds in each direction, one of them from kill to kill. */
const DELAYS_MS = [0, 0, 0, 2, 20];
// Against a test that never ends.
vi.setConfig({ testTimeout: 1_800_000 });
const random = seeded(SEED);
const declarations = defineCutovers([
  { ...customerCutover, dwellMinutes: 0, policy: { minSamples: 20, warmUpMinutes: 0 } },
]);
const [declaration] = declarations as [(typeof declarations)[number]];

let on: Backing;
let database: CrashableServer;
let ports: OwnPorts;
let fleet: Fleet;
let links: SlowLink[] = [];
let writers: Writers;
let startedMs: number;

beforeAll(async () => {
  [on, database] = await Promise.all([backing(), crashablePostgres()]);
  await query(INSERT_SEED);
  const clock = { speed: SPEED, originMs: Date.now() };
  ports = portsOn(on, { databaseUrl: database.url, clock: systemClock(clock) });
  startedMs = performance.now();
  writers = startWriters({ url: database.url, count: WRITERS, random });
  await command(ports, declarations, ID, { type: 'start' });
  links = await Promise.all([slowLink(database.url), slowLink(on.endpoint)]);
  const [toPostgres, toDynamo] = links as [SlowLink, SlowLink];
  fleet = startFleet({ ...on, endpoint: toDynamo.url }, { databaseUrl: toPostgres.url, declarations, clock, ports });
});

afterAll(async () => {
  await writers?.stop();
  await fleet?.stop();
  await ports?.close();
  await Promise.all(links.map((link) => link.stop()));
  await Promise.all([on?.stop(), database?.stop()]);
});

// ---------------------------------------------------------------------------------------------------------- chaos

const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));
const oneOf = <T>(items: readonly T[]): T => items[Math.floor(random() * items.length)]!;
const told = { kills: 0, crashes: 0 };
const answers = () => fleet.hosts.reduce((sum, { figures }) => sum + figures.answers, 0);

/** Looks again and again, until the functions have answered `within` times without it. */
async function until(look: () => Promise<boolean>, what: () => string, within = MOST_ANSWERS): Promise<void> {
  const before = answers();
  let last = { answers: before, atMs: performance.now() };
  while (!(await look())) {
    if (answers() - before > within) throw new Error(`Not within ${within} answers: ${what()}`);
    if (answers() > last.answers) last = { answers: answers(), atMs: performance.now() };
    if (performance.now() - last.atMs > SILENCE_MS) throw new Error(`No function answers any more: ${what()}`);
    await pause(20);
  }
}

/**
 * Whoever is killed has answered since it was killed before. On a busy machine a start takes longer than the pauses between two kills,
 * and nothing would ever be done.
 */
const answersAtKill = new Map<FunctionHost['figures'], number>();

/** Kills until the world is `over` and enough was killed, and Postgres whenever so many kills have been. */
async function chaos(kills: number, crashAt: readonly number[], over: () => Promise<boolean>): Promise<void> {
  const [before, begun] = [fleet.kills(), answers()];
  const due = [...crashAt];
  let outage: Promise<void> = Promise.resolve();
  for (;;) {
    const done = fleet.kills() - before;
    if (done >= kills && due.length === 0 && (await over())) break;
    const worked = answers() - begun;
    if (worked > MOST_ANSWERS) throw new Error(`Not over after ${worked} answers and ${done} kills.`);
    if (due[0] !== undefined && done >= due[0]) {
      due.shift();
      await outage;
      outage = crash();
    }
    for (const link of links) link.slow(oneOf(DELAYS_MS));
    const answer = oneOf(REFUSALS);
    on.appConfig.faults.set({ requests: answer ? [{ operation: '*', answer, times: 1 }] : [] });
    // Those beyond what is wanted come ever more rarely, so that what is not over yet comes to its end.
    const next = answers() + ANSWERS_BETWEEN * (0.5 + random()) * Math.max(1, done / kills);
    await until(
      async () => answers() >= next,
      () => 'the functions work between two kills',
    );
    const alive = fleet.hosts.filter(({ figures }) => figures.answers > (answersAtKill.get(figures) ?? -1));
    if (alive.length > 0) await killInCall(oneOf(alive));
  }
  for (const link of links) link.slow(0);
  on.appConfig.faults.clear();
  await outage;
}

const held = () => links.map((link) => link.held());

/** In the middle of a call when one comes soon, some milliseconds into it. */
async function killInCall(victim: FunctionHost): Promise<void> {
  for (let waitedMs = 0; waitedMs < 250 && !victim.busy(); waitedMs += 5) await pause(5);
  await pause(random() * 25);
  answersAtKill.set(victim.figures, victim.figures.answers);
  victim.kill();
}

async function crash(): Promise<void> {
  await database.crash();
  await pause(100 + random() * 700);
  await database.restart();
}

/** Repeats a command until the cutover is in a stage of this kind, as a person would who is told `conflict`. */
async function insist(what: OperatorCommand, stageKind: string): Promise<void> {
  await until(
    async () => {
      const state = await ports.state.readCutover(ID);
      if (state?.stageKind === stageKind) return true;
      if (state?.pending) return false;
      await command(ports, declarations, ID, what).catch((error) => {
        if (!isCrossfadeError(error)) throw error;
      });
      return false;
    },
    () => `${what.type} has led to ${stageKind}`,
  );
}

const inStage = async (kind: string) => (await ports.state.readCutover(ID))?.stageKind === kind;

// --------------------------------------------------------------------------------------------------------- proofs

async function query<Row extends object>(statement: string): Promise<Row[]> {
  const sql = postgres(database.url, { max: 1, fetch_types: false, onnotice: () => {} });
  try {
    return [...(await sql.unsafe<Row[]>(statement))];
  } finally {
    await sql.end({ timeout: 1 });
  }
}

/** Writers stop, every hint is applied, and two more ticks of each host have ended. */
async function quiet(): Promise<void> {
  await writers.pause();
  const before = fleet.ticks.map((tick) => tick.done());
  const waiting = async () => (await ports.inspecting.status(ID))?.outboxRows ?? -1;
  await until(
    async () => (await waiting()) === 0,
    () => 'the outbox is empty',
  );
  await until(
    async () => fleet.ticks.every((tick, i) => tick.done() >= before[i]! + 2),
    () => 'both ticks have run twice',
  );
}

async function differences(statement: string): Promise<{ differences: number; rows: number }> {
  const [row] = await query<{ differences: number; rows: number }>(statement);
  return row!;
}

/** I1: every key is in its last acknowledged state, or in one that was sent later and never answered. */
async function lostWrites(): Promise<string[]> {
  const { ledger } = writers;
  const rows = await query<{ id: number; phone: string }>(
    'SELECT customer_id::int AS id, phone FROM customer WHERE customer_id >= 1000',
  );
  const seen = new Map(rows.map(({ id, phone }) => [id, phone]));
  const before = ledger.violations.length;
  for (const key of new Set([...ledger.entries.keys(), ...seen.keys()])) ledger.seen(key, seen.get(key) ?? null);
  return ledger.violations.slice(0, Math.max(before, 10));
}

async function proveSound(): Promise<void> {
  expect(await lostWrites()).toEqual([]);
  expect(writers.figures().errors).toEqual([]);
  expect(await auditProblems(ports, declaration)).toEqual([]);
  expect(await driftOf(ports, declarations)).toEqual([]);
  expect(fleet.accidents()).toEqual([]);
  const status = await ports.inspecting.status(ID);
  expect(status?.quarantine).toEqual([]);
}

function tell(what: string): void {
  const { acknowledged, unknown } = writers.figures();
  console.log(
    [
      `${what}: seed ${SEED}, ${((performance.now() - startedMs) / 1000).toFixed(1)} s so far`,
      `${fleet.kills() - told.kills} kills, ${database.crashes() - told.crashes} crashes of Postgres; so far ${fleet.describe()}`,
      `${acknowledged} writes acknowledged, ${unknown} unknown; ${held().join(' and ')} pieces held on their way to Postgres and DynamoDB`,
    ].join('\n  '),
  );
  told.kills = fleet.kills();
  told.crashes = database.crashes();
}

function sayHowToReplay(): void {
  onTestFailed(async () => {
    const verdict = await ports.verdicts.read(ID).catch(() => null);
    const log = await auditOf(ports, ID).catch(() => []);
    const events = log.filter(({ event }) => event.type !== 'denied').slice(-12);
    const status = await ports.inspecting.status(ID).catch(() => null);
    console.log(
      [
        `Replay: CROSSFADE_SEED=${SEED} npx vitest run --project stack test/stack/kill.test.ts`,
        ...[...fleet.accidents(), ...fleet.errors()].map((line) => `  ${line}`),
        `  verdict ${verdict?.verdict.verdict}: ${textOf(verdict?.verdict.reasons ?? [])}`,
        ...events.map(({ seq, event }) => `  ${seq} ${JSON.stringify(event).slice(0, 200)}`),
        `  the database: ${JSON.stringify(status)}`,
      ].join('\n'),
    );
  });
}

describe(`I1 I2 I3 I6 under SIGKILL, seed ${SEED}`, () => {
  it(`reaches full with ${KILLS} kills and two crashes of Postgres on the way, and nothing is lost or wrong`, async () => {
    sayHowToReplay();
    await chaos(KILLS, [2, 15], () => inStage('full'));
    await quiet();
    tell('to full');
    expect(await differences(PROVE_BEFORE)).toMatchObject({ differences: 0 });
    expect(await differences(PROVE_ROLLED_BACK)).toMatchObject({ differences: 0 });
    await proveSound();
    expect(database.crashes()).toBe(2);
    expect(fleet.killsInCall()).toBeGreaterThan(KILLS / 3);
    expect(Math.min(...held())).toBeGreaterThan(100);
    const entered = (await auditOf(ports, ID)).flatMap(({ event }) => (event.type === 'advanced' ? [event.to] : []));
    expect(entered).toEqual(['test_1', 'test_10', 'half_50', 'full_100']);
  });

  it('promotes in the middle of it, and the promoted table, its twin and the old table agree', async () => {
    sayHowToReplay();
    writers.resume();
    const command: OperatorCommand = { type: 'complete', confirm: ID, force: true, reason: 'under fire' };
    await Promise.all([chaos(10, [3], () => inStage('completed')), insist(command, 'completed')]);
    await quiet();
    tell('to completed');
    expect(await differences(PROVE_PROMOTED)).toMatchObject({ differences: 0 });
    expect(await differences(PROVE_REVERSE)).toMatchObject({ differences: 0 });
    await proveSound();
  });

  it('takes the way back in the middle of it, and the old table is in place with everything written since', async () => {
    sayHowToReplay();
    writers.resume();
    await Promise.all([
      chaos(10, [3], () => inStage('rolled_back')),
      insist({ type: 'rollback', reason: 'under fire' }, 'rolled_back'),
    ]);
    await quiet();
    tell('to rolled back');
    expect(await differences(PROVE_ROLLED_BACK)).toMatchObject({ differences: 0 });
    await proveSound();
    // Of a whole life, and of what deaths have left undone.
    expect(fleet.deeds.length).toBeGreaterThan(100);
    expect(deniedIn(fleet.deeds, on.tables)).toEqual([]);
    expect(ledgerAgainst('test/stack/kill.test.ts', usedIn(distinctDeeds(fleet.deeds), on.tables))).toEqual([]);
  });
});

/**
 * Negative control. Postgres dies while hints are being applied: once with the rule that claim, write and deletion of the
 * hint are one transaction, and once with the hints deleted in a transaction of their own, which commits first.
 */
describe('I6 the same crash in the middle of an apply', () => {
  beforeAll(async () => {
    await insist({ type: 'reset', confirm: ID }, 'disabled');
    await insist({ type: 'start' }, 'dual_write');
    await copied();
  });

  it('loses nothing while a hint goes in the transaction that applies it', async () => {
    await lingering('together');
    expect(await crashWhileApplying()).toMatchObject({ differences: 0 });
  });

  it('loses the change when the hints go in a transaction of their own, and the same look finds it', async () => {
    await lingering('hints-first');
    // The change is in neither shape of the new table: its old row and its new one differ.
    expect(await crashWhileApplying()).toMatchObject({ differences: 2 });
  });
});

/** Everything is copied and every hint applied; the new functions are those of this start. */
async function copied(): Promise<void> {
  await until(
    async () => {
      const status = await ports.inspecting.status(ID);
      return status?.armed === 'forward' && status.backfill.state === 'done' && status.outboxRows === 0;
    },
    () => 'the second copy is done',
  );
}

/** None of the keys has lost its row since. */
const APPLY = 'PERFORM crossfade.apply_customer(v_keys, array_fill(false, ARRAY[cardinality(v_keys)]));';

/** Applying takes long enough to be hit. */
async function lingering(hints: 'together' | 'hints-first'): Promise<void> {
  const linger = 'PERFORM pg_sleep(1.5);';
  const body =
    hints === 'together'
      ? `SELECT array_agg(o.k1) INTO v_keys FROM (SELECT k1 FROM crossfade.outbox_customer ORDER BY seq LIMIT p_limit FOR UPDATE) o;
         IF v_keys IS NOT NULL THEN ${linger} ${APPLY} END IF;
         DELETE FROM crossfade.outbox_customer o WHERE o.k1 = ANY (v_keys);`
      : `SELECT array_agg(d.k1) INTO v_keys FROM public.dblink(${quoted(database.url)}, 'DELETE FROM crossfade.outbox_customer RETURNING k1') AS d(k1 integer);
         IF v_keys IS NOT NULL THEN ${linger} ${APPLY} END IF;`;
  await query(`CREATE EXTENSION IF NOT EXISTS dblink;
    CREATE OR REPLACE FUNCTION crossfade.converge_customer(p_epoch bigint, p_limit integer) RETURNS jsonb LANGUAGE plpgsql AS $x$
    DECLARE v_keys integer[];
    BEGIN
      ${body}
      RETURN jsonb_build_object('kind', 'converged', 'claimed', coalesce(cardinality(v_keys), 0), 'written', 0, 'deleted', 0,
        'checked', 0, 'mismatched', 0, 'postponed', 0, 'quarantined', 0, 'remaining', 0);
    END $x$`);
}

const quoted = (text: string) => `'${text.replaceAll("'", "''")}'`;

async function crashWhileApplying() {
  const [table, twin] = ['customer', 'customer_twin'].map(
    (name) => `UPDATE ${name} SET city = 'Reykjavík' || pg_backend_pid() WHERE customer_id = 1`,
  );
  await query(`${table}; ${twin}`);
  await until(
    async () => (await query("SELECT FROM pg_stat_activity WHERE wait_event = 'PgSleep'")).length > 0,
    () => 'the shadow-writer applies the change',
  );
  await database.crash();
  await database.restart();
  await quiet();
  return differences(PROVE_BEFORE);
}
