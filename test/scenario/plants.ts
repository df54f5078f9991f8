/** Bugs to plant into a world: each breaks one safety rule around the ports or in the tick, and nothing else. */

import { bucketIndex } from '../../lib/core/gates/histogram.ts';
import { emptyWindow, type MinuteWindow, wholeWindows } from '../../lib/core/gates/minute-window.ts';
import type { TableStatus } from '../../lib/core/gates/table-status.ts';
import { nextEntry } from '../../lib/core/stage/audit.ts';
import { advance } from '../../lib/flows/control/advance.ts';
import { collectAround } from '../../lib/flows/control/collect.ts';
import { beginObserving } from '../../lib/flows/control/observe.ts';
import { reconcile } from '../../lib/flows/control/reconcile.ts';
import { type TickResult, tick } from '../../lib/flows/control/tick.ts';
import type { Ports } from '../../lib/ports/ports.ts';
import { MINUTE_MS, type Plant } from '../helpers/world.ts';

export type Planted =
  | 'no_version_condition'
  | 'publish_on_events'
  | 'dwell_in_ticks'
  | 'zero_samples_pass'
  | 'quarantine_does_not_gate'
  | 'unknown_is_failure';

export const PLANTS: Readonly<Record<Planted, Plant>> = {
  /** A write that came too late is written all the same, on top of what is there. */
  no_version_condition: {
    ports: (ports) => ({
      ...ports,
      state: {
        ...ports.state,
        async writeCutover(change) {
          const result = await ports.state.writeCutover(change);
          if (result.kind !== 'stale') return result;
          let head = { auditSeq: result.current.auditSeq, auditHash: result.current.auditHash };
          const entries = change.entries.map(({ seq: _seq, previousHash: _previous, hash: _hash, ...entry }) => {
            const next = nextEntry(head, entry);
            head = { auditSeq: next.seq, auditHash: next.hash };
            return next;
          });
          return ports.state.writeCutover({
            ...change,
            before: result.current,
            after: { ...change.after, ...head },
            entries,
          });
        },
      },
    }),
  },

  /** Flags and mirror follow when something has moved, and nobody compares them otherwise. */
  publish_on_events: {
    async tick(ports, declarations) {
      const around = await collectAround(ports, declarations);
      const observing = await beginObserving(ports, declarations, around);
      const cutovers: TickResult['cutovers'][number][] = [];
      for (const declaration of declarations) {
        const [outcome] = await advance(ports, [declaration], around, observing);
        const { id, judgement, moved } = outcome!;
        const stage = judgement?.state.stage ?? 'unknown';
        cutovers.push({ id, stage, verdict: judgement?.verdict.verdict ?? 'hold', moved });
      }
      const moved = cutovers.some((cutover) => cutover.moved);
      const flags = moved ? await reconcile(ports, declarations) : { published: true };
      return { cutovers, flags, left: null };
    },
  },

  /** Dwell counts ticks: two in a minute are two minutes. */
  get dwell_in_ticks(): Plant {
    const ticks = new Map<string, number>();
    return {
      tick: (ports, declarations) => {
        let looked = false;
        const readAll: Ports['state']['readAll'] = async () => {
          const states = await ports.state.readAll();
          if (looked) return states;
          looked = true;
          return states.map((state) => {
            if ('invalid' in state) return state;
            const key = `${state.id} ${state.stage} ${state.enteredAtMs}`;
            const count = (ticks.get(key) ?? 0) + 1;
            ticks.set(key, count);
            return { ...state, enteredAtMs: Math.min(state.enteredAtMs, ports.clock.now() - count * MINUTE_MS) };
          });
        };
        return tick({ ...ports, state: { ...ports.state, readAll } }, declarations);
      },
    };
  },

  /** Where nothing was recorded, nothing was wrong. */
  zero_samples_pass: {
    ports: (ports) => ({
      ...ports,
      windows: {
        ...ports.windows,
        async readParts(id, fromMinute, toMinute) {
          const parts = await ports.windows.readParts(id, fromMinute, toMinute);
          const windows = wholeWindows(parts.map(({ window }) => window));
          const made: MinuteWindow[] = [];
          for (let minute = Math.max(fromMinute, toMinute - 10); minute <= toMinute; minute += 1) {
            for (const side of ['primary', 'shadow'] as const) {
              const there = windows.find((window) => window.minute === minute && window.side === side);
              made.push(there && there.count > 0 ? there : { ...emptyWindow(minute, side), count: 100, latency: FINE });
            }
          }
          return [
            ...parts.filter(({ window }) => window.minute < toMinute - 10),
            ...made.map((window) => ({ slice: null, operation: 'read', window })),
          ];
        },
      },
    }),
  },

  /** Keys in quarantine are shown to people, and not to the gates. */
  quarantine_does_not_gate: {
    ports: (ports) => ({
      ...ports,
      inspecting: {
        ...ports.inspecting,
        async status(id) {
          const status = await ports.inspecting.status(id);
          return status && hidden(status);
        },
        async statuses(ids) {
          return new Map([...(await ports.inspecting.statuses(ids))].map(([id, status]) => [id, hidden(status)]));
        },
      },
    }),
  },

  /** A swap that did not answer did not happen, and nobody looks before it is given up. */
  unknown_is_failure: {
    ports: (ports) => ({
      ...ports,
      swapping: {
        ...ports.swapping,
        promote: (...args) => ports.swapping.promote(...args).catch(refused),
        revert: (...args) => ports.swapping.revert(...args).catch(refused),
        abandon: async () => ({ kind: 'abandoned' }),
      },
    }),
  },
};

const hidden = (status: TableStatus): TableStatus => ({ ...status, quarantined: 0, quarantine: [] });
const FINE = { [bucketIndex(20)]: 100 };
const refused = () => ({ kind: 'refused' as const, why: 'it did not answer', items: [] });
