/** What the SDK sends about a write: what it intends, and what became of it. */

import * as z from 'zod';
import { OLD_FIELDS } from '../core/base/old-names.ts';
import { type Input, input } from './input.ts';
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
const outcome = { cutover: z.string().max(64), outcome: z.enum(['applied', 'refused', 'unknown']) };
const id = z.string().min(1).max(120);
const settled = z.strictObject({ ...outcome, forward: id });
/** What an SDK of the release before sends. */
const settledBefore = z.strictObject({ ...outcome, [OLD_FIELDS.forward]: id.meta({ deprecated: true }) });

export const intendedWrite = input(intended, 'The intent of a write', { known: ['method', 'path'] });

const SETTLED = 'The outcome of a write';
const byName = input(settled, SETTLED);
const byOldName = input(settledBefore, SETTLED);

export const settledWrite: Input<z.output<typeof settled>> = {
  schema: z.union([settled, settledBefore]),
  read(value) {
    const isOld = typeof value === 'object' && value !== null && OLD_FIELDS.forward in value;
    if (!isOld) return byName.read(value);
    const { [OLD_FIELDS.forward]: forward, ...rest } = byOldName.read(value);
    return { ...rest, forward };
  },
};
