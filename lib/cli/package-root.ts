/** Where the package lies, from its sources as well as from the bundle: both are two directories below it. */

import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

export const packageRoot = (): string => fileURLToPath(new URL('../..', import.meta.url));

export function packageVersion(): string {
  const text = readFileSync(new URL('../../package.json', import.meta.url), 'utf8');
  return (JSON.parse(text) as { version: string }).version;
}

/** A checkout has a demonstration, the installed package has none. */
const DEMONSTRATION = existsSync(new URL('../../infra/bootstrap.mjs', import.meta.url))
  ? "'npm start' shows a demonstration, "
  : '';

/** How something comes to run that the commands can talk to. */
export const HOW_TO_START = `${DEMONSTRATION}'crossfade dev --database-url postgres://…' serves your own database; for another one set CROSSFADE_URL and CROSSFADE_TOKEN.`;
