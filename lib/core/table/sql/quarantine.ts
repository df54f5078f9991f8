/** A further try for keys in quarantine: their hints, made from the text under which they are kept there. */

import { quoteText } from '../shape.ts';
import { type Flow, keys, objectNames, quarantinedPart, securely } from './names.ts';

/** `retry_<id>(key)`: enqueues this key, or all of them for NULL, and returns how many. They stay listed until they fit. */
export function createRetry(flow: Flow): string {
  const { retry, outbox } = objectNames(flow.id);
  const parts = keys(flow, (_, i) => quarantinedPart(flow, i));
  return `CREATE FUNCTION ${retry}(p_key text) RETURNS bigint
${securely()} AS $crossfade$
#variable_conflict use_column
DECLARE
  v_enqueued bigint;
BEGIN
  -- Before a number of the outbox is taken.
  PERFORM pg_current_xact_id();
  INSERT INTO ${outbox} (op, ${keys(flow, (k) => k)})
  SELECT CASE WHEN q.deleted THEN 'D' ELSE 'K' END, ${parts} FROM crossfade.quarantine q
  WHERE q.cutover = ${quoteText(flow.id)} AND (p_key IS NULL OR q.key::jsonb = p_key::jsonb);
  GET DIAGNOSTICS v_enqueued = ROW_COUNT;
  RETURN v_enqueued;
END $crossfade$`;
}
