/**
 * What the functions ask of DynamoDB in one minute, counted on the local engine: infra/requests.json is made of it. The minute passes
 * on a clock that moves only when a function sleeps, so the same load gives the same counts, whatever the machine is doing. The tables
 * are in memory, AppConfig is, too; state, windows, verdicts, alerts, requests for flags and wake-ups are on the engine.
 */

import { type DynamoDBDocumentClient, PutCommand } from '@aws-sdk/lib-dynamodb';
import type { TableNames } from '../../infra/local/tables.ts';
import { dynamoAlertStore } from '../../lib/adapters/dynamodb/alert-store.ts';
import { askedFlags, flagSightings } from '../../lib/adapters/dynamodb/asked-flags.ts';
import { dynamoCriteriaRequests } from '../../lib/adapters/dynamodb/criteria-requests.ts';
import { dynamoFlagRequests } from '../../lib/adapters/dynamodb/flag-requests.ts';
import { dynamoForwardStore } from '../../lib/adapters/dynamodb/forwards/store.ts';
import { cutoverKey } from '../../lib/adapters/dynamodb/keys.ts';
import { dynamoStateStore } from '../../lib/adapters/dynamodb/state-store.ts';
import { dynamoVerdictStore } from '../../lib/adapters/dynamodb/verdict-store.ts';
import { dynamoWakeUps } from '../../lib/adapters/dynamodb/wake-ups.ts';
import { dynamoWindowStore } from '../../lib/adapters/dynamodb/window-store.ts';
import type { OutcomeBatch } from '../../lib/client/outcome.ts';
import { Recorder } from '../../lib/client/recorder.ts';
import type { Job, Minute, Requests } from '../../lib/core/cost/usage.ts';
import { type CutoverDeclaration, initialState } from '../../lib/core/cutover/cutover.ts';
import { makePlan } from '../../lib/core/cutover/plan.ts';
import { deliverAlerts } from '../../lib/flows/alerts/deliver-alerts.ts';
import { reconcile } from '../../lib/flows/control/reconcile.ts';
import { tick } from '../../lib/flows/control/tick.ts';
import { outcomeBuffer } from '../../lib/flows/forwards/outcome-buffer.ts';
import { recordOutcomes } from '../../lib/flows/forwards/record-outcomes.ts';
import { answerCriteria } from '../../lib/flows/publishing/answer-criteria.ts';
import { publishFlags } from '../../lib/flows/publishing/publish-flags.ts';
import { watchFlags } from '../../lib/flows/publishing/watch-flags.ts';
import { backfillAll } from '../../lib/flows/rows/backfill.ts';
import { relay } from '../../lib/flows/rows/relay.ts';
import { serveWakeUps } from '../../lib/flows/rows/serve-wake-ups.ts';
import { verifyAll } from '../../lib/flows/rows/verify.ts';
import type { FlagPublisher } from '../../lib/ports/flags.ts';
import type { Ports } from '../../lib/ports/ports.ts';
import { declarationOf } from '../property/samples.ts';
import { meter } from './dynamodb-meter.ts';
import { inMemoryCriteria } from './fakes/criteria.ts';
import { inMemoryCustomMetrics } from './fakes/custom-metrics.ts';
import { inMemoryExperiments } from './fakes/experiments.ts';
import { inMemoryFlags } from './fakes/flags.ts';
import { inMemoryTables } from './fakes/tables/tables.ts';
import { randomFrom } from './gate-traffic.ts';
import { LIFE_MS } from './relay-world.ts';
import { tablePorts } from './table-ports.ts';

/** Taken for granted: how long a function works for a request to DynamoDB, and for each of its calls besides. */
const ASSUMED = { requestMs: 5, callMs: 50 } as const;

const MINUTE_MS = 60_000;
/** Of a function of 55 s with a margin of 5. */
const SCHEDULED_MS = 50_000;
/** Beyond the clock of every machine, or the engine would remove the windows as expired. */
const BEGIN_MS = Date.UTC(2100, 0, 15, 12);
const PLAN = makePlan(
  'counted',
  [
    ['r10', 10],
    ['full_100', 100],
  ],
  10_000,
);

/** What one minute of a scene asks for, what a process sends at a time for each of its cutovers, and the names of the metrics. */
export type CountedMinute = { minute: Minute; flush: Requests; metrics: number };
type Scene = { tables: number; writesPerSecond: number; readsPerSecond: number };

/** `reader`: an instance of the application on Lambda, one of ten that answer 100 requests a second. */
export const SCENES = {
  idle: { tables: 0, writesPerSecond: 0, readsPerSecond: 0 },
  one: { tables: 1, writesPerSecond: 5, readsPerSecond: 50 },
  twenty: { tables: 20, writesPerSecond: 19, readsPerSecond: 50 },
  reader: { tables: 1, writesPerSecond: 5, readsPerSecond: 10 },
} as const satisfies Readonly<Record<string, Scene>>;
type Counter = ReturnType<typeof meter>;

