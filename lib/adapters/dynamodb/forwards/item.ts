/** A copy as an item of the changes table, and back: small bodies lie in the item, large ones in parts beside it. */

import * as z from 'zod';
import { CrossfadeError } from '../../../core/base/errors.ts';
import { CUTOVER_ID } from '../../../core/cutover/cutover.ts';
import { type Copy, type CopyHead, placeOfCopy } from '../../../core/forwards/forward.ts';
import type { NewCopy } from '../../../ports/forwards.ts';
import { problemsOf } from '../../../schemas/state.ts';
import { bodyKey, copyKey } from '../keys.ts';
import type { Item } from '../state-items.ts';

/** An item takes 400 KB with everything in it; listing reads items whole, so bodies that are not small lie apart. */
const INLINE_BODY_BYTES = 8 * 1024;
const PART_BYTES = 350 * 1024;
/** Parts are removed with their copy; this is for those whose copy was never written. */
const PART_DAYS = 90;

const copyItem = z.object({
  place: z.string().refine((place) => placeOfCopy(place) !== null),
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

export type StoredCopy = { head: CopyHead; parts: number; inline: Uint8Array | null };

/** The item of a new copy, and the items of its body where it is not small: those are written first. */
export function itemsOf(copy: NewCopy): { item: Item; parts: Item[] } {
  const { id, body, createdAtMs, ...rest } = copy;
  const bodyBytes = body?.length ?? 0;
  const apart = bodyBytes > INLINE_BODY_BYTES;
  const parts: Item[] = [];
  for (let start = 0; apart && start < bodyBytes; start += PART_BYTES) {
    parts.push({
      ...bodyKey(copy.cutover, id, parts.length),
      body: body!.subarray(start, start + PART_BYTES),
      expires_at: Math.floor(createdAtMs / 1_000) + PART_DAYS * 86_400,
    });
  }
  const item: Item = {
    ...copyKey(copy.cutover, id),
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
export function copyOf(item: Item): StoredCopy {
  const parsed = copyItem.safeParse(item);
  if (!parsed.success) {
    throw new CrossfadeError(
      'state_invalid',
      `The copy '${String(item.place)}' in the changes table cannot be trusted: ${problemsOf(parsed.error)}. Nothing is done with it until the item is put right.`,
    );
  }
  const { place, parts, body, ...rest } = parsed.data;
  return { head: { ...rest, id: place, createdAtMs: placeOfCopy(place)!.createdAtMs }, parts, inline: body ?? null };
}

export const withBody = (head: CopyHead, body: Uint8Array | null): Copy => ({ ...head, body });
