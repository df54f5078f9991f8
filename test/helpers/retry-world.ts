/**
 * Clients that try again, the gateway or the SDK they write through, the shadow writer, and two services that know a write
 * again by its key: the real flows over ports in memory. Every call of every process stops at a gate, so that a story
 * decides who goes on, who dies, and what is on its way meanwhile.
 */

import { writeCutover } from '../../lib/client/write-cutover.ts';
import { CrossfadeError } from '../../lib/core/base/errors.ts';
import type { CutoverDeclaration, CutoverState, ServiceDeclaration, Side } from '../../lib/core/cutover/cutover.ts';
import { INTENT_LIFE_MS } from '../../lib/core/forwards/forward.ts';
import { DEFAULT_GATEWAY } from '../../lib/core/net/upstream.ts';
import { applyForwards, forwardsAreDue } from '../../lib/flows/forwards/apply-forwards.ts';
import type { KnownStates } from '../../lib/flows/forwards/known-state.ts';
import { outcomeBuffer } from '../../lib/flows/forwards/outcome-buffer.ts';
import { intendWrite, settleWrite } from '../../lib/flows/forwards/record-write.ts';
import { proxyWrite, type WritePorts } from '../../lib/flows/forwards/write-both.ts';
import { declarationOf, type StageName, stateIn, systemOf } from '../property/samples.ts';
import { forwardPorts, inMemoryForwards } from './fakes/forwards.ts';
import { inMemoryWakeUps } from './fakes/wake-ups.ts';
import { inMemoryWindows } from './fakes/windows.ts';
import { passingClock } from './passing-clock.ts';

const FLOWS = { proxyWrite, applyForwards, forwardsAreDue, intendWrite, settleWrite, writeCutover };
export type Flows = typeof FLOWS;

/** What a service does with a write: a status without applying it, or what happens to the connection or the answer. */
export type Mode = 'ok' | 'refuses' | 'lost' | 'slow' | 'applied-and-lost' | 'applied-and-500' | 500 | 503 | 429 | 422;

export type Write = { key: string; method: 'POST' | 'PUT' | 'PATCH' | 'DELETE'; path: string };

type Service = {
  mode: Mode;
  /** By key: what was answered. */
  known: Map<string, number>;
  /** At work on it. */
  busy: Set<string>;
  /** Keys of what was applied, in order. */
  applied: string[];
  /** Of each path: the keys that made it what it is. */
  values: Map<string, readonly string[]>;
};

type Gate = { go(): void; die(isMade: boolean): void };

export type Process = {
  startedAtMs: number;
  endedAtMs: number;
  gates: Gate[];
  /** What its instance knows of the state. */
  known: KnownStates;
  dead: boolean;
  done: boolean;
  /** Of a write: what its client was answered. */
  answered: 'yes' | 'unknown' | null;
};

/** A gateway lives no longer. */
const LIFE_MS = 30_000;

export type WorldOptions = {
  flows?: Flows;
  through?: 'gateway' | 'sdk';
  stage?: StageName;
  orderSegments?: number;
  /** The services know their writes by key. */
  keys?: boolean;
  /** Removing what is not there is answered 404. */
  strict?: boolean;
};

