#!/usr/bin/env node
/** The command `crossfade`, built and installed: `dev` and `rehearse` start the local stack, everything else is the CLI. */

import { fileURLToPath } from 'node:url';
import { LOCAL } from './local-commands.mjs';

const program = new URL(
  LOCAL.has(process.argv[2]) ? '../dist/local/main.mjs' : '../dist/cli/main.mjs',
  import.meta.url,
);
process.argv.splice(1, 1, fileURLToPath(program));
await import(program.href);
