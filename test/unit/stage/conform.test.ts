/** Which audit logs are runs of the stage machine. Random lives are held against it in scenario/oracle.ts, all worlds of the model in property/model.test.ts. */

import { describe, expect, it } from 'vitest';
import { type CutoverState, initialState } from '../../../lib/core/cutover/cutover.ts';
import { type AuditEntry, nextEntry, verifyChain } from '../../../lib/core/stage/audit.ts';
import { conform } from '../../../lib/core/stage/conform.ts';
import { decide } from '../../../lib/core/stage/decide.ts';
import { type Command, type Event, type Observation, TICK } from '../../../lib/core/stage/events.ts';
import { record } from '../../../lib/core/stage/evolve.ts';
import { declarationOf, NOW, PLAN, verdictOf } from '../../property/samples.ts';

const INITIAL = initialState(declarationOf('table'));
const verdict = verdictOf('advance');
const confirm = 'customer';
const tick: Observation = { type: 'tick', verdict, autoAdvance: true, autoRollback: true };
const LIFE: readonly [input: Command | Observation, actor: string][] = [
  [{ type: 'start', plan: PLAN }, 'ada'],
  [tick, TICK],
  [{ type: 'policy', stage: null, set: { dwellMinutes: 3 }, unset: [] }, 'ada'],
  [{ type: 'pause' }, 'ada'],
  [{ type: 'resume' }, 'ada'],
  [{ type: 'reads', to: 'primary', reason: 'r', unready: [] }, 'ada'],
  [{ type: 'shadow-writes', enabled: false, reason: 'r' }, 'ada'],
  [{ type: 'shadow-writes', enabled: true, reason: 'r' }, 'ada'],
  [{ type: 'reads', to: 'shadow', reason: 'r', unready: [] }, 'ada'],
  [{ type: 'advance', force: true, reason: 'r', verdict: null }, 'ada'],
  [{ type: 'approve' }, 'bob'],
  [tick, TICK],
  [{ type: 'complete', confirm, force: false, verdict }, 'ada'],
  [{ type: 'given_up', epoch: 2, why: 'locked' }, 'ada'],
  [{ type: 'complete', confirm, force: true, reason: 'r', verdict: null }, 'ada'],
  [{ type: 'carried_out', epoch: 2, lockHeldMs: 7 }, 'ada'],
  [{ type: 'cleanup', confirm, dropTracking: true }, 'ada'],
  [{ type: 'rollback', reason: 'r', cause: 'operator' }, 'ada'],
  [{ type: 'given_up', epoch: 3, why: 'withdrawn' }, 'ada'],
  [{ type: 'carried_out', epoch: 3 }, 'ada'],
  [{ type: 'reset', confirm }, 'ada'],
];

function lived(): AuditEntry<Event>[] {
  let state: CutoverState = INITIAL;
  const log: AuditEntry<Event>[] = [];
  for (const [index, [input, actor]] of LIFE.entries()) {
    const by = { nowMs: NOW + index, actor };
    const decision = decide(state, input, { ...by, emergencyStop: false });
    if (decision.kind !== 'accepted') throw new Error(`${input.type}: ${JSON.stringify(decision)}`);
    const recorded = record(state, decision.events, by);
    state = recorded.state;
    log.push(...recorded.entries);
  }
  return log;
}

/** The log as somebody would leave it who changes it and computes the chain again. */
function forged(change: (log: AuditEntry<Event>[]) => readonly AuditEntry<Event>[]): AuditEntry<Event>[] {
  const chain: AuditEntry<Event>[] = [];
  for (const { seq: _seq, previousHash: _previous, hash: _hash, ...entry } of change(lived())) {
    const last = chain.at(-1);
    chain.push(nextEntry(last ? { auditSeq: last.seq, auditHash: last.hash } : INITIAL, entry));
  }
  return chain;
}

const event = (log: readonly AuditEntry<Event>[], type: Event['type']) =>
  log.findIndex((entry) => entry.event.type === type);
