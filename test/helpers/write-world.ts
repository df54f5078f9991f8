/**
 * Applications that write to a component through the SDK, the functions they ask, and the two sides, all in memory. The
 * flows and the SDK are the real ones; a process can die before or after any call it makes.
 */

import type { CutoverWrite, ForwardRecorder, WriteIntent, WriteOutcome } from '../../lib/client/write-cutover.ts';
import { writeCutover } from '../../lib/client/write-cutover.ts';
import type { CutoverDeclaration, CutoverState, Side } from '../../lib/core/cutover/cutover.ts';
import { otherSide } from '../../lib/core/forwards/forward.ts';
import { applyForwards, forwardsAreDue } from '../../lib/flows/forwards/apply-forwards.ts';
import { actOnForwards, listForwards } from '../../lib/flows/forwards/forward-controls.ts';
import { intendWrite, settleWrite } from '../../lib/flows/forwards/record-write.ts';
import { declarationOf, type StageName, stateIn, systemOf } from '../property/samples.ts';
import { forwardPorts, inMemoryForwards } from './fakes/forwards.ts';
import { inMemoryWakeUps } from './fakes/wake-ups.ts';
import { inMemoryWindows } from './fakes/windows.ts';
import { passingClock } from './passing-clock.ts';

const WRITES = { primary: 'https://app.test/old', shadow: 'https://app.test/new', privateHosts: [] };

/** What happens to a call: nothing arrives, the answer is lost, or all is well. */
export type Fate = 'ok' | 'lost' | 'applied-and-lost';
export type Death = { at: number; effect: 'before' | 'after' } | null;

/** Knows its writes by their id, as its handler has promised. */
type AppSide = { applied: string[]; seen: Set<string>; mode: number | 'refuses' | Fate };

/** @param options.forgets the sides do not keep their promise to know a write again */
export function writeWorld(options: { stage?: StageName; forgets?: boolean } = {}) {
  const declaration: CutoverDeclaration = { ...declarationOf('component', { id: 'planner' }), writes: WRITES } as never;
  const side = (): AppSide => ({ applied: [], seen: new Set(), mode: 'ok' });
  const sides: Record<Side, AppSide> = { primary: side(), shadow: side() };
  const clock = passingClock();
  const forwardStore = inMemoryForwards({ realNow: clock.now });
  let state: CutoverState = stateIn(options.stage ?? 'r1', { id: 'planner', kind: 'component' });
  let ids = 0;

  function apply(on: Side, id: string, line: string): void {
    if (sides[on].seen.has(id) && !options.forgets) return;
    sides[on].seen.add(id);
    sides[on].applied.push(line);
  }

  const ports = {
    clock,
    // Each write is one of another instance.
    get known() {
      return new Map();
    },
    ...forwardPorts(forwardStore),
    ids: { next: () => `id-${++ids}` },
    log: { event() {}, failure() {} },
    windows: inMemoryWindows({ clock }),
    wakeUps: inMemoryWakeUps(),
    state: { readCutover: async () => state, readSystem: async () => systemOf() } as never,
    deliver: async (_: unknown, on: Side, forward: { idempotencyKey: string; body: Uint8Array | null }) => {
      const { mode } = sides[on];
      if (mode === 'refuses') return 'away' as const;
      if (mode === 'lost') return 'unknown' as const;
      if (typeof mode === 'number') return mode;
      apply(on, forward.idempotencyKey, JSON.parse(Buffer.from(forward.body!).toString()) as string);
      return mode === 'ok' ? 200 : ('unknown' as const);
    },
  };

  const recorder: ForwardRecorder = {
    intend: (write) => intendWrite(ports, declaration, write, clock.ms + 5_000),
    settle: ({ cutover, forward, outcome }) => settleWrite(ports, cutover, forward, outcome),
  };

  /** One write of one process: what its calls meet, and when it dies. Null when it died. */
  async function write(
    line: string,
    {
      key = 'k',
      death = null as Death,
      intend = 'ok' as Fate,
      own = 'ok' as Fate,
      settle = 'ok' as Fate,
      during = () => {},
    } = {},
    through: ForwardRecorder = recorder,
    over: Partial<CutoverWrite<string>> = {},
  ): Promise<string | Error | null> {
    let calls = 0;
    let died = () => {};
    const dead = new Promise<null>((resolve) => {
      died = () => resolve(null);
    });
    /** A dead process hears and does nothing any more. */
    const mortal = async <T>(call: () => Promise<T>): Promise<T> => {
      calls += 1;
      const mine = calls;
      const isLast = death !== null && mine >= death.at;
      const end = () => {
        died();
        return new Promise<never>(() => {});
      };
      if (isLast && (mine > death.at || death.effect === 'before')) return end();
      const result = await call();
      return isLast ? end() : result;
    };
    /** The fate is that of the first try. */
    const fated = (fate: Fate) => {
      let tries = 0;
      return async <T>(call: () => Promise<T>): Promise<T> => {
        tries += 1;
        if (tries > 1 || fate === 'ok') return call();
        if (fate === 'applied-and-lost') await call();
        throw new TypeError('fetch failed');
      };
    };
    const [onIntend, onOwn, onSettle] = [fated(intend), fated(own), fated(settle)];
    const run = (on: Side) => (call: { id: string }) =>
      mortal(() =>
        onOwn(async () => {
          during();
          apply(on, call.id, line);
          return `${on} ${line}`;
        }),
      );
    const written = writeCutover<string>(
      {
        forwards: {
          intend: (one: WriteIntent, signal) => mortal(() => onIntend(() => through.intend(one, signal))),
          settle: (one: WriteOutcome, signal) => mortal(() => onSettle(() => through.settle(one, signal))),
        },
        sliceOf: () => null,
        believed: () => ({ side: 'primary', stage: state.stage }),
        record: () => {},
        unasked: () => {},
        now: clock.monotonicMs,
        sleep: clock.sleep,
        deadlineMs: 5_000,
        isReadonly: () => false,
        nextId: () => `sdk-${++ids}`,
        simulated: () => {},
      },
      { cutover: 'planner', key, payload: line, primary: run('primary'), shadow: run('shadow'), ...over },
    ).catch((error: Error) => error);
    return Promise.race([written, dead]);
  }

  return {
    declaration,
    sides,
    clock,
    forwardStore,
    ports,
    recorder,
    write,
    apply: () => applyForwards(ports, declaration, clock.ms + 20_000),
    enter: (stage: StageName) => {
      state = stateIn(stage, { id: 'planner', kind: 'component', epoch: state.epoch + 1 });
    },
    /** As the relay does it, and a person who looks whether the side that decides has what is in quarantine. */
    async settle(): Promise<void> {
      for (let rounds = 0; forwardStore.all().length > 0 && rounds < 2_000; rounds += 1) {
        if (await forwardsAreDue(ports, declaration)) await applyForwards(ports, declaration, clock.ms + 20_000);
        clock.ms += 1_000;
        if (forwardStore.all().some(({ status }) => status !== 'quarantined')) {
          if (rounds % 50 !== 49) continue;
        }
        for (const forward of (await listForwards(ports, 'planner')).forwards.filter(
          ({ status }) => status === 'quarantined',
        )) {
          const has = sides[otherSide(forward.side)].seen.has(forward.idempotencyKey);
          await actOnForwards(ports, 'planner', {
            action: has ? 'retry' : 'discard',
            which: { id: forward.id },
            actor: 'ada',
          });
        }
      }
    },
  };
}
