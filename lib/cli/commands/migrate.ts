/** Installs or updates the schema `crossfade`. Needs the owner's role; what is there already is left alone. */

import { join } from 'node:path';
import type { PgConnection } from '../../adapters/postgres/connection/connection.ts';
import { CrossfadeError } from '../../core/base/errors.ts';
import type { Context, Outcome } from '../context.ts';
import { addressOf, openDatabase, ownerUrl } from '../database.ts';
import { packageRoot } from '../package-root.ts';
import { deploymentOf, stageOf } from '../stage.ts';

/** The migrations grant to this role what the functions call. */
const RUNTIME_ROLE = 'crossfade_runtime';

export async function migrate(context: Context): Promise<Outcome> {
  return context.options.stage === undefined ? migrateHere(context) : migrateDeployed(context);
}

type Applied = { applied: string[]; present: string[] };
/** Functions of the release before say nothing of connections. */
export type Migrated = Applied & { connections?: (Applied & { connection: string })[] };

/** By the function of the deployment, which is in the network of the database. */
async function migrateDeployed(context: Context): Promise<Outcome> {
  if (context.options.databaseUrl !== undefined)
    throw new CrossfadeError(
      'invalid_input',
      'With --stage the database is that of the deployment: leave --database-url out.',
    );
  const at = stageOf(context, 'migrate');
  const deployment = await deploymentOf(context, at);
  const { applied, present, connections = [] } = await deployment.schema<Migrated>({ task: 'migrate' });
  return {
    document: { ...at, applied, present, connections },
    text: [
      `Stage '${at.stage}' in ${at.region}: ${appliedText(applied, present)}.`,
      ...connections.map((one) => `Connection '${one.connection}': ${appliedText(one.applied, one.present)}.`),
    ].join('\n'),
  };
}

async function migrateHere(context: Context): Promise<Outcome> {
  const url = ownerUrl(context);
  const { host, port, role, notes } = addressOf(url);
  const { migrate: install } = await import('../../adapters/postgres/migrations/migrate.ts');
  const { readMigrations } = await import('../../adapters/postgres/migrations/migration-files.ts');
  const files = readMigrations(join(packageRoot(), 'migrations'));
  const owner = await openDatabase(url);
  try {
    const hasRuntimeRole = await roleExists(owner);
    const { applied, present } = await install(owner, files);
    return {
      document: { host, port, role, applied, present, runtimeRole: hasRuntimeRole ? RUNTIME_ROLE : null },
      text: [
        `${host}:${port} as ${role}: ${appliedText(applied, present)}.`,
        ...notes.map((note) => `Not used of the address: ${note}.`),
        ...(hasRuntimeRole ? [] : [MISSING_ROLE]),
      ].join('\n'),
    };
  } finally {
    await owner.close();
  }
}

const appliedText = (applied: readonly string[], present: readonly string[]) =>
  applied.length > 0 ? `applied ${applied.join(', ')}` : `up to date, ${present.at(-1)}`;

const MISSING_ROLE = `There is no role ${RUNTIME_ROLE}, so nothing was granted: the functions must use the owner's role, or the role must be created before the first migration.`;

async function roleExists(owner: PgConnection): Promise<boolean> {
  const rows = await owner.call(`SELECT FROM pg_catalog.pg_roles WHERE rolname = '${RUNTIME_ROLE}'`);
  return rows.length > 0;
}
