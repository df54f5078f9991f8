/** What the flows need from the outside world. Types only; adapters implement them, tests have in-memory ones. */

import type { Alert, AlertMessage } from './core/alerts/alert.ts';
import type { Verdict } from './core/conditions/verdict.ts';
import type {
  CutoverDeclaration,
  CutoverId,
  CutoverState,
  Side,
  SystemState,
  TableDeclaration,
  ValidationMode,
} from './core/cutover/cutover.ts';
import type { CopiesSummary, Copy, CopyHead, CopyProblem } from './core/forwards/forward.ts';
import type { MinuteWindow, TableStatus, VerificationResult } from './core/gates/evidence.ts';
import type { Evidence } from './core/gates/fold.ts';
import type { ExperimentTotals } from './core/report/experiment.ts';
import type { OperationWindow } from './core/report/performance.ts';
import type { FlagDocument } from './core/routing/flags.ts';
import type { AuditEntry } from './core/stage/audit.ts';
import type { Event } from './core/stage/events.ts';
import type { Consistency, HealthFinding, RecordComparison, TableOutlook } from './core/table/reading.ts';

export type Clock = {
  /** Epoch milliseconds, accelerated in a local demonstration. One flow takes one "now" from here and passes it on. */
  now(): number;
  /** Real milliseconds since some moment, for durations and deadlines inside one call. */
  monotonicMs(): number;
  /** Real time. */
  sleep(ms: number): Promise<void>;
};

export type Ids = { next(): string };

// ---------------------------------------------------------------------------------------------------------- state

/** The caller's idempotency record, written in the same transaction as what it did. */
export type IdempotencyRecord = {
  key: string;
  caller: string;
  /** SHA-256 of method, path and body. */
  fingerprint: string;
  /** The answer to repeat. JSON. */
  answer: { status: number; body: unknown };
  expiresAtMs: number;
};

/** One conditional write: the new state, the entries that explain it, and optionally who asked. */
export type StateChange<State> = {
  /** Version, epoch and audit head the change is based on. */
  before: State;
  after: State;
  /** One or more entries that continue `before`'s chain; `after` carries the new head. */
  entries: readonly AuditEntry<Event>[];
  idempotency?: IdempotencyRecord;
};

export type WriteResult<State> =
  | { kind: 'applied' }
  /** Somebody else changed it first; what is there now. Also after an unknown outcome that turned out not to be ours. */
  | { kind: 'stale'; current: State }
  /** The idempotency key was used before: its stored record. */
  | { kind: 'repeated'; record: IdempotencyRecord };

export type StoredVerdict = { atMs: number; verdict: Verdict; evidence: Evidence | null };

export type StateStore = {
  /** Consistent read. `null` when never written. @throws CrossfadeError `state_invalid`, `store_unavailable`. */
  readCutover(id: CutoverId): Promise<CutoverState | null>;
  /** Every cutover in one consistent query. An item that cannot be read as a state is returned as its error. */
  readAll(): Promise<readonly (CutoverState | { id: CutoverId; invalid: string })[]>;
  /** The initial system state when never written. */
  readSystem(): Promise<SystemState>;
  /** One TransactWriteItems: condition on version, epoch and audit head; audit entries at `attribute_not_exists`. */
  writeCutover(change: StateChange<CutoverState>): Promise<WriteResult<CutoverState>>;
  writeSystem(change: StateChange<SystemState>): Promise<WriteResult<SystemState>>;
  readIdempotency(key: string): Promise<IdempotencyRecord | null>;
  /** Newest first unless `oldestFirst`. `subject` is a cutover id or `system`; `afterSeq` excludes that entry. */
  readAudit(
    subject: string,
    page: { limit: number; afterSeq?: number; oldestFirst?: boolean },
  ): Promise<readonly AuditEntry<Event>[]>;
  /**
   * The last verdict of the gates and the evidence that the next one goes on from, in one write: overwritten by every
   * tick, not part of the versioned state. An older one is dropped, unless the stored one is from the future: then the clock
   * of whoever wrote it was wrong. Evidence of another version of the program reads as null.
   */
  writeVerdict(id: CutoverId, verdict: StoredVerdict): Promise<void>;
  readVerdict(id: CutoverId): Promise<StoredVerdict | null>;
};

// -------------------------------------------------------------------------------------------------------- windows

