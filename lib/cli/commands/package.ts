/**
 * Writes what is deployed into a directory: the template, the functions as they are built, and the declarations of the user's
 * configuration, as data beside the functions that read them. Made again, it replaces what it wrote.
 */

import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join, relative, resolve } from 'node:path';
import { CrossfadeError } from '../../core/base/errors.ts';
import { findConfiguration, loadConfiguration } from '../configuration.ts';
import type { Context, Outcome } from '../context.ts';
import { packageRoot, packageVersion } from '../package-root.ts';

const FUNCTIONS = join('dist', 'functions');
const DECLARED = 'cutovers.mjs';
/** The framework and its plugins, which are no part of what is deployed. */
const FRAMEWORK = ['serverless', 'serverless-offline', 'serverless-offline-dynamodb-streams'];

export async function packageStack({ io, options, args }: Context): Promise<Outcome> {
  const here = io.directory;
  const directory = resolve(here, args[0]!);
  const config = findConfiguration(options.config, here);
  const cutovers = await loadConfiguration(config);
  demandOwnDirectory(directory);
  copyTemplate(directory);
  const functions = copyFunctions(directory, `export default ${JSON.stringify(cutovers)};\n`);
  writeFileSync(join(directory, 'package.json'), manifest());
  const seen = (path: string) => relative(here, path) || '.';
  const ids = cutovers.map(({ id }) => id);
  return {
    document: { directory, config, cutovers: ids, functions },
    text: [
      `${seen(directory)}: ${functions.length} functions of version ${packageVersion()}, the template, and what ${seen(config)} declares: ${ids.join(', ') || 'nothing'}.`,
      `Next: cd ${seen(directory)} && npm install && npx --no-install serverless deploy --stage prod --param="vpcId=vpc-…" …`,
    ].join('\n'),
  };
}

function demandOwnDirectory(directory: string): void {
  if (!existsSync(directory) || readdirSync(directory).length === 0 || existsSync(join(directory, FUNCTIONS))) return;
  throw new CrossfadeError(
    'invalid_input',
    `${directory} holds other files. Name a new directory, or one that this command has written.`,
  );
}

function copyTemplate(directory: string): void {
  mkdirSync(join(directory, 'infra'), { recursive: true });
  const parts = readdirSync(join(packageRoot(), 'infra')).filter((name) => /\.(yml|cjs|json)$/.test(name));
  for (const file of ['serverless.yml', ...parts.map((name) => join('infra', name))])
    cpSync(join(packageRoot(), file), join(directory, file));
}

/** Names of the functions. */
function copyFunctions(directory: string, declared: string): string[] {
  const to = join(directory, FUNCTIONS);
  rmSync(to, { recursive: true, force: true });
  cpSync(join(packageRoot(), FUNCTIONS), to, { recursive: true });
  const names = readdirSync(to).sort();
  for (const file of names.map((name) => join(to, name, DECLARED))) if (existsSync(file)) writeFileSync(file, declared);
  return names;
}

function manifest(): string {
  const { devDependencies } = JSON.parse(readFileSync(join(packageRoot(), 'package.json'), 'utf8')) as {
    devDependencies: Readonly<Record<string, string>>;
  };
  const needed = Object.fromEntries(FRAMEWORK.map((name) => [name, devDependencies[name]]));
  return `${JSON.stringify({ private: true, devDependencies: needed }, null, 2)}\n`;
}
