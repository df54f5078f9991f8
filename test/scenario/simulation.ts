/**
 * One life of a cutover, or of two beside each other, from one seed: 36 minutes in which commands come at random and
 * everything fails now and then, then 24 in which nothing fails any more, ticks repair, and an operator goes on. The oracle
 * watches both phases.
 *
 * The seed decides everything, so a failure is repeated by its seed alone.
 */

import { makePlan } from '../../lib/core/cutover/plan.ts';
import type { AuditEntry } from '../../lib/core/stage/audit.ts';
import type { Event } from '../../lib/core/stage/events.ts';
import { type Plant, world } from '../helpers/world.ts';
import { declarationOf, seeded } from '../property/samples.ts';
import { chaosMinute, type Life, outOfStep, TABLE } from './chaos.ts';
import { heal } from './healing.ts';
import { oracle } from './oracle.ts';

const CHAOS_MINUTES = 36;
const COMPONENT = 'planner';

export type Outcome = {
  stage: string;
  moves: number;
  commands: Record<string, number>;
  faults: number;
  /** The audit log of the table. */
  log: readonly AuditEntry<Event>[];
};

export async function simulate(seed: number, plant?: Plant): Promise<Outcome> {
  // Its own stream of numbers, so that traffic and trouble do not depend on each other's length.
  const random = seeded(seed * 7_919 + 1);
  const plan = makePlan(
    'sim',
    [
      ['r20', 20],
      ['r60', 60],
      ['full_100', 100],
    ],
    1 + Math.floor(random() * 2),
  );
  const policy = { minSamples: 20, autoAdvance: random() < 0.9, approvalRequired: random() < 0.1 };
  const w = world({
    seed,
    plant,
    cutovers: [
      declarationOf('table', { id: TABLE, plan, policy }),
      ...(random() < 0.3 ? [declarationOf('component', { id: COMPONENT, plan, policy })] : []),
    ],
    load: { readsPerMinute: 64, writesPerMinute: 16, rows: 50, weight: 100 },
  });
  const o = oracle(w);
  o.calm(false);
  const life: Life = {
    w,
    o,
    random,
    ports: outOfStep(w.ports, random),
    commands: {},
    faults: 0,
    keys: [],
    blocked: [],
    startedOver: new Set(),
  };
  for (let minute = 0; minute < CHAOS_MINUTES; minute += 1) await chaosMinute(life);
  await heal(life);
  const log = o.entries(TABLE);
  const moves = log.filter(({ event }) => event.type !== 'denied').length;
  return { stage: o.state(TABLE).stage, moves, commands: life.commands, faults: life.faults, log };
}
