/** `npm run lint` notices what is dead: by the rules of infra/knip.jsonc, on a small project with the same folders. */

import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, expect, it } from 'vitest';
import { ROOT } from '../../helpers/imports.ts';

const made: string[] = [];
afterEach(() => {
  for (const folder of made.splice(0)) rmSync(folder, { recursive: true });
});

const ALIVE = {
  'package.json': JSON.stringify({ name: 'small', type: 'module', dependencies: {} }),
  'functions/route.ts': "import { used } from '../lib/core/used.ts';\n\nused();\n",
  'lib/core/used.ts': 'export const used = () => {};\n',
};

/** Exit code and findings of knip on a project of these files. */
function findingsIn(files: Readonly<Record<string, string>>): { code: number | null; printed: string } {
  const folder = mkdtempSync(join(tmpdir(), 'crossfade-knip-'));
  made.push(folder);
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, name)), { recursive: true });
    writeFileSync(join(folder, name), text);
  }
  const knip = join(ROOT, 'node_modules/knip/bin/knip.js');
  const words = [knip, '--no-config-hints', '--directory', folder, '--config', join(ROOT, 'infra/knip.jsonc')];
  const { status, stdout } = spawnSync(process.execPath, words, { encoding: 'utf8' });
  return { code: status, printed: stdout };
}

it('nothing is found where everything is used', () => {
  expect(findingsIn(ALIVE)).toEqual({ code: 0, printed: '' });
});

it('an export, a type, a file and a dependency that nothing names are found', () => {
  const { code, printed } = findingsIn({
    ...ALIVE,
    'package.json': JSON.stringify({ name: 'small', type: 'module', dependencies: { unneeded: '1.0.0' } }),
    'lib/core/used.ts': `${ALIVE['lib/core/used.ts']}export const dead = 1;\nexport type Gone = 1;\n`,
    'lib/core/alone.ts': 'export const alone = 1;\n',
  });
  expect(printed).toMatch(/Unused exports.*\ndead /);
  expect(printed).toMatch(/Unused exported types.*\nGone /);
  expect(printed).toMatch(/Unused files.*\nlib\/core\/alone\.ts\s/);
  expect(printed).toMatch(/Unused dependencies.*\nunneeded /);
  expect(code).toBe(1);
});
