/** Verification in memory: one moment, all rows. */

import type { VerificationResult } from '../../../../lib/core/gates/table-status.ts';
import type { Verifying } from '../../../../lib/ports/verifying.ts';
import { diverged, keyText, type Memory, SAMPLES, stale, type Table } from './memory.ts';
import { consistencyOf, recordOf, valuesOf } from './readings.ts';

export const verifyingIn = ({ tables, table, hint }: Memory): Verifying => ({
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
  async repair(id) {
    const it = table(id);
    const keys = diverged(it);
    for (const key of keys) hint(it, key);
    return { enqueued: keys.length };
  },
  consistency: async (id) => (tables.get(id)?.known ? consistencyOf(table(id)) : null),
  /** Whatever the queries are: all rows of both sides, those that are late left out. */
  async invariant({ id }, epoch, queries) {
    const it = table(id);
    if (!it.known || it.direction === 'none') return { kind: 'unready', why: 'capture is not armed' };
    if (stale(it, epoch))
      return { kind: 'unready', why: 'the database has not seen the present state of the cutover yet' };
    if (!['none', 'done'].includes(it.backfill.state))
      return { kind: 'unready', why: 'the copy of existing rows is not done' };
    const keys = diverged(it);
    const row = (rows: Map<number, string>) =>
      keys.filter((key) => rows.has(key)).map((key) => [`${key}`, rows.get(key)!]);
    const [old, young] = it.direction === 'reverse' ? [it.follower, it.authoritative] : [it.authoritative, it.follower];
    if ('empty' in queries) return { kind: 'found', rows: keys.length, samples: keys.map((key) => [`${key}`]) };
    const late = new Set(it.hints.map(({ key }) => key));
    const settled = (rows: Map<number, string>) => [...rows.keys()].filter((key) => !late.has(key)).length;
    const [primary, shadow] = [row(old), row(young)];
    const rows = Math.max(settled(old), settled(young));
    return { kind: 'compared', rows, differing: Math.max(primary.length, shadow.length), primary, shadow };
  },
  compareRow: async (id, key) => (tables.get(id)?.known ? recordOf(table(id), key) : null),
  rowValues: async ({ id, table: declared }, key) =>
    tables.get(id)?.known ? valuesOf(table(id), key, declared.redact ?? []) : null,
});

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
