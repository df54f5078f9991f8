/**
 * I5 I6 Gateways, the stream's function, the relay and both services get SIGKILL several times a second, while clients write and
 * try again under their keys until they are answered. Then both services hold the same, and every acknowledged write once.
 *
 * Longer: CROSSFADE_KILL_SECONDS=600 npx vitest run --project stack test/stack/gateway-kill.test.ts
 */

import { afterAll, beforeAll, describe, expect, it, onTestFailed } from 'vitest';
import { type GatewayStack, gatewayStack, type Write } from '../helpers/gateway-stack.ts';
import type { Holding } from '../helpers/keyed-service.ts';
import { seeded, until } from '../helpers/stack-parts.ts';

const SEED = Number(process.env.CROSSFADE_SEED ?? Math.floor(Math.random() * 2 ** 31));
/** At least so many kills, and for so long. */
const KILLS = 12;
const SECONDS = Number(process.env.CROSSFADE_KILL_SECONDS ?? 0);
/** `forgetful` services carry out a key twice, which must be noticed. */
const MEMORY = process.env.CROSSFADE_SERVICES === 'forgetful' ? 'forgetful' : 'keeps keys';
const CLIENTS = 4;
const RESOURCES = 3;
const CALLS_BETWEEN = 3;
const METHODS = ['POST', 'PUT', 'PATCH', 'DELETE'] as const;
/** An intent that a death has left is asked about after 35 s. */
const SETTLE_MS = 180_000;
const random = seeded(SEED);
const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

let stack: GatewayStack;
beforeAll(async () => {
  stack = await gatewayStack({ gateways: CLIENTS, memory: MEMORY });
}, 120_000);
afterAll(() => stack?.stop());

/** What is wrong: a sentence each, none when all is well. */
function complaints(acknowledged: ReadonlySet<string>, { primary, shadow }: Record<'primary' | 'shadow', Holding>) {
  const said: string[] = [];
  for (const [side, { applied }] of Object.entries({ primary, shadow })) {
    const held = new Set(applied);
    const lost = [...acknowledged].filter((key) => !held.has(key));
    if (lost.length > 0) said.push(`the ${side} has lost ${lost.length}, as ${lost[0]}`);
    if (held.size < applied.length) said.push(`the ${side} has ${applied.length - held.size} twice`);
  }
  if (JSON.stringify(primary.values) !== JSON.stringify(shadow.values)) said.push('the services hold different things');
  return said;
}

/** One client and its own resources: it goes on to its next write when the last one is answered. */
async function client(number: number, isOver: () => boolean, acknowledged: Set<string>): Promise<number> {
  let attempts = 0;
  for (let n = 0; !isOver(); n += 1) {
    const method = METHODS[Math.floor(random() * METHODS.length)]!;
    const path = `tasks/${number}-${Math.floor(random() * RESOURCES)}`;
    const write: Write = { key: `${number}-${n}`, method, path };
    for (;;) {
      attempts += 1;
      const status = await stack.write(number, write);
      if (status !== null && status < 300) break;
      // Nothing else is a final answer of services that take everything.
      await pause(20);
    }
    acknowledged.add(write.key);
  }
  return attempts;
}

/** A victim has done something since it came back: how fast that is, is the machine's affair. */
type Victim = { name: string; done(): number; killedAt: number; kills: number; kill(): unknown };

function victims(acknowledged: ReadonlySet<string>): Victim[] {
  const fresh = { killedAt: 0, kills: 0 };
  return [
    ...stack.hosts.map((host) => ({ ...fresh, name: host.name, done: () => host.figures.calls, kill: host.kill })),
    ...Object.entries(stack.services).map(([name, { kill }]) => ({
      ...fresh,
      name,
      done: () => acknowledged.size,
      kill,
    })),
  ];
}

async function kill(all: readonly Victim[], isOver: () => boolean): Promise<void> {
  while (!isOver()) {
    await pause(random() * 60);
    const able = all.filter(({ done, killedAt }) => done() >= killedAt + CALLS_BETWEEN);
    const victim = able[Math.floor(random() * able.length)];
    if (!victim) continue;
    victim.killedAt = victim.done();
    victim.kills += 1;
    await victim.kill();
  }
}

describe('a gateway of which everything is killed', () => {
  it(
    'loses no acknowledged write, and both services are equal at the end',
    async () => {
      onTestFailed(() => console.log(`CROSSFADE_SEED=${SEED}`));
      const acknowledged = new Set<string>();
      const all = victims(acknowledged);
      const killed = () => all.reduce((sum, { kills }) => sum + kills, 0);
      const untilMs = performance.now() + SECONDS * 1_000;
      const isOver = () => killed() >= KILLS && performance.now() > untilMs;
      const clients = Array.from({ length: CLIENTS }, (_, n) => client(n, isOver, acknowledged));
      await kill(all, isOver);
      const attempts = (await Promise.all(clients)).reduce((sum, one) => sum + one, 0);
      let left = await stack.forwards();
      await until(
        async () => {
          left = await stack.forwards();
          return left.open === 0;
        },
        () => `forwarded writes are open: ${JSON.stringify(left)}`,
        SETTLE_MS,
      );
      const inCall = stack.hosts.reduce((sum, { figures }) => sum + figures.killedInCall, 0);
      const each = all.map(({ name, kills }) => `${name} ${kills}`).join(', ');
      console.log(
        `seed ${SEED}: ${acknowledged.size} writes acknowledged after ${attempts} attempts, ${killed()} kills (${each}), ${inCall} of them in a call`,
      );
      expect(left.quarantined).toBe(0);
      expect(complaints(acknowledged, await stack.holdings())).toEqual([]);
      expect(inCall).toBeGreaterThan(0);
      expect(stack.hosts.flatMap(({ figures }) => figures.deaths)).toEqual([]);
      expect(stack.denied()).toEqual([]);
    },
    (SECONDS + 360) * 1_000,
  );

  it('negative control: what is lost, doubled or different is said', () => {
    const good = { applied: ['a', 'b'], values: { t: ['a', 'b'] } };
    const both = (shadow: Holding) => complaints(new Set(['a', 'b']), { primary: good, shadow });
    expect(both(good)).toEqual([]);
    expect(both({ ...good, applied: ['a'] })).toEqual(['the shadow has lost 1, as b']);
    expect(both({ ...good, applied: ['a', 'b', 'b'] })).toEqual(['the shadow has 1 twice']);
    expect(both({ ...good, values: { t: ['b', 'a'] } })).toEqual(['the services hold different things']);
  });
});
