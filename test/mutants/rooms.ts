/** Which sources are mutated, which tests are asked of them, and how many of the mutants they must notice. */

export type Room = {
  /** A folder or a file, as seen from the root. */
  source: string;
  project: 'unit' | 'dynamodb';
  /** Beginnings of the names of test files. */
  tests: readonly string[];
  /** The share that must be noticed, 0–1, where a run tries the room whole. */
  atLeast: number | null;
};

const unit = (source: string, tests: readonly string[], atLeast: number | null = null): Room => ({
  source,
  project: 'unit',
  tests: tests.map((name) => `test/${name}`),
  atLeast,
});

export const ROOMS: readonly Room[] = [
  unit('lib/core/stage', ['unit/stage', 'unit/cutover/policy', 'property/stage-machine', 'property/audit-chain'], 0.9),
  unit('lib/core/gates', ['unit/gates', 'property/gate-laws'], 0.9),
  unit('lib/core/routing', ['unit/routing', 'unit/cli/cli-bucket'], 0.9),
  unit('lib/core/forwards', ['unit/forwards'], 0.9),
  unit('lib/core/cutover/policy.ts', ['unit/cutover', 'unit/stage'], 0.9),
  unit('lib/core/cutover', ['unit/cutover', 'unit/stage', 'unit/routing']),
  unit('lib/core/holds', ['unit/holds', 'unit/phases', 'unit/stage', 'property/cohorts', 'unit/cli/rehearsal']),
  unit('lib/core/look', ['unit/look', 'unit/stage']),
  unit('lib/core/conditions', ['unit/conditions', 'property/conditions']),
  unit('lib/core/alerts', ['unit/alerts']),
  unit('lib/core/phases', ['unit/phases']),
  unit('lib/core/report', ['unit/report']),
  unit('lib/core/replay', ['unit/replay']),
  unit('lib/core/net', ['unit/net', 'unit/http/gateway.test']),
  unit('lib/core/base', ['unit/cutover/nearest', 'unit/stage', 'unit/http/http-schemas']),
  unit('lib/core/table', ['unit/table']),
  unit('lib/client', ['unit/client']),
  {
    source: 'lib/adapters/dynamodb/state-transaction.ts',
    project: 'dynamodb',
    tests: ['test/integration/dynamodb'],
    atLeast: 0.9,
  },
  { source: 'lib/adapters/dynamodb', project: 'dynamodb', tests: ['test/integration/dynamodb'], atLeast: null },
  unit('functions/middleware.ts', ['unit/http/middleware', 'unit/http/token', 'unit/http/openapi']),
  unit('functions', ['unit/http']),
  unit('lib/flows/alerts', ['unit/alerts']),
  unit('lib/flows/calls', ['unit/calls']),
  unit('lib/flows/control', ['unit/stage', 'unit/phases', 'unit/holds', 'unit/routing', 'scenario']),
  unit('lib/flows/forwards', ['unit/forwards', 'unit/http/gateway']),
  unit('lib/flows/publishing', ['unit/routing', 'unit/holds', 'unit/http']),
  unit('lib/flows/report', ['unit/report', 'unit/replay', 'unit/cli']),
  unit('lib/flows/rows', ['unit/rows', 'unit/table', 'unit/cli']),
  unit('lib/adapters/http', ['unit/http', 'unit/net', 'unit/alerts']),
  unit('lib/adapters/net', ['unit/net', 'unit/alerts']),
  unit('lib/adapters/notify', ['unit/alerts']),
];

/** What a mutant that its room's tests did not notice is tried with, in the project `unit`: all folders but those about texts and pages. */
export const WIDER: readonly string[] = [
  ...[
    'stage',
    'cutover',
    'holds',
    'phases',
    'gates',
    'routing',
    'look',
    'forwards',
    'alerts',
    'conditions',
    'calls',
    'net',
    'replay',
    'rows',
    'report',
    'client',
    'http',
  ].map((room) => `test/unit/${room}`),
  'test/property/stage-machine',
  'test/property/cohorts',
  'test/property/gate-laws',
];

/** Of integration/postgres: they compare texts of the SQL, or put faults of their own into it, which fit what is there. */
export const ABOUT_SQL_TEXT: readonly string[] = ['schema', 'planted', 'pages', 'command-examples', 'tutorial'];

/** The first that fits: a file that has a row of its own is in no other. */
export const roomOf = (file: string): Room | undefined =>
  ROOMS.filter(({ source }) => file === source || file.startsWith(`${source}/`)).sort(
    (a, b) => b.source.length - a.source.length,
  )[0];
