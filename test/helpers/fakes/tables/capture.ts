/** Capture in memory. */

import { CrossfadeError } from '../../../../lib/core/base/errors.ts';
import type { Capture } from '../../../../lib/ports/capture.ts';
import { AS_ARMED, emptyTable, type Memory, outrun } from './memory.ts';
import { look } from './shape.ts';

export const captureIn = ({ clock, tables, table, refusals }: Memory): Capture => ({
  async arm({ id }, fence) {
    const it = table(id);
    const why = refusals.get(id);
    if (why) throw new CrossfadeError('refused_table', why);
    if (it.shadowDropped) throw new CrossfadeError('refused_table', `The shadow of cutover '${id}' is not there.`);
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
      const { authoritative, follower, blocked, abandoned, shadowDropped } = it;
      tables.set(id, { ...emptyTable(), authoritative, follower, blocked, abandoned, shadowDropped });
    }
    return { kind: 'forgotten' };
  },
  async removeShadow({ id }, fence) {
    const it = table(id);
    if (it.direction !== 'none') return { kind: 'refused', why: `Cutover '${id}' still keeps its shadow equal.` };
    if (it.shadowDropped) return { kind: 'already' };
    const newer = outrun(it, fence);
    if (newer) return newer;
    const { authoritative, blocked, abandoned } = it;
    tables.set(id, { ...emptyTable(), authoritative, blocked, abandoned, shadowDropped: true });
    return { kind: 'removed' };
  },
});
