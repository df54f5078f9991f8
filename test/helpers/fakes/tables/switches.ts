/** The switches of the database in memory. */

import type { TableSwitches } from '../../../../lib/ports/switches.ts';
import type { Memory } from './memory.ts';

export const switchesIn = ({ clock, tables }: Memory): TableSwitches => ({
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
  async switchInline() {},
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
});
