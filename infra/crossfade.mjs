#!/usr/bin/env node
/** The command `crossfade`: `dev` starts the local stack, everything else is the CLI. Installs and bundles when needed. */

import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { buildIfStale, install, ROOT, startupProblems } from './prepare.mjs';

const args = process.argv.slice(2);
const isLocalStack = args[0] === 'dev';
// Standard output belongs to the command, which may be printing JSON.
const print = (line) => console.error(line);

try {
  const problems = startupProblems({ servers: isLocalStack });
  if (problems.length > 0) throw new Error(problems.join('\n\n'));
  install({ print });
  await buildIfStale({ print });
  const program = join(ROOT, isLocalStack ? 'dist/local/main.mjs' : 'dist/cli/main.mjs');
  process.argv.splice(1, 1, program);
  await import(pathToFileURL(program).href);
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
}
