/** A key that was used before repeats its answer to the same caller, for the same request, and to no other. */

import { CrossfadeError } from '../../core/base/errors.ts';
import type { IdempotencyRecord } from '../../ports/state.ts';

/** @throws CrossfadeError `idempotency_mismatch` */
export function checkSameRequest(
  stored: Pick<IdempotencyRecord, 'caller' | 'fingerprint'>,
  actor: string,
  fingerprint: string | undefined,
): void {
  if (stored.caller === actor && stored.fingerprint === fingerprint) return;
  throw new CrossfadeError(
    'idempotency_mismatch',
    'This Idempotency-Key was used before by another caller or for another command. Use a new key for a new command.',
  );
}
