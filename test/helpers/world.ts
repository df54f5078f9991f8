/**
 * A world in memory on one virtual clock: the real flows over in-memory ports, an application that reads by the deployed
 * flags and writes its tables, and schedules that tick, relay, converge, backfill and verify. Hours pass in milliseconds.
 *
 *   minute:  :00 ─ tick ─ reads, writes, one reader in four refreshes ─ relay and converge every 15 s ─ flush outcomes ─ :60
 *
 * Ports misbehave by `faults`, by the knobs of the fakes, and by `plant`, which builds a bug into the ports or the tick.
 */

import { TABLE_PORTS } from '../../lib/compose/table-ports.ts';
import { CrossfadeError } from '../../lib/core/base/errors.ts';
import type { CutoverDeclaration, CutoverState, SystemState } from '../../lib/core/cutover/cutover.ts';
import { phasesOf } from '../../lib/core/holds/phase-order.ts';
import type { PhaseCommand } from '../../lib/core/phases/command.ts';
import type { FlagDocument } from '../../lib/core/routing/flags.ts';
import { deliverAlerts } from '../../lib/flows/alerts/deliver-alerts.ts';
import type { OperatorCommand, operate } from '../../lib/flows/control/operate.ts';
import { operatePhase } from '../../lib/flows/control/phases.ts';
import { runCommand } from '../../lib/flows/control/run-command.ts';
import { type TickResult, tick } from '../../lib/flows/control/tick.ts';
import { outcomeBuffer } from '../../lib/flows/forwards/outcome-buffer.ts';
import { type OutcomeReport, recordOutcomes } from '../../lib/flows/forwards/record-outcomes.ts';
import { backfillAll } from '../../lib/flows/rows/backfill.ts';
import { relay } from '../../lib/flows/rows/relay.ts';
import { serveWakeUps } from '../../lib/flows/rows/serve-wake-ups.ts';
import { verifyAll } from '../../lib/flows/rows/verify.ts';
import type { Ports } from '../../lib/ports/ports.ts';
import type { StateChange } from '../../lib/ports/state.ts';
import { NOW, seeded } from '../property/samples.ts';
import { application, type Load, MOMENTS } from '../scenario/application.ts';
import { indexed } from '../scenario/remembering.ts';
import { inMemoryAlerts, inMemoryChannel } from './fakes/alerts.ts';
import { inMemoryCriteria } from './fakes/criteria.ts';
import { inMemoryCustomMetrics } from './fakes/custom-metrics.ts';
import { inMemoryExperiments } from './fakes/experiments.ts';
import { inMemoryFlags } from './fakes/flags.ts';
import { forwardPorts, inMemoryForwards, nobodyThere } from './fakes/forwards.ts';
import { inMemoryState } from './fakes/state.ts';
import { inMemoryTables } from './fakes/tables/tables.ts';
import { inMemoryVerdicts } from './fakes/verdicts.ts';
import { inMemoryWakeUps } from './fakes/wake-ups.ts';
import { inMemoryWindows } from './fakes/windows.ts';
import { isTablePort, type TableCall, tablePorts } from './table-ports.ts';

export const MINUTE_MS = 60_000;
const MOMENT_MS = MINUTE_MS / MOMENTS;
/** As the writer that is deployed. */
const FLUSH_EVERY_MS = 10_000;

/** A bug, built around the ports of every flow or into the tick. */
export type Plant = {
  ports?: (ports: Ports) => Ports;
  tick?: (ports: Ports, declarations: readonly CutoverDeclaration[]) => Promise<TickResult>;
};

export type WorldOptions = {
  cutovers: readonly CutoverDeclaration[];
  seed?: number;
  load?: Partial<Load>;
  plant?: Plant | undefined;
};

export type Answered =
  | { ok: true; answer: Awaited<ReturnType<typeof operate>>['answer']; published: boolean }
  | { ok: false; code: string; message: string };

export type World = ReturnType<typeof world>;

/** Thrown by every call of a flow that has died: nothing it does afterwards has an effect. */
export class Died extends Error {}

