/** `npm run mutants`: small changes of the product that tests must notice. See test/mutants. */

import { runBundled } from './run-bundled.mjs';

process.exitCode = await runBundled('test/mutants/main.ts', process.argv.slice(2));
