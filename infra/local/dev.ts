/** `crossfade dev`: the local stack for the user's own database and cutovers. Nothing is started by itself. */

import { rmSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { addressOf } from '../../lib/cli/database.ts';
import { CrossfadeError } from '../../lib/core/base/errors.ts';
import type { CutoverDeclaration } from '../../lib/core/cutover/cutover.ts';
import { type CutoverInput, defineCutovers } from '../../lib/define/cutovers.ts';
import { installSchema } from './install-schema.ts';
import { startStack } from './stack.ts';

export type DevOptions = { root: string; databaseUrl: string; config?: string; speed: number; port: number };

export async function runDev(options: DevOptions, untilStopped: Promise<void>): Promise<number> {
  const { notes } = addressOf(options.databaseUrl);
  const say = (line: string) => void process.stdout.write(`${line}\n`);
  const cutovers = await loadCutovers(options.root, options.config ?? join(options.root, 'infra', 'cutovers.ts'));
  say('\nStarting Crossfade for your database');
  for (const note of notes) say(`Not used of the address: ${note}`);
  const stack = await startStack({
    root: options.root,
    port: options.port,
    speed: options.speed,
    cutovers,
    database: async () => {
      await installSchema(options.root, options.databaseUrl);
      return { runtimeUrl: options.databaseUrl, ownerUrl: options.databaseUrl, stop: async () => {} };
    },
    say,
  });
  try {
    const port = options.port === 3000 ? '' : ` --port ${options.port}`;
    say(`\nDashboard   ${stack.settings.url}`);
    say(`Cutovers    ${cutovers.map(({ id }) => id).join(', ') || 'none declared'}`);
    for (const { id } of cutovers.slice(0, 1)) {
      say(`Next        npx crossfade preview ${id}${port}, then npx crossfade start ${id}${port}`);
    }
    say('Ctrl-C ends it; the database is yours and stays.');
    await untilStopped;
    return 0;
  } finally {
    await stack.stop();
  }
}

/** Bundles the module, so that it may be TypeScript and import from `crossfade`, and takes its default export. */
async function loadCutovers(root: string, file: string): Promise<readonly CutoverDeclaration[]> {
  const { build } = await import('esbuild');
  const output = join(root, 'dist', `config-${process.pid}.mjs`);
  try {
    await build({
      entryPoints: [resolve(file)],
      outfile: output,
      bundle: true,
      platform: 'node',
      format: 'esm',
      target: 'node20',
      packages: 'external',
      logLevel: 'silent',
      alias: {
        'crossfade/define-cutovers': join(root, 'lib', 'define/cutovers.ts'),
        'crossfade/define-phases': join(root, 'lib', 'define/phases.ts'),
      },
    });
    const { default: cutovers } = (await import(pathToFileURL(output).href)) as { default: unknown };
    if (!Array.isArray(cutovers))
      throw new Error('its default export is not a list; write: export default defineCutovers([…])');
    return cutovers.every(isComplete) ? cutovers : defineCutovers(cutovers as CutoverInput[]);
  } catch (cause) {
    if (cause instanceof Error && cause.name === 'CrossfadeError') throw cause;
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new CrossfadeError('invalid_config', `The configuration ${file} cannot be loaded: ${why}`, { cause });
  } finally {
    rmSync(output, { force: true });
  }
}

/** A list that was not passed through `defineCutovers` is checked and completed here; nothing unchecked gets any further. */
function isComplete(one: unknown): one is CutoverDeclaration {
  const { plan, policy } = (one ?? {}) as Partial<CutoverDeclaration>;
  return typeof plan === 'object' && 'stages' in plan && typeof policy === 'object';
}
