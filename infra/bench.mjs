/**
 * Runs one benchmark of test/bench: bundles it, runs it in a process of its own, and lets it print its table.
 *
 *   npm run bench            lists them
 *   npm run bench route
 */

import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { ROOT } from './prepare.mjs';
import { runBundled } from './run-bundled.mjs';

const FOLDER = join(ROOT, 'test', 'bench');
const names = readdirSync(FOLDER)
  .filter((file) => file.endsWith('.bench.ts'))
  .map((file) => file.slice(0, -'.bench.ts'.length));
const [name, ...words] = process.argv.slice(2);

if (!names.includes(name)) {
  console.log(`npm run bench NAME, where NAME is one of: ${names.join(', ')}`);
  process.exit(name === undefined ? 0 : 2);
}

process.exitCode = await runBundled(`test/bench/${name}.bench.ts`, words);
