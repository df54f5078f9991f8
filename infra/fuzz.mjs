/** `npm run fuzz`: breaks what the readers of foreign input are given, guided by the code that it reaches. See test/fuzz. */

import { runBundled } from './run-bundled.mjs';

process.exitCode = await runBundled('test/fuzz/main.ts', process.argv.slice(2));
