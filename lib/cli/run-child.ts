/** Another program, whose output the person sees as it comes. */

import { spawn } from 'node:child_process';
import { CrossfadeError } from '../core/base/errors.ts';
import type { Io } from './io.ts';

/** @throws CrossfadeError `upstream_unavailable` when it cannot be started or ends with another code than 0 */
export function runChild(
  io: Pick<Io, 'stderr' | 'env'>,
  [program, ...words]: readonly [string, ...string[]],
  cwd: string,
): Promise<void> {
  return new Promise((resolve, reject) => {
    const failed = (how: string) =>
      reject(
        new CrossfadeError(
          'upstream_unavailable',
          `'${[program, words[0], words[1]].filter(Boolean).join(' ')}' in ${cwd} ${how}. What it printed says why.`,
        ),
      );
    const child = spawn(program, words, { cwd, env: io.env as NodeJS.ProcessEnv, stdio: ['ignore', 'pipe', 'pipe'] });
    // Standard output is the answer of the command, which may be JSON.
    for (const stream of [child.stdout, child.stderr])
      stream.on('data', (chunk: Buffer) => io.stderr(chunk.toString()));
    child.once('error', (error) => failed(`could not be started: ${error.message}`));
    child.once('close', (code, signal) => (code === 0 ? resolve() : failed(`ended with ${signal ?? code}`)));
  });
}
