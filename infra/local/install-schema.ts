/** Installs schema `crossfade` into a database of the local stack or of the tests, as the owner of the address. */

import { join } from 'node:path';
import { postgresConnection } from '../../lib/adapters/postgres/connection/connection.ts';
import { migrate } from '../../lib/adapters/postgres/migrations/migrate.ts';
import { readMigrations } from '../../lib/adapters/postgres/migrations/migration-files.ts';
import { random, systemClock } from '../../lib/adapters/system.ts';

/** @param root of the checkout, which holds `migrations/` */
export async function installSchema(root: string, databaseUrl: string): Promise<void> {
  const gateway = postgresConnection({ url: databaseUrl, clock: systemClock(), random });
  try {
    await migrate(gateway, readMigrations(join(root, 'migrations')));
  } finally {
    await gateway.close();
  }
}
