/** Once a minute: safety checks, advance or roll back, then flags and Postgres follow the state, then alerts. */

import { composeTick } from '../lib/compose/alerts.ts';
import { tick } from '../lib/flows/control/tick.ts';
import { scheduledHandler } from './middleware.ts';

export const handler = scheduledHandler(composeTick, async ({ ports, cutovers }) => tick(ports, await cutovers()));
