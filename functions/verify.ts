/** Compares primary and shadow wherever the last comparison is too old. */

import { compose } from '../lib/compose/ports.ts';
import { verifyAll } from '../lib/flows/rows/verify.ts';
import { scheduledHandler } from './middleware.ts';

export const handler = scheduledHandler(compose, async ({ ports, cutovers }, deadlineMs) =>
  verifyAll(ports, await cutovers(), deadlineMs),
);
