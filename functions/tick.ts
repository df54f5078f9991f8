/** Once a minute: safety checks, advance or roll back, then flags and Postgres follow the state. */

import { compose } from '../lib/compose.ts';
import { tick } from '../lib/flows/tick.ts';
import { scheduledHandler } from './middleware.ts';

export const handler = scheduledHandler(compose, async ({ ports, cutovers }) => tick(ports, await cutovers()));
