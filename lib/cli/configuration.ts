/**
 * The user's configuration: a module of their own repository whose default export is `defineCutovers([…])`. It is found from
 * the directory in which the command was given, and may be TypeScript whatever the version of Node.
 */

import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join, resolve } from 'node:path';
import { CrossfadeError, isCrossfadeError, messageOf } from '../core/base/errors.ts';
import type { CutoverDeclaration } from '../core/cutover/cutover.ts';
import { type CutoverInput, defineCutovers } from '../define/cutovers.ts';
import { packageRoot } from './package-root.ts';

const NAMES = ['ts', 'mts', 'js', 'mjs'].map((extension) => `crossfade.config.${extension}`);
export const NEW_CONFIGURATION = 'crossfade.config.ts';
/** Of the checkout: what its functions are built with. */
const OWN = join('infra', 'cutovers.ts');

const EXAMPLE =
  "import { defineCutovers } from 'crossfade-cutover/define'; export default defineCutovers([{ id: 'customer', kind: 'table', primary: 'public.customer', shadow: 'public.customer_v2' }]);";

/**
 * The file that was named, else the first one in `from` or above it, up to the top of the repository.
 * @param own what a checkout has of its own
 * @throws CrossfadeError `invalid_config` that says where it was looked for, and what to write there
 */
export function findConfiguration(named: string | undefined, from: string, own = join(packageRoot(), OWN)): string {
  if (named !== undefined) {
    const file = resolve(from, named);
    if (existsSync(file)) return file;
    throw missing(`The configuration ${file} does not exist.`);
  }
  const found = nearestConfiguration(from) ?? (existsSync(own) ? own : undefined);
  if (found !== undefined) return found;
  throw missing(`There is no ${NEW_CONFIGURATION} (.mts, .js, .mjs) in ${from}, and none above it.`);
}

/** The user's own: the first one in a directory or above it, up to the top of the repository. */
export function nearestConfiguration(from: string): string | undefined {
  const files = foldersFrom(from).flatMap((folder) => NAMES.map((name) => join(folder, name)));
  return files.find((file) => existsSync(file));
}

/** A directory and those above it, up to the one that holds the repository. */
function foldersFrom(folder: string): string[] {
  const parent = dirname(folder);
  return parent === folder || existsSync(join(folder, '.git')) ? [folder] : [folder, ...foldersFrom(parent)];
}

const missing = (what: string) =>
  new CrossfadeError('invalid_config', `${what} Write one, or name another with --config: ${EXAMPLE}`);

/** @throws CrossfadeError that names the file and everything that is wrong with it */
export async function loadConfiguration(file: string): Promise<readonly CutoverDeclaration[]> {
  try {
    const { createJiti } = await import('jiti');
    const alias = { 'crossfade-cutover/define': createRequire(import.meta.url).resolve('crossfade-cutover/define') };
    const module = createJiti(import.meta.url, { alias, fsCache: false, moduleCache: false });
    const cutovers = await module.import<unknown>(file, { default: true });
    if (!Array.isArray(cutovers))
      throw new Error('its default export is not a list; write: export default defineCutovers([…])');
    return cutovers.every(isComplete) ? cutovers : defineCutovers(cutovers as CutoverInput[]);
  } catch (cause) {
    if (isCrossfadeError(cause)) throw new CrossfadeError(cause.code, `${file}: ${cause.message}`, { cause });
    const why = messageOf(cause);
    const line = why.replaceAll(/\s+/g, ' ').trim();
    throw new CrossfadeError('invalid_config', `The configuration ${file} cannot be loaded: ${line}`, { cause });
  }
}

/** A list that was not passed through `defineCutovers` is checked and completed here; nothing unchecked gets any further. */
function isComplete(one: unknown): one is CutoverDeclaration {
  const { plan, policy } = (one ?? {}) as Partial<CutoverDeclaration>;
  return typeof plan === 'object' && 'stages' in plan && typeof policy === 'object';
}
