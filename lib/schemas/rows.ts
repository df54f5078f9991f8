/** Bodies and queries of the routes about rows: keys in quarantine, and the copy of existing rows. */

import * as z from 'zod';
import { CrossfadeError } from '../core/base/errors.ts';
import { parse } from './problems.ts';

const text = (max: number) =>
  z
    .string()
    .min(1)
    .max(max)
    .refine((value) => value.isWellFormed() && !value.includes('\0'), 'it holds NUL or half a surrogate pair');
const key = text(8_192);
const reason = text(1_000);

export const verifyBody = z.strictObject({
  tier: z.enum(['fast', 'proof']).optional(),
  /** As the `details` of a 409 had it: the pass that was asked for then is waited for, and no newer one. */
  since: z.int().nonnegative().optional(),
});
/** Nothing is asked for a repair, and nothing refused. */
export const repairBody = z.looseObject({});
export const retryBody = z.strictObject({ key: key.optional() });
export const discardBody = z.strictObject({ key, confirm: z.string().max(100), reason });
export const controlBody = z.strictObject({ reason: reason.optional() });
export const readOnlyBody = z.strictObject({ seconds: z.number().int().min(1).max(300), reason });
export const removeBody = z.strictObject({ confirm: z.string().max(100), reason });
export const endReadOnlyBody = z.strictObject({ reason: reason.optional() });
export const quarantineQuery = z.strictObject({
  limit: z
    .string()
    .regex(/^\d{1,4}$/)
    .transform(Number)
    .pipe(z.number().min(1).max(1_000))
    .default(100),
  after: z.string().max(8_192).optional(),
});

/** Longest look at the rows: with the rest of the plan below the 29 s that an HTTP API waits. */
export const planQuery = z.strictObject({
  scanMs: z
    .string()
    .regex(/^\d{1,5}$/, 'it is a whole number of milliseconds')
    .transform(Number)
    .pipe(z.number().max(15_000))
    .default(3_000),
});

/** @throws CrossfadeError `invalid_input`, `unknown_property` */
export function parsePlan(query: Readonly<Record<string, string>>): { scanMs: number } {
  return parse(planQuery as unknown as z.ZodType<{ scanMs: number }>, query, 'The query', { known: ['scanMs'] });
}

export function parseVerify(body: unknown): { tier?: 'fast' | 'proof'; since?: number } {
  return parse(verifyBody, body ?? {}, "The body of 'verify'", { known: ['tier', 'since'] });
}

export function parseRetry(body: unknown): { key?: string } {
  return parse(retryBody, body, "The body of 'quarantine retry'", { known: ['key'] });
}

export function parseDiscard(body: unknown): { key: string; confirm: string; reason: string } {
  if (typeof body === 'object' && body !== null && !('confirm' in body)) {
    throw new CrossfadeError(
      'confirm_required',
      `'quarantine discard' needs "confirm" with the cutover's id, typed again.`,
    );
  }
  return parse(discardBody, body, "The body of 'quarantine discard'", { known: ['key', 'confirm', 'reason'] });
}

export function parseBackfillControl(body: unknown): { reason?: string } {
  return parse(controlBody, body, 'The body of a command about the backfill', { known: ['reason'] });
}

/** @throws CrossfadeError `invalid_input`, `unknown_property` */
export function parseReadOnly(body: unknown): { seconds: number; reason: string } {
  return parse(readOnlyBody, body, "The body of 'read-only'", { known: ['seconds', 'reason'] });
}

export function parseEndReadOnly(body: unknown): { reason?: string } {
  return parse(endReadOnlyBody, body, "The body of 'read-only/end'", { known: ['reason'] });
}

export function parseAdopt(body: unknown): { reason?: string } {
  return parse(controlBody, body, "The body of 'adopt'", { known: ['reason'] });
}

/** @throws CrossfadeError `confirm_required`, `invalid_input`, `unknown_property` */
export function parseRemoveShadow(body: unknown): { confirm: string; reason: string } {
  if (typeof body === 'object' && body !== null && !('confirm' in body))
    throw new CrossfadeError('confirm_required', `'remove-shadow' needs "confirm" with the cutover's id, typed again.`);
  return parse(removeBody, body, "The body of 'remove-shadow'", { known: ['confirm', 'reason'] });
}

export function parseQuarantinePage(query: Readonly<Record<string, string>>): { limit: number; after?: string } {
  return parse(quarantineQuery as unknown as z.ZodType<{ limit: number; after?: string }>, query, 'The query', {
    known: ['limit', 'after'],
  });
}
