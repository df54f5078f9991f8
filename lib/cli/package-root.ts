/** Where the package lies, from its sources as well as from the bundle: both are two directories below it. */

import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

export const packageRoot = (): string => fileURLToPath(new URL('../..', import.meta.url));

export function packageVersion(): string {
  const text = readFileSync(new URL('../../package.json', import.meta.url), 'utf8');
  return (JSON.parse(text) as { version: string }).version;
}
