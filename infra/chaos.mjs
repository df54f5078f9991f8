/** `npm run chaos`: breaks things for as long as it is told to. See test/chaos. */

import { buildIfStale } from './prepare.mjs';
import { runBundled } from './run-bundled.mjs';

// Functions are killed as they are deployed.
await buildIfStale({ strict: true });
process.exitCode = await runBundled('test/chaos/main.ts', process.argv.slice(2));
