/**
 * One life of a cutover, or of two beside each other, from one seed: 36 minutes in which commands come at random and
 * everything fails now and then, then 24 in which nothing fails any more, ticks repair, and an operator goes on. The oracle
 * watches both phases.
 *
 * The seed decides everything, so a failure is repeated by its seed alone.
 */

import { makePlan } from '../../lib/core/plan.ts';
import type { OperatorCommand } from '../../lib/flows/operate.ts';
import { emergencyStop, resetSystem, rollBackSystem } from '../../lib/flows/stop.ts';
import { repairTable, verifyNow } from '../../lib/flows/verify.ts';
import type { DataPlane, Ports } from '../../lib/ports.ts';
import { before, MINUTE_MS, type Plant, type World, world } from '../helpers/world.ts';
import { declarationOf, seeded } from '../property/samples.ts';
import { HEALTHY } from './application.ts';
import { inside, type Oracle, oracle } from './oracle.ts';

export const CHAOS_MINUTES = 36;
export const HEAL_MINUTES = 24;
const TABLE = 'customer';
const COMPONENT = 'planner';
const STOPPABLE = ['dual_write', 'ramp', 'full'];

export type Outcome = { stage: string; moves: number; commands: Record<string, number>; faults: number };

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
    load: { readsPerMinute: 64, writesPerMinute: 16, rows: 50 },
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
  const moves = o.entries(TABLE).filter(({ event }) => event.type !== 'denied').length;
  return { stage: o.state(TABLE).stage, moves, commands: life.commands, faults: life.faults };
}

type Life = {
  w: World;
  o: Oracle;
  random: () => number;
  ports: Ports;
  commands: Record<string, number>;
  faults: number;
  keys: { id: string; command: OperatorCommand; key: string }[];
  blocked: number[];
  /** Cutovers that the second phase has rolled back on purpose. */
  startedOver: Set<string>;
};

/** Each call of a port waits for none to three turns of the event queue, so that flows overtake each other. */
function outOfStep(ports: Ports, random: () => number): Ports {
  return before(ports, async () => {
    for (let turns = Math.floor(random() * 4); turns > 0; turns -= 1) await null;
  });
}

const pick = <T>(random: () => number, list: readonly T[]): T => list[Math.floor(random() * list.length)]!;

// ----------------------------------------------------------------------------------------------------------- chaos

async function chaosMinute(life: Life): Promise<void> {
  const { w, o, random } = life;
  if (random() < 0.5) trouble(life);
  if (random() < 0.35) calmDown(life);
  const commandAt = random() < 0.7 ? 5 : -1;
  const together = random() < 0.3;
  await w.minute(async (moment) => {
    if (moment !== commandAt) return;
    const beside = together ? w.tick(life.ports) : null;
    await Promise.all([beside, command(life)]);
  });
  o.check();
}

/** Something that fails once, for a while, or in the next few minutes. */
function trouble({ w, random, blocked, ...life }: Life): void {
  life.faults += 1;
  const id = TABLE;
  const key = 1 + Math.floor(random() * 5);
  const calls: (keyof DataPlane)[] = [
    'arm',
    'mirror',
    'disarm',
    'status',
    'converge',
    'promote',
    'revert',
    'cleanup',
    'verify',
    'backfill',
    'forget',
  ];
  const poison = () => {
    w.tables.block(id, key, true);
    w.app.write(id, key, 'does not fit');
    blocked.push(key);
  };
  const faults: (() => unknown)[] = [
    () => w.state.failNextWrite(pick(random, ['lost-answer', 'lost-request', 'stale'] as const)),
    () => w.state.failNextWrite('lost-answer', 'lost-answer'),
    () => w.tables.failNext(pick(random, calls), random() < 0.5),
    () => w.tables.failNext(pick(random, ['promote', 'revert', 'cleanup'] as const), true),
    () => w.flags.loseNextAnswer(),
    () => w.flags.conflictNext(2),
    () => w.flags.conflictNext(1 + Math.floor(random() * 4)),
    () => w.flags.unavailable(true),
    () => w.flags.published().length > 1 && w.flags.rollBack(),
    () => w.windows.unavailable(true),
    () => w.wakeUps.unavailable(true),
    () => w.tables.postpone(id, 'old transactions'),
    poison,
    poison,
    poison,
    () => Object.assign(w.faults, { databaseDown: true }),
    () => Object.assign(w.faults, { ticks: pick(random, [0, 0, 2]) }),
    () => Object.assign(w.faults, { tickDiesAfter: Math.floor(random() * 30) }),
    () =>
      Object.assign(w.faults, { tickSkewMs: pick(random, [-5_000, 5_000, 5_000, 60 * MINUTE_MS, -60 * MINUTE_MS]) }),
    () => Object.assign(w.faults, { converge: false }),
    () => Object.assign(w.faults, { backfill: false }),
    () => Object.assign(w.faults, { verify: false }),
    () => Object.assign(w.faults, { wakeUpsLost: true }),
    () => Object.assign(w.faults, { wakeUpsTwice: true }),
    () => Object.assign(w.faults, { lateMinutes: pick(random, [1, 2, 6]) }),
    () => w.app.silent.add(pick(random, ['primary', 'shadow'] as const)),
    () => Object.assign(w.app.behaviour.shadow, { errorRate: 0.2 }),
    () => Object.assign(w.app.behaviour.shadow, { slower: 2 }),
    () => Object.assign(w.app.behaviour.primary, { errorRate: 0.2 }),
  ];
  pick(random, faults)();
}

