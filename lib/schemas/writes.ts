/** What the SDK sends about a write: what it intends, and what became of it. */

import * as z from 'zod';
import { parse } from './problems.ts';

const printable = z.string().regex(/^[\x21-\x7e]{1,200}$/, 'it has 1–200 printable ASCII characters');
export const intendedWrite = z.strictObject({
  cutover: z.string().max(64),
  key: z
    .string()
    .min(1)
    .max(1_024)
    .refine((key) => key.isWellFormed() && !key.includes('\0'), 'it holds NUL or half a surrogate pair'),
  intent: printable,
  idempotencyKey: printable,
  payload: z.string().refine((payload) => payload.isWellFormed(), 'it holds half a surrogate pair'),
  request: z
    .strictObject({ method: z.enum(['POST', 'PUT', 'PATCH', 'DELETE']), path: z.string().max(2_000) })
    .optional(),
});
export const settledWrite = z.strictObject({
  cutover: z.string().max(64),
  copy: z.string().min(1).max(120),
  outcome: z.enum(['applied', 'refused', 'unknown']),
});

/** @throws CrossfadeError `invalid_input`, `unknown_property` */
export function parseIntendedWrite(body: unknown): z.infer<typeof intendedWrite> {
  return parse(intendedWrite as z.ZodType<z.infer<typeof intendedWrite>>, body, 'The intent of a write', {
    known: [...Object.keys(intendedWrite.shape), 'method', 'path'],
  });
}

/** @throws CrossfadeError `invalid_input`, `unknown_property` */
export function parseSettledWrite(body: unknown): z.infer<typeof settledWrite> {
  return parse(settledWrite as z.ZodType<z.infer<typeof settledWrite>>, body, 'The outcome of a write', {
    known: Object.keys(settledWrite.shape),
  });
}
