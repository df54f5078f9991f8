/** Installs or updates the schema `crossfade`. Needs the owner's role; what is there already is left alone. */

import { join } from 'node:path';
import { CrossfadeError } from '../../core/errors.ts';
import { DEFAULT_PORT, type LocalSettings } from '../../schemas/local-settings.ts';
import { portFrom } from '../connection.ts';
import type { Context, Outcome } from '../context.ts';
import { addressOf, openDatabase } from '../database.ts';
import { packageRoot } from '../package-root.ts';
import { counted } from '../text.ts';

export async function migrate(context: Context): Promise<Outcome> {
  const settings = localSettings(context);
  const { url, local } = ownerUrl(context, settings);
  const runtimeRole = runtimeRoleOf(context, local ? settings : null);
  const { host, port, role } = addressOf(url);
  const { migrate: install } = await import('../../adapters/postgres/migrate.ts');
  const { readMigrationFiles } = await import('../../adapters/postgres/migration-files.ts');
  const files = await readMigrationFiles(join(packageRoot(), 'migrations'));
  const owner = await openDatabase(url);
  try {
    const { applied } = await install({ owner, files, ...(runtimeRole === undefined ? {} : { runtimeRole }) });
    return {
      document: { host, port, role, runtimeRole: runtimeRole ?? null, applied, known: files.length },
      text: [
        `${host}:${port} as ${role}: ${applied.length === 0 ? 'nothing to do' : `applied ${applied.join(', ')}`}, ${counted(files.length, 'migration')} in all.`,
        runtimeRole === undefined
          ? 'No runtime role was named; with --runtime-role it gets the right to call the functions.'
          : `${runtimeRole} may call the functions.`,
      ].join('\n'),
    };
  } finally {
    await owner.close();
  }
}

function localSettings({ io, options }: Context): LocalSettings | null {
  return io.readSettings(options.port ?? portFrom(io.env.CROSSFADE_PORT));
}

function ownerUrl({ io, options }: Context, settings: LocalSettings | null): { url: string; local: boolean } {
  const given = options.databaseUrl ?? io.env.CROSSFADE_OWNER_DATABASE_URL;
  if (given) return { url: given, local: false };
  if (settings) return { url: settings.ownerDatabaseUrl, local: true };
  throw new CrossfadeError(
    'invalid_input',
    `No database is named. Give the owner's URL with --database-url or CROSSFADE_OWNER_DATABASE_URL; no local stack runs on port ${options.port ?? DEFAULT_PORT} either.`,
  );
}

/** The role of the functions: named, or the one of their own URL. */
function runtimeRoleOf({ io, options }: Context, settings: LocalSettings | null): string | undefined {
  if (options.runtimeRole !== undefined) return options.runtimeRole;
  const url = settings?.databaseUrl ?? io.env.CROSSFADE_DATABASE_URL;
  return url ? addressOf(url).role || undefined : undefined;
}
