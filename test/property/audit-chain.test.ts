/** I19: the chain of hashes shows every changed, missing, added or reordered entry. */

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type CutoverState, initialState } from '../../lib/core/cutover/cutover.ts';
import { type AuditEntry, nextEntry, verifyChain } from '../../lib/core/stage/audit.ts';
import type { Event } from '../../lib/core/stage/events.ts';
import { record } from '../../lib/core/stage/evolve.ts';
import { declarationOf, NOW, PLAN } from './samples.ts';

const text = fc.string({ unit: 'binary', maxLength: 20 });
const events: fc.Arbitrary<Event> = fc.oneof(
  fc.constant<Event>({ type: 'started', plan: PLAN }),
  fc.constantFrom<Event>({ type: 'approved' }, { type: 'paused' }, { type: 'resumed' }),
  text.map((reason): Event => ({ type: 'rolled_back', from: 'r1', reason, cause: 'operator' })),
  fc.record({ command: text, code: text, why: text }).map((fields): Event => ({ type: 'denied', ...fields })),
  fc
    .double({ noNaN: true, noDefaultInfinity: true })
    .map((lockHeldMs): Event => ({ type: 'completed', from: 'full_100', lockHeldMs })),
);

type Log = { state: CutoverState; entries: AuditEntry<Event>[] };
const logs: fc.Arbitrary<Log> = fc
  .array(fc.tuple(events, text, fc.nat(1_000_000)), { minLength: 2, maxLength: 12 })
  .map((steps) => {
    let state = initialState(declarationOf());
    const entries: AuditEntry<Event>[] = [];
    for (const [event, actor, afterMs] of steps) {
      const next = record(state, [event], { nowMs: NOW + afterMs, actor });
      state = next.state;
      entries.push(...next.entries);
    }
    return { state, entries };
  });

/** Every place in a JSON value that holds something changeable, as a function that changes it. */
function* leaves(value: unknown, set: (changed: unknown) => void): Generator<() => void> {
  if (Array.isArray(value)) {
    for (const [i, inner] of value.entries()) yield* leaves(inner, (changed) => set(value.with(i, changed)));
    return;
  }
  if (value !== null && typeof value === 'object') {
    for (const [name, inner] of Object.entries(value))
      yield* leaves(inner, (changed) => set({ ...value, [name]: changed }));
    return;
  }
  yield () =>
    set(typeof value === 'number' ? (value === 0 ? 1 : -value) : typeof value === 'boolean' ? !value : `${value}x`);
}

describe('I19 the audit chain', () => {
  it('is whole as it was written, and as it comes back from JSON', () => {
    fc.assert(
      fc.property(logs, ({ state, entries }) => {
        expect(verifyChain(entries, state)).toEqual({ intact: true, entries: entries.length });
        expect(verifyChain(JSON.parse(JSON.stringify(entries)), state).intact).toBe(true);
      }),
    );
  });

  it('shows any changed value, and says in which entry', () => {
    fc.assert(
      fc.property(logs, fc.nat(), fc.nat(), ({ entries }, which, where) => {
        const at = which % entries.length;
        let changed: unknown = null;
        const places = [
          ...leaves(entries[at], (value) => {
            changed = value;
          }),
        ];
        places[where % places.length]!();
        const verdict = verifyChain(entries.with(at, changed as AuditEntry<Event>));
        const n = at + 1;
        const why = new RegExp(`^entry ${n} (is missing|was changed|does not continue entry ${at})$`);
        expect(verdict).toEqual({ intact: false, seq: n, why: expect.stringMatching(why) });
      }),
    );
  });

  it('shows a missing entry, the last one by the head of the state', () => {
    fc.assert(
      fc.property(logs, fc.nat(), ({ state, entries }, which) => {
        const at = which % entries.length;
        const verdict = verifyChain(entries.toSpliced(at, 1), state);
        const isLast = at === entries.length - 1;
        expect(verifyChain(entries.toSpliced(at, 1)).intact).toBe(isLast);
        const why = isLast ? `the state ends at entry ${at + 1}, the log at ${at}` : `entry ${at + 1} is missing`;
        expect(verdict).toEqual({ intact: false, seq: at + 1, why });
      }),
    );
  });

  it('shows two entries that changed places, and one that appears twice', () => {
    fc.assert(
      fc.property(logs, fc.nat(), ({ state, entries }, which) => {
        const at = which % (entries.length - 1);
        const swapped = entries.with(at, entries[at + 1]!).with(at + 1, entries[at]!);
        expect(verifyChain(swapped, state).intact).toBe(false);
        expect(verifyChain(entries.toSpliced(at, 0, entries[at]!), state).intact).toBe(false);
      }),
    );
  });

  it('shows a log that was rewritten as a whole, when the head of the state was not', () => {
    fc.assert(
      fc.property(logs, ({ state, entries }) => {
        let head = initialState(declarationOf());
        const forged = entries.map(({ hash: _hash, previousHash: _previous, seq: _seq, ...rest }) => {
          const entry = nextEntry<Event>(head, { ...rest, actor: `${rest.actor}!` });
          head = { ...head, auditSeq: entry.seq, auditHash: entry.hash };
          return entry;
        });
        expect(verifyChain(forged).intact).toBe(true);
        expect(verifyChain(forged, state).intact).toBe(false);
      }),
      { numRuns: 30 },
    );
  });

  it('of nothing is whole, and not when the state says that there was something', () => {
    const untouched = initialState(declarationOf());
    expect(verifyChain([], untouched)).toEqual({ intact: true, entries: 0 });
    expect(verifyChain([], { ...untouched, auditSeq: 1 }).intact).toBe(false);
  });
});
