/** What functions and the publisher leave for each other in the state table, as JSON text. Flags are in their served form. */

import * as z from 'zod';
import { ERROR_CODES, type ErrorCode, messageOf } from '../core/base/errors.ts';
import { parseFlags } from './flags.ts';

const json = z.string().transform((text, context): unknown => {
  try {
    return JSON.parse(text);
  } catch {
    context.addIssue({ code: 'custom', message: 'it is not JSON' });
    return z.NEVER;
  }
});
const document = z.unknown().transform((served, context) => {
  try {
    return parseFlags(served);
  } catch (error) {
    context.addIssue({ code: 'custom', message: messageOf(error) });
    return z.NEVER;
  }
});
const count = z.int().nonnegative();
const why = z.string();

export const publishedKeys = z.object({ url: z.string(), document: z.string() });

export const flagRequest = json.pipe(z.object({ document, urgent: z.boolean() }));

export const flagAnswer = json.pipe(
  z.discriminatedUnion('kind', [
    z.object({ kind: z.literal('published'), version: count }),
    z.object({ kind: z.literal('conflict'), why }),
    z.object({ kind: z.literal('unavailable'), why }),
    z.object({ kind: z.literal('too_large'), why }),
  ]),
);

export const flagSighting = z.object({
  document: json.pipe(document).nullable(),
  latestVersion: count,
  atMs: count,
});

export const alarmsRequest = json.pipe(z.object({ arns: z.array(z.string()) }));

export const alarmsAnswer = json.pipe(
  z.object({
    readings: z.array(
      z.tuple([
        z.string(),
        z.union([
          z.object({ state: z.enum(['OK', 'ALARM', 'INSUFFICIENT_DATA']), sinceMs: z.number(), reason: z.string() }),
          z.object({ problem: z.string() }),
        ]),
      ]),
    ),
  }),
);

export const checkRequest = json.pipe(
  z.object({
    check: z.object({ url: z.string(), privateHosts: z.array(z.string()), timeoutMs: z.number() }),
    question: z.object({
      id: z.string(),
      atMs: z.number(),
      cutover: z.string(),
      criterion: z.string(),
      stage: z.string(),
      sharePercent: z.number(),
    }),
  }),
);

const code = z.custom<ErrorCode>((value) => typeof value === 'string' && Object.hasOwn(ERROR_CODES, value));

export const checkAnswer = json.pipe(z.union([z.object({ status: z.int() }), z.object({ code, message: z.string() })]));
