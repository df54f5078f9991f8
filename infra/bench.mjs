/**
 * Runs one benchmark of test/bench: bundles it, runs it in a process of its own, and lets it print its table.
 *
 *   npm run bench            lists them
 *   npm run bench route
 */

import { spawn } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { ROOT } from './prepare.mjs';

const FOLDER = join(ROOT, 'test', 'bench');
const names = readdirSync(FOLDER)
  .filter((file) => file.endsWith('.bench.ts'))
  .map((file) => file.slice(0, -'.bench.ts'.length));
const [name, ...words] = process.argv.slice(2);

if (!names.includes(name)) {
  console.log(`npm run bench NAME, where NAME is one of: ${names.join(', ')}`);
  process.exit(name === undefined ? 0 : 2);
}

const { build } = await import('esbuild');
// Inside the checkout, so that the installed packages are found.
const directory = mkdtempSync(join(ROOT, 'node_modules', '.bench-'));
try {
  const outfile = join(directory, `${name}.mjs`);
  await build({
    entryPoints: [join(FOLDER, `${name}.bench.ts`)],
    outfile,
    bundle: true,
    platform: 'node',
    format: 'esm',
    target: 'node20',
    packages: 'external',
    logLevel: 'warning',
  });
  const child = spawn(process.execPath, [outfile, ...words], { cwd: ROOT, stdio: 'inherit' });
  process.exitCode = await new Promise((resolve) => child.on('exit', (code) => resolve(code ?? 1)));
} finally {
  rmSync(directory, { recursive: true, force: true });
}
