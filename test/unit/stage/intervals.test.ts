/** The stays in stages, as they are read from an audit log. */

import { expect, it } from 'vitest';
import { type CutoverState, initialState } from '../../../lib/core/cutover/cutover.ts';
import { isUnderWay } from '../../../lib/core/cutover/stage-kinds.ts';
import type { AuditEntry } from '../../../lib/core/stage/audit.ts';
import type { Event } from '../../../lib/core/stage/events.ts';
import { staysIn } from '../../../lib/core/stage/intervals.ts';
import { declarationOf, PLAN } from '../../property/samples.ts';

const LOG: readonly (readonly [atMs: number, event: Event])[] = [
  [10, { type: 'started', plan: PLAN }],
  [20, { type: 'paused' }],
  [30, { type: 'advanced', from: 'dual_write', to: 'r1', forced: false }],
  [40, { type: 'reads_switched', to: 'primary', reason: 'a look' }],
  [50, { type: 'reads_switched', to: 'shadow', reason: 'seen' }],
  [60, { type: 'rolled_back', from: 'r1', reason: 'bad', cause: 'operator' }],
  [70, { type: 'reset' }],
  [80, { type: 'started', plan: PLAN }],
];
const entries = LOG.map(([atMs, event], index) => ({ seq: index + 1, atMs, actor: 'ada', event }) as AuditEntry<Event>);
const staysOf = (counts: (state: CutoverState) => boolean) =>
  staysIn(initialState(declarationOf()), entries, counts).map(({ entered, last, fromMs, toMs, switchedAtMs, end }) => ({
    stage: entered.stage,
    changedAtMs: last.changedAtMs,
    fromMs,
    toMs,
    switchedAtMs,
    end: end && [end.entry.seq, end.after.stage],
  }));

it('each stay has its beginning, its end and its first switch; the last one may go on', () => {
  expect(staysOf(isUnderWay)).toEqual([
    { stage: 'dual_write', changedAtMs: 20, fromMs: 10, toMs: 30, switchedAtMs: null, end: [3, 'r1'] },
    { stage: 'r1', changedAtMs: 50, fromMs: 30, toMs: 60, switchedAtMs: 40, end: [6, 'rolled_back'] },
    { stage: 'dual_write', changedAtMs: 80, fromMs: 80, toMs: null, switchedAtMs: null, end: null },
  ]);
});

it('stays that do not count end those that do', () => {
  expect(staysOf(({ stage }) => stage === 'rolled_back')).toEqual([
    { stage: 'rolled_back', changedAtMs: 60, fromMs: 60, toMs: 70, switchedAtMs: null, end: [7, 'disabled'] },
  ]);
  expect(staysOf(() => false)).toEqual([]);
});
