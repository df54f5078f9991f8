/** Reads the numbered files of `migrations/` from disk, for programs that are not bundled. */

import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { CrossfadeError } from '../../../core/base/errors.ts';
import type { MigrationFile } from './migrate.ts';

/** @throws CrossfadeError `invalid_config` when the directory cannot be read or holds no migration */
export function readMigrations(directory: string): MigrationFile[] {
  let names: string[];
  try {
    names = readdirSync(directory).filter((name) => name.endsWith('.sql'));
  } catch (cause) {
    throw new CrossfadeError('invalid_config', `The migrations cannot be read from ${directory}.`, { cause });
  }
  if (names.length === 0) throw new CrossfadeError('invalid_config', `No migration (*.sql) is in ${directory}.`);
  return names.sort().map((name) => ({ name, text: readFileSync(join(directory, name), 'utf8') }));
}
