/** I17, I40: random lives of phases and cohorts keep their order, and a tick that forgets a rule is caught. */

import { describe, expect, it } from 'vitest';
import type { CutoverDeclaration } from '../../lib/core/cutover/cutover.ts';
import type { FreezeWindow } from '../../lib/core/cutover/freeze-window.ts';
import { defineCutovers } from '../../lib/define/cutovers.ts';
import { definePhases } from '../../lib/define/phases.ts';
import { emergencyStop, resetSystem } from '../../lib/flows/control/stop.ts';
import { tick } from '../../lib/flows/control/tick.ts';
import { MINUTE_MS, type Plant, world } from '../helpers/world.ts';
import { NOW, seeded } from '../property/samples.ts';
import { oracle } from './oracle.ts';
import { orderWatch } from './order.ts';

const SEEDS = Number(process.env.CROSSFADE_ORDER_SEEDS ?? 4);
const MINUTES = 90;
const RAMP: [string, number][] = [
  ['r20', 20],
  ['full_100', 100],
];
const FROZEN: FreezeWindow = { name: 'release', fromMs: NOW + 30 * MINUTE_MS, toMs: NOW + 45 * MINUTE_MS };

function declared(): CutoverDeclaration[] {
  const one = (id: string, over: object = {}) =>
    ({ id, kind: 'component', plan: { name: 'short', ramp: RAMP }, dwellMinutes: 3, ...over }) as const;
  const cutovers = defineCutovers([
    one('base'),
    one('api', { cohort: 'web' }),
    one('page', { cohort: 'web' }),
    one('search'),
  ]);
  return definePhases(
    [
      { name: 'ground', cutovers: ['base'], soakMinutes: 4, decision: 'automatic' },
      { name: 'web', cutovers: ['api', 'page'], after: ['ground'], soakMinutes: 4, decision: 'automatic' },
      { name: 'last', cutovers: ['search'], after: ['web'], decision: 'automatic' },
    ],
    cutovers.map((cutover) => ({ ...cutover, freeze: [FROZEN] })),
  );
}

/** One life: a person who starts, forces, rolls back and resets at random, shadows that turn bad and good, ticks that die. */
async function life(seed: number, plant: Plant = {}, faults = true): Promise<void> {
  const random = seeded(seed);
  const w = world({ cutovers: declared(), seed, plant, load: { readsPerMinute: 200, weight: 50 } });
  const o = oracle(w);
  const order = orderWatch(w);
  const pick = <T>(list: readonly T[]): T => list[Math.floor(random() * list.length)]!;
  const ids = w.cutovers.map(({ id }) => id);
  o.calm(!faults);
  for (let minute = 0; minute < MINUTES; minute += 1) {
    if (faults && random() < 0.1) w.faults.tickDiesAfter = Math.floor(random() * 40);
    if (random() < 0.02) w.app.own.set(pick(ids), { errorRate: 0.5 });
    if (random() < 0.1) w.app.own.clear();
    for (const id of ids) if (random() < 0.6) await w.operate(id, { type: 'start' });
    const id = pick(ids);
    if (faults && random() < 0.15) await w.operate(id, { type: 'advance', force: true, reason: 'impatient' });
    if (faults && random() < 0.01) await w.operate(id, { type: 'rollback', reason: 'a whim' });
    if (random() < 0.2) await w.operate(id, { type: 'reset', confirm: id });
    for (const name of ['ground', 'web', 'last'])
      if (random() < 0.2) await w.phase(name, { type: 'reset', confirm: name });
    if (faults && random() < 0.01) {
      await emergencyStop(w.ports, w.cutovers, { reason: 'fire', actor: 'ada' });
      await resetSystem(w.ports, w.cutovers, { confirm: 'system', actor: 'ada' });
    }
    await w.minute();
    o.check();
    if (faults) order.check();
    else order.checkTogether();
  }
  await o.checkAudit();
}

describe('random lives keep the order of phases, freeze windows and cohorts', () => {
  it(`${SEEDS} lives with faults and a restless person`, async () => {
    for (let seed = 1; seed <= SEEDS; seed += 1) {
      await life(seed).catch((error: Error) => {
        throw new Error(`seed ${seed}, replay with CROSSFADE_ORDER_SEEDS=${seed}: ${error.message}`, { cause: error });
      });
    }
  });

  it('and without faults a cohort stands in one stage at the end of every minute', async () => {
    for (const seed of [101]) await life(seed, {}, false);
  });
});

/** A tick that knows the declarations without something; the number is a seed that catches it soon. */
const forgets = (change: (declaration: CutoverDeclaration) => CutoverDeclaration): Plant => ({
  tick: (ports, declarations) => tick(ports, declarations.map(change)),
});

describe('negative control: within 20 lives a tick is caught that forgets', () => {
  it.each<[string, Plant, RegExp, number]>([
    ['freeze windows', forgets(({ freeze: _, ...rest }) => rest as CutoverDeclaration), /frozen:/, 7],
    ['cohorts', forgets(({ cohort: _, ...rest }) => rest as CutoverDeclaration), /cohort:/, 1],
    [
      'that a phase waits for those before it',
      forgets((declaration) => ({ ...declaration, phase: { ...declaration.phase!, after: [], soakMinutes: 0 } })),
      /phase:/,
      30,
    ],
  ])('%s', async (_, plant, caught, first) => {
    const messages: string[] = [];
    for (let seed = first; seed < first + 20 && !messages.some((message) => caught.test(message)); seed += 1)
      await life(seed, plant).catch((error: Error) => messages.push(error.message));
    expect(messages.some((message) => caught.test(message))).toBe(true);
  });
});
