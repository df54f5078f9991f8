/** Which configuration a command takes, by the directory in which it is given. */

import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { findConfiguration } from '../../../lib/cli/configuration.ts';

let top: string;
beforeEach(() => {
  top = mkdtempSync(join(tmpdir(), 'crossfade-configuration-'));
  mkdirSync(join(top, 'repository/.git'), { recursive: true });
  mkdirSync(join(top, 'repository/services/orders'), { recursive: true });
});
afterEach(() => rmSync(top, { recursive: true }));

const at = (path: string) => join(top, path);
function put(path: string): void {
  mkdirSync(dirname(at(path)), { recursive: true });
  writeFileSync(at(path), '');
}

it.each([
  ['the nearest above', ['repository/crossfade.config.ts'], 'repository/crossfade.config.ts'],
  [
    'that beside, before those above',
    ['repository/crossfade.config.ts', 'repository/services/orders/crossfade.config.mjs'],
    'repository/services/orders/crossfade.config.mjs',
  ],
  [
    'TypeScript before JavaScript',
    ['repository/crossfade.config.js', 'repository/crossfade.config.mts'],
    'repository/crossfade.config.mts',
  ],
  ['none of outside of the repository, but that of the checkout', ['crossfade.config.ts', 'own.ts'], 'own.ts'],
  [
    'one of the repository before that of the checkout',
    ['repository/crossfade.config.ts', 'own.ts'],
    'repository/crossfade.config.ts',
  ],
])('it takes %s', (_, files, taken) => {
  for (const file of files) put(file);
  expect(findConfiguration(undefined, at('repository/services/orders'), at('own.ts'))).toBe(at(taken));
});

it('it takes the one that is named, seen from where the command is given', () => {
  put('repository/crossfade.config.ts');
  put('repository/services/mine.ts');
  expect(findConfiguration('../mine.ts', at('repository/services/orders'))).toBe(at('repository/services/mine.ts'));
});

it.each([
  [
    'nothing is there',
    undefined,
    'There is no crossfade.config.ts (.mts, .js, .mjs) in TOP/repository/services/orders, and none above it.',
  ],
  ['what is named is not there', 'mine.ts', 'The configuration TOP/repository/services/orders/mine.ts does not exist.'],
])('when %s it says so, and what to write', (_, named, says) => {
  put('crossfade.config.ts');
  const find = () => findConfiguration(named, at('repository/services/orders'), at('own.ts'));
  expect(find).toThrow(says.replace('TOP', top));
  expect(find).toThrow("import { defineCutovers } from 'crossfade-cutover/define';");
});