/** Ends whatever lasts. */
function calmDown({ w, blocked }: Life): void {
  w.flags.unavailable(false);
  w.flags.conflictNext(0);
  w.windows.unavailable(false);
  w.wakeUps.unavailable(false);
  w.tables.postpone(TABLE, null);
  w.app.silent.clear();
  Object.assign(w.app.behaviour, { primary: { ...HEALTHY }, shadow: { ...HEALTHY } });
  Object.assign(w.faults, {
    databaseDown: false,
    ticks: 1,
    tickSkewMs: 0,
    tickDiesAfter: null,
    converge: true,
    backfill: true,
    verify: true,
    wakeUpsLost: false,
    wakeUpsTwice: false,
    lateMinutes: 0,
  });
  for (const key of blocked.splice(0)) {
    w.tables.block(TABLE, key, false);
    w.app.write(TABLE, key, `mended ${key}`);
  }
}

async function command(life: Life): Promise<void> {
  const { w, o, random, ports } = life;
  const by = { reason: 'random', actor: 'ada' };
  const dice = random();
  life.commands.all = (life.commands.all ?? 0) + 1;
  const lifting = w.served()?.system.emergency_stop ? 0.4 : 0.03;
  if (dice < lifting) return attempt(resetSystem(ports, w.cutovers, { confirm: 'system', actor: 'ada' }));
  if (dice > 0.98) return attempt(emergencyStop(ports, w.cutovers, by));
  if (dice > 0.97) return attempt(rollBackSystem(ports, w.cutovers, { ...by, confirm: 'system' }));

  const again = random() < 0.1 ? life.keys.at(-1) : undefined;
  const id = again?.id ?? pick(random, w.cutovers).id;
  const wanted = again?.command ?? likely(o.state(id).stageKind, id, random);
  const key = again?.key ?? `${id} ${life.commands.all}`;
  life.keys.push({ id, command: wanted, key });
  life.commands[wanted.type] = (life.commands[wanted.type] ?? 0) + 1;
  const basedOn = o.state(id).version - (random() < 0.05 ? 1 : 0);
  const first = w.operate(id, wanted, { key, basedOn, ports });
  const twice = random() < 0.1 ? w.operate(id, wanted, { key, basedOn, ports }) : null;
  await Promise.all([first, twice]);
}

async function attempt(flow: Promise<unknown>): Promise<void> {
  await flow.catch((error) => {
    if (error?.name !== 'CrossfadeError') throw error;
  });
}

