/**
 * The scenes of `npm run chaos`: tests that take a seed, each with what it breaks while it goes on and what it checks. CI runs each of
 * them once, as a test among the others.
 */

export type Scene = {
  project: 'unit' | 'postgres' | 'servers' | 'dynamodb' | 'stack' | 'e2e';
  /** As seen from test. */
  tests: readonly string[];
  named?: string;
  env?: Readonly<Record<string, string>>;
  breaks: string;
  checks: string;
};

export const SCENES = {
  lives: {
    project: 'unit',
    tests: ['scenario/simulation.test.ts'],
    named: 'random lives',
    env: { CROSSFADE_SEEDS: '12' },
    breaks:
      'throttled and lost writes of the state, AppConfig conflicts and 5xx, a database that is away, ticks that die, clocks that are an hour off, wake-ups lost and doubled',
    checks:
      'acknowledged writes, twin table, chain and stage machine, flags = state, nobody on a shadow that is not written',
  },
  rows: {
    project: 'postgres',
    tests: [
      'integration/postgres/converge.test.ts',
      'integration/postgres/invariants.test.ts',
      'integration/postgres/same-key.test.ts',
      'integration/postgres/burst.test.ts',
    ],
    breaks: 'appliers and writers of the same keys, calls of an old epoch, bursts',
    checks: 'twin table, no row changed by an old epoch, lag',
  },
  snapshots: {
    project: 'postgres',
    tests: ['integration/postgres/in-the-way.test.ts', 'integration/postgres/older-snapshot.test.ts'],
    breaks: 'long snapshots, open transactions, locks of others',
    checks: 'the application waits for milliseconds, nothing is written by what an old snapshot does not see',
  },
  connections: {
    project: 'postgres',
    tests: ['integration/postgres/connection-killer.test.ts'],
    breaks: 'backends ended at random moments, in a call and between two',
    checks: 'every call is right, no connection is used after an error',
  },
  crashes: {
    project: 'postgres',
    tests: ['integration/postgres/crash.test.ts'],
    breaks: 'SIGKILL of all of Postgres at each named moment of each act, with recovery from its disk',
    checks: 'what was committed is there, an act that was not is as if it had never begun',
  },
  scarce: {
    project: 'postgres',
    tests: ['integration/postgres/scarce.test.ts'],
    breaks: 'a disk that is full, a role without connections left',
    checks: 'what was acknowledged is there and reaches the shadow, what was refused is on neither side',
  },
  state: {
    project: 'dynamodb',
    tests: ['integration/dynamodb/crash.test.ts'],
    breaks: 'SIGKILL of DynamoDB while states are written, with recovery from its disk',
    checks: 'acknowledged states, and an audit chain that leads to them',
  },
  failover: {
    project: 'servers',
    tests: ['integration/servers/other-servers.test.ts'],
    breaks: 'a standby in place of the primary, a failover in mid-swap, prepared transactions',
    checks: 'nothing is lost, and what is in the way is named',
  },
  kills: {
    project: 'stack',
    tests: ['stack/kill.test.ts'],
    breaks:
      'SIGKILL of every function, as often as they work; crashes of Postgres; latency on the way to Postgres and DynamoDB; conflicts, throttling and 5xx of AppConfig, through promote → rollback',
    checks: 'acknowledged writes, twin table, chain, flags = state = mirror',
  },
  gateway: {
    project: 'stack',
    tests: ['stack/gateway-kill.test.ts'],
    env: { CROSSFADE_KILL_SECONDS: '60' },
    breaks: 'SIGKILL of gateways, shadow writer, relay and both services, while clients try again under their keys',
    checks: 'acknowledged writes once on both sides, equal stores, nothing in quarantine',
  },
  deliveries: {
    project: 'e2e',
    tests: ['e2e/wake-ups.test.ts'],
    breaks: 'batches of the stream doubled, split, late, in another order, with malformed records',
    checks: 'the shadow is the same in the end',
  },
} as const satisfies Record<string, Scene>;

export type SceneName = keyof typeof SCENES;
