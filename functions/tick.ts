/** Once a minute: safety checks, advance or roll back, then flags and Postgres follow the state, then alerts. */

import { compose } from '../lib/compose/ports.ts';
import { tick } from '../lib/flows/control/tick.ts';
import { scheduledHandler } from './middleware.ts';

/** Where the last tick of this instance stopped. Another instance begins with the first cutover. */
let from: string | null = null;

export const handler = scheduledHandler(compose, async ({ ports, cutovers }, deadlineMs) => {
  const result = await tick(ports, await cutovers(), { deadlineMs, from });
  from = result.left;
  return result;
});
