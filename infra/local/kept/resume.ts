/** What a `crossfade dev` goes on with: what is kept of the database, once that and the database are known to be of one life. */

import { randomUUID } from 'node:crypto';
import { join, relative } from 'node:path';
import { dynamoStateStore } from '../../../lib/adapters/dynamodb/state-store.ts';
import { postgresConnection } from '../../../lib/adapters/postgres/connection/connection.ts';
import { random, systemClock, systemIds } from '../../../lib/adapters/system.ts';
import { isAlive } from '../../../lib/cli/connection.ts';
import type { CutoverState } from '../../../lib/core/cutover/cutover.ts';
import { installSchema } from '../install-schema.ts';
import { demandFreePorts, portsFrom, takenPorts } from '../ports.ts';
import { type StackMemory, type StackOptions, signingKeys } from '../stack.ts';
import {
  dynamoDirectory,
  hold,
  keptDirectory,
  lastWriteMs,
  readStored,
  removeKept,
  resumedOrigin,
  type Stored,
} from './kept.ts';
import { ahead, forgetAll, installationOf, type Mirrored, readMirrored } from './mirrored.ts';

export type Resumed = {
  directory: string;
  memory: StackMemory;
  demand: NonNullable<StackOptions['demand']>;
  /** Of the cutovers that have begun, once the demand was met. */
  stages(): readonly { id: string; stage: string }[];
};

export type ResumeOptions = { root: string; databaseUrl: string; speed: number; port: number; fresh: boolean };

const SERVERS_END_WITHIN_MS = 15_000;
const LOOK_MS = 200;

/** @throws Error that says what is there and what to do; then nothing was changed, but for the schema crossfade */
export async function resume(from: string, options: ResumeOptions, say: (line: string) => void): Promise<Resumed> {
  const directory = keptDirectory(from, options.databaseUrl);
  const shown = relative(from, directory);
  await demandUnused(directory, shown, options.port);
  await demandFreePorts(portsFrom(options.port));
  await installSchema(options.root, options.databaseUrl);
  const owner = postgresConnection({ url: options.databaseUrl, clock: systemClock(), random });
  try {
    if (options.fresh) {
      const forgotten = await forgetAll(owner);
      removeKept(directory);
      say(
        `Begun from nothing: ${forgotten.length === 0 ? 'nothing was armed' : `capture is off, ${forgotten.join(', ')}`}.`,
      );
    }
    const stored = readStored(directory);
    const installation = await installationOf(owner);
    if (stored && stored.installation !== installation) throw new Error(otherDatabase(shown));
    const memory = memoryOf(directory, stored, options.speed);
    const { keys, checkKey, originMs } = memory;
    hold(directory, { installation, keys, checkKey, originMs, speed: options.speed });
    return { directory, memory, ...demandOneLife(await readMirrored(owner), shown) };
  } finally {
    await owner.close();
  }
}

const otherDatabase = (shown: string) =>
  `What is kept in ${shown} is of another database: the one at this address, or its schema crossfade, was made again since. Begin again with --fresh, or give the address of the other one.`;

/** One that was killed leaves servers that end a moment later. */
async function demandUnused(directory: string, shown: string, port: number): Promise<void> {
  const pid = readStored(directory)?.pid ?? null;
  if (pid === null) return;
  if (isAlive(pid)) {
    throw new Error(
      `Process ${pid} serves this database already, with what is kept in ${shown}. Use that one, or end it first.`,
    );
  }
  const deadline = Date.now() + SERVERS_END_WITHIN_MS;
  while (Date.now() < deadline && (await takenPorts(portsFrom(port))).length > 0)
    await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
}

function memoryOf(directory: string, stored: Stored | null, speed: number): StackMemory {
  const nowMs = Date.now();
  return {
    dynamo: dynamoDirectory(directory),
    appConfig: join(directory, 'appconfig.json'),
    keys: stored?.keys ?? signingKeys(),
    checkKey: stored?.checkKey ?? randomUUID(),
    originMs: stored ? resumedOrigin(stored, lastWriteMs(directory), nowMs, speed) : nowMs,
  };
}

function demandOneLife(mirrored: readonly Mirrored[], shown: string): Pick<Resumed, 'demand' | 'stages'> {
  let known: readonly CutoverState[] = [];
  return {
    stages: () => known.map(({ id, stage }) => ({ id, stage })),
    async demand(table) {
      const all = await dynamoStateStore({ ...table, clock: systemClock(), ids: systemIds(), random }).readAll();
      known = all.filter((state): state is CutoverState => !('invalid' in state));
      const problems = ahead(mirrored, known);
      if (problems.length === 0) return;
      throw new Error(
        [
          `The database has seen more of these cutovers than is kept in ${shown}:`,
          ...problems.map((problem) => `  ${problem}`),
          "Another Crossfade has moved them, or 'crossfade dev' was started in another directory: go on there.",
          'To begin from nothing, add --fresh: capture is taken off their tables, what is kept is forgotten, rows stay.',
        ].join('\n'),
      );
    },
  };
}
