/** Apart from the bench itself, which `npm run bench gateway` uses without a test runner. */

import { afterEach } from 'vitest';
import { type GatewayBench, gatewayBench } from './gateway-bench.ts';

/** Makes benches for the tests of a file, and closes them after each. */
export function closedBenches() {
  const open: GatewayBench[] = [];
  afterEach(async () => {
    for (const made of open.splice(0)) await made.close();
  });
  return async (options: Parameters<typeof gatewayBench>[0] = {}): Promise<GatewayBench> => {
    const made = await gatewayBench(options);
    open.push(made);
    return made;
  };
}
