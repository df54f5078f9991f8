/** What a stored alert must look like to be believed, and what callers may say about one. */

import * as z from 'zod';
import type { Alert, AlertMessage } from '../core/alerts/alert.ts';
import { ACTIONS, SEVERITIES } from '../core/cutover/alert-rule.ts';
import { input } from './input.ts';
import { isStorable } from './text.ts';

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

export const acknowledgement = input(
  z.strictObject({
    reason: z
      .string()
      .trim()
      .min(1)
      .max(1_000)
      .refine(...isStorable),
  }),
  "The body of 'acknowledge'",
);
