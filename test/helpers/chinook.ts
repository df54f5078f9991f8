/** The scripts of the example chinook, without the statements that make a database of their own. */

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { ROOT } from './imports.ts';

export function chinookScript(name: 'chinook' | 'shadow' | 'shadow-full'): string {
  const text = readFileSync(join(ROOT, 'infra/examples/chinook', `${name}.sql`), 'utf8');
  return text
    .split('\n')
    .filter((line) => !/^\s*(DROP DATABASE|CREATE DATABASE|\\c )/.test(line))
    .join('\n');
}