/** With no table nothing is under way; else each is at 10 %, and all that is done once was done before. */
export async function countMinute(
  client: DynamoDBDocumentClient,
  names: TableNames,
  { tables, writesPerSecond, readsPerSecond }: Scene,
): Promise<CountedMinute> {
  const declarations = Array.from({ length: Math.max(1, tables) }, (_, n) =>
    declarationOf('table', { id: `table_${n}`, salt: `table_${n}`, plan: PLAN }),
  );
  const life = lifeOf(client, names);
  await life.start(declarations, tables > 0);
  const before = life.portsAt(BEGIN_MS);
  await tick(before, declarations);
  await backfillAll(before, declarations, SCHEDULED_MS);
  await verifyAll(before, declarations, SCHEDULED_MS);
  life.metrics.clear();
  const asked = meter(client);
  const beganMs = BEGIN_MS + MINUTE_MS;
  const count = async (work: (ports: Ports) => Promise<unknown>): Promise<Requests> => {
    const ports = life.portsAt(beganMs);
    await work(ports);
    const { requests, readUnits, writeUnits } = asked();
    const runMs = ports.clock.monotonicMs() + ASSUMED.callMs + requests * ASSUMED.requestMs;
    return { requests, readUnits, writeUnits, calls: 1, runMs };
  };
  const minute = {
    publisher: await count((ports) => life.publish(ports, declarations, SCHEDULED_MS)),
    tick: await count((ports) => tick(ports, declarations)),
    backfill: await count((ports) => backfillAll(ports, declarations, SCHEDULED_MS)),
    verify: await count((ports) => verifyAll(ports, declarations, SCHEDULED_MS)),
    ...(await rows(life, declarations, { beganMs, writesPerSecond: tables > 0 ? writesPerSecond : 0, asked })),
  };
  const flush = tables > 0 ? await flushes(life.portsAt(beganMs), declarations, { readsPerSecond, asked }) : NOTHING;
  client.middlewareStack.remove('meter');
  return { minute, flush, metrics: life.metrics.size };
}

const NOTHING: Requests = { requests: 0, readUnits: 0, writeUnits: 0, calls: 0, runMs: 0 };
const times = (each: Requests, by: number) =>
  Object.fromEntries(
    Object.entries(each).map(([name, value]) => [name, Math.round(value * by * 100) / 100]),
  ) as Requests;

/** So much of the minute is played, and stands for all of it. */
const PLAYED_MS = 10_000;

/** The relay looks while the application writes; each wake-up is served at once, by a writer that keeps its buffer. */
async function rows(
  life: Life,
  declarations: readonly CutoverDeclaration[],
  { beganMs, writesPerSecond, asked }: { beganMs: number; writesPerSecond: number; asked: Counter },
): Promise<Pick<Record<Job, Requests>, 'relay' | 'shadow-writer'>> {
  const ports = life.portsAt(beganMs);
  const seen = { start: { ...NOTHING }, relay: { ...NOTHING }, writer: { ...NOTHING } };
  const take = (job: keyof typeof seen) => {
    const { requests, readUnits, writeUnits } = asked();
    seen[job].requests += requests;
    seen[job].readUnits += readUnits;
    seen[job].writeUnits += writeUnits;
  };
  const writing = { ...ports, outcomes: outcomeBuffer(ports, PLAYED_MS) };
  let written = 0;
  const clock = {
    ...ports.clock,
    sleep: async (ms: number) => {
      if (ports.clock.monotonicMs() < PLAYED_MS / 10) take('start');
      await ports.clock.sleep(ms);
      // What comes while it stands by is the leader's.
      const playedMs = Math.min(ports.clock.monotonicMs(), PLAYED_MS);
      for (; written < (playedMs / 1_000) * writesPerSecond; written += 1)
        life.tables.write(declarations[written % declarations.length]!.id, written, String(written));
    },
  };
  const wakeUps = {
    ...ports.wakeUps,
    wake: async (cutover: string) => {
      await ports.wakeUps.wake(cutover);
      take('relay');
      seen.writer.calls += 1;
      const record = { sequenceNumber: String(written), cutover };
      await serveWakeUps(writing, declarations, [record], { deadlineMs: Number.POSITIVE_INFINITY });
      take('writer');
    },
  };
  await relay({ ...ports, clock, wakeUps }, 2 * PLAYED_MS, declarations);
  const isBusy = ports.clock.monotonicMs() > PLAYED_MS / 2;
  take(isBusy ? 'relay' : 'start');
  const { calls, requests } = seen.writer;
  seen.writer.runMs = calls * ASSUMED.callMs + requests * ASSUMED.requestMs;
  const whole = MINUTE_MS / PLAYED_MS;
  const looks = times(seen.relay, whole);
  return {
    relay: {
      requests: seen.start.requests + looks.requests,
      readUnits: seen.start.readUnits + looks.readUnits,
      writeUnits: looks.writeUnits,
      calls: 1,
      runMs: isBusy ? LIFE_MS : ASSUMED.callMs + seen.start.requests * ASSUMED.requestMs,
    },
    'shadow-writer': times(seen.writer, whole),
  };
}

