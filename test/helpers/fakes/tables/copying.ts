/** The copy in memory, in chunks. */

import type { Copying } from '../../../../lib/ports/copying.ts';
import { diverged, emptyTable, type Memory, stale, type Table } from './memory.ts';

export const copyingIn = ({ tables, table, hint }: Memory): Copying => ({
  unfinished: async () =>
    [...tables].filter(([, it]) => it.direction !== 'none' && it.backfill.state !== 'done').map(([id]) => id),
  async backfill(id, epoch, rows) {
    const it = table(id);
    return stale(it, epoch) ?? copyChunk(it, rows, hint);
  },
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
  async buildIndex() {
    return { kind: 'built', left: 0 };
  },
  async rehearse({ id }) {
    const { authoritative, follower } = tables.get(id) ?? emptyTable();
    const [sourceRows, shadowRows] = [authoritative.size, follower.size];
    return { sourceRows, shadowRows, sample: { rows: sourceRows, tookMs: sourceRows / 10 } };
  },
  pressure: async () => ({ replicaLagMs: null, walBytes: 0, activeConnections: 0, waitsFor: [], goOn: true }),
});

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
