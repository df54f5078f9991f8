/** Copies existing rows chunk by chunk, for as long as this call may run. */

import { compose } from '../lib/compose/ports.ts';
import { backfillAll } from '../lib/flows/rows/backfill.ts';
import { scheduledHandler } from './middleware.ts';

export const handler = scheduledHandler(compose, async ({ ports, cutovers }, deadlineMs) =>
  backfillAll(ports, await cutovers(), deadlineMs),
);
