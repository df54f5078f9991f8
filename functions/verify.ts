/** Compares primary and shadow wherever the last comparison is too old. */

import { compose } from '../lib/compose.ts';
import { verifyAll } from '../lib/flows/verify.ts';
import { scheduledHandler } from './middleware.ts';

export const handler = scheduledHandler(compose, async ({ ports, cutovers }, deadlineMs) =>
  verifyAll(ports, await cutovers(), deadlineMs),
);
