/**
 * The Postgres of the distribution, with LLVM: what the embedded one cannot show, such as compiling a statement before it
 * runs, shows there. It is installed by .ci/run and never started by the system; a test starts it in a directory of its own.
 */

import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';

const VERSIONS = '/usr/lib/postgresql';

/** Folder of the newest server that the distribution has installed; null when there is none. */
export function debianBinaries(): string | null {
  if (!existsSync(VERSIONS)) return null;
  const [newest] = readdirSync(VERSIONS)
    .filter((version) => existsSync(join(VERSIONS, version, 'bin', 'initdb')))
    .sort((one, other) => Number(other) - Number(one));
  return newest === undefined ? null : join(VERSIONS, newest, 'bin');
}

/**
 * Why tests on the distribution's server or through PgBouncer cannot run here; null when they can.
 * @throws Error in CI, where both are demanded
 */
export function missingPrograms(found: Readonly<Record<string, string | null>>): string | null {
  const missing = Object.entries(found).flatMap(([name, path]) => (path === null ? [name] : []));
  if (missing.length === 0) return null;
  const why = `${missing.join(' and ')} is not installed. Install it: sudo apt-get install postgresql pgbouncer`;
  if (process.env.CI) throw new Error(`In CI the tests on two servers are demanded, and ${why}`);
  return `Tests on the distribution's Postgres are skipped: ${why}`;
}
