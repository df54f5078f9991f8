/** What of a condition is both stored and answered: its figures, and what releases it. */

import * as z from 'zod';
import { type Release, WAIT_KINDS } from '../core/conditions/release.ts';

const time = z.number().exactOptional();

export const release = z.union([
  z.object({ command: z.array(z.string()), does: z.string() }),
  z.object({ wait: z.enum(WAIT_KINDS), etaMs: time, untilMs: time }),
  z.object({ person: z.string() }),
]) satisfies z.ZodType<Release>;

export const figure = z.union([z.number(), z.string()]).nullable();
