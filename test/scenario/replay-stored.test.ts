/** What is stored of a life replays to what the ticks said in it, minute by minute. */

import { describe, expect, it } from 'vitest';
import { renderCriteria } from '../../lib/cli/render-replay.ts';
import type { Verdict } from '../../lib/core/conditions/verdict.ts';
import type { DeclaredRule } from '../../lib/core/cutover/alert-rule.ts';
import { type CutoverDeclaration, DEFAULT_POLICY, type Policy } from '../../lib/core/cutover/cutover.ts';
import type { Phase } from '../../lib/core/cutover/phase.ts';
import type { TriedLimits } from '../../lib/core/replay/trial.ts';
import { checkpointText } from '../../lib/core/report/checkpoint-text.ts';
import { checkpoints } from '../../lib/flows/report/checkpoints.ts';
import { replayStored } from '../../lib/flows/report/replay-stored.ts';
import { declarationOf } from '../property/samples.ts';
import { ID, run, SHORT } from './run.ts';

/** A component lives until it is rolled back in r50; the verdicts of its ticks by the minute they were found in. */
async function lived(seed: number, policy: Partial<Policy> = {}, more: Partial<CutoverDeclaration> = {}) {
  const cutovers = [declarationOf('component', { plan: SHORT, policy: { ...DEFAULT_POLICY, ...policy }, ...more })];
  const scene = run({ cutovers, seed, load: { weight: 20 } });
  const said = new Map<number, Verdict>();
  const watch = async () => {
    const stored = await scene.w.verdicts.read(ID);
    if (stored) said.set(Math.floor(stored.atMs / 60_000), stored.verdict);
  };
  await scene.minutes(2, watch);
  await scene.accepted({ type: 'start' });
  await scene.until('r50', 60, watch);
  await scene.minutes(2, watch);
  Object.assign(scene.w.app.behaviour.shadow, { errorRate: 0.15 });
  await scene.until('rolled_back', 30, watch);
  await watch();
  return { scene, said, stages: await replayStored(scene.w.ports, cutovers[0]!, 24) };
}

const PHASE: Omit<Phase, 'cutovers' | 'criteria'> = {
  name: 'one',
  place: 0,
  after: [],
  reach: 'full',
  soakMinutes: 60,
  preparation: [],
  validation: [],
  decision: 'person',
};