export function world({ cutovers, seed = 1, load = {}, plant = {} }: WorldOptions) {
  const random = seeded(seed);
  const clock = virtualClock();
  const state = inMemoryState({ clock });
  const verdicts = inMemoryVerdicts({ clock });
  const windows = inMemoryWindows({ clock });
  const wakeUps = inMemoryWakeUps();
  const flags = inMemoryFlags();
  const tables = inMemoryTables({ clock });
  const alerts = inMemoryAlerts();
  const channel = inMemoryChannel();
  const criteria = inMemoryCriteria();
  const app = application(cutovers, tables, random, {
    readsPerMinute: 200,
    writesPerMinute: 20,
    rows: 80,
    weight: 1,
    ...load,
  });
  const faults = {
    databaseDown: false,
    /** Per minute. */
    ticks: 1,
    tickSkewMs: 0,
    /** The next tick dies after this many calls of its ports. */
    tickDiesAfter: null as number | null,
    converge: true,
    backfill: true,
    verify: true,
    /** Wake-ups that reach nobody, and wake-ups that come twice. */
    wakeUpsLost: false,
    wakeUpsTwice: false,
    /** How many minutes after its minute a report arrives. */
    lateMinutes: 0,
    /** By how many minutes the clock of the application is ahead. */
    reportsAheadMinutes: 0,
  };
  /** Failures that flows logged and went on; those that are no CrossfadeError are bugs. */
  const failures: { name: string; error: unknown }[] = [];
  const publications: FlagDocument[] = [];
  const listeners: ((change: StateChange<CutoverState>) => void)[] = [];
  const systemListeners: ((change: StateChange<SystemState>) => void)[] = [];
  const ids = counter('id');
  const watchers: (() => void)[] = [];
  let woken = 0;
  let reports: { dueMinute: number; report: OutcomeReport }[] = [];

  const bare: Ports = {
    clock,
    ids,
    log: { event: () => undefined, failure: (name, error) => void failures.push({ name, error }) },
    metrics: { record: () => undefined, flush: () => undefined },
    state: {
      ...state,
      writeCutover(change) {
        const applied = state.applied();
        const result = state.writeCutover(change);
        if (state.applied() > applied) for (const listener of listeners) listener(change);
        return result;
      },
      writeSystem(change) {
        const applied = state.applied();
        const result = state.writeSystem(change);
        if (state.applied() > applied) for (const listener of systemListeners) listener(change);
        return result;
      },
    },
    verdicts,
    windows: indexed(windows),
    wakeUps,
    ...forwardPorts(inMemoryForwards({ realNow: () => clock.now() })),
    deliver: nobodyThere,
    flags: {
      deployed: () => flags.deployed(),
      publish(request) {
        publications.push(request.document);
        return flags.publish(request);
      },
    },
    sightings: flags.sightings,
    ...tablePorts(tables),
    alerts,
    customMetrics: inMemoryCustomMetrics(),
    criteria,
    experiments: inMemoryExperiments(),
  };
  const planted = plant.ports?.(bare) ?? bare;
  const ports = before(planted, (port, call) => {
    if (isTablePort(port) && faults.databaseDown) tables.failNext(call as TableCall);
  });

  const serving = { ...ports, outcomes: outcomeBuffer(ports, FLUSH_EVERY_MS) };

  async function oneTick(through = ports): Promise<TickResult | null> {
    const mortal = faults.tickDiesAfter === null ? through : before(through, dyingAfter(faults.tickDiesAfter));
    faults.tickDiesAfter = null;
    const skewed = { ...mortal, clock: { ...clock, now: () => clock.now() + faults.tickSkewMs } };
    try {
      const result = await (plant.tick ?? tick)(skewed, cutovers);
      // The publisher, woken by what the tick has written.
      await deliverAlerts({ ...skewed, channels: [channel] });
      return result;
    } catch (error) {
      if (!expected(error)) throw error;
      return null;
    }
  }

  /** The relay's round, and the records of the stream since the last one. */
  async function serve(): Promise<void> {
    await relay(ports, 0, cutovers).catch(onlyExpected);
    const records = wakeUps.records().slice(woken);
    woken += records.length;
    if (!faults.converge || faults.wakeUpsLost) return;
    const batch = records.map(({ id }, i) => ({ sequenceNumber: `${woken}.${i}`, cutover: id }));
    await serveWakeUps(serving, cutovers, faults.wakeUpsTwice ? [...batch, ...batch] : batch, {
      deadlineMs: deadline(),
    });
  }

  async function flush(minute: number): Promise<void> {
    reports.push({ dueMinute: minute + faults.lateMinutes, report: app.report(minute + faults.reportsAheadMinutes) });
    const due = reports.filter(({ dueMinute }) => dueMinute <= minute);
    reports = reports.filter(({ dueMinute }) => dueMinute > minute);
    for (const { report } of due) await recordOutcomes(ports, cutovers, report).catch(onlyExpected);
  }

  const deadline = () => clock.monotonicMs() + 25_000;
  const commands = counter('key');

  return {
    clock,
    state,
    verdicts,
    windows,
    wakeUps,
    flags,
    tables,
    alerts,
    channel,
    criteria,
    app,
    faults,
    failures,
    publications,
    random,
    ports,
    cutovers,
    /** Called with every change of a cutover's state that was written, whether or not its writer got an answer. */
    onApplied: (listener: (typeof listeners)[number]) => void listeners.push(listener),
    /** The same for the system, its phases included. */
    onSystem: (listener: (typeof systemListeners)[number]) => void systemListeners.push(listener),
    /** Called in every sixteenth of a minute, after one reader has refreshed. */
    onMoment: (watcher: () => void) => void watchers.push(watcher),
    /** What readers get when they refresh now. */
    served: flags.served,
    tick: oneTick,
    serve,
    /** One minute; `each` runs in every sixteenth of it, after reads and writes. */
    async minute(each?: (moment: number) => Promise<unknown> | unknown): Promise<TickResult | null> {
      const minute = Math.floor(clock.now() / MINUTE_MS);
      let result: TickResult | null = null;
      for (let moment = 0; moment < MOMENTS; moment += 1) {
        clock.pass(MOMENT_MS);
        app.moment(moment, flags.served());
        for (const watcher of watchers) watcher();
        if (moment === 0) for (let i = 0; i < faults.ticks; i += 1) result = await oneTick();
        if (each) await each(moment);
        if (moment % 4 === 3) await serve();
        if (moment === 5 && faults.backfill) await backfillAll(ports, cutovers, deadline());
        if (moment === 10 && faults.verify) await verifyAll(ports, cutovers);
      }
      await flush(minute);
      return result;
    },
    /** A command on a phase, based on the version that is stored unless another is given. */
    async phase(name: string, command: PhaseCommand, options: { basedOn?: number; actor?: string; key?: string } = {}) {
      const phase = phasesOf(cutovers).find((candidate) => candidate.name === name)!;
      try {
        const basedOn = options.basedOn ?? (await state.readSystem()).version;
        const idempotency = { key: options.key ?? commands.next(), fingerprint: JSON.stringify(command) };
        const operation = { command, actor: options.actor ?? 'ada', basedOn, idempotency };
        return { ok: true, ...(await operatePhase(ports, cutovers, phase, operation)) } as const;
      } catch (error) {
        if (!expected(error)) throw error;
        const code = error instanceof CrossfadeError ? error.code : 'died';
        return { ok: false, code, message: String(error) } as const;
      }
    },
    /** A command as the control API runs it; by default based on the version that is stored. */
    async operate(
      id: string,
      command: OperatorCommand,
      options: { key?: string; body?: string; basedOn?: number; actor?: string; ports?: Ports } = {},
    ): Promise<Answered> {
      const declaration = cutovers.find((candidate) => candidate.id === id)!;
      try {
        const basedOn = options.basedOn ?? (await state.readCutover(id))?.version ?? 0;
        const idempotency = {
          key: options.key ?? commands.next(),
          fingerprint: options.body ?? JSON.stringify(command),
        };
        const operation = { command, actor: options.actor ?? 'ada', basedOn, idempotency };
        return { ok: true, ...(await runCommand(options.ports ?? ports, cutovers, declaration, operation)) };
      } catch (error) {
        if (!expected(error)) throw error;
        return { ok: false, code: error instanceof CrossfadeError ? error.code : 'died', message: String(error) };
      }
    },
  };
}

