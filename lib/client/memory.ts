/** How much of the memory it may have this process uses: what Lambda gives the function, or the container's limit. */

import type { Environment } from '../routing/route-table.ts';

/** A process uses next to nothing of a limit that was never set. */
const LEAST = 0.001;

/** 0–1, or undefined where there is no limit. */
export function memoryShare({ AWS_LAMBDA_FUNCTION_MEMORY_SIZE: megabytes }: Environment): number | undefined {
  const limit = Number(megabytes) * 2 ** 20 || process.constrainedMemory?.();
  const share = limit ? process.memoryUsage.rss() / limit : 0;
  return share > LEAST ? share : undefined;
}