/** One aggregated part of a flush: one minute, side and operation type of one cutover. */
export type WindowAddition = { cutover: CutoverId; operation: string; window: MinuteWindow };

export type WindowStore = {
  /** Adds; the same `flushId` for the same window is counted once. `source` spreads the writers over shards. */
  add(flushId: string, source: string, additions: readonly WindowAddition[], nowMs: number): Promise<void>;
  /** Merged over shards and operations: at most one window per minute and side, `fromMinute` included, oldest first. */
  read(id: CutoverId, fromMinute: number, toMinute: number): Promise<readonly MinuteWindow[]>;
  /** The same with operations kept apart: at most one window per minute, side and operation, oldest first, then by both. */
  readByOperation(id: CutoverId, fromMinute: number, toMinute: number): Promise<readonly OperationWindow[]>;
};

/** One record of the stream; `cutover` is null when it names none. */
export type WakeUp = {
  sequenceNumber: string;
  cutover: CutoverId | null;
  /** A read that both sides are to be asked, for comparison. */
  read?: ReadToCompare;
};

/** What a read sends, without the caller's token. */
export type ReadToCompare = { method: string; path: string; query: string; headers: Readonly<Record<string, string>> };

export type WakeUps = {
  /** Makes the stream emit a record for this cutover, always: a counter is incremented. */
  wake(id: CutoverId): Promise<void>;
  /** Emits a record that carries a read. Lost or doubled, it is one comparison less or more. */
  compare(id: CutoverId, read: ReadToCompare, note: { unique: string; expiresAtMs: number }): Promise<void>;
};

// --------------------------------------------------------------------------------------------------------- copies

/** A copy as it is made: nothing was tried yet, and nobody is at work on it. */
export type NewCopy = Omit<
  Copy,
  'status' | 'known' | 'attempts' | 'nextAttemptAtMs' | 'claimedUntilMs' | 'problem' | 'bodyBytes'
>;

/** The copy that is there now: the one that was given, or the first of its name. */
export type RecordedIntent = { kind: 'recorded' | 'repeated' } & Pick<Copy, 'id' | 'side'>;

/**
 * Writes that one side has, or may have, and the other one must get. Every change is durable before its promise
 * resolves, and wakes the shadow writer when there is something to do. A change that finds the copy in another state
 * answers false and changes nothing. @throws CrossfadeError `store_unavailable`
 */
export type CopyStore = {
  /** Real epoch milliseconds: copies do not live in accelerated time. */
  now(): Promise<number>;
  /**
   * `receipt`: by which name the caller may ask for the same again. `repeated`: under that name, or under this id, one was
   * recorded before, even if it has been carried out since (receipts are kept for a day). Nothing is recorded then.
   */
  intend(copy: NewCopy, options?: { receipt: string }): Promise<RecordedIntent>;
  /** What became of the authoritative write: it has it, or nobody knows. */
  settle(cutover: CutoverId, id: string, status: 'ready' | 'unsettled'): Promise<boolean>;
  /** The authoritative side does not have it: nothing is left of an intent. */
  withdraw(cutover: CutoverId, id: string): Promise<boolean>;
  /** Consistent: everything that was not carried out, oldest first; of one key only when it is given. */
  open(cutover: CutoverId, orderKey?: string): Promise<readonly CopyHead[]>;
  /** Takes it for one attempt, with its body. Null when another has it, or it is not due any more. */
  claim(cutover: CutoverId, id: string, claim: { by: string; nowMs: number; untilMs: number }): Promise<Copy | null>;
  /** The authoritative side has it after all; stays with its claimer. */
  known(cutover: CutoverId, id: string, by: string): Promise<boolean>;
  postpone(cutover: CutoverId, id: string, by: string, untilMs: number): Promise<boolean>;
  quarantine(cutover: CutoverId, id: string, by: string, problem: CopyProblem): Promise<boolean>;
  /** Carried out, or to be dropped: nothing is left of it. */
  finish(cutover: CutoverId, id: string, by: string): Promise<boolean>;
  /** A person's word on one in quarantine: the authoritative side has it, try again. */
  retry(cutover: CutoverId, id: string): Promise<boolean>;
  /** A person's word on one in quarantine: the other side shall not get it. */
  discard(cutover: CutoverId, id: string): Promise<boolean>;
  summary(cutover: CutoverId): Promise<CopiesSummary>;
};

