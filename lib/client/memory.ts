/** How much of the memory it may have this process uses: what Lambda gives the function, or the container's limit. */

import { host } from '../routing/host.ts';
import type { Environment } from '../routing/route-table.ts';

/** A process uses next to nothing of a limit that was never set. */
const LEAST = 0.001;

/** 0–1, or undefined where there is no limit. */
export function memoryShare({ AWS_LAMBDA_FUNCTION_MEMORY_SIZE: megabytes }: Environment): number | undefined {
  const { memoryUsage, constrainedMemory } = host();
  const limit = Number(megabytes) * 2 ** 20 || constrainedMemory?.();
  const share = limit && memoryUsage ? memoryUsage.rss() / limit : 0;
  return share > LEAST ? share : undefined;
}
