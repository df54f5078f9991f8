/** What the tables in memory remember of each cutover, and what every port of them asks. */

import type {
  BackfillProgress,
  ShapeDifference,
  TableStatus,
  VerificationResult,
} from '../../../../lib/core/gates/table-status.ts';
import type { Clock } from '../../../../lib/ports/machine.ts';
import type { MirrorRow } from '../../../../lib/ports/switches.ts';
import type { Outrun, StateFence } from '../../../../lib/ports/tables.ts';

type Rows = Map<number, string>;
type Hint = { key: number; atMs: number; attempts: number };
type Poisoned = { reason: string; attempts: number };

export type Table = {
  /** What the application reads and writes, and what follows it. Promotion exchanges the two. */
  authoritative: Rows;
  follower: Rows;
  direction: TableStatus['armed'];
  known: boolean;
  /** The shadow was dropped, and nothing is left to follow. */
  shadowDropped: boolean;
  cleaned: boolean;
  mirror: MirrorRow | null;
  /** Of the newest state that armed or disarmed. */
  armedAt: StateFence;
  hints: Hint[];
  quarantine: Map<number, Poisoned>;
  backfill: { state: BackfillProgress['state']; copied: number; upTo: number; rowsDone: number; rowsTotal: number };
  verification: VerificationResult | null;
  readOnlyUntilMs: number | null;
  /** No swap with this version or a lower one. */
  abandoned: number;
  /** Keys whose row does not fit the follower. */
  blocked: Set<number>;
  /** What differs from what was armed, and as the last tick saw it. */
  differences: readonly ShapeDifference[];
  recorded: readonly ShapeDifference[];
  sinceMs: number | null;
  /** Why capture is interrupted now, and why it was when somebody last looked. */
  interrupted: string | null;
  gap: string | null;
};

/** Shown of many. */
export const SAMPLES = 20;

export type Memory = {
  clock: Pick<Clock, 'now'>;
  tables: Map<string, Table>;
  /** Made when it is first asked for. */
  table(id: string): Table;
  hint(of: Table, key: number): void;
  /** Why `preview` and `promote` refuse, and why swaps are put off, by cutover. */
  refusals: Map<string, string>;
  postponements: Map<string, string>;
};

export function memory(clock: Pick<Clock, 'now'>): Memory {
  const tables = new Map<string, Table>();
  return {
    clock,
    tables,
    table(id) {
      const found = tables.get(id) ?? emptyTable();
      tables.set(id, found);
      return found;
    },
    hint: (of, key) => void of.hints.push({ key, atMs: clock.now(), attempts: 0 }),
    refusals: new Map(),
    postponements: new Map(),
  };
}

export const AS_ARMED = { differences: [], recorded: [], sinceMs: null, interrupted: null, gap: null } as const;

export function emptyTable(): Table {
  return {
    authoritative: new Map(),
    follower: new Map(),
    direction: 'none',
    known: false,
    shadowDropped: false,
    cleaned: false,
    mirror: null,
    armedAt: { epoch: 0, version: 0 },
    hints: [],
    quarantine: new Map(),
    backfill: { state: 'none', copied: -Infinity, upTo: NaN, rowsDone: 0, rowsTotal: 0 },
    verification: null,
    readOnlyUntilMs: null,
    abandoned: 0,
    blocked: new Set(),
    ...AS_ARMED,
  };
}

/** As Postgres writes a jsonb object. */
export const keyText = (key: number): string => `{"id": ${key}}`;

export function stale(it: Table, epoch: number): { kind: 'stale'; have: number; got: number } | null {
  const have = it.mirror?.epoch ?? (it.known ? 0 : -1);
  return have === epoch && it.known ? null : { kind: 'stale', have, got: epoch };
}

/** The newest state that has been here, when it is newer than this one. */
export function outrun(it: Table, fence: StateFence): Outrun | null {
  const seen = [it.armedAt, ...(it.mirror ? [it.mirror] : [])];
  const newer = seen.filter(
    ({ epoch, version }) => epoch > fence.epoch || (epoch === fence.epoch && version > fence.version),
  );
  if (newer.length === 0) return null;
  const { epoch, version } = newer.reduce((a, b) =>
    b.epoch > a.epoch || (b.epoch === a.epoch && b.version > a.version) ? b : a,
  );
  return { kind: 'stale', epoch, version };
}

export const lagOf = (it: Table, nowMs: number): number =>
  it.hints.length === 0 ? 0 : Math.max(0, nowMs - Math.min(...it.hints.map(({ atMs }) => atMs)));

/** Keys that differ, have no un-applied hint and are not in quarantine. */
export function diverged(it: Table): number[] {
  const late = new Set(it.hints.map(({ key }) => key));
  return [...new Set([...it.authoritative.keys(), ...it.follower.keys()])]
    .filter((key) => it.authoritative.get(key) !== it.follower.get(key) && !late.has(key) && !it.quarantine.has(key))
    .sort((a, b) => a - b);
}
