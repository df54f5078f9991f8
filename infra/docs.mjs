/**
 * Renews what is generated in the pages: bundles infra/docs/main.ts and runs it.
 *
 *   npm run docs             writes the pages
 *   npm run docs -- --check  writes nothing, and ends with 1 when a page is stale
 */

import { runBundled } from './run-bundled.mjs';

process.exitCode = await runBundled('infra/docs/main.ts', process.argv.slice(2));
