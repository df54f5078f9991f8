/**
 * The state store in memory: the same answers as the real one, checked by the same contract suite, and faults on demand.
 * Items are kept as JSON, so nothing is shared with the caller. Each text is checked once, when it is read first: worlds
 * read the same item thousands of times, and hand-edited ones are refused all the same.
 */

import { CrossfadeError } from '../../../lib/core/base/errors.ts';
import { type CutoverState, INITIAL_SYSTEM, type SystemState } from '../../../lib/core/cutover/cutover.ts';
import type { AuditEntry } from '../../../lib/core/stage/audit.ts';
import type { Event } from '../../../lib/core/stage/events.ts';
import type { Clock } from '../../../lib/ports/machine.ts';
import type { IdempotencyRecord, StateChange, StateStore, WriteResult } from '../../../lib/ports/state.ts';
import { cutoverState, problemsOf, systemState } from '../../../lib/schemas/state.ts';

/** What happens to the next write instead of the usual. */
type WriteFault =
  /** Throws `store_unavailable` although the write had its effect. */
  | 'lost-answer'
  /** Throws `store_unavailable`, and nothing was written; the caller sees no difference. */
  | 'lost-request'
  /** Answers `stale` with what is there now, as if somebody else had been first. */
  | 'stale';

export type InMemoryState = StateStore & {
  /** Queued: one fault for each of the next writes. */
  failNextWrite(...faults: WriteFault[]): void;
  /** While true every call throws `store_unavailable`. */
  unavailable(yes: boolean): void;
  /** Changes a stored cutover as a person in the console would; `null` removes it. */
  edit(id: string, fields: Readonly<Record<string, unknown>> | null): void;
  /** Number of writes that were applied. */
  applied(): number;
};

export function inMemoryState(options: { clock: Pick<Clock, 'now'> }): InMemoryState {
  const items = new Map<string, string>();
  const checked = new Map<string, Checked>();
  const audit = new Map<string, string[]>();
  const records = new Map<string, string>();
  const faults: WriteFault[] = [];
  let down = false;
  let applied = 0;

  const reachable = () => {
    if (down) throw unavailable('the fake was switched off');
  };

  function current<State extends CutoverState | SystemState>(key: string): State | null {
    if (!items.has(key)) return key === 'system' ? (INITIAL_SYSTEM as State) : null;
    const { text, invalid } = check(key);
    const state = text === null ? null : (JSON.parse(text) as State);
    const wrongId = state !== null && 'id' in state && state.id !== key;
    if (state && !wrongId) return state;
    const problems = wrongId ? 'id: it is that of another cutover' : invalid;
    throw new CrossfadeError('state_invalid', `The state of '${key}' cannot be trusted: ${problems}.`);
  }

  /** The item as its schema reads it, worked out once for each version of it. */
  function check(key: string): Checked {
    const item = items.get(key)!;
    const known = checked.get(key);
    if (known?.item === item) return known;
    const parsed = (key === 'system' ? systemState : cutoverState).safeParse(JSON.parse(item));
    const found = parsed.success
      ? { item, text: JSON.stringify(parsed.data), invalid: '' }
      : { item, text: null, invalid: problemsOf(parsed.error) };
    checked.set(key, found);
    return found;
  }

  const liveRecord = (key: string): IdempotencyRecord | null => {
    const record = records.has(key) ? (JSON.parse(records.get(key)!) as IdempotencyRecord) : null;
    return record && record.expiresAtMs > options.clock.now() ? record : null;
  };

  function apply<State extends CutoverState | SystemState>(
    key: string,
    change: StateChange<State>,
  ): WriteResult<State> {
    const { before, after, entries, idempotency } = change;
    const [first] = entries;
    if (!first) throw new CrossfadeError('internal', `A change of '${key}' came without an audit entry.`);
    const record = idempotency && liveRecord(idempotency.key);
    if (record) return { kind: 'repeated', record };
    const now = current<State>(key);
    if (now === null && before.auditSeq > 0)
      throw new CrossfadeError('state_invalid', `The state of '${key}' was read before and is gone now.`);
    if (now !== null && !sameHead(now, before)) return { kind: 'stale', current: now };
    const log = audit.get(first.subject) ?? [];
    if (log.length >= first.seq)
      throw new CrossfadeError('state_invalid', `The state of '${key}' lags behind its audit log.`);
    items.set(key, JSON.stringify(after));
    audit.set(first.subject, [...log, ...entries.map((entry) => JSON.stringify(entry))]);
    if (idempotency) records.set(idempotency.key, JSON.stringify(idempotency));
    applied += 1;
    return { kind: 'applied' };
  }

  async function write<State extends CutoverState | SystemState>(
    key: string,
    change: StateChange<State>,
  ): Promise<WriteResult<State>> {
    reachable();
    const fault = faults.shift();
    if (fault === 'lost-request') throw unavailable('the request was lost');
    if (fault === 'stale') return { kind: 'stale', current: current<State>(key) ?? change.before };
    const result = apply(key, change);
    if (fault === 'lost-answer') throw unavailable('the answer was lost');
    return result;
  }

  return {
    async readCutover(id) {
      reachable();
      return current<CutoverState>(id);
    },
    async readAll() {
      reachable();
      return [...items.keys()]
        .filter((key) => key !== 'system')
        .sort()
        .map((id) => {
          const { text, invalid } = check(id);
          return text === null ? { id, invalid } : (JSON.parse(text) as CutoverState);
        });
    },
    async readSystem() {
      reachable();
      return current<SystemState>('system') ?? INITIAL_SYSTEM;
    },
    writeCutover: (change) => write(change.after.id, change),
    writeSystem: (change) => write('system', change),
    async readIdempotency(key) {
      reachable();
      return liveRecord(key);
    },
    async readAudit(subject, { limit, afterSeq, oldestFirst = false }) {
      reachable();
      const log = (audit.get(subject) ?? []).map((entry) => JSON.parse(entry) as AuditEntry<Event>);
      const beyond = log.filter(({ seq }) => afterSeq === undefined || (oldestFirst ? seq > afterSeq : seq < afterSeq));
      return (oldestFirst ? beyond : beyond.reverse()).slice(0, limit);
    },

    failNextWrite: (...next) => void faults.push(...next),
    unavailable: (yes) => {
      down = yes;
    },
    edit: (id, fields) => {
      if (fields === null) items.delete(id);
      else items.set(id, JSON.stringify({ ...JSON.parse(items.get(id) ?? '{}'), ...fields }));
    },
    applied: () => applied,
  };
}

/** An item as stored, and what its schema makes of it; `text` null: it is invalid. */
type Checked = { item: string; text: string | null; invalid: string };

type Head = Pick<SystemState, 'version' | 'auditSeq' | 'auditHash'> & { epoch?: number };

function sameHead(a: Head, b: Head): boolean {
  return a.version === b.version && a.epoch === b.epoch && a.auditSeq === b.auditSeq && a.auditHash === b.auditHash;
}

function unavailable(why: string): CrossfadeError {
  return new CrossfadeError('store_unavailable', `The state store cannot be reached: ${why}.`, { retryable: true });
}
