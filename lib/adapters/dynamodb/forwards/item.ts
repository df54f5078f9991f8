/** A forwarded write as an item of the changes table, and back. A large body lies in parts beside the item. */

import * as z from 'zod';
import { CrossfadeError } from '../../../core/base/errors.ts';
import { CUTOVER_ID } from '../../../core/cutover/cutover.ts';
import { type Forward, type ForwardHead, placeOfForward } from '../../../core/forwards/forward.ts';
import type { NewForward } from '../../../ports/forwards.ts';
import { problemsOf } from '../../../schemas/state.ts';
import { bodyKey, forwardKey } from '../keys.ts';
import type { Item } from '../state-items.ts';

/** An item takes 400 KB with everything in it; listing reads items whole, so bodies that are not small lie apart. */
const INLINE_BODY_BYTES = 8 * 1024;
const PART_BYTES = 350 * 1024;
/** Parts are removed with what they belong to; this is for those whose item was never written. */
const PART_DAYS = 90;

const forwardItem = z.object({
  place: z.string().refine((place) => placeOfForward(place) !== null),
  cutover: z.string().regex(CUTOVER_ID),
  side: z.enum(['primary', 'shadow']),
  orderKey: z.string(),
  status: z.enum(['intended', 'unsettled', 'ready', 'quarantined']),
  known: z.boolean(),
  idempotencyKey: z.string().min(1),
  attempts: z.number().int().min(0),
  nextAttemptAtMs: z.number(),
  claimedUntilMs: z.number(),
  problem: z
    .object({ code: z.enum(['outcome_unknown', 'refused', 'copy_in_doubt']), text: z.string(), atMs: z.number() })
    .nullable(),
  request: z.object({
    method: z.string(),
    path: z.string(),
    query: z.string(),
    headers: z.record(z.string(), z.string()),
  }),
  bodyBytes: z.number().int().min(0),
  parts: z.number().int().min(0),
  body: z.instanceof(Uint8Array).optional(),
});

export type StoredForward = { head: ForwardHead; parts: number; inline: Uint8Array | null };

/** The item of a new one, and the items of its body where it is not small: those are written first. */
export function itemsOf(forward: NewForward): { item: Item; parts: Item[] } {
  const { id, body, createdAtMs, ...rest } = forward;
  const bodyBytes = body?.length ?? 0;
  const apart = bodyBytes > INLINE_BODY_BYTES;
  const parts: Item[] = [];
  for (let start = 0; apart && start < bodyBytes; start += PART_BYTES) {
    parts.push({
      ...bodyKey(forward.cutover, id, parts.length),
      body: body!.subarray(start, start + PART_BYTES),
      expires_at: Math.floor(createdAtMs / 1_000) + PART_DAYS * 86_400,
    });
  }
  const item: Item = {
    ...forwardKey(forward.cutover, id),
    ...rest,
    status: 'intended',
    known: false,
    attempts: 0,
    nextAttemptAtMs: 0,
    claimedUntilMs: 0,
    problem: null,
    bodyBytes,
    parts: parts.length,
    ...(body && !apart && bodyBytes > 0 ? { body } : {}),
  };
  return { item, parts };
}

/** @throws CrossfadeError `state_invalid` for an item that was edited by hand or is of another version */
export function forwardOf(item: Item): StoredForward {
  const parsed = forwardItem.safeParse(item);
  if (!parsed.success) {
    throw new CrossfadeError(
      'state_invalid',
      `The forwarded write '${String(item.place)}' in the changes table cannot be trusted: ${problemsOf(parsed.error)}. Nothing is done with it until the item is put right.`,
    );
  }
  const { place, parts, body, ...rest } = parsed.data;
  return { head: { ...rest, id: place, createdAtMs: placeOfForward(place)!.createdAtMs }, parts, inline: body ?? null };
}

export const withBody = (head: ForwardHead, body: Uint8Array | null): Forward => ({ ...head, body });
