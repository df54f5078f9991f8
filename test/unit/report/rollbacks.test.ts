/** Audit logs that are long are read to their end: the newest rollbacks are shown, too. */

import { expect, it } from 'vitest';
import type { AuditEntry } from '../../../lib/core/stage/audit.ts';
import type { Event } from '../../../lib/core/stage/events.ts';
import { wholeLog } from '../../../lib/flows/report/history.ts';
import { rollbacksOf } from '../../../lib/flows/report/rollbacks.ts';
import type { StateStore } from '../../../lib/ports/state.ts';
import { declarationOf, NOW, stateIn } from '../../property/samples.ts';

const ENTRIES = 10_050;

const eventAt = (seq: number): Event =>
  seq === 1 || seq === ENTRIES
    ? { type: 'rolled_back', from: 'r10', reason: `rollback ${seq}`, cause: 'operator' }
    : { type: seq % 2 === 0 ? 'paused' : 'resumed' };

const entryAt = (seq: number): AuditEntry<Event> => ({
  subject: 'customer',
  seq,
  atMs: NOW + seq,
  actor: 'ada',
  event: eventAt(seq),
  version: seq,
  epoch: 1,
  previousHash: '',
  hash: '',
});

/** The entries of a log are made when they are read. */
const logOf = (entries: number): StateStore => {
  const reading: Pick<StateStore, 'readAudit' | 'readCutover'> = {
    readCutover: async () => stateIn('rolled_back'),
    readAudit: async (_subject, { limit, afterSeq = 0 }) =>
      Array.from({ length: Math.min(limit, entries - afterSeq) }, (_, index) => entryAt(afterSeq + index + 1)),
  };
  return reading as StateStore;
};

it(`the newest rollback of a log of ${ENTRIES} entries is shown first`, async () => {
  const { rollbacks } = await rollbacksOf({ state: logOf(ENTRIES) }, declarationOf());
  expect(rollbacks.map(({ reason }) => reason)).toEqual([`rollback ${ENTRIES}`, 'rollback 1']);
});

it.each([0, 1, 199, 200, 201, 100_400])('a log of %i entries is read to its end', async (entries) => {
  const log = await wholeLog({ state: logOf(entries) }, 'customer');
  expect([log.length, log.at(-1)?.seq ?? 0]).toEqual([entries, entries]);
});
