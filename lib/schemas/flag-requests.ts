/** What functions and the publisher leave for each other in the state table. Documents are packed JSON, in the served form. */

import * as z from 'zod';
import { parseFlagText } from './flags.ts';

const document = z.string().transform((text, context) => {
  try {
    return parseFlagText(text);
  } catch (error) {
    context.addIssue({ code: 'custom', message: error instanceof Error ? error.message : String(error) });
    return z.NEVER;
  }
});
const realMs = z.int().nonnegative();

export const flagRequest = z.object({
  document,
  urgent: z.boolean(),
  untilMs: realMs,
});

const refused = { why: z.string() };

export const flagAnswer = z.discriminatedUnion('kind', [
  z.object({ kind: z.literal('published'), version: z.int().nonnegative() }),
  z.object({ kind: z.literal('conflict'), ...refused }),
  z.object({ kind: z.literal('unavailable'), ...refused }),
  z.object({ kind: z.literal('too_large'), ...refused }),
]);

export const flagSighting = z.object({
  document: document.nullable(),
  latestVersion: z.int().nonnegative(),
  atMs: realMs,
});
