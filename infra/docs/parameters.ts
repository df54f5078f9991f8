/** Parameters of a deployment. */

import { createRequire } from 'node:module';
import { join } from 'node:path';
import { code, table } from './markdown.ts';

type Parameter = { required?: true; default?: string; env: string; meaning: string };

export function parameterTable(root: string): string {
  const { PARAMETERS } = createRequire(join(root, 'infra/docs.mjs'))('./parameters.cjs') as {
    PARAMETERS: Readonly<Record<string, Parameter>>;
  };
  const rows = Object.entries(PARAMETERS).map(([name, { required, default: value, env, meaning }]) => [
    code(name),
    required ? '**required**' : value === '' ? 'empty' : code(value!),
    meaning,
    code(env),
  ]);
  return table(['parameter', 'default', 'meaning', 'variable'], rows);
}