/** Sends a copy to a side: the status of its answer, or what is known without one. Never throws for what a network does. */
export type CopyDelivery = (
  declaration: CutoverDeclaration,
  side: Side,
  copy: Copy,
  deadlineMs: number,
) => Promise<number | 'away' | 'unknown'>;

// ---------------------------------------------------------------------------------------------------------- flags

export type FlagPublisher = {
  /** What is deployed now, and the number of the newest stored version (0 when none). */
  deployed(): Promise<{ document: FlagDocument | null; latestVersion: number }>;
  /**
   * Stores a version fenced on `latestVersion` and deploys it, 0 minutes, 100 %, 0 bake. `urgent` stops a running
   * deployment first. Waits for completion until the deadline.
   */
  publish(request: {
    document: FlagDocument;
    latestVersion: number;
    urgent: boolean;
    deadlineMs: number;
  }): Promise<
    { kind: 'published'; version: number } | { kind: 'conflict'; why: string } | { kind: 'unavailable'; why: string }
  >;
};

// ----------------------------------------------------------------------------------------------------- data plane

/** What the database needs to know of a table cutover. */
export type TableCutover = { id: CutoverId; table: TableDeclaration; validation: ValidationMode };

/** Of the state that somebody acts on; ordered by epoch, then version. */
export type StateFence = { epoch: number; version: number };

/** Nothing was done: the database has seen this newer state. */
export type Outrun = { kind: 'stale'; epoch: number; version: number };

export type MirrorRow = {
  id: CutoverId;
  epoch: number;
  version: number;
  stage: string;
  shadowWrites: boolean;
  readPpm: number;
  salt: string;
};

export type DeclaredLists = { id: CutoverId; allow: readonly string[]; deny: readonly string[] };

/** One dependent object or property of the tables and what promotion does with it. */
export type PlanItem = {
  action: 'carry' | 'rebuild' | 'notice' | 'refuse';
  kind: string;
  object: string;
  text: string;
};

/** What became of the rows when each was taken to the new shape and back, without writing one. */
export type WayBack = {
  rows: number;
  /** False when the time was over before every row had been looked at. */
  complete: boolean;
  limitMs: number;
  /** Rows that cannot be transformed at all: they would go into quarantine. */
  cannotCross: number;
  /** Rows that the old table would not take again: after promotion they keep it from being rolled back. */
  cannotReturn: number;
  /** Rows that would come back with other values. */
  changed: number;
  samples: readonly { kind: 'cross' | 'return' | 'changed'; key: string; why: string }[];
};

export type TablePlan = {
  primary: string;
  shadow: string;
  /** Key columns of the primary with their types. */
  key: readonly { column: string; type: string }[];
  columns: readonly { shadow: string; source: string; text: string }[];
  items: readonly PlanItem[];
  estimatedRows: number;
  /** True when nothing is refused. */
  ok: boolean;
  /** Only when it was asked for. */
  wayBack?: WayBack;
};

export type ConvergeResult =
  | {
      kind: 'converged';
      claimed: number;
      written: number;
      deleted: number;
      checked: number;
      mismatched: number;
      /** Keys put off for a later try, and keys moved to quarantine, by this call. */
      postponed: number;
      quarantined: number;
      /** Hints left that could be claimed now. */
      remaining: number;
    }
  | { kind: 'stale'; have: number; got: number };

export type BackfillStep =
  | { kind: 'copied'; rows: number; rowsDone: number; rowsTotal: number; tookMs: number }
  | { kind: 'done'; rowsDone: number }
  | { kind: 'paused' | 'cancelled' }
  | { kind: 'busy' }
  | { kind: 'stale'; have: number; got: number };

/** A few rows, copied into a table like the shadow that is dropped again. */
export type CopyRehearsal = {
  sourceRows: number;
  shadowRows: number;
  /** `tookMs` null when the sample could not be copied, with `why`. */
  sample: { rows: number; tookMs: number | null; why?: string | null };
};

/** `built`: so many are left. `building`: the server is at work on it, whoever asked. */
export type IndexStep = { kind: 'built'; left: number } | { kind: 'building'; name: string; left: number };

/** What the copy of a table has to mind. */
export type Pressure = {
  /** Of the replica that is furthest behind; null when none is seen. */
  replicaLagMs: number | null;
  /** Position in the log: two of them give a rate. */
  walBytes: number;
  activeConnections: number;
  /** Cutovers whose shadow this one refers to and whose copy is not done. */
  waitsFor: readonly string[];
  /** The declared condition; true when none is declared. */
  goOn: boolean;
};

