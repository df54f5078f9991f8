/** What a stored alert must look like to be believed, and what callers may say about one. */

import * as z from 'zod';
import type { Alert, AlertMessage } from '../core/alerts/alert.ts';
import { CrossfadeError } from '../core/base/errors.ts';
import { ACTIONS, SEVERITIES } from '../core/cutover/alert-rule.ts';
import { parse } from './problems.ts';

const count = z.int().nonnegative();
const moment = count.nullable();

const message = z.object({
  id: z.string(),
  alert: z.string(),
  cutover: z.string(),
  change: z.enum(['fired', 'escalated', 'acknowledged', 'resolved']),
  severity: z.enum(SEVERITIES),
  action: z.enum(ACTIONS),
  atMs: count,
  value: z.number().nullable(),
  limit: z.number(),
  text: z.string(),
  delivered: z.array(z.string()),
}) satisfies z.ZodType<AlertMessage>;

export const alertSchema = z.object({
  id: z.string(),
  cutover: z.string(),
  rule: z.string(),
  severity: z.enum(SEVERITIES),
  action: z.enum(ACTIONS),
  version: z.int().positive(),
  status: z.enum(['quiet', 'pending', 'firing']),
  sinceMs: count,
  clearSinceMs: moment,
  value: z.number().nullable(),
  limit: z.number(),
  text: z.string(),
  firedAtMs: moment,
  resolvedAtMs: moment,
  acknowledged: z.object({ actor: z.string(), reason: z.string(), atMs: count }).nullable(),
  escalatedAtMs: moment,
  messages: z.array(message),
  dropped: count,
  claim: z.object({ by: z.string(), untilMs: count }).nullable(),
}) satisfies z.ZodType<Alert>;

export const acknowledgement = z.strictObject({
  reason: z
    .string()
    .trim()
    .min(1)
    .max(1_000)
    .refine((value) => value.isWellFormed() && !value.includes('\0'), 'it holds NUL or half a surrogate pair'),
});

/** @throws CrossfadeError `invalid_input`, `unknown_property` */
export function parseAcknowledgement(body: unknown): { reason: string } {
  return parse(acknowledgement, body, "The body of 'acknowledge'", { known: ['reason'] });
}

export const ALERT_ID = /^[a-z][a-z0-9_]{0,39}\.[a-z][a-z0-9_]{0,39}$/;

/** @throws CrossfadeError `invalid_identifier` */
export function readAlertId(id: string | undefined): string {
  if (id !== undefined && ALERT_ID.test(id)) return id;
  throw new CrossfadeError('invalid_identifier', "An alert's id is CUTOVER.RULE, both in lower_snake_case.");
}