// ---------------------------------------------------------------------------------------------------------- pieces

const expected = (error: unknown) => error instanceof CrossfadeError || error instanceof Died;
const onlyExpected = (error: unknown) => {
  if (!expected(error)) throw error;
};

/** A hook that lets `calls` calls pass and no further one. */
export function dyingAfter(calls: number): () => void {
  let left = calls;
  return () => {
    left -= 1;
    if (left < 0) throw new Died('this flow has died');
  };
}

function virtualClock() {
  let nowMs = NOW;
  let calls = 0;
  return {
    now: () => nowMs,
    /** A call of a port takes a millisecond, so that loops until a deadline end. */
    monotonicMs: () => {
      calls += 1;
      return calls;
    },
    sleep: async () => undefined,
    pass: (ms: number) => {
      nowMs += ms;
    },
  };
}

function counter(prefix: string) {
  let last = 0;
  return {
    next: () => {
      last += 1;
      return `${prefix}-${last}`;
    },
  };
}

type Call = (...args: never[]) => Promise<unknown>;
const REMOTE = ['state', 'verdicts', 'windows', 'wakeUps', 'flags', 'sightings', ...TABLE_PORTS] as const;
type Remote = (typeof REMOTE)[number];

/** The same ports, where `hook` runs, and is waited for, before every call. */
export function before(ports: Ports, hook: (port: Remote, call: string) => Promise<void> | void): Ports {
  const wrapped = REMOTE.map((name) => [
    name,
    Object.fromEntries(
      Object.entries(ports[name] as unknown as Record<string, Call>).map(([call, original]) => [
        call,
        async (...args: never[]) => {
          await hook(name, call);
          return original(...args);
        },
      ]),
    ),
  ]);
  return { ...ports, ...Object.fromEntries(wrapped) };
}
