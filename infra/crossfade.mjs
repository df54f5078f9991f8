#!/usr/bin/env node
/** The command `crossfade` of a checkout. Installs and bundles when needed, then is what an installed one is. */

import { LOCAL } from './local-commands.mjs';
import { buildIfStale, install, startupProblems } from './prepare.mjs';

// Standard output belongs to the command, which may be printing JSON.
const print = (line) => console.error(line);

try {
  const problems = startupProblems({ servers: LOCAL.has(process.argv[2]) });
  if (problems.length > 0) throw new Error(problems.join('\n\n'));
  install({ print });
  await buildIfStale({ print });
  await import('./tool.mjs');
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
}
