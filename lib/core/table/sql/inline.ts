/**
 * Inline mode: the capture trigger writes the target itself, in the application's transaction.
 *
 * The rules of converge hold: exclusion first (the same lock on the key), then the source is read by key in a later
 * statement, whose snapshot is new. Only the waiting is another: the application never waits for a key's lock, and for a row
 * of the target only so short that it can neither be chosen as the victim of a deadlock nor stand still. Whatever cannot be
 * done at once is left as a hint, which converge applies:
 *
 *   lock of the key taken by an applier · a row of the target locked for longer · a snapshot that is not renewed
 *   (REPEATABLE READ, SERIALIZABLE) · writes to shadows switched off · a row that does not fit, unless that has to abort ·
 *   a row that goes before the copy is done
 */

import { beyondKey } from '../mapping.ts';
import { quoteText } from '../shape.ts';
import { type Flow, keyBucket, keys, keyText, keyType, objectNames, securely } from './names.ts';
import { markTouched } from './segments.ts';

/** What becomes of the application's write when the target does not take the row. */
export type InlineMode = 'catch' | 'abort';

/** Far below deadlock_timeout (1 s): a transaction that waits for us is the one that finds a deadlock. */
export const INLINE_PATIENCE = '100ms';

/**
 * `inline_<id>(keys…, reset)`: one key, or the old and the new one of a row whose key was changed, in this order. True when
 * the target has what the source has; false when a hint has to be left.
 */
export function createInline(flow: Flow): string {
  const { inline, apply } = objectNames(flow.id);
  const id = quoteText(flow.id);
  const moves = beyondKey(flow.mapping).length > 0;
  const one = keys(flow, (k) => `p_${k}[i:i]`);
  const unnested = `unnest(${keys(flow, (k) => `p_${k}`)}, p_reset) AS k(${keys(flow, (k) => k)}, reset)`;
  const lock = `pg_try_advisory_xact_lock(hashtext(${quoteText(`crossfade:${flow.id}`)}), ${keyBucket(flow, (k) => `k.${k}`)})`;
  return `CREATE FUNCTION ${inline}(${keys(flow, (k, i) => `p_${k} ${keyType(flow.mapping.key[i]!.source)}[]`)}, p_reset boolean[]) RETURNS boolean
${securely()} SET lock_timeout = '${INLINE_PATIENCE}' AS $crossfade$
#variable_conflict use_column
DECLARE
  -- In the body, since only a superuser may name a setting of ours in the head. What fails takes it back with the rest.
  v_writing text := coalesce(current_setting('crossfade.writing', true), '');
BEGIN
  IF current_setting('transaction_isolation') <> 'read committed'
    OR NOT EXISTS (SELECT FROM crossfade.cutover c WHERE c.id = ${id} AND c.shadow_writes AND c.inline_writes)
    -- The copy may have read the row before it went${moves ? ' or moved' : ''}, and write it after this has found nothing to delete.
    OR (${moves ? '' : 'true = ANY (p_reset) AND '}NOT EXISTS (SELECT FROM crossfade.backfill b WHERE b.cutover = ${id} AND b.state = 'done'))
    OR NOT (SELECT bool_and(${lock}) FROM ${unnested}) THEN
    RETURN false;
  END IF;
  PERFORM set_config('crossfade.writing', 'on', true);
  FOR i IN 1 .. cardinality(p_reset) LOOP
    PERFORM ${apply}(${one}, p_reset[i:i]);
  END LOOP;
  ${markTouched(flow, unnested)}
  PERFORM set_config('crossfade.writing', v_writing, true);
  RETURN true;
END $crossfade$`;
}

/**
 * Statements of capture: the target is written in a block of its own, in which everything is that can fail. What the block
 * does not catch leaves nothing behind, and the hint is written after it.
 * @param value names of the variables that hold the key: `v_k`, and the one before, `v_o`
 */
export function tryInline(flow: Flow, mode: InlineMode, value: (prefix: string, index: number) => string): string {
  const { inline } = objectNames(flow.id);
  const arrays = (...prefixes: readonly string[]) =>
    keys(flow, (_, i) => `ARRAY[${prefixes.map((prefix) => value(prefix, i)).join(', ')}]`);
  return `
  IF v_named THEN
    BEGIN
      IF v_moved THEN
        IF ${inline}(${arrays('v_o', 'v_k')}, ARRAY[true, false]) THEN RETURN NULL; END IF;
      ELSIF ${inline}(${arrays('v_k')}, ARRAY[v_op = 'D']) THEN
        RETURN NULL;
      END IF;
    EXCEPTION
      WHEN lock_not_available OR deadlock_detected OR serialization_failure THEN
        NULL;
      WHEN OTHERS THEN
        GET STACKED DIAGNOSTICS v_state = RETURNED_SQLSTATE, v_message = MESSAGE_TEXT;
        ${mode === 'abort' ? abort(flow, value) : recorded(flow, value)}
    END;
  END IF;`;
}

const keyName = (flow: Flow, value: (prefix: string, index: number) => string) => keyText(flow, (i) => value('v_k', i));

/** A value that another key seems to hold may be free as soon as that key's hint, or the rest of the copy, is applied. */
function abort(flow: Flow, value: (prefix: string, index: number) => string): string {
  const { outbox } = objectNames(flow.id);
  const id = quoteText(flow.id);
  return `IF NOT (v_state IN ('23505', '23P01') AND (EXISTS (SELECT FROM ${outbox})
          OR NOT EXISTS (SELECT FROM crossfade.backfill b WHERE b.cutover = ${id} AND b.state = 'done'))) THEN
          RAISE EXCEPTION 'the shadow of cutover % does not take the row %: %', ${id}, ${keyName(flow, value)}, v_message USING ERRCODE = v_state,
            HINT = 'Nothing was written. The cutover is declared with rollbackOnShadowFailure, so a row must fit both tables.';
        END IF;`;
}

function recorded(flow: Flow, value: (prefix: string, index: number) => string): string {
  return `BEGIN
          PERFORM crossfade.record_inline_failure(${quoteText(flow.id)}, ${keyName(flow, value)}, v_state, v_message);
        EXCEPTION WHEN OTHERS THEN
          NULL;
        END;`;
}
