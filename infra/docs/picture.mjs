/**
 * Draws infra/docs/page.png, the picture of the page in README.md: the real page in Chromium (test/helpers/page-picture.ts).
 *
 *   node infra/docs/picture.mjs
 */

import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { build } from 'esbuild';
import { esbuildPage } from '../bundle-page.mjs';
import { ROOT } from '../prepare.mjs';

// Inside the checkout, so that the installed packages are found.
const directory = mkdtempSync(join(ROOT, 'node_modules', '.picture-'));
try {
  const outfile = join(directory, 'picture.mjs');
  await build({
    entryPoints: [join(ROOT, 'test/helpers/page-picture.ts')],
    outfile,
    bundle: true,
    platform: 'node',
    format: 'esm',
    packages: 'external',
    loader: { '.sql': 'text' },
    plugins: [esbuildPage],
    logLevel: 'warning',
  });
  const run = spawnSync(process.execPath, [outfile, join(ROOT, 'infra/docs/page.png')], { stdio: 'inherit' });
  process.exitCode = run.status ?? 1;
} finally {
  rmSync(directory, { recursive: true, force: true });
}
