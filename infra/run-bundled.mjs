/** Runs a TypeScript program of the checkout: bundles it, and runs the bundle in a process of its own. */

import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { ROOT } from './prepare.mjs';

/** Returns the exit code of the program. `source` is seen from the root. */
export async function runBundled(source, words) {
  const { build } = await import('esbuild');
  // Inside the checkout, so that the installed packages are found.
  const directory = mkdtempSync(join(ROOT, 'node_modules', '.run-'));
  try {
    const outfile = join(directory, 'main.mjs');
    await build({
      entryPoints: [join(ROOT, source)],
      outfile,
      bundle: true,
      platform: 'node',
      format: 'esm',
      target: 'node20',
      packages: 'external',
      loader: { '.sql': 'text', '.html': 'text', '.css': 'text' },
      logLevel: 'warning',
    });
    const child = spawn(process.execPath, [outfile, ...words], { cwd: ROOT, stdio: 'inherit' });
    return await new Promise((resolve) => child.on('exit', (code) => resolve(code ?? 1)));
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}