const changed = (type: Event['type'], fields: object) => (log: AuditEntry<Event>[]) =>
  log.map((entry, index) => (index === event(log, type) ? ({ ...entry, ...fields } as AuditEntry<Event>) : entry));
const without = (type: Event['type']) => (log: AuditEntry<Event>[]) =>
  log.filter((_, index) => index !== event(log, type));

describe('I17, I19 an audit log is a run of the stage machine', () => {
  it('a whole life is', () => {
    const log = lived();
    expect(conform(INITIAL, log)).toEqual({ conforms: true, entries: log.length });
    expect(conform(INITIAL, [])).toEqual({ conforms: true, entries: 0 });
  });

  it('what moves nothing may be recorded anywhere', () => {
    const log = forged(([first, ...rest]) => [
      { ...first!, event: { type: 'denied', command: 'advance', code: 'held', why: 'w' }, version: 0, epoch: 0 },
      first!,
      ...rest,
    ]);
    expect(conform(INITIAL, log)).toMatchObject({ conforms: true });
  });

  it('evidence begins again in the stage that gathers it, and in no other', () => {
    const restarted = (stage: string) =>
      forged((log) => {
        const at = event(log, 'advanced') + 1;
        return [
          ...log.slice(0, at),
          { ...log[at - 1]!, event: { type: 'evidence_restarted', stage } },
          ...log.slice(at),
        ];
      });
    const log = lived();
    const { to } = log[event(log, 'advanced')]!.event as Extract<Event, { type: 'advanced' }>;
    expect(conform(INITIAL, restarted(to))).toMatchObject({ conforms: true });
    expect(conform(INITIAL, restarted('r2'))).toMatchObject({
      why: expect.stringContaining('No evidence is gathered'),
    });
  });

  it.each<[string, (log: AuditEntry<Event>[]) => readonly AuditEntry<Event>[], RegExp]>([
    ['a step left out', without('started'), /'advanced' does not follow from stage 'disabled'/],
    [
      'a stage skipped',
      changed('advanced', { event: { type: 'advanced', from: 'dual_write', to: 'r2', forced: false } }),
      /would have recorded/,
    ],
    ['a promotion that nobody asked for', without('intent_recorded'), /no such intent/],
    ['a promotion without its database', without('completed'), /does not follow from stage 'full_100'/],
    [
      'reads back on a shadow that is not written',
      (log) => [...log.slice(0, event(log, 'shadow_writes_switched') + 1), log[event(log, 'advanced')]!],
      /does not follow/,
    ],
    ['an epoch that was raised', changed('completed', { epoch: 9 }), /epoch 2, the log says 22 and 9|leads to version/],
    [
      'a version that was skipped',
      changed('paused', { version: 40 }),
      /leads to version \d+ and epoch 1, the log says 40 and 1/,
    ],
    [
      'another plan',
      changed('intent_recorded', { event: { type: 'intent_recorded', action: 'promote', epoch: 7, reason: '' } }),
      /would have recorded/,
    ],
    [
      'a rollback that was never begun is seen through',
      changed('approved', { event: { type: 'rollback_seen', steps: [{ name: 'flags_safe', tookMs: 1, text: 't' }] } }),
      /no rollback whose step 'flags_safe'/,
    ],
    [
      'what belongs into the log of the system',
      changed('approved', { event: { type: 'system_rolled_back', reason: 'r' } }),
      /log of the system/,
    ],
    [
      'a tick that advances what is paused',
      (log) => {
        const at = event(log, 'paused');
        return [
          ...log.slice(0, at + 1),
          { ...log[event(log, 'advanced')]!, event: { type: 'advanced', from: 'r1', to: 'r2', forced: false } },
        ];
      },
      /paused/,
    ],
  ])('%s is found, though the chain is whole', (_, change, why) => {
    const log = forged(change);
    expect(verifyChain(log)).toMatchObject({ intact: true });
    const found = conform(INITIAL, log);
    expect(found).toMatchObject({ conforms: false, why: expect.stringMatching(why) });
  });
});
