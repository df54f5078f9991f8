/** What the SDK sends about a write: what it intends, and what became of it. */

import * as z from 'zod';
import { input } from './input.ts';
import { text } from './text.ts';

const printable = z.string().regex(/^[\x21-\x7e]{1,200}$/, 'it has 1–200 printable ASCII characters');
const intended = z.strictObject({
  cutover: z.string().max(64),
  key: text(1_024),
  intent: printable,
  idempotencyKey: printable,
  payload: z.string().refine((payload) => payload.isWellFormed(), 'it holds half a surrogate pair'),
  request: z
    .strictObject({ method: z.enum(['POST', 'PUT', 'PATCH', 'DELETE']), path: z.string().max(2_000) })
    .optional(),
});
const settled = z.strictObject({
  cutover: z.string().max(64),
  copy: z.string().min(1).max(120),
  outcome: z.enum(['applied', 'refused', 'unknown']),
});

export const intendedWrite = input(intended, 'The intent of a write', { known: ['method', 'path'] });
export const settledWrite = input(settled, 'The outcome of a write');
