/**
 * Renews what is generated in the pages: bundles infra/docs/main.ts and runs it.
 *
 *   npm run docs             writes the pages
 *   npm run docs -- --check  writes nothing, and ends with 1 when a page is stale
 */

import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { ROOT } from './prepare.mjs';

const { build } = await import('esbuild');
// Inside the checkout, so that the installed packages are found.
const directory = mkdtempSync(join(ROOT, 'node_modules', '.docs-'));
try {
  const outfile = join(directory, 'main.mjs');
  await build({
    entryPoints: [join(ROOT, 'infra', 'docs', 'main.ts')],
    outfile,
    bundle: true,
    platform: 'node',
    format: 'esm',
    target: 'node20',
    packages: 'external',
    loader: { '.sql': 'text', '.html': 'text', '.css': 'text' },
    logLevel: 'warning',
  });
  const child = spawn(process.execPath, [outfile, ...process.argv.slice(2)], { cwd: ROOT, stdio: 'inherit' });
  process.exitCode = await new Promise((resolve) => child.on('exit', (code) => resolve(code ?? 1)));
} finally {
  rmSync(directory, { recursive: true, force: true });
}
