/** The first phase of a life: commands come at random, and everything fails now and then. */

import type { OperatorCommand } from '../../lib/flows/control/operate.ts';
import { emergencyStop, resetSystem, rollBackSystem } from '../../lib/flows/control/stop.ts';
import type { Ports } from '../../lib/ports/ports.ts';
import type { TableCall } from '../helpers/table-ports.ts';
import { before, MINUTE_MS, type World } from '../helpers/world.ts';
import { HEALTHY } from './application.ts';
import type { Oracle } from './oracle.ts';

/** The table cutover; in some lives there is a second one of a component. */
export const TABLE = 'customer';

export type Life = {
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
export function outOfStep(ports: Ports, random: () => number): Ports {
  return before(ports, async () => {
    for (let turns = Math.floor(random() * 4); turns > 0; turns -= 1) await null;
  });
}

const pick = <T>(random: () => number, list: readonly T[]): T => list[Math.floor(random() * list.length)]!;

// ----------------------------------------------------------------------------------------------------------- chaos

export async function chaosMinute(life: Life): Promise<void> {
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
  const calls: TableCall[] = [
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
export function calmDown({ w, blocked }: Life): void {
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

export async function attempt(flow: Promise<unknown>): Promise<void> {
  await flow.catch((error) => {
    if (error?.name !== 'CrossfadeError') throw error;
  });
}

const SWITCHES: readonly OperatorCommand[] = [
  { type: 'reads', to: 'primary', reason: 'random' },
  { type: 'reads', to: 'shadow', reason: 'random' },
  { type: 'shadow-writes', enabled: false, reason: 'random' },
  { type: 'shadow-writes', enabled: true, reason: 'random' },
];

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
  if (random() < 0.1) return pick(random, SWITCHES);
  if (stageKind === 'disabled') return of('start');
  if (stageKind === 'rolled_back') return of('reset');
  if (stageKind === 'full') return of('complete', 'complete', 'complete', 'resume', 'rollback');
  if (stageKind === 'completed') return random() < 0.1 ? of('cleanup') : of('rollback');
  return random() < 0.1 ? of('rollback') : of('advance', 'advance', 'approve', 'resume', 'pause');
}
