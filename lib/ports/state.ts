/** The state of cutovers and of the system, its audit trail, and the last verdict of the gates. */

import type { CutoverId, CutoverState, SystemState } from '../core/cutover/cutover.ts';
import type { StoredVerdict } from '../core/gates/stored-verdict.ts';
import type { AuditEntry } from '../core/stage/audit.ts';
import type { Event } from '../core/stage/events.ts';

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
};

/**
 * The last verdict of the gates and the evidence that the next one goes on from, in one write: overwritten by every tick,
 * not part of the versioned state.
 */
export type VerdictStore = {
  /** An older one is dropped, unless the stored one is from the future: then the clock of its writer was wrong. */
  write(id: CutoverId, verdict: StoredVerdict): Promise<void>;
  /** Evidence of another version of the program reads as null. */
  read(id: CutoverId): Promise<StoredVerdict | null>;
};
