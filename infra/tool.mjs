#!/usr/bin/env node
/** The command `crossfade`, built and installed: `dev` starts the local stack, everything else is the CLI. */

import { fileURLToPath } from 'node:url';

const program = new URL(process.argv[2] === 'dev' ? '../dist/local/main.mjs' : '../dist/cli/main.mjs', import.meta.url);
process.argv.splice(1, 1, fileURLToPath(program));
await import(program.href);