export function retryWorld(options: WorldOptions = {}) {
  const { flows = FLOWS, through = 'gateway', keys = true, strict = false } = options;
  const kind = through === 'gateway' ? 'service' : 'component';
  const addresses = { primary: 'https://primary.test/w', shadow: 'https://shadow.test/w' };
  const gateway = { ...DEFAULT_GATEWAY, idempotencyKeys: keys, orderSegments: options.orderSegments ?? 2 };
  const declaration = {
    ...declarationOf(kind, { id: 'chat' }),
    ...(kind === 'service' ? { upstreams: addresses, gateway } : { writes: { ...addresses, privateHosts: [] } }),
  } as CutoverDeclaration;
  const service = (): Service => ({
    mode: 'ok',
    known: new Map(),
    busy: new Set(),
    applied: [],
    values: new Map(),
  });
  const services: Record<Side, Service> = { primary: service(), shadow: service() };
  const clock = passingClock();
  const store = inMemoryForwards({ realNow: clock.now });
  const windows = inMemoryWindows({ clock });
  const log = { event: (name: string) => void events.push(name), failure() {} };
  const events: string[] = [];
  const processes: Process[] = [];
  /** What services are still at work on, although nobody waits for their answer. */
  const slow: (() => void)[] = [];
  let state: CutoverState = stateIn(options.stage ?? 'r1', { id: 'chat', kind });
  /** What two warm instances know of the state; writes go to them by turns. */
  const fleet: KnownStates[] = [new Map(), new Map()];
  let sent = 0;
  let isReadable = true;
  const readable = () => {
    if (isReadable) return state;
    throw new CrossfadeError('store_unavailable', 'The state was switched off.', { retryable: true });
  };
  let ids = 0;
  const nextId = () => `id-${++ids}`;

  /** Stops here until the story lets it go on; a dead process never does, though what it was about to do may be done. */
  const gate = (process: Process, late: (isMade: boolean) => unknown): Promise<void> =>
    process.dead
      ? new Promise(() => {})
      : new Promise(
          (go) => void process.gates.push({ go, die: (isMade) => void Promise.resolve(late(isMade)).catch(() => {}) }),
        );

  /** Every call of a port waits first; one whose process dies then may still have been made. */
  const gated = <T extends object>(process: Process, port: T): T =>
    Object.fromEntries(
      Object.entries(port).map(([name, call]) => [
        name,
        async (...args: unknown[]) => {
          await gate(process, (isMade) => isMade && call(...args));
          return call(...args);
        },
      ]),
    ) as T;

  function apply(side: Side, { key, method, path }: Write): number {
    const it = services[side];
    if (keys && it.known.has(key)) return it.known.get(key)!;
    const before = it.values.get(path);
    const isGone = method === 'DELETE' && !before;
    const status = isGone && strict ? 404 : method === 'DELETE' ? 204 : 201;
    if (status < 300) it.applied.push(key);
    if (method === 'DELETE') it.values.delete(path);
    else it.values.set(path, method === 'PUT' ? [key] : [...(before ?? []), key]);
    if (keys) it.known.set(key, status);
    return status;
  }

  async function serve(process: Process, side: Side, write: Write): Promise<number | 'away' | 'unknown'> {
    await gate(process, (isMade) => isMade && apply(side, write));
    const it = services[side];
    const { mode } = it;
    if (mode === 'refuses') return 'away';
    if (mode === 'lost') return 'unknown';
    if (keys && it.known.has(write.key)) return it.known.get(write.key)!;
    if (keys && it.busy.has(write.key)) return 409;
    if (typeof mode === 'number') return mode;
    const end = (isMade: boolean) => {
      it.busy.delete(write.key);
      return isMade ? apply(side, write) : 503;
    };
    it.busy.add(write.key);
    if (mode === 'slow') {
      slow.push(() => end(true));
      return 'unknown';
    }
    await gate(process, end);
    const status = end(true);
    if (mode === 'applied-and-lost') return 'unknown';
    if (mode === 'applied-and-500') return 500;
    await gate(process, () => {});
    return status;
  }

  function portsOf(process: Process): WritePorts & { wakeUps: ReturnType<typeof inMemoryWakeUps> } {
    const { intents, forwards, attempts, realNow } = forwardPorts(store);
    return {
      clock,
      realNow,
      ids: { next: nextId },
      log,
      known: process.known,
      intents: gated(process, intents),
      forwards: gated(process, forwards),
      attempts: gated(process, attempts),
      wakeUps: inMemoryWakeUps(),
      outcomes: outcomeBuffer({ clock, ids: { next: nextId }, windows, log }, 0),
      state: gated(process, { readCutover: async () => readable(), readSystem: async () => systemOf() }) as never,
      async upstream(target, { method, path, headers }) {
        const side = target.url.includes('primary') ? 'primary' : 'shadow';
        const write = { method, path, key: headers['idempotency-key']! } as Write;
        const status = await serve(process, side, write);
        const details = { sent: status === 'unknown' };
        if (typeof status === 'string') throw new CrossfadeError('upstream_unavailable', status, { details });
        return { status, headers: {}, cookies: [], body: Buffer.from('') };
      },
      deliver: (_, side, { idempotencyKey, request }) =>
        serve(process, side, { ...request, key: idempotencyKey } as Write),
    };
  }

  /** The microtasks of all that can go on. */
  const flush = () => new Promise<void>((resolve) => setImmediate(resolve));

  function start(run: (process: Process) => Promise<void>, known: KnownStates = new Map()): Process {
    const process: Process = {
      startedAtMs: clock.ms,
      endedAtMs: Number.POSITIVE_INFINITY,
      gates: [],
      known,
      dead: false,
      done: false,
      answered: null,
    };
    processes.push(process);
    const end = () => {
      if (!process.dead) Object.assign(process, { done: true, endedAtMs: clock.ms });
    };
    run(process).then(end, end);
    return process;
  }

  /** None of the other statuses that they give here says that the write will not be. */
  const answerOf = (status: number) => (status < 300 ? 'yes' : 'unknown');

  async function throughGateway(process: Process, { key, method, path }: Write): Promise<void> {
    // Flags are those of the beginning, however late that becomes.
    const isCompleted = options.stage === 'completed';
    const decision = {
      side: isCompleted ? ('shadow' as const) : ('primary' as const),
      reason: 'write',
      stage: 'r1',
      shadowIsWritten: true,
      shadowIsPrimary: isCompleted,
    };
    const request = {
      method,
      path,
      query: '',
      mount: '/',
      headers: { 'idempotency-key': key },
      body: method === 'DELETE' ? null : Buffer.from(key),
      deadlineMs: clock.ms + LIFE_MS - 1_000,
    };
    process.answered = await flows
      .proxyWrite(portsOf(process), declaration as ServiceDeclaration, decision, request)
      .then(
        ({ status }) => answerOf(status),
        () => 'unknown' as const,
      );
  }

  async function throughSdk(process: Process, write: Write): Promise<void> {
    const ports = portsOf(process);
    const run = (side: Side) => async () => {
      const status = await serve(process, side, { ...write, path: '', method: 'POST' });
      if (typeof status === 'string' || status >= 300) throw new Error(String(status));
      return status;
    };
    process.answered = await flows
      .writeCutover(
        {
          forwards: {
            intend: (one) => flows.intendWrite(ports, declaration, one, clock.ms + 5_000),
            settle: ({ cutover, forward, outcome }) => flows.settleWrite(ports, cutover, forward, outcome),
          },
          sliceOf: () => null,
          believed: () => ({ side: 'primary', stage: state.stage }),
          record: () => {},
          unasked: () => {},
          now: clock.monotonicMs,
          sleep: clock.sleep,
          deadlineMs: 5_000,
          isReadonly: () => false,
          nextId,
          simulated: () => {},
        },
        { cutover: 'chat', key: write.path, payload: 1, id: write.key, primary: run('primary'), shadow: run('shadow') },
      )
      .then(answerOf, () => 'unknown' as const);
  }

  /** One call further. */
  async function step(process: Process, which = 0): Promise<void> {
    const [next] = process.gates.splice(which % Math.max(1, process.gates.length), 1);
    next?.go();
    await flush();
  }

  async function run(process: Process): Promise<Process> {
    await flush();
    while (!process.done && process.gates.length > 0) await step(process);
    return process;
  }

  /** @param after the call it was making is made all the same, and nobody hears of it */
  function kill(process: Process, after: boolean): void {
    Object.assign(process, { dead: true, done: true, endedAtMs: clock.ms });
    for (const [n, gate] of process.gates.entries()) gate.die(after && n === 0);
    process.gates = [];
    // Its instance goes with it.
    process.known.clear();
  }

  const stream = () =>
    start(async (process) => void (await flows.applyForwards(portsOf(process), declaration, clock.ms + 20_000)));

  /** What took so long is done. */
  function catchUp(): void {
    for (const end of slow.splice(0)) end();
  }

  const live = () => processes.filter(({ done }) => !done);

  return {
    declaration,
    services,
    clock,
    store,
    /** What the gates are given to judge. */
    windows,
    events,
    live,
    step,
    run,
    kill,
    send: (write: Write) =>
      start(
        (process) => (through === 'gateway' ? throughGateway(process, write) : throughSdk(process, write)),
        fleet[sent++ % fleet.length],
      ),
    stream: () =>
      start(async (process) => void (await flows.applyForwards(portsOf(process), declaration, clock.ms + 20_000))),
    enter: (stage: StageName) => {
      state = stateIn(stage, { id: 'chat', kind, epoch: state.epoch + 1, enteredAtMs: clock.now() });
    },
    unreadable: (yes: boolean) => {
      isReadable = !yes;
    },
    /** Functions that have been at work for too long are ended. */
    pass(ms: number): void {
      clock.ms += ms;
      catchUp();
      for (const process of live()) if (clock.ms - process.startedAtMs >= LIFE_MS) kill(process, false);
    },
    catchUp,
    /** All goes well from now on, for long enough. */
    async settle(maxMs = 900_000): Promise<void> {
      for (const process of live()) await run(process);
      await run(stream());
      catchUp();
      for (const it of Object.values(services)) it.mode = 'ok';
      clock.ms += INTENT_LIFE_MS;
      const untilMs = clock.ms + maxMs;
      const free = start(async () => {});
      await flush();
      while (clock.ms < untilMs && store.all().some(({ status }) => status !== 'quarantined')) {
        const due = flows
          .forwardsAreDue(portsOf(free), declaration)
          .then((is) => (free.answered = is ? 'yes' : 'unknown'));
        await flush();
        while (free.gates.length > 0) await step(free);
        await due;
        if (free.answered === 'yes') await run(stream());
        clock.ms += 1_000;
      }
    },
  };
}