/** A command that is mostly possible in the stage, and sometimes any. */
function likely(stageKind: string, id: string, random: () => number): OperatorCommand {
  const force = { force: random() < 0.6, reason: 'random' };
  const onward: OperatorCommand[] = [
    { type: 'start' },
    { type: 'advance', ...force },
    { type: 'approve' },
    { type: 'pause' },
    { type: 'resume' },
    { type: 'complete', confirm: id, ...force },
    { type: 'rollback', reason: 'random' },
    { type: 'reset', confirm: id },
    { type: 'cleanup', confirm: id },
  ];
  const of = (...types: string[]) => {
    const wanted = pick(random, types);
    return onward.find(({ type }) => type === wanted)!;
  };
  if (random() < 0.15) return pick(random, onward.slice(0, 8));
  if (stageKind === 'disabled') return of('start');
  if (stageKind === 'rolled_back') return of('reset');
  if (stageKind === 'full') return of('complete', 'complete', 'complete', 'resume', 'rollback');
  if (stageKind === 'completed') return random() < 0.1 ? of('cleanup') : of('rollback');
  return random() < 0.1 ? of('rollback') : of('advance', 'advance', 'approve', 'resume', 'pause');
}

// ------------------------------------------------------------------------------------------------------------ heal

/** Faults end. Five minutes later all agrees; half an hour later a healthy cutover is completed, or says what holds it. */
async function heal(life: Life): Promise<void> {
  const { w, o, random } = life;
  calmDown(life);
  const startOver = random() < 0.5;
  for (let minute = 0; minute < HEAL_MINUTES; minute += 1) {
    o.calm(minute >= 3);
    await w.minute((moment) => (moment === 5 ? settle(life, minute, startOver) : undefined));
    o.check();
  }
  await o.checkAudit();
  o.checkQuiet();
  for (const { id } of w.cutovers) await arrived(life, id, startOver);
}

/** What a patient operator does in the second phase, after ticks alone have had a while to repair. */
async function settle(life: Life, minute: number, startOver: boolean): Promise<void> {
  const { w, o } = life;
  if (minute < 6) return;
  if (minute === 6 && (await w.state.readSystem()).emergencyStop)
    await attempt(resetSystem(w.ports, w.cutovers, { confirm: 'system', actor: 'ada' }));
  for (const declaration of w.cutovers) {
    const { id } = declaration;
    const { stageKind, paused, approved, pending } = o.state(id);
    const serving = STOPPABLE.includes(stageKind);
    if (pending) continue;
    if (minute === 6 && !serving) life.startedOver.add(id);
    if (startOver && serving && !life.startedOver.has(id)) {
      // Repeated until it is done: a fault of the first phase may still lie in the way of one write.
      const { ok } = await w.operate(id, { type: 'rollback', reason: 'start over' });
      if (ok) life.startedOver.add(id);
    } else if (stageKind === 'rolled_back') await w.operate(id, { type: 'reset', confirm: id });
    else if (stageKind === 'disabled') await w.operate(id, { type: 'start' });
    else if (serving && paused) await w.operate(id, { type: 'resume' });
    else if (serving && !approved && declaration.policy.approvalRequired) await w.operate(id, { type: 'approve' });
    else if (serving && stageKind !== 'full' && !declaration.policy.autoAdvance)
      await w.operate(id, { type: 'advance' });
    else if (stageKind === 'full') await w.operate(id, { type: 'complete', confirm: id });
    if (minute === 7 && serving && id === TABLE) {
      await attempt(verifyNow(w.ports, declaration));
      await attempt(repairTable(w.ports, declaration));
    }
  }
}

async function arrived({ w, o }: Life, id: string, startOver: boolean): Promise<void> {
  const state = o.state(id);
  const verdict = (await w.state.readVerdict(id))?.verdict;
  const fail = (what: string): never => {
    throw new Error(`I26: ${id} is in ${state.stage} ${HEAL_MINUTES} minutes after faults ended: ${what}`);
  };
  if (state.pending) fail(`${state.pending.action} is still pending`);
  const flag = w.served()?.cutovers[id];
  if (state.version > 0 && (flag?.version !== state.version || flag.epoch !== state.epoch)) fail('its flags are old');
  if (id === TABLE && state.version > 0 && inside(w, id).direction !== DIRECTION[state.stageKind])
    fail(`changes flow ${inside(w, id).direction}`);
  if (state.stageKind === 'completed' || state.stageKind === 'cleaned') return;
  const held = verdict?.verdict === 'hold' ? verdict.reasons.map(({ code }) => code).join(', ') : '';
  if (startOver || held === '') fail(`held for '${held}'`);
}

const DIRECTION: Readonly<Record<string, string>> = {
  disabled: 'none',
  dual_write: 'forward',
  ramp: 'forward',
  full: 'forward',
  completed: 'reverse',
  cleaned: 'none',
  rolled_back: 'none',
};
