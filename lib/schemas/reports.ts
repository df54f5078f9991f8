/** Queries of reports and exports. */

import * as z from 'zod';
import { isCrossfadeError } from '../core/base/errors.ts';
import { query } from './input.ts';
import { readTriedLimits } from './limits.ts';

const MAX_HOURS = 24 * 400;
const hours = z
  .string()
  .regex(/^\d{1,5}$/, 'it is a whole number of hours')
  .transform(Number)
  .pipe(z.number().min(1).max(MAX_HOURS));

export const hoursQuery = query(z.strictObject({ hours: hours.optional() }));

/** A minute of a replay is half a kilobyte, and an answer at most 6 MB. */
const MAX_REPLAY_HOURS = 72;
/** `key=value,key=value`: the gateway of AWS joins a parameter that comes several times in this way, too. */
const tried = z
  .string()
  .max(1_000)
  .describe('Other limits to try: key=value, and a comma between several.')
  .transform((text, context) => {
    try {
      return readTriedLimits(text.split(','));
    } catch (error) {
      if (!isCrossfadeError(error)) throw error;
      context.issues.push({ code: 'custom', message: error.message, input: text });
      return z.NEVER;
    }
  });

export const replayQuery = query(
  z.strictObject({ hours: hours.pipe(z.number().max(MAX_REPLAY_HOURS)).default(24), set: tried.optional() }),
);

export const exportQuery = query(
  z.strictObject({
    what: z.enum(['audit', 'metrics']),
    format: z.enum(['json', 'csv']).default('json'),
    hours: hours.default(24),
    limit: z
      .string()
      .regex(/^\d{1,3}$/)
      .transform(Number)
      .pipe(z.number().min(1).max(200))
      .default(200),
    cursor: z.string().min(1).max(1_000).optional(),
  }),
);

export const checkpointsQuery = query(z.strictObject({ format: z.enum(['json', 'text']).default('json') }));