describe('a stored life', () => {
  it.each([1, 2, 3])('replays to what its ticks said (seed %i)', async (seed) => {
    const { said, stages } = await lived(seed);
    expect(stages.map(({ stage }) => stage)).toEqual(['dual_write', 'r10', 'r50']);
    let compared = 0;
    for (const { fromMs, minutes } of stages) {
      const first = Math.floor(fromMs / 60_000) + 1;
      for (const { minute, verdict, evidence } of minutes) {
        const live = said.get(first + minute);
        if (!live) continue;
        compared += 1;
        expect([minute, verdict]).toEqual([minute, live.verdict]);
        expect(evidence.shadow.count).toBe(live.evidence.shadow.count);
        for (const { code, evidence: value } of live.evidence.tests ?? [])
          expect(evidence.tests[code]![0]).toBe(Number(value.toPrecision(4)));
      }
    }
    expect(compared).toBeGreaterThan(12);
    const last = stages.at(-1)!.minutes.at(-1)!;
    expect(last.verdict).toBe('rollback');
    expect(last.reasons.map(({ code }) => code)).toContain('errors');
    expect(stages.slice(0, -1).flatMap(({ minutes }) => minutes.filter((m) => m.verdict === 'rollback'))).toEqual([]);
  });

  /** Gates that let so many failures pass. */
  const TOLERANT = { errorRateRollback: 0.5, errorRateAdvance: 0.4 };
  const RULE = { id: 'failing', metric: 'error_rate', operator: '>', value: 0.1, windowMinutes: 3 } as const;

  it.each<[string, Partial<Policy>, DeclaredRule[], string]>([
    ['a limit in absolute figures', { ...TOLERANT, availabilityMin: 0.95 }, [], 'availability'],
    ['an alert rule', TOLERANT, [{ ...RULE, action: 'rollback' }], 'alert_failing'],
  ])('replays what was rolled back by %s, in the same minute', async (_, policy, alerts, code) => {
    const { said, stages } = await lived(1, policy, { alerts });
    const { fromMs, minutes } = stages.at(-1)!;
    const last = minutes.at(-1)!;
    const live = said.get(Math.floor(fromMs / 60_000) + 1 + last.minute)!;
    expect(last.verdict).toBe('rollback');
    expect(last.reasons.map((reason) => reason.code)).toEqual([code]);
    expect(last.reasons).toMatchObject(live.reasons.map(({ seen, limit }) => ({ value: seen, limit })));
    expect(minutes.slice(0, -1).map(({ verdict }) => verdict)).not.toContain('rollback');
  });

  it('replays a freeze window to the minute', async () => {
    const { said } = await lived(1);
    // Open as r10 could first have been left, and for ten minutes from then on.
    const open = Math.min(...[...said].flatMap(([minute, { verdict }]) => (verdict === 'advance' ? [minute] : [])));
    const freeze = [{ name: 'sale', fromMs: open * 60_000, toMs: (open + 10) * 60_000 }];
    const frozen = await lived(1, {}, { freeze });
    const [live, replayed] = [new Set<number>(), new Set<number>()];
    for (const { fromMs, minutes } of frozen.stages)
      for (const { minute, reasons } of minutes) {
        const at = Math.floor(fromMs / 60_000) + 1 + minute;
        if (frozen.said.get(at)?.reasons.some(({ code }) => code === 'frozen')) live.add(at);
        if (frozen.said.has(at) && reasons.some(({ code }) => code === 'frozen')) replayed.add(at);
      }
    expect(replayed.size).toBeGreaterThan(5);
    expect(replayed).toEqual(live);
  });

  it('says what the criteria of its phase made of each minute', async () => {
    const { scene, said } = await lived(1);
    const criteria = [
      { name: 'calm', errorRateMax: 0.01 },
      { name: 'half', sharePercentMin: 50 },
      { name: 'signed', manual: 'Signed off' },
    ];
    const phase = { ...PHASE, cutovers: [ID], criteria };
    const stages = await replayStored(scene.w.ports, { ...scene.w.cutovers[0]!, phase }, 24);
    let compared = 0;
    for (const { stage, fromMs, phase: name, minutes } of stages) {
      expect(name).toBe('one');
      for (const { minute, phase: seen } of minutes) {
        const live = said.get(Math.floor(fromMs / 60_000) + 1 + minute);
        expect(seen!.map((one) => one.name)).toEqual(['calm', 'half']);
        expect(seen![1]).toMatchObject({ ok: stage === 'r50' });
        if (!live) continue;
        const { errorRate } = live.evidence.shadow;
        expect([minute, seen![0]]).toMatchObject([
          minute,
          { value: errorRate, ok: errorRate !== null && errorRate <= 0.01 },
        ]);
        compared += 1;
      }
    }
    expect(compared).toBeGreaterThan(12);
    expect(stages.at(-1)!.minutes.at(-1)!.phase![0]).toMatchObject({ ok: false, limit: 0.01 });
    const [calm, half] = renderCriteria('customer/r50', 'one', stages.at(-1)!.minutes);
    expect(calm).toMatch(
      /^customer\/r50, phase one, calm: does not hold at the end\. .+ of the operations of the shadow fail; at most 0\.01\.$/,
    );
    expect(half).toMatch(/^customer\/r50, phase one, half: holds from minute 1 on\. /);
  });

  it('is told in checkpoints: what was compared, who decided what, and what came next', async () => {
    const { scene } = await lived(2);
    const found = await checkpoints(scene.w.ports, scene.w.cutovers[0]!);
    expect(found.stages.map(({ stage, next, decision }) => [stage, decision?.kind, decision?.to, next])).toEqual([
      ['dual_write', 'advance', 'r10', 'Stage r10.'],
      ['r10', 'advance', 'r50', 'Stage r50.'],
      ['r50', 'rollback', 'rolled_back', `Repair the cause, then 'crossfade reset ${ID}'.`],
    ]);
    const [before, , last] = found.stages;
    expect(before).toMatchObject({
      tests: [],
      compared: { shadow: { count: 0 } },
      decision: { actor: 'tick', forced: false },
    });
    const errors = last!.tests.find(({ code }) => code === 'errors')!;
    expect(errors.evidence).toBeGreaterThan(errors.needed);
    const { primary, shadow } = last!.compared!;
    expect(shadow.errorRate).toBeGreaterThan(primary.errorRate! + 0.01);
    expect(last!.decision!.reason).toContain('The shadow fails');
    for (const [i, { toMs }] of found.stages.slice(0, -1).entries()) expect(found.stages[i + 1]!.fromMs).toBe(toMs);
    const text = checkpointText(found).join('\n');
    expect(text).toMatch(
      /r10 \(10 % of the reads\).*decision {3}advance to r50 by tick.*decision {3}rollback to rolled_back by tick/s,
    );
  });

  it('that still lasts says what holds it, and what a person forced', async () => {
    const scene = run({ cutovers: [declarationOf('component', { plan: SHORT })], load: { weight: 20 } });
    await scene.accepted({ type: 'start' });
    await scene.accepted({ type: 'advance', force: true, reason: 'a trial' });
    await scene.minutes(2);
    const [forced, open] = (await checkpoints(scene.w.ports, scene.w.cutovers[0]!)).stages;
    expect(forced).toMatchObject({ decision: { actor: 'ada', forced: true, reason: 'a trial' } });
    expect(open).toMatchObject({ stage: 'r10', toMs: null, decision: null });
    expect(open!.heldBy.map(({ code }) => code)).toContain('dwell');
  });

  it('tries other limits: what came before the change is as it was, and what would have differed is named', async () => {
    const { scene, stages } = await lived(1);
    const stored = (set?: TriedLimits) => replayStored(scene.w.ports, scene.w.cutovers[0]!, 24, set);
    const looser = await stored({ errorRateRollback: 0.5, errorRateAdvance: 0.4 });
    const [was, is] = [stages.at(-1)!.minutes, looser.at(-1)!];
    expect(is.trial).toMatchObject({ before: { rollback: was.length }, after: { rollback: null } });
    expect(is.trial!.differences.at(-1)).toMatchObject({ toMinute: was.length, before: 'rollback' });
    const same = await stored({ errorRateRollback: scene.w.cutovers[0]!.policy.errorRateRollback });
    expect(same.map(({ minutes }) => minutes)).toEqual(stages.map(({ minutes }) => minutes));
    expect(same.flatMap(({ trial }) => trial!.differences)).toEqual([]);
    const slower = await stored({ dwellMinutes: 600 });
    expect(slower.flatMap(({ minutes }) => minutes.filter(({ verdict }) => verdict === 'advance'))).toEqual([]);
    await expect(stored({ errorRateRollback: 0.0001 })).rejects.toThrow(/is above errorRateRollback 0.0001\. Set both/);
  });

  it('shows only stages that reach into the hours that were asked for', async () => {
    const { scene } = await lived(1);
    scene.w.clock.pass(2 * 3_600_000);
    expect(await replayStored(scene.w.ports, scene.w.cutovers[0]!, 1)).toEqual([]);
    expect(await replayStored(scene.w.ports, scene.w.cutovers[0]!, 4)).toHaveLength(3);
  });
});
