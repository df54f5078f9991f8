/**
 * Every scheduled function of a deployment and its stream mapping, as processes: two instances of the tick, and two of
 * the shadow-writer with a reader of the stream each, so that every wake-up comes twice and appliers work side by side.
 */

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { CutoverDeclaration } from '../../lib/core/cutover/cutover.ts';
import { type Deed, deedBook } from './asked-deeds.ts';
import { deployedFunctions, type FunctionHost, functionHost, type Schedule, schedule } from './handler-process.ts';
import { type Backing, environmentOf, type OwnPorts, recordTraffic } from './stack-parts.ts';
import { LOOK, startPublisher } from './stack-parts-publisher.ts';
import { type StreamMapping, streamMapping, streamReader } from './stack-parts-stream.ts';

/** Milliseconds, as deployed. */
const TIMEOUTS = {
  tick: 50_000,
  publisher: 55_000,
  relay: 130_000,
  'shadow-writer': 60_000,
  backfill: 55_000,
  verify: 55_000,
};
type Name = keyof typeof TIMEOUTS;
const TURN = { maxMs: 2_000 };

export type Fleet = {
  hosts: readonly FunctionHost[];
  ticks: readonly Schedule[];
  /** What each function has asked DynamoDB for. */
  deeds: readonly Deed[];
  kills(): number;
  killsInCall(): number;
  /** Instances that ended by themselves, and calls beyond their time-out: there must be none. */
  accidents(): string[];
  /** The last errors that handlers answered with, for people. */
  errors(): string[];
  describe(): string;
  stop(): Promise<void>;
};

export function startFleet(
  on: Backing,
  options: {
    databaseUrl: string;
    declarations: readonly CutoverDeclaration[];
    clock: { speed: number; originMs: number };
    /** Reports healthy traffic of both sides for every cutover, as the SDK of an application would. */
    ports: OwnPorts;
  },
): Fleet {
  const book = deedBook(on.flags);
  const functions = deployedFunctions();
  const settings = mkdtempSync(join(tmpdir(), 'crossfade-fleet-'));
  const cutovers = join(settings, 'cutovers.json');
  writeFileSync(cutovers, JSON.stringify(options.declarations));
  const environment = environmentOf(on, { databaseUrl: options.databaseUrl, cutovers, ...options.clock });
  const minuteMs = 60_000 / options.clock.speed;
  const hosts: FunctionHost[] = [];
  const host = (name: Name, number = 1) => {
    const made = functionHost({ functions, name: `${name}:${number}`, environment, timeoutMs: TIMEOUTS[name], book });
    hosts.push(made);
    return made;
  };
  const mapped = (number: number) =>
    streamMapping(streamReader(on.endpoint, on.tables.changes), host('shadow-writer', number).invoke);

  const ticks = [schedule(host('tick', 1), minuteMs), schedule(host('tick', 2), 1.3 * minuteMs)];
  const mappings: StreamMapping[] = [mapped(1), mapped(2)];
  const playing: { stop(): Promise<void> }[] = [
    ...ticks,
    startPublisher(on, host('publisher', 1).invoke),
    schedule(host('publisher', 2), minuteMs, LOOK),
    ...mappings,
    schedule(host('relay'), 0, TURN),
    schedule(host('backfill'), minuteMs / 2, TURN),
    schedule(host('verify'), minuteMs),
    traffic(options.ports, options.declarations, minuteMs / 3),
  ];

  const sum = (of: (host: FunctionHost) => number) => hosts.reduce((total, one) => total + of(one), 0);
  return {
    hosts,
    ticks,
    deeds: book.deeds,
    kills: () => sum(({ figures }) => figures.kills),
    killsInCall: () => sum(({ figures }) => figures.killedInCall),
    accidents: () =>
      hosts.flatMap(({ name, figures }) => [
        ...figures.deaths,
        ...(figures.timeouts > 0 ? [`${name}: ${figures.timeouts} calls took too long`] : []),
      ]),
    errors: () => hosts.flatMap(({ name, figures }) => figures.errors.slice(-3).map((error) => `${name}: ${error}`)),
    describe: () =>
      [
        `killed in a call / killed: ${hosts.map(({ name, figures }) => `${name} ${figures.killedInCall}/${figures.kills}`).join(', ')}`,
        `${sum(({ figures }) => figures.calls)} calls, ${sum(({ figures }) => figures.errors.length)} answered with an error, ${mappings.reduce((n, one) => n + one.redelivered(), 0)} batches redelivered`,
      ].join('; '),
    async stop() {
      await Promise.all([...playing.map((one) => one.stop()), ...hosts.map((one) => one.stop())]);
      for (const directory of [functions, settings]) rmSync(directory, { recursive: true, force: true });
    },
  };
}

function traffic(ports: OwnPorts, declarations: readonly CutoverDeclaration[], everyMs: number) {
  let stopping = false;
  const running = (async () => {
    while (!stopping) {
      // A report that is lost delays an advance, nothing else.
      for (const { id } of declarations) await recordTraffic(ports, id, 5_000).catch(() => {});
      await new Promise((resolve) => setTimeout(resolve, everyMs));
    }
  })();
  return {
    async stop() {
      stopping = true;
      await running;
    },
  };
}