export type BackfillAction = 'pause' | 'resume' | 'cancel';

export type QuarantinedKey = {
  /** JSON text of the key's columns. */
  key: string;
  sqlstate: string;
  reason: string;
  attempts: number;
  firstSeenMs: number;
  lastSeenMs: number;
};

export type VerificationPass = {
  /** `fast` (default) compares hashes of 64 bits, `proof` SHA-256 of every row's text. */
  tier?: 'fast' | 'proof';
  /** `full` (default), or only what something has written since it was compared, and a few ranges more in rotation. */
  scope?: 'full' | 'due';
};

/** By the database's clock; absent from functions of cutovers that were armed by an older version. */
export type PassTimes = { startedMs: number; calledMs: number };

export type VerifyStep =
  | { kind: 'verified'; result: VerificationResult; pass?: PassTimes }
  | { kind: 'running'; rowsDone: number; rowsTotal: number; pass?: PassTimes }
  /** Another call is at work on it. */
  | { kind: 'busy' }
  | { kind: 'stale'; have: number; got: number }
  | { kind: 'unready'; why: string };

export type SwapResult =
  | { kind: 'swapped'; lockHeldMs: number; waitedMs: number; attempts: number }
  /** The swap had been done before by a call whose answer was lost. */
  | { kind: 'already' }
  /** Not now: lock not granted, outbox not drained, old transactions. Nothing changed. */
  | { kind: 'postponed'; why: string }
  | { kind: 'refused'; why: string; items: readonly PlanItem[] };

/** `refused`: what the compiler or the plan says against the tables as they are. */
export type Adopted = { kind: 'adopted' } | { kind: 'refused'; why: string };

export type ShadowRemoval = { kind: 'removed' } | { kind: 'already' } | { kind: 'refused'; why: string };

