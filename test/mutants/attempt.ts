/** A process that tries mutants, one after the other, in one Vitest: servers are started once, and each mutant costs its tests only. */

import { readFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import postgres from 'postgres';
import { BaseSequencer, createVitest, type TestSpecification, type Vitest } from 'vitest/node';
import { TEMPLATE } from '../helpers/postgres-server.ts';
import { type Planted, plant } from './plant.ts';

export type Attempt = {
  id: string;
  project: 'unit' | 'dynamodb' | 'postgres';
  /** Beginnings of the names of test files. A round is asked when the one before has noticed nothing. */
  rounds: readonly (readonly string[])[];
  /** A file with the mutant in it, or a statement that makes a function of the schema anew. */
  planted: Planted | { statement: string; original: string };
};

export type Attempted = { id: string; noticedBy: string | null };

/** Milliseconds that test files have taken. What is not known comes first: most files take less than one of those that are. */
const taken = new Map<string, number>();

/** One failure ends a round, and a short file costs little to ask. */
class ShortestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const took = ({ moduleId }: TestSpecification) => taken.get(moduleId) ?? 0;
    return (await super.sort(files)).sort((one, other) => took(one) - took(other));
  }
}

/** What a round has that begins: each has the whole time for itself. */
type Asking = { vitest: Vitest; root: string; beginning: () => void };

/** @param attempts of one project */
async function attemptAll(
  root: string,
  attempts: readonly Attempt[],
  beginning: () => void,
  told: (done: Attempted) => void,
): Promise<void> {
  const [first] = attempts;
  if (first === undefined) return;
  const vitest = await createVitest('test', {
    root,
    config: join(root, 'vitest.config.ts'),
    watch: false,
    run: true,
    project: [first.project],
    reporters: [{}],
    bail: 1,
  });
  for (const { config } of [vitest, ...vitest.projects]) config.sequence.sequencer = ShortestFirst;
  for (const { config } of vitest.projects) {
    config.maxWorkers = 1;
    // Nothing runs beside them to which they would have to leave the processor.
    config.setupFiles = [];
  }
  try {
    await vitest.standalone();
    await startServers(vitest, first);
    let last: string | null = null;
    for (const attempt of attempts) {
      const noticedBy = await noticed({ vitest, root, beginning }, attempt);
      told({ id: attempt.id, noticedBy });
      last = noticedBy ?? last;
    }
    await withoutMutant(vitest, root, last);
  } finally {
    plant(null);
    await vitest.close();
  }
}

/** A project starts its servers with the first test file that it reads, and a mutant of a function of the schema is planted before that. */
async function startServers(vitest: Vitest, { rounds }: Attempt): Promise<void> {
  const specifications = await vitest.globTestSpecifications([...rounds[0]!]);
  await vitest.collectTests(specifications.slice(0, 1));
}

async function noticed({ vitest, root, beginning }: Asking, { rounds, planted }: Attempt): Promise<string | null> {
  const asked = async () => {
    for (const tests of rounds) {
      beginning();
      const by = await failing(vitest, root, await vitest.globTestSpecifications([...tests]));
      if (by !== null) return by;
    }
    return null;
  };
  if ('statement' in planted) return inTemplate(vitest, planted, asked);
  plant(planted);
  vitest.invalidateFile(join(root, planted.file));
  try {
    return await asked();
  } finally {
    plant(null);
    vitest.invalidateFile(join(root, planted.file));
  }
}

/** Control: the tests that noticed something last are content with the product as it is. */
async function withoutMutant(vitest: Vitest, root: string, test: string | null): Promise<void> {
  const specifications = test === null ? [] : await vitest.globTestSpecifications([test]);
  if (specifications.length === 0) return;
  const by = await failing(vitest, root, specifications);
  if (by !== null) throw new Error(`Without a mutant, ${by} fails, too: what was noticed means nothing.`);
}

async function failing(vitest: Vitest, root: string, specifications: TestSpecification[]): Promise<string | null> {
  if (specifications.length === 0) throw new Error('No test has such a name.');
  // What failed in another run is kept there, and would be taken for a failure of this one.
  vitest.state.filesMap.clear();
  const { testModules, unhandledErrors } = await vitest.runTestSpecifications(specifications, false);
  for (const module of testModules) if (module.ok()) taken.set(module.moduleId, module.diagnostic().duration);
  const failed = testModules.find((module) => !module.ok());
  if (failed) return relative(root, failed.moduleId);
  return unhandledErrors.length > 0 ? String(unhandledErrors[0]) : null;
}

/** Databases of tests are copies of the one with the mutant. The server is there once something has run. */
async function inTemplate<T>(
  vitest: Vitest,
  { statement, original }: { statement: string; original: string },
  use: () => Promise<T>,
): Promise<T> {
  const project = vitest.projects.find(({ name }) => name === 'postgres')!;
  const making = async (sql: string) => {
    const url = new URL(project.getProvidedContext().postgresUrl);
    url.pathname = `/${TEMPLATE}`;
    const client = postgres(url.href, { max: 1, fetch_types: false, onnotice: () => {} });
    await client.unsafe(sql).finally(() => client.end());
  };
  await making(statement);
  return use().finally(() => making(original));
}

/** The rest of a program that was started with `attempt FILE`: the attempts of that file, each answered over the channel to its parent, which hears of every round, too. */
export async function attemptFile(root: string, file: string): Promise<void> {
  const attempts = JSON.parse(readFileSync(file, 'utf8')) as Attempt[];
  // Whoever has asked is gone: with this process those end that run its tests.
  process.on('disconnect', () => process.kill(-process.pid, 'SIGKILL'));
  process.channel?.unref();
  await attemptAll(
    root,
    attempts,
    () => process.send?.('a round begins'),
    (done) => process.send?.(done),
  );
  // Vitest has made it 1, since tests have failed: those that noticed a mutant.
  process.exitCode = 0;
}
