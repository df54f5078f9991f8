/** What of a condition is both stored and answered: its figures, and what releases it. */

import * as z from 'zod';
import { type Release, WAIT_KINDS } from '../core/conditions/release.ts';

const time = z.number().exactOptional();

export const release = z.union([
  z.object({ command: z.array(z.string()), does: z.string() }),
  z.object({
    wait: z.enum(WAIT_KINDS),
    etaMs: time.describe('How long it takes.'),
    untilMs: time.describe('When the waiting ends.'),
    aboutMinutes: z
      .number()
      .nullable()
      .exactOptional()
      .describe('How long it would take at the present rate; null where it does not come nearer at present.'),
  }),
  z.object({ person: z.string() }),
]) satisfies z.ZodType<Release>;

export const figure = z.union([z.number(), z.string()]).nullable();
