/** Bodies and queries of the routes about rows: keys in quarantine, and the copy of existing rows. */

import * as z from 'zod';
import { input, needsConfirm, query } from './input.ts';
import { reason, text } from './text.ts';

const key = text(8_192);
const confirm = z.string().max(100);
const confirmId = (command: string) => needsConfirm(`'${command}' needs "confirm" with the cutover's id, typed again.`);

export const verifyBody = input(
  z.strictObject({
    tier: z.enum(['fast', 'proof']).optional(),
    /** As the `details` of a 409 had it: the pass that was asked for then is waited for, and no newer one. */
    since: z.int().nonnegative().optional(),
  }),
  "The body of 'verify'",
);
/** Nothing is asked for a repair, and nothing refused. */
export const repairBody = input(z.looseObject({}), "The body of 'repair'");
export const valuesBody = input(z.strictObject({ key: text(2_000) }), "The body of 'record/values'");
export const retryBody = input(z.strictObject({ key: key.optional() }), "The body of 'quarantine retry'");
export const discardBody = input(z.strictObject({ key, confirm, reason }), "The body of 'quarantine discard'", {
  first: confirmId('quarantine discard'),
});
const reasonAlone = z.strictObject({ reason: reason.optional() });
export const backfillBody = input(reasonAlone, 'The body of a command about the backfill');
export const adoptBody = input(reasonAlone, "The body of 'adopt'");
export const readOnlyBody = input(
  z.strictObject({ seconds: z.number().int().min(1).max(300), reason }),
  "The body of 'read-only'",
);
export const endReadOnlyBody = input(reasonAlone, "The body of 'read-only/end'");
export const removeBody = input(z.strictObject({ confirm, reason }), "The body of 'remove-shadow'", {
  first: confirmId('remove-shadow'),
});

export const quarantinePage = query(
  z.strictObject({
    limit: z
      .string()
      .regex(/^\d{1,4}$/)
      .transform(Number)
      .pipe(z.number().min(1).max(1_000))
      .default(100),
    after: z.string().max(8_192).optional(),
  }),
);

/** Longest look at the rows: with the rest of the preview below the 29 s that an HTTP API waits. */
export const previewQuery = query(
  z.strictObject({
    scanMs: z
      .string()
      .regex(/^\d{1,5}$/, 'it is a whole number of milliseconds')
      .transform(Number)
      .pipe(z.number().max(15_000))
      .default(3_000),
  }),
);
