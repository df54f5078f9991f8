/**
 * The data plane in memory, faithful at the level of the port: two tables as maps, hints, the fence, a backfill in chunks,
 * verification in one moment, quarantine, the swap and its way back. The lag follows the clock it is given.
 * Rows are texts by integer key; a row that must not fit the other side is named by `block`.
 */

import { CrossfadeError } from '../../../lib/core/base/errors.ts';
import { conditionText } from '../../../lib/core/conditions/show.ts';
import type {
  BackfillProgress,
  ShapeDifference,
  ShapeStatus,
  TableStatus,
  VerificationResult,
} from '../../../lib/core/gates/evidence.ts';
import { shapeConditions } from '../../../lib/core/holds/shape.ts';
import type {
  Clock,
  DataPlane,
  MirrorRow,
  Outrun,
  StateFence,
  SwapResult,
  TableCutover,
  TablePlan,
  WayBack,
} from '../../../lib/ports.ts';
import { consistencyOf, findingsOf, outlookOf, recordOf } from './table-health.ts';

type Rows = Map<number, string>;
type Hint = { key: number; atMs: number; attempts: number };
type Poisoned = { reason: string; attempts: number };

type Table = {
  /** What the application reads and writes, and what follows it. Promotion exchanges the two. */
  authoritative: Rows;
  follower: Rows;
  direction: TableStatus['armed'];
  known: boolean;
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

export type TablesInMemory = DataPlane & {
  /** The application writes the table that is authoritative now; `null` deletes. */
  write(id: string, key: number, value: string | null): void;
  /** Somebody writes the other table behind our back. */
  tamper(id: string, key: number, value: string | null): void;
  /** From now on this key's row does not fit the other side, or does again. */
  block(id: string, key: number, blocked: boolean): void;
  /** Others alter the tables: what differs from then on. */
  alter(id: string, differences: readonly ShapeDifference[]): void;
  /** The application writes while its triggers are off. */
  miss(id: string, key: number, value: string | null): void;
  rows(id: string): { authoritative: ReadonlyMap<number, string>; follower: ReadonlyMap<number, string> };
  /** The next call of this function fails as if Postgres were away; with `effect`, after it did its work. */
  failNext(call: keyof DataPlane, effect?: boolean): void;
  /** What `plan` says, and why `promote` refuses; null lifts it. */
  refuse(id: string, why: string | null): void;
  /** Why the next swaps are put off; null lifts it. */
  postpone(id: string, why: string | null): void;
};

const ATTEMPTS = 5;
const SAMPLES = 20;

export function inMemoryTables({ clock }: { clock: Pick<Clock, 'now'> }): TablesInMemory {
  const tables = new Map<string, Table>();
  const failures = new Map<string, boolean>();
  const refusals = new Map<string, string>();
  const postponements = new Map<string, string>();
  const table = (id: string): Table => {
    const found = tables.get(id) ?? emptyTable();
    tables.set(id, found);
    return found;
  };
  const hint = (of: Table, key: number) => of.hints.push({ key, atMs: clock.now(), attempts: 0 });

  const plane: DataPlane = {
    plan: async (cutover, look) => ({
      ...planOf(cutover, refusals.get(cutover.id)),
      ...(look ? { wayBack: wayBackOf(tables.get(cutover.id) ?? emptyTable(), look.scanMs) } : {}),
    }),
    async arm({ id }, fence) {
      const it = table(id);
      const why = refusals.get(id);
      if (why) throw new CrossfadeError('refused_table', why);
      if (it.direction === 'reverse') throw new CrossfadeError('conflict', `Cutover '${id}' is promoted.`);
      const newer = outrun(it, fence);
      if (newer) return newer;
      it.known = true;
      it.armedAt = { epoch: fence.epoch, version: fence.version };
      if (it.direction === 'forward') return { kind: 'armed' };
      it.direction = 'forward';
      it.quarantine.clear();
      it.verification = null;
      it.hints = [];
      Object.assign(it, AS_ARMED);
      it.backfill = { state: 'running', copied: -Infinity, upTo: NaN, rowsDone: 0, rowsTotal: it.authoritative.size };
      return { kind: 'armed' };
    },
    async rehearse({ id }) {
      const { authoritative, follower } = tables.get(id) ?? emptyTable();
      const [sourceRows, shadowRows] = [authoritative.size, follower.size];
      return { sourceRows, shadowRows, sample: { rows: sourceRows, tookMs: sourceRows / 10 } };
    },
    async watch(id, fence) {
      const it = table(id);
      const newer = outrun(it, fence);
      if (newer) return newer;
      if (it.direction !== 'none') look(it, clock.now());
      return { kind: 'watched' };
    },
    async adopt({ id }, fence) {
      const it = table(id);
      const newer = outrun(it, fence);
      if (newer) return newer;
      const why = refusals.get(id);
      if (why || it.direction === 'none') return { kind: 'refused', why: why ?? 'nothing is armed' };
      Object.assign(it, { differences: [], recorded: [], interrupted: 'the tables were taken over as they are' });
      look(it, clock.now());
      return { kind: 'adopted' };
    },
    async disarm(id, fence) {
      const it = tables.get(id);
      const newer = it && outrun(it, fence);
      if (newer) return newer;
      if (it?.known) Object.assign(it, { direction: 'none', armedAt: { epoch: fence.epoch, version: fence.version } });
      return { kind: 'disarmed' };
    },
    async forget(id, fence) {
      const it = tables.get(id);
      const newer = it && outrun(it, fence);
      if (newer) return newer;
      if (it) {
        const { authoritative, follower, blocked, abandoned } = it;
        tables.set(id, { ...emptyTable(), authoritative, follower, blocked, abandoned });
      }
      return { kind: 'forgotten' };
    },
    async mirror(row) {
      const it = tables.get(row.id);
      if (!it?.known) return { kind: 'stale', epoch: -1, version: -1 };
      const have = it.mirror;
      if (have && (have.epoch > row.epoch || (have.epoch === row.epoch && have.version > row.version)))
        return { kind: 'stale', epoch: have.epoch, version: have.version };
      it.mirror = { ...row };
      return { kind: 'written' };
    },
    async setLists() {},
    async removeShadow({ id }, fence) {
      const it = table(id);
      if (it.direction !== 'none') return { kind: 'refused', why: `Cutover '${id}' still keeps its shadow equal.` };
      const newer = outrun(it, fence);
      if (newer) return newer;
      const { authoritative, blocked, abandoned } = it;
      tables.set(id, { ...emptyTable(), authoritative, blocked, abandoned });
      return { kind: 'removed' };
    },
    async makeReadOnly(id, epoch, seconds) {
      const it = tables.get(id);
      if (it?.mirror?.epoch !== epoch || it.direction !== 'forward')
        return { kind: 'stale', have: it?.mirror?.epoch ?? -1, got: epoch };
      it.readOnlyUntilMs = clock.now() + seconds * 1_000;
      return { kind: 'read_only', untilMs: it.readOnlyUntilMs };
    },
    async endReadOnly(id) {
      const it = tables.get(id);
      const was = it?.readOnlyUntilMs != null;
      if (it) it.readOnlyUntilMs = null;
      return was;
    },
    async switchInline() {},
    async buildIndex() {
      return { kind: 'built', left: 0 };
    },
    status: async (id) => (tables.get(id)?.known ? statusOf(table(id), clock.now()) : null),
    statuses: async (ids) =>
      new Map(ids.filter((id) => tables.get(id)?.known).map((id) => [id, statusOf(table(id), clock.now())])),
    async converge(id, epoch, limit) {
      if (!Number.isInteger(limit) || limit < 1 || limit > 10_000)
        throw new CrossfadeError('invalid_input', `converge takes 1 to 10000 hints, not ${limit}`);
      const it = table(id);
      return stale(it, epoch) ?? { kind: 'converged', ...apply(it, limit) };
    },
    async waiting() {
      return [...tables]
        .filter(([, it]) => it.known && it.mirror?.shadowWrites && it.hints.length > 0)
        .map(([id, it]) => ({ id, hints: it.hints.length, lagMs: lagOf(it, clock.now()) }));
    },
    async backfill(id, epoch, rows) {
      const it = table(id);
      return stale(it, epoch) ?? copyChunk(it, rows, hint);
    },
    async verify(id, epoch, nowMs) {
      const it = table(id);
      if (!it.known) return { kind: 'unready', why: 'capture is not armed' };
      const old = stale(it, epoch);
      if (old) return old;
      if (it.known && !['none', 'done'].includes(it.backfill.state))
        return { kind: 'unready', why: 'the backfill is not done' };
      it.verification = compare(it, nowMs);
      return { kind: 'verified', result: it.verification };
    },
    pressure: async () => ({ replicaLagMs: null, walBytes: 0, activeConnections: 0, waitsFor: [], goOn: true }),
    async controlBackfill(id, epoch, action) {
      const it = table(id);
      const old = stale(it, epoch);
      if (old) return old;
      const { state } = it.backfill;
      const from = { pause: ['running'], cancel: ['running', 'paused'], resume: ['paused', 'cancelled'] }[action];
      if (!from.includes(state)) return { kind: 'unchanged', state };
      const next = ({ pause: 'paused', cancel: 'cancelled', resume: 'running' } as const)[action];
      it.backfill.state = next;
      if (next === 'cancelled') Object.assign(it.backfill, { copied: -Infinity, upTo: NaN, rowsDone: 0 });
      return { kind: 'changed', state: next };
    },
    async quarantined(id, { after = '', limit }) {
      const all = [...table(id).quarantine]
        .map(([key, { reason, attempts }]) => ({ key: keyText(key), sqlstate: '23514', reason, attempts }))
        .sort((a, b) => (a.key < b.key ? -1 : 1));
      const keys = all.filter(({ key }) => key > after).slice(0, limit);
      return {
        total: all.length,
        keys: keys.map((key) => ({ ...key, firstSeenMs: clock.now(), lastSeenMs: clock.now() })),
      };
    },
    async retryQuarantined(id, key) {
      const it = table(id);
      const keys = [...it.quarantine.keys()].filter((one) => key === null || keyText(one) === key);
      for (const one of keys) hint(it, one);
      return { enqueued: keys.length };
    },
    async discardQuarantined(id, key) {
      const { quarantine } = table(id);
      const keys = [...quarantine.keys()].filter((one) => keyText(one) === key);
      for (const one of keys) quarantine.delete(one);
      return { discarded: keys.length };
    },
    async repair(id) {
      const it = table(id);
      const keys = diverged(it);
      for (const key of keys) hint(it, key);
      return { enqueued: keys.length };
    },
    health: async (cutover) => findingsOf(cutover, refusals.get(cutover.id)),
    outlook: async (id) =>
      tables.get(id)?.known ? outlookOf(id, statusOf(table(id), clock.now()), clock.now()) : null,
    consistency: async (id) => (tables.get(id)?.known ? consistencyOf(table(id)) : null),
    compareRecord: async (id, key) => (tables.get(id)?.known ? recordOf(table(id), key) : null),
    promote: async (cutover, swap) =>
      swapped(table(cutover.id), 'forward', swap, refusals.get(cutover.id), postponements.get(cutover.id)),
    revert: async (cutover, swap) =>
      swapped(table(cutover.id), 'reverse', swap, undefined, postponements.get(cutover.id)),
    async abandon(id, { toEpoch, version }) {
      const it = table(id);
      if ((it.mirror?.epoch ?? -1) >= toEpoch) return { kind: 'swapped' };
      it.abandoned = Math.max(it.abandoned, version);
      return { kind: 'abandoned' };
    },
    async rollbackReady(id) {
      const it = table(id);
      if (it.direction !== 'reverse')
        return { ready: false, why: 'the old table is not kept equal any more', key: null };
      const [first] = it.quarantine;
      if (first) return { ready: false, why: first[1].reason, key: keyText(first[0]) };
      const [changed] = shapeConditions(id, statusOf(it, clock.now()));
      return changed ? { ready: false, why: conditionText(changed), key: null } : { ready: true };
    },
    async cleanup({ id }, epoch, { version = Infinity } = {}) {
      const it = table(id);
      if (it.cleaned) return { kind: 'already' };
      if (version <= it.abandoned) throw new CrossfadeError('stale_epoch', 'this cleanup was given up before it began');
      if (it.direction !== 'reverse') return { kind: 'refused', why: 'the table is not promoted' };
      if (it.mirror?.epoch !== epoch) return { kind: 'refused', why: `the fence is at epoch ${it.mirror?.epoch}` };
      Object.assign(it, {
        ...emptyTable(),
        authoritative: it.authoritative,
        known: true,
        cleaned: true,
        mirror: { ...it.mirror, epoch: epoch + 1 },
      });
      return { kind: 'cleaned' };
    },
  };
  return {
    ...withFailures(plane, failures),
    write(id, key, value) {
      const it = table(id);
      if (value === null) it.authoritative.delete(key);
      else it.authoritative.set(key, value);
      if (it.direction !== 'none') hint(it, key);
    },
    tamper(id, key, value) {
      const { follower } = table(id);
      if (value === null) follower.delete(key);
      else follower.set(key, value);
    },
    alter: (id, differences) => void Object.assign(table(id), { differences }),
    miss(id, key, value) {
      const it = table(id);
      if (value === null) it.authoritative.delete(key);
      else it.authoritative.set(key, value);
      it.interrupted = 'trigger crossfade_capture was switched off';
    },
    block: (id, key, blocked) => void (blocked ? table(id).blocked.add(key) : table(id).blocked.delete(key)),
    rows: (id) => table(id),
    failNext: (call, effect = false) => void failures.set(call, effect),
    refuse: (id, why) => void (why === null ? refusals.delete(id) : refusals.set(id, why)),
    postpone: (id, why) => void (why === null ? postponements.delete(id) : postponements.set(id, why)),
  };
}

// ---------------------------------------------------------------------------------------------------------- pieces

function emptyTable(): Table {
  return {
    authoritative: new Map(),
    follower: new Map(),
    direction: 'none',
    known: false,
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

const AS_ARMED = { differences: [], recorded: [], sinceMs: null, interrupted: null, gap: null } as const;

const comparedAgain = ({ backfill, verification }: Table) =>
  backfill.state === 'done' && verification !== null && verification.divergences === 0;

function shapeOf(it: Table): ShapeStatus {
  const { differences, recorded, interrupted } = it;
  const compared = comparedAgain(it);
  return {
    differences,
    sinceMs: differences.length > 0 ? it.sinceMs : null,
    gap: interrupted ?? (compared ? null : it.gap),
    due: interrupted !== null || differences !== recorded || (it.gap !== null && compared),
  };
}

function look(it: Table, nowMs: number): void {
  const undone = it.recorded.length > 0 && it.differences.length === 0;
  const gap = it.interrupted ?? (undone ? `${it.recorded[0]!.object} was another one for a while` : null);
  it.recorded = it.differences;
  it.sinceMs = it.differences.length > 0 ? (it.sinceMs ?? nowMs) : null;
  it.interrupted = null;
  if (comparedAgain(it)) it.gap = null;
  if (gap === null) return;
  it.gap = gap;
  it.verification = null;
  it.backfill = { ...it.backfill, state: 'running', copied: -Infinity, upTo: NaN, rowsDone: 0 };
}

/** As Postgres writes a jsonb object. */
const keyText = (key: number): string => `{"id": ${key}}`;

function stale(it: Table, epoch: number): { kind: 'stale'; have: number; got: number } | null {
  const have = it.mirror?.epoch ?? (it.known ? 0 : -1);
  return have === epoch && it.known ? null : { kind: 'stale', have, got: epoch };
}

/** The newest state that has been here, when it is newer than this one. */
function outrun(it: Table, fence: StateFence): Outrun | null {
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

const lagOf = (it: Table, nowMs: number): number =>
  it.hints.length === 0 ? 0 : Math.max(0, nowMs - Math.min(...it.hints.map(({ atMs }) => atMs)));

function statusOf(it: Table, nowMs: number): TableStatus {
  const { copied: _copied, upTo: _upTo, ...progress } = it.backfill;
  return {
    armed: it.direction,
    mirror: it.mirror ? { epoch: it.mirror.epoch, version: it.mirror.version, stage: it.mirror.stage } : null,
    lagMs: lagOf(it, nowMs),
    readOnlyUntilMs: (it.readOnlyUntilMs ?? 0) > nowMs ? it.readOnlyUntilMs : null,
    outboxRows: it.hints.length,
    connections: { used: 5, most: 97 },
    quarantined: it.quarantine.size,
    quarantine: [...it.quarantine]
      .slice(0, SAMPLES)
      .map(([key, { reason, attempts }]) => ({ key: keyText(key), sqlstate: '23514', reason, attempts })),
    backfill: { ...progress, rowsPerSecond: 0 },
    verification: it.verification,
    ...(it.direction === 'none' ? {} : { shape: shapeOf(it) }),
  };
}

/** Claims the oldest hints and makes the follower's rows equal, key by key. */
function apply(it: Table, limit: number) {
  const counts = {
    claimed: 0,
    written: 0,
    deleted: 0,
    checked: 0,
    mismatched: 0,
    postponed: 0,
    quarantined: 0,
    remaining: 0,
  };
  const claimed = it.hints.splice(0, limit);
  counts.claimed = claimed.length;
  for (const key of new Set(claimed.map((hint) => hint.key))) {
    const wanted = it.authoritative.get(key);
    if (wanted !== undefined && it.blocked.has(key)) {
      const mine = claimed.filter((hint) => hint.key === key);
      const attempts = Math.max(...mine.map((hint) => hint.attempts)) + 1;
      if (attempts < ATTEMPTS) {
        it.hints.push(...mine.map((hint) => ({ ...hint, attempts })));
        counts.postponed += 1;
      } else {
        it.quarantine.set(key, { reason: 'the row does not fit the other side', attempts });
        counts.quarantined += 1;
      }
      continue;
    }
    it.quarantine.delete(key);
    counts.checked += 1;
    if (wanted === undefined) counts.deleted += it.follower.delete(key) ? 1 : 0;
    else if (it.follower.get(key) !== wanted) {
      it.follower.set(key, wanted);
      counts.written += 1;
    }
  }
  counts.remaining = it.hints.filter((hint) => hint.attempts === 0).length;
  return counts;
}

function copyChunk(it: Table, rows: number, hint: (of: Table, key: number) => unknown) {
  const { backfill } = it;
  if (backfill.state === 'paused' || backfill.state === 'cancelled') return { kind: backfill.state };
  if (backfill.state === 'done') return { kind: 'done' as const, rowsDone: backfill.rowsDone };
  if (Number.isNaN(backfill.upTo)) backfill.upTo = Math.max(-Infinity, ...it.authoritative.keys());
  const chunk = [...it.authoritative.keys()]
    .filter((key) => key > backfill.copied && key <= backfill.upTo)
    .sort((a, b) => a - b)
    .slice(0, rows);
  if (chunk.length === 0) {
    backfill.state = 'done';
    for (const key of diverged(it)) hint(it, key);
    return { kind: 'done' as const, rowsDone: backfill.rowsDone };
  }
  for (const key of chunk) {
    if (it.blocked.has(key)) hint(it, key);
    else if (!it.follower.has(key)) it.follower.set(key, it.authoritative.get(key)!);
  }
  backfill.copied = chunk.at(-1)!;
  backfill.rowsDone += chunk.length;
  return {
    kind: 'copied' as const,
    rows: chunk.length,
    rowsDone: backfill.rowsDone,
    rowsTotal: backfill.rowsTotal,
    tookMs: 1,
  };
}

/** Keys that differ, have no un-applied hint and are not in quarantine. */
function diverged(it: Table): number[] {
  const late = new Set(it.hints.map(({ key }) => key));
  return [...new Set([...it.authoritative.keys(), ...it.follower.keys()])]
    .filter((key) => it.authoritative.get(key) !== it.follower.get(key) && !late.has(key) && !it.quarantine.has(key))
    .sort((a, b) => a - b);
}

function compare(it: Table, atMs: number): VerificationResult {
  const keys = diverged(it);
  const rowsCompared = it.authoritative.size;
  const score = rowsCompared === 0 ? (keys.length === 0 ? 1 : 0) : Math.max(0, 1 - keys.length / rowsCompared);
  const samples = keys.slice(0, SAMPLES).map((key) => ({
    key: keyText(key),
    columns: it.authoritative.has(key) && it.follower.has(key) ? ['v'] : [],
  }));
  return { rowsCompared, divergences: keys.length, score, atMs, samples };
}

/** @param from the direction that is armed before the swap */
function swapped(
  it: Table,
  from: 'forward' | 'reverse',
  swap: { fromEpoch: number; toEpoch: number; stage: string; version: number },
  refusal: string | undefined,
  postponement: string | undefined,
): SwapResult {
  const to = from === 'forward' ? 'reverse' : 'none';
  if (it.mirror?.epoch === swap.toEpoch && it.direction === to) return { kind: 'already' };
  if (refusal) return { kind: 'refused', why: refusal, items: [] };
  if (it.direction !== from || it.mirror?.epoch !== swap.fromEpoch)
    return {
      kind: 'postponed',
      why: `the database is at epoch ${it.mirror?.epoch ?? 'none'}, not at ${swap.fromEpoch}`,
    };
  if (swap.version <= it.abandoned) return { kind: 'postponed', why: 'this swap was given up before it began' };
  if (postponement) return { kind: 'postponed', why: postponement };
  const shape = shapeOf(it);
  if (shape.differences.length > 0) return { kind: 'postponed', why: 'the tables are not as they were armed' };
  if (shape.gap) return { kind: 'postponed', why: `changes may have been missed (${shape.gap})` };
  if (it.backfill.state !== 'done') return { kind: 'postponed', why: 'the backfill is not done' };
  while (it.hints.length > 0) apply(it, it.hints.length);
  const [poisoned] = it.quarantine.keys();
  if (poisoned !== undefined) return { kind: 'postponed', why: `1 keys are in quarantine, first ${keyText(poisoned)}` };
  const { authoritative, follower } = it;
  Object.assign(it, {
    authoritative: follower,
    follower: authoritative,
    direction: to,
    verification: null,
    ...AS_ARMED,
  });
  it.mirror = {
    ...it.mirror,
    epoch: swap.toEpoch,
    version: swap.version,
    stage: swap.stage,
    shadowWrites: to === 'reverse',
    readPpm: to === 'reverse' ? 1_000_000 : 0,
  };
  return { kind: 'swapped', lockHeldMs: 5, waitedMs: 0, attempts: 1 };
}

function planOf(cutover: TableCutover, why: string | undefined): TablePlan {
  const { primary, shadow } = cutover.table;
  const items = why ? [{ action: 'refuse' as const, kind: 'table', object: primary, text: why }] : [];
  return { primary, shadow, key: [{ column: 'id', type: 'integer' }], columns: [], items, estimatedRows: 0, ok: !why };
}

/** Texts come back as they went. What is blocked is judged by the other table itself, when it is written. */
function wayBackOf({ authoritative }: Table, limitMs: number): WayBack {
  return {
    rows: authoritative.size,
    complete: true,
    limitMs,
    cannotCross: 0,
    cannotReturn: 0,
    changed: 0,
    samples: [],
  };
}

function withFailures(plane: DataPlane, failures: Map<string, boolean>): DataPlane {
  const wrapped = Object.entries(plane).map(([name, call]) => [
    name,
    async (...args: unknown[]) => {
      const effect = failures.get(name);
      failures.delete(name);
      if (effect === false) throw unavailable(name);
      const answer = await (call as (...args: unknown[]) => Promise<unknown>)(...args);
      if (effect === true) throw unavailable(name);
      return answer;
    },
  ]);
  return Object.fromEntries(wrapped) as DataPlane;
}

function unavailable(what: string): CrossfadeError {
  return new CrossfadeError('database_unavailable', `Postgres did not answer ${what}.`, { retryable: true });
}