export type DataPlane = {
  /**
   * Reads the catalog, and with `scanMs` for that long the rows; changes nothing.
   * @throws CrossfadeError `refused_table` when a table, column or key is missing
   */
  plan(cutover: TableCutover, look?: { scanMs: number }): Promise<TablePlan>;
  /**
   * Creates outbox, functions and the capture trigger. Idempotent. A caller that acts on an older state than one that has
   * armed, disarmed or written the mirror is refused, here and below. @throws `refused_table`, `database_unavailable`.
   */
  arm(cutover: TableCutover, fence: StateFence): Promise<{ kind: 'armed' } | Outrun>;
  /**
   * When `status` says that something is due: writes down what differs from what was armed, makes capture again where it was
   * interrupted, and has every row copied and compared again then. Idempotent.
   */
  watch(id: CutoverId, fence: StateFence): Promise<{ kind: 'watched' } | Outrun>;
  /**
   * Takes the tables over as they are now, in whichever direction is armed: what is generated is made again without a gap, hints stay, and
   * every row is copied and compared again.
   */
  adopt(cutover: TableCutover, fence: StateFence): Promise<Adopted | Outrun>;
  /** Drops capture; outbox and progress stay until `forget`. Idempotent. */
  disarm(id: CutoverId, fence: StateFence): Promise<{ kind: 'disarmed' } | Outrun>;
  /** Drops everything of this cutover but the two tables. Idempotent. */
  forget(id: CutoverId, fence: StateFence): Promise<{ kind: 'forgotten' } | Outrun>;
  /** Drops the shadow and everything of this cutover while nothing is kept equal. No way back but a backup. */
  removeShadow(cutover: TableCutover, fence: StateFence): Promise<ShadowRemoval | Outrun>;
  /** Writes the fence unless a newer (epoch, version) is there. */
  mirror(row: MirrorRow): Promise<{ kind: 'written' } | Outrun>;
  /** The declared lists of cutovers, for routing in SQL. Changes nothing for one that the database does not know. */
  setLists(lists: readonly DeclaredLists[]): Promise<void>;
  /**
   * From its answer on the application's writes to the primary are refused for so long, and all earlier ones are committed and
   * have hints. Only while rows flow forward. `endReadOnly` is true when there was something to end; it waits for nobody.
   */
  makeReadOnly(
    id: CutoverId,
    epoch: number,
    seconds: number,
  ): Promise<{ kind: 'read_only'; untilMs: number } | { kind: 'stale'; have: number; got: number }>;
  endReadOnly(id: CutoverId): Promise<boolean>;
  /** The master switch of writes to shadows, for triggers that write inline; an older version of it changes nothing. */
  switchInline(id: CutoverId, system: { version: number; enabled: boolean }): Promise<void>;
  /** `null` when the database knows nothing of this cutover. */
  status(id: CutoverId): Promise<TableStatus | null>;
  /** The same of many, in a question or a few; of one that the database does not know there is none. */
  statuses(ids: readonly CutoverId[]): Promise<ReadonlyMap<CutoverId, TableStatus>>;
  /** Claims and applies at most `limit` hints in one call. */
  converge(id: CutoverId, epoch: number, limit: number): Promise<ConvergeResult>;
  /** Cutovers whose outbox has hints that can be claimed now, with lag. */
  waiting(): Promise<readonly { id: CutoverId; hints: number; lagMs: number }[]>;
  backfill(id: CutoverId, epoch: number, rows: number): Promise<BackfillStep>;
  /** After the copy: the next index that was taken off for it. Waits no longer than this for one; idempotent. */
  buildIndex(id: CutoverId, withinMs: number): Promise<IndexStep>;
  /** Changes nothing that anybody sees. @throws CrossfadeError `refused_table` */
  rehearse(cutover: TableCutover): Promise<CopyRehearsal>;
  pressure(cutover: TableCutover): Promise<Pressure>;
  /** `unchanged` when the copy is in no state for it. After the answer of `pause` and `cancel` nothing is copied. */
  controlBackfill(
    id: CutoverId,
    epoch: number,
    action: BackfillAction,
  ): Promise<{ kind: 'changed' | 'unchanged'; state: string } | { kind: 'stale'; have: number; got: number }>;
  /** Keys in quarantine behind `after`, in the order of their text. */
  quarantined(
    id: CutoverId,
    page: { after?: string; limit: number },
  ): Promise<{ total: number; keys: readonly QuarantinedKey[] }>;
  /** Hints for one key of the quarantine, or for all. They stay listed until they fit. */
  retryQuarantined(id: CutoverId, key: string | null): Promise<{ enqueued: number }>;
  /** Gives a key up: it no longer holds the cutover, and verification counts it. */
  discardQuarantined(id: CutoverId, key: string): Promise<{ discarded: number }>;
  /**
   * Works on a pass over both tables for about half a second: each range of keys is compared exactly, in one snapshot. The
   * last call of a pass stores its result; until then a further call goes on, whoever makes it. Foreign epoch → stale.
   */
  verify(id: CutoverId, epoch: number, nowMs: number, pass?: VerificationPass): Promise<VerifyStep>;
  /** Enqueues hints for the diverged keys of the last pass. */
  repair(id: CutoverId): Promise<{ enqueued: number }>;
  /** What could spoil the migration; works before the first start. Changes nothing. */
  health(cutover: TableCutover): Promise<readonly HealthFinding[]>;
  /** Progress, alerts and verdict in one look; `null` when the database knows nothing of this cutover. */
  outlook(id: CutoverId): Promise<TableOutlook | null>;
  /** Compares both tables whole, stores nothing; `null` when the database knows nothing of this cutover. */
  consistency(id: CutoverId): Promise<Consistency | null>;
  /** One key on both sides; `null` when there is nothing to compare. @throws CrossfadeError `invalid_input` for what is no key. */
  compareRecord(id: CutoverId, key: string): Promise<RecordComparison | null>;
  /** Swaps the names, arms the other direction, writes the mirror with `toEpoch`; all in one transaction. */
  promote(
    cutover: TableCutover,
    swap: { fromEpoch: number; toEpoch: number; stage: string; version: number },
  ): Promise<SwapResult>;
  revert(
    cutover: TableCutover,
    swap: { fromEpoch: number; toEpoch: number; stage: string; version: number },
  ): Promise<SwapResult>;
  /**
   * Before a swap or a cleanup that was asked for is given up: from then on no call for it changes anything, however late it
   * comes. Or it was done (`swapped`), and is kept. `version` is the highest that any call for it had.
   */
  abandon(
    id: CutoverId,
    swap: { toEpoch: number; version: number },
  ): Promise<{ kind: 'abandoned' } | { kind: 'swapped' }>;
  /** After promotion: may a rollback keep everything? With the reason and key when not. */
  rollbackReady(id: CutoverId): Promise<{ ready: true } | { ready: false; why: string; key: string | null }>;
  /**
   * After `completed`: drops the old table and everything of ours; on demand the tracking columns, too. No way back. With a
   * version, one that was abandoned changes nothing.
   */
  cleanup(
    cutover: TableCutover,
    epoch: number,
    options?: { dropTracking?: boolean; version?: number },
  ): Promise<{ kind: 'cleaned' } | { kind: 'already' } | { kind: 'refused'; why: string }>;
};

