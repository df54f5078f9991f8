/** What comes next and when, as every surface shows it; from the real gates. */

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { briefText } from '../../../lib/core/conditions/brief.ts';
import { condition } from '../../../lib/core/conditions/condition.ts';
import { type Release, waitsAbout } from '../../../lib/core/conditions/release.ts';
import { DEFAULT_POLICY } from '../../../lib/core/cutover/cutover.ts';
import { gateTable } from '../../../lib/core/look/gate-table.ts';
import { nextOf } from '../../../lib/core/look/next.ts';
import type { CutoverReport } from '../../../lib/flows/report/report.ts';
import * as scenes from '../../helpers/dashboard-reports.ts';
import { NOW, stateIn, systemOf, verdictOf } from '../../property/samples.ts';

type Actor = Parameters<typeof scenes.scene>[0][number];

const once = new Map<Actor, Promise<CutoverReport>>();
const made = async (actor: Actor, system = {}) =>
  (await scenes.scene([actor], system)).report.cutovers[0] as CutoverReport;

function reported(actor: Actor): Promise<CutoverReport> {
  if (!once.has(actor)) once.set(actor, made(actor));
  return once.get(actor)!;
}

const paused: Actor = { ...scenes.serving, events: [...scenes.serving.events, [1, { type: 'paused' }]] };
const byHand: Actor = { ...scenes.failing, policy: { autoRollback: false } };

describe('what comes next', () => {
  it.each([
    ['serves', scenes.serving, 'tick', 28, 'half_50 (50 %) in about 30 min'],
    ['copies', scenes.copying, 'tick', null, 'test_1 (1 %) in about 50 min at the earliest: waits for verification'],
    ['is paused', paused, 'person', null, 'half_50 (50 %), waits for a person: not paused'],
    ['is held', scenes.held, 'person', null, 'half_50 (50 %), waits for a person: quarantine'],
    ['is ready', scenes.ready, 'person', 0, 'completed, when a person completes it'],
    ['fails', scenes.failing, 'tick', null, 'rolled back by the next tick'],
    ['fails, rolled back by hand', byHand, 'person', null, 'a person rolls it back: rolling back is manual'],
    ['was rolled back', scenes.rolledBack, 'person', null, 'a person removes the cause and resets it'],
    ['is completed', scenes.completed, 'person', null, 'a person cleans up'],
    ['was not started', scenes.notStarted, 'person', null, 'a person starts it'],
  ] as const)('of one that %s', async (_, actor, by, aboutMinutes, text) => {
    const { next } = await reported(actor);
    expect(next).toMatchObject({ by, text });
    if (aboutMinutes === null) expect(next.aboutMinutes).toBeNull();
    else expect(Math.round(next.aboutMinutes!)).toBe(aboutMinutes);
  });

  it.each([
    [null, 'r2 (50 %), waits for lag'],
    [0.5, 'r2 (50 %) within a minute at the earliest: waits for lag'],
    [3, 'r2 (50 %) in about 3 min at the earliest: waits for lag'],
  ])('of one that waits for what is not known, and %s minutes for the rest', (minutes, text) => {
    const held = (code: 'lag' | 'samples', release?: Release) =>
      condition(code, { ok: false, seen: 1, limit: 2, ...(release ? { release } : {}) });
    const rest = minutes === null ? [] : [held('samples', waitsAbout('healthy_operations', minutes))];
    const verdict = verdictOf('hold', [held('lag', { wait: 'catch_up' }), ...rest]);
    const judged = {
      state: stateIn('r1', {}, 'component'),
      system: systemOf(),
      policy: DEFAULT_POLICY,
      verdict,
      nowMs: NOW,
    };
    expect(nextOf(judged).text).toBe(text);
  });

  it('is the rollback while everything is stopped', async () => {
    expect((await made(scenes.serving, { emergencyStop: true })).next).toMatchObject({
      stage: null,
      text: 'rolled back by the emergency stop',
    });
  });

  it('names what is missing, and nothing that holds', async () => {
    expect((await reported(scenes.serving)).next.needs).toEqual(['28 min of dwell left']);
    expect((await reported(scenes.held)).next.needs).toEqual(
      expect.arrayContaining(['quarantine 2, limit 0', 'latency p95 proven 0 % of the way']),
    );
    expect((await reported(scenes.ready)).next.needs).toEqual([]);
  });
});

describe('a condition in a few words', () => {
  it('says of evidence how far it has come, and when it may be there', () => {
    const of = (seen: number) =>
      briefText(
        condition('proof_errors', { ok: false, seen, limit: 20, release: waitsAbout('healthy_operations', 12) }),
      );
    expect(of(1.57)).toBe('errors proven 15 % of the way (in about 12 min)');
    fc.assert(
      fc.property(fc.double({ min: 1e-300, max: 19.99, noNaN: true }), (seen) => {
        expect(of(seen)).toMatch(/^errors proven \d{1,2} % of the way \(in about 12 min\)$/);
      }),
    );
  });

  it('counts operations, and gives other figures with their limit', () => {
    expect(briefText(condition('samples', { ok: false, seen: 19, limit: 40 }))).toBe('19 of 40 operations');
    expect(briefText(condition('lag', { ok: false, seen: 181_800, limit: 30_000 }))).toBe('lag 181.8 s, limit 30 s');
    expect(briefText(condition('database', { ok: false, seen: null, limit: 'reachable' }))).toBe('database');
  });
});

describe('the gate table', () => {
  const tableOf = async (actor: Actor) => gateTable(await reported(actor), scenes.NOW, ',');

  it('has every condition once: guards, then what holds, then what is a matter of time, then what passes', async () => {
    const place = ({ ok, fired, waits }: { ok: boolean; fired: boolean; waits: boolean }) =>
      fired ? 0 : ok ? 3 : waits ? 2 : 1;
    for (const actor of [scenes.serving, scenes.held, scenes.failing, scenes.copying, paused]) {
      const { verdict } = await reported(actor);
      const gates = await tableOf(actor);
      expect(gates.map(({ text }) => text).toSorted()).toEqual(verdict.conditions.map(({ text }) => text).toSorted());
      expect(gates.map(place)).toEqual(gates.map(place).toSorted());
    }
  });

  it('has what each was found from, and whether it rises', async () => {
    const gates = await tableOf(scenes.held);
    const { evidence } = (await reported(scenes.held)).verdict;
    const row = (code: string) => gates.find((gate) => gate.code === code);
    expect(row('latency_p95')).toMatchObject({ samples: evidence.shadow.count, trend: 'steady', waits: false });
    expect(row('mismatches')).toMatchObject({ samples: evidence.checks });
    expect(row('verification')).toMatchObject({ samples: 59_811, trend: null });
    expect(row('dwell')).toMatchObject({ samples: null, trend: null });
    const worse: Actor = {
      ...scenes.serving,
      shadow: (ago) => (ago <= 98 ? { perMinute: 130, p50: 6 + Math.max(0, 15 - ago), tail: 1.2, errorRate: 0 } : null),
    };
    expect((await tableOf(worse)).find(({ code }) => code === 'latency_p95')).toMatchObject({ trend: 'rising' });
  });
});
