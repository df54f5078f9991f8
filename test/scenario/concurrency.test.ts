/**
 * Ticks and commands beside each other, in the orders of their calls with at most two changes of turn and in random ones
 * beyond, and ticks that die after each of their calls. Whatever happens, one of them moves the cutover, once.
 *
 * A run tries a sixth of the orders, others each time. Every one of them: CROSSFADE_SHARE=1 npx vitest run test/scenario/concurrency.test.ts
 */

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { makePlan } from '../../lib/core/cutover/plan.ts';
import type { OperatorCommand } from '../../lib/flows/control/operate.ts';
import { emergencyStop } from '../../lib/flows/control/stop.ts';
import { tick } from '../../lib/flows/control/tick.ts';
import type { Ports } from '../../lib/ports/ports.ts';
import { before, Died, dyingAfter } from '../helpers/world.ts';
import { interleaved, type Schedule, schedules } from './interleave.ts';
import { inside } from './oracle.ts';
import { PLANTS } from './plants.ts';
import { ID, type Run, run, shortTable } from './run.ts';

type Flow = { name: string; go: (scene: Run, ports: Ports) => Promise<unknown> };
type Pair = { at: string; flows: readonly [Flow, Flow]; ends: readonly string[] };

const ticking: Flow = { name: 'a tick', go: ({ w }, ports) => tick(ports, w.cutovers) };
const stopping: Flow = {
  name: 'an emergency stop',
  go: ({ w }, ports) => emergencyStop(ports, w.cutovers, { reason: 'fire', actor: 'ada' }),
};
const commanding = (command: OperatorCommand, actor = 'ada'): Flow => ({
  name: command.type,
  go: (scene, ports) =>
    scene.w.operate(ID, command, { actor, key: `${actor} ${command.type}`, basedOn: scene.o.state(ID).version, ports }),
});

const START: OperatorCommand = { type: 'start' };
const BACK: OperatorCommand = { type: 'rollback', reason: 'r' };
const FORCED = { force: true, reason: 'now' } as const;
const COMPLETE: OperatorCommand = { type: 'complete', confirm: ID, ...FORCED };
const CLEANUP: OperatorCommand = { type: 'cleanup', confirm: ID };
const QUICK = makePlan(
  'quick',
  [
    ['r30', 30],
    ['full_100', 100],
  ],
  1,
);
/** Each with the stages in which the cutover may be afterwards. */
const PAIRS: Pair[] = [
  { at: 'disabled', flows: [commanding(START), commanding(START, 'bob')], ends: ['dual_write'] },
  { at: 'disabled', flows: [ticking, commanding(START)], ends: ['dual_write'] },
  { at: 'r30', flows: [ticking, ticking], ends: ['full_100'] },
  { at: 'r30', flows: [ticking, commanding({ type: 'advance' })], ends: ['full_100'] },
  { at: 'r30', flows: [ticking, commanding(BACK)], ends: ['full_100', 'rolled_back'] },
  { at: 'r30', flows: [commanding({ type: 'advance' }), commanding(BACK, 'bob')], ends: ['full_100', 'rolled_back'] },
  { at: 'r30', flows: [ticking, stopping], ends: ['rolled_back'] },
  { at: 'full_100', flows: [ticking, commanding(COMPLETE)], ends: ['completed'] },
  { at: 'full_100', flows: [commanding(COMPLETE), commanding(BACK, 'bob')], ends: ['completed', 'rolled_back'] },
  { at: 'full_100', flows: [commanding(COMPLETE), stopping], ends: ['completed', 'rolled_back'] },
  { at: 'completed', flows: [ticking, commanding(BACK)], ends: ['rolled_back'] },
  { at: 'completed', flows: [commanding(CLEANUP), commanding(BACK, 'bob')], ends: ['cleaned', 'rolled_back'] },
];

/** A world in which the cutover may leave this stage at once: a ramp with its evidence, the other stages by force. */
async function ready(at: string): Promise<Run> {
  const cutovers = [shortTable({ plan: QUICK, policy: { minSamples: 20, warmUpMinutes: 0 } })];
  const scene = run({ cutovers, load: { readsPerMinute: 80, writesPerMinute: 8, rows: 20, weight: 40 } });
  scene.o.calm(false);
  const { w } = scene;
  await w.minute();
  if (at === 'disabled') return scene;
  await scene.accepted(START);
  await w.minute();
  w.faults.ticks = 0;
  for (const stage of at === 'r30' ? ['r30'] : ['r30', 'full_100']) {
    await scene.accepted({ type: 'advance', ...FORCED });
    expect(scene.stage()).toBe(stage);
    await w.minute();
  }
  if (at === 'r30') await w.minute();
  w.faults.ticks = 1;
  if (at === 'completed') await scene.accepted(COMPLETE);
  return scene;
}

/** Two ticks after whatever was done: the cutover is where it may be, and everything agrees. */
async function judged(scene: Run, ends: readonly string[]): Promise<void> {
  scene.w.clock.pass(15_000);
  scene.o.calm(true);
  // From here on ticks repair, and move nothing on their own.
  Object.assign(scene.w.cutovers[0]!.policy, { autoAdvance: false });
  for (let i = 0; i < 2; i += 1) await scene.w.minute();
  scene.o.check();
  await scene.o.checkAudit();
  const state = scene.o.state(ID);
  expect(ends).toContain(state.stage);
  expect(state.pending).toBeNull();
  if (state.version === 0) return;
  expect(scene.w.served()!.cutovers[ID]).toMatchObject({ version: state.version, epoch: state.epoch });
  const { direction, mirror } = inside(scene.w, ID);
  expect(direction).toBe(DIRECTION[state.stage] ?? 'forward');
  expect(mirror).toMatchObject({ version: state.version, epoch: state.epoch });
}