// ------------------------------------------------------------------------------------------------------- upstreams

export type UpstreamTarget = { url: string; privateHosts: readonly string[] };

export type UpstreamRequest = {
  method: string;
  /** Path below the upstream's base, as the caller wrote it (still encoded), without a leading slash. */
  path: string;
  query: string;
  headers: Readonly<Record<string, string>>;
  body: Uint8Array | null;
  /** Path under which callers reach the upstream's base, with a slash at the end: where its own redirects lead. */
  mount: string;
  deadlineMs: number;
};

export type UpstreamResponse = {
  status: number;
  headers: Readonly<Record<string, string>>;
  /** Set-Cookie headers, each on its own. */
  cookies: readonly string[];
  body: Uint8Array;
};

/**
 * Calls an upstream that the configuration names.
 * @throws CrossfadeError `invalid_input` (a path that leaves the base), `upstream_refused` (an address or redirect that is
 *   not allowed), `upstream_unavailable`, `upstream_timeout`; `details.sent` is false when nothing can have arrived
 */
export type Upstream = (target: UpstreamTarget, request: UpstreamRequest) => Promise<UpstreamResponse>;

// --------------------------------------------------------------------------------------------------------- alerts

export type AlertStore = {
  /** Every alert ever raised, in one consistent query, by id. @throws CrossfadeError `state_invalid`, `store_unavailable`. */
  readAll(): Promise<readonly Alert[]>;
  read(id: string): Promise<Alert | null>;
  /** One conditional write: `stale` when the stored version is not `basedOn` (0: never written) any more. */
  write(alert: Alert, basedOn: number): Promise<'applied' | 'stale'>;
};

/** One way to people: a topic, a bus, a webhook. */
export type AlertChannel = {
  name: string;
  /** At least once: a message may come again under the same id. @throws when it was not taken within the time given. */
  send(message: AlertMessage, timeoutMs: number): Promise<void>;
};

// ----------------------------------------------------------------------------------------------------- experiments

export type ExperimentStore = {
  /** Adds a batch of one sender; the same batch again is counted once. `id` is `<cutover>.<experiment>`. */
  add(id: string, batch: { batchId: string; source: string; totals: ExperimentTotals; atMs: number }): Promise<void>;
  read(id: string): Promise<ExperimentTotals>;
};

// ------------------------------------------------------------------------------------------------------ reporting

/** Structured log of the flows: named events with fields from an allow-list, never row values. */
export type Log = {
  event(name: string, fields?: Readonly<Record<string, string | number | boolean | null>>): void;
  failure(name: string, error: unknown, fields?: Readonly<Record<string, string | number | boolean | null>>): void;
};

/** Figures for alarms and dashboards of CloudWatch. The gates never read them. */
export type MetricName =
  | 'Tick'
  | 'OutboxAgeMs'
  | 'Quarantined'
  | 'PublishConflictMs'
  | 'DriftMs'
  | 'HeldMs'
  | 'FlagAgeMs'
  | 'FlagsInvalid'
  | 'StateInvalid'
  | 'DeniedCommands'
  | 'CopiesAgeMs'
  | 'CopiesQuarantined';

export type Metrics = {
  record(name: MetricName, value: number): void;
  /** Sends what was recorded; at the end of every invocation. Never throws. */
  flush(): void;
};

export type Ports = {
  clock: Clock;
  ids: Ids;
  log: Log;
  metrics: Metrics;
  state: StateStore;
  windows: WindowStore;
  wakeUps: WakeUps;
  copies: CopyStore;
  deliver: CopyDelivery;
  flags: FlagPublisher;
  tables: DataPlane;
  alerts: AlertStore;
  channels: readonly AlertChannel[];
  experiments: ExperimentStore;
};

export type { Side };
