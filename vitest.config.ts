import { defineConfig } from 'vitest/config';
import { vitePage } from './infra/bundle-page.mjs';
import { debianBinaries } from './test/helpers/debian-postgres.ts';
import { fastModules } from './test/helpers/fast-modules.ts';
import { LongestFirst } from './test/helpers/longest-first.ts';
import { mutantPlugin } from './test/mutants/plant.ts';

/** Also run on the distribution's Postgres, by its owner role and through PgBouncer; where there is none, not at all. */
const ON_THE_DISTRIBUTIONS =
  debianBinaries() === null
    ? []
    : ['invariants', 'partitioned-shadow', 'rounding', 'twin', 'verify'].map(
        (topic) => `test/integration/postgres/${topic}.test.ts`,
      );

/** Two minutes on both cores, and half of one: more than a run of all tests has to spare. CROSSFADE_LONG=1 adds them. */
const LONG = process.env.CROSSFADE_LONG ? [] : ['test/stack/newcomer.test.ts', 'test/stack/chaos.test.ts'];

const OWN_STACK = ['test/stack/start.test.ts', 'test/stack/newcomer.test.ts'];

export default defineConfig({
  plugins: [vitePage, mutantPlugin, fastModules],
  test: {
    testTimeout: 60_000,
    // Packaging the template takes most of a minute on a busy machine.
    hookTimeout: 180_000,
    // On two cores, which the tests share with their servers: a fifth of their time they wait, for locks, retries and starts.
    maxWorkers: 3,
    // Worlds and answers are made and dropped by the thousand: with room for them, collecting them takes a twentieth less of the whole.
    execArgv: ['--max-semi-space-size=64'],
    sequence: { sequencer: LongestFirst },
    projects: [
      {
        extends: true,
        test: {
          name: 'unit',
          // They touch nothing but themselves: loading every module once halves their time.
          isolate: false,
          // Against a test that never ends. Beside others they get what time is left, and sixty lives take half a minute alone.
          testTimeout: 600_000,
          // They need the processor only, which the demonstration leaves idle half of the time.
          sequence: { groupOrder: 2 },
          setupFiles: ['test/helpers/low-priority.ts'],
          include: ['test/unit/**/*.test.ts', 'test/property/**/*.test.ts', 'test/scenario/**/*.test.ts'],
        },
      },
      {
        extends: true,
        test: {
          name: 'postgres',
          // A hundred files over the same modules; what tests share, they share by databases.
          isolate: false,
          include: ['test/integration/postgres/**/*.test.ts'],
          globalSetup: ['test/helpers/postgres-server.ts'],
        },
      },
      {
        extends: true,
        test: {
          // The embedded Postgres and the distribution's, with PgBouncer, and an owner that is no superuser.
          name: 'servers',
          isolate: false,
          // A whole life under load takes half a minute beside two other workers.
          testTimeout: 240_000,
          include: ['test/integration/servers/**/*.test.ts', ...ON_THE_DISTRIBUTIONS],
          globalSetup: ['test/helpers/two-servers.ts'],
        },
      },
      {
        extends: true,
        test: {
          name: 'dynamodb',
          isolate: false,
          include: ['test/integration/dynamodb/**/*.test.ts'],
          globalSetup: ['test/helpers/dynamodb-server.ts'],
        },
      },
      { extends: true, test: { name: 'appconfig', include: ['test/integration/appconfig/**/*.test.ts'] } },
      {
        extends: true,
        test: {
          name: 'e2e',
          isolate: false,
          // After the rest, or they would measure the neighbours.
          sequence: { groupOrder: 1 },
          include: ['test/e2e/**/*.test.ts'],
          globalSetup: ['test/helpers/postgres-server.ts', 'test/helpers/dynamodb-server.ts'],
          testTimeout: 360_000,
        },
      },
      {
        extends: true,
        test: {
          name: 'start',
          // The demonstration and the page for newcomers, each with no other servers beside its own.
          sequence: { groupOrder: 2 },
          include: OWN_STACK,
          exclude: LONG,
          maxConcurrency: 2,
          testTimeout: 360_000,
        },
      },
      {
        extends: true,
        test: {
          name: 'stack',
          // A whole stack under load, half of whose time is waiting. How long it may take is counted in answers.
          sequence: { groupOrder: 2 },
          include: ['test/stack/**/*.test.ts'],
          exclude: [...OWN_STACK, ...LONG],
          globalSetup: ['test/helpers/dynamodb-server.ts'],
          testTimeout: 360_000,
        },
      },
    ],
  },
});
