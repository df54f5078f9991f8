/** Looks for waiting hints again and again, and wakes the shadow-writer through the stream. */

import { compose } from '../lib/compose/ports.ts';
import { relay } from '../lib/flows/rows/relay.ts';
import { scheduledHandler } from './middleware.ts';

export const handler = scheduledHandler(compose, async ({ ports, cutovers }, deadlineMs) =>
  relay(ports, deadlineMs, await cutovers()),
);