/** What one process sends in a minute, every 10 seconds, of reads in eight slices: one flush of it, for each cutover. */
async function flushes(
  ports: Ports,
  declarations: readonly CutoverDeclaration[],
  { readsPerSecond, asked }: { readsPerSecond: number; asked: Counter },
): Promise<Requests> {
  const random = randomFrom(7);
  const batches: OutcomeBatch[] = [];
  const recorder = new Recorder({
    sink: async (batch) => void batches.push(batch),
    source: 'process',
    nextId: () => `process~${batches.length + 1}`,
    now: ports.clock.now,
    elapsedMs: ports.clock.monotonicMs,
    flushIntervalMs: MINUTE_MS,
  });
  for (let flush = 0; flush < 6; flush += 1) {
    for (let read = 0; read < readsPerSecond * 10; read += 1)
      recorder.record({
        cutover: declarations[read % declarations.length]!.id,
        side: random() < 0.1 ? 'shadow' : 'primary',
        slice: Math.floor(random() * 8),
        latencyMs: 5 + 40 * random() ** 3,
        success: true,
      });
    await recorder.flush();
  }
  for (const batch of batches) await recordOutcomes(ports, declarations, batch);
  const { requests, readUnits, writeUnits } = asked();
  const runMs = batches.length * ASSUMED.callMs + requests * ASSUMED.requestMs;
  return times({ requests, readUnits, writeUnits, calls: batches.length, runMs }, 1 / 6 / declarations.length);
}

// ------------------------------------------------------------------------------------------------------------ ports

type Life = ReturnType<typeof lifeOf>;

function lifeOf(client: DynamoDBDocumentClient, names: TableNames) {
  const now = { ms: BEGIN_MS };
  const clockOfTables = { now: () => now.ms };
  const tables = inMemoryTables({ clock: clockOfTables });
  const appConfig = inMemoryFlags();
  const metrics = new Set<string>();
  let last = 0;
  const ids = { next: () => `id-${++last}` };

  function portsAt(beganMs: number): Ports {
    now.ms = beganMs;
    const clock = {
      now: clockOfTables.now,
      monotonicMs: () => now.ms - beganMs,
      sleep: async (ms: number) => {
        now.ms += ms;
      },
    };
    const target = { client, tableName: names.state, clock, ids, random: () => 0.5 };
    return {
      clock,
      ids,
      log: {
        event: () => undefined,
        failure: (name, error) => {
          throw new Error(`${name}: ${error}`);
        },
      },
      metrics: { record: (name) => void metrics.add(name), flush: () => undefined },
      state: dynamoStateStore(target),
      verdicts: dynamoVerdictStore(target),
      windows: dynamoWindowStore(target),
      alerts: dynamoAlertStore(target),
      ...dynamoForwardStore({ client, tableName: names.changes, realNow: clock.now }),
      realNow: clock.now,
      deliver: async () => 'away',
      customMetrics: inMemoryCustomMetrics(),
      criteria: inMemoryCriteria(),
      flags: askedFlags({ ...target, realNow: clock.now }),
      sightings: flagSightings(target),
      ...tablePorts(tables),
      wakeUps: dynamoWakeUps({ client, tableName: names.changes }),
      experiments: inMemoryExperiments(),
    };
  }

  const requests = { client, tableName: names.state, realNow: () => now.ms };
  const publishing = (ports: Ports, flags: FlagPublisher = appConfig) => ({
    ...ports,
    flags,
    flagRequests: dynamoFlagRequests(requests),
    criteriaRequests: dynamoCriteriaRequests(requests),
    channels: [],
  });

  return {
    tables,
    metrics,
    portsAt,
    async publish(ports: Ports, declarations: readonly CutoverDeclaration[], untilMs: number) {
      const publisher = publishing(ports);
      await Promise.all([deliverAlerts(publisher), answerCriteria(publisher)]);
      await watchFlags(publisher, declarations, untilMs);
    },
    /** Flags are deployed; with `isArmed` capture, too, and reads are on the shadow. */
    async start(declarations: readonly CutoverDeclaration[], isArmed: boolean) {
      const ports = portsAt(BEGIN_MS);
      for (const declaration of isArmed ? declarations : []) {
        const stage = { stage: 'r10', stageKind: 'ramp', enteredAtMs: BEGIN_MS - 60 * MINUTE_MS } as const;
        const audited = { version: 7, epoch: 3, auditSeq: 7, auditHash: '0'.repeat(64) };
        const Item = { ...cutoverKey(declaration.id), ...initialState(declaration), ...audited, ...stage };
        await client.send(new PutCommand({ TableName: names.state, Item }));
      }
      await reconcile({ ...ports, flags: appConfig }, declarations);
      await publishFlags(publishing(ports), declarations);
    },
  };
}