const DIRECTION: Readonly<Record<string, string>> = { completed: 'reverse', rolled_back: 'none', cleaned: 'none' };

/** One order in so many is tried, which ones the seed says; ten runs with seeds in a row try them all. */
const SHARE = Number(process.env.CROSSFADE_SHARE ?? 10);
const SEED = Number(process.env.CROSSFADE_SEED ?? Math.floor(Math.random() * 2 ** 31));
const REPLAY = `CROSSFADE_SEED=${SEED} npx vitest run test/scenario/concurrency.test.ts`;

const pairName = ({ at, flows }: Pair) => `${flows[0].name} and ${flows[1].name} in ${at}`;
const named = PAIRS.map((pair) => [pairName(pair), pair] as const);

describe('I17, I18, I19 two at once, in orders of calls with at most two changes of turn', () => {
  it.each(named)('%s', async (_, { at, flows: [one, other], ends }) => {
    const attempt = async (schedule: Schedule) => {
      const scene = await ready(at);
      const { calls } = await interleaved(
        scene.w.ports,
        [(ports) => one.go(scene, ports), (ports) => other.go(scene, ports)],
        schedule,
      );
      await judged(scene, ends).catch((error) => {
        throw new Error(`With the schedule ${JSON.stringify(schedule)} (${REPLAY}): ${error.message}`);
      });
      return calls;
    };
    const calls = await attempt({ first: 0, turns: [] });
    const all = schedules(calls).filter(({ first }) => first === 0 || one.name !== other.name);
    for (const schedule of all.filter((_, index) => index % SHARE === SEED % SHARE)) await attempt(schedule);
  });
});

describe('I17, I18, I19 two at once, in random orders of their calls', () => {
  it.each(named)('%s', async (_, { at, flows, ends }) => {
    await fc.assert(
      fc.asyncProperty(fc.scheduler(), async (scheduler) => {
        const scene = await ready(at);
        const ports = before(scene.w.ports, async (port, call) => {
          await scheduler.schedule(Promise.resolve(), `${port}.${call}`);
        });
        await scheduler.waitFor(Promise.all(flows.map(({ go }) => go(scene, ports))));
        await judged(scene, ends);
      }),
      { numRuns: 6 },
    );
  });
});

describe('I18 negative control', () => {
  it.each(['r30', 'disabled'])(
    'a store without a condition on the version is caught by two at once in %s',
    async (at) => {
      const pair = PAIRS.find(
        (candidate) => candidate.at === at && candidate.flows[0].name === candidate.flows[1].name,
      )!;
      const all = schedules([6, 6]);
      let caught = false;
      for (let next = 0; !caught && next < all.length; next += 1) {
        const scene = await ready(at);
        const ports = PLANTS.no_version_condition.ports!(scene.w.ports);
        const [one, other] = pair.flows;
        await interleaved(ports, [(p) => one.go(scene, p), (p) => other.go(scene, p)], all[next]!).catch(
          () => undefined,
        );
        await judged(scene, pair.ends).catch(() => {
          caught = true;
        });
      }
      expect(caught).toBe(true);
    },
  );
});

describe('I26, I27 a flow that dies after any of its calls', () => {
  const lost = (call: 'promote' | 'revert' | 'cleanup', effect: boolean) => (scene: Run) => {
    scene.w.tables.failNext(call, effect);
  };
  const CASES: { name: string; at: string; prepare?: (scene: Run) => unknown; flow: Flow; ends: string[] }[] = [
    { name: 'a start', at: 'disabled', flow: commanding(START), ends: ['disabled', 'dual_write'] },
    { name: 'a tick that advances', at: 'r30', flow: ticking, ends: ['r30', 'full_100'] },
    { name: 'a rollback', at: 'r30', flow: commanding(BACK), ends: ['r30', 'rolled_back'] },
    { name: 'an emergency stop', at: 'r30', flow: stopping, ends: ['r30', 'rolled_back'] },
    { name: 'a completion', at: 'full_100', flow: commanding(COMPLETE), ends: ['full_100', 'completed'] },
    { name: 'a rollback of a promotion', at: 'completed', flow: commanding(BACK), ends: ['completed', 'rolled_back'] },
    { name: 'a cleanup', at: 'completed', flow: commanding(CLEANUP), ends: ['completed', 'cleaned'] },
    ...[false, true].flatMap((effect) => [
      {
        name: `a tick that carries out a promotion ${effect ? 'whose answer was' : 'that was'} lost`,
        at: 'full_100',
        prepare: async (scene: Run) => {
          lost('promote', effect)(scene);
          await scene.accepted(COMPLETE);
        },
        flow: ticking,
        ends: ['completed'],
      },
      {
        name: `a tick that carries out the way back ${effect ? 'whose answer was' : 'that was'} lost`,
        at: 'completed',
        prepare: async (scene: Run) => {
          lost('revert', effect)(scene);
          await scene.accepted(BACK);
        },
        flow: ticking,
        ends: ['rolled_back'],
      },
    ]),
  ];

  it.each(CASES)('$name leaves what the next ticks mend', async ({ at, prepare, flow, ends }) => {
    let finished = false;
    for (let calls = 0; !finished; calls += 1) {
      const scene = await ready(at);
      await prepare?.(scene);
      finished = true;
      const pass = dyingAfter(calls);
      const mortal = before(scene.w.ports, () => {
        try {
          pass();
        } catch (death) {
          finished = false;
          throw death;
        }
      });
      await flow.go(scene, mortal).catch((error) => {
        if (!(error instanceof Died)) throw error;
      });
      await judged(scene, ends).catch((error) => {
        throw new Error(`Dead after ${calls} calls: ${error.message}`);
      });
      expect(calls).toBeLessThan(100);
    }
  });
});
