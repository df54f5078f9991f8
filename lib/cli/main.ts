/** Entry of the `crossfade` command. The exit code is set, not forced, so that everything written reaches its reader. */

import { run } from './run.ts';

const stopped = new AbortController();
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => stopped.abort());
// A reader that has seen enough (`crossfade history | head`) is no failure.
process.stdout.on('error', (error: NodeJS.ErrnoException) => process.exit(error.code === 'EPIPE' ? 0 : 1));

process.exitCode = await run(process.argv.slice(2), { signal: stopped.signal });
