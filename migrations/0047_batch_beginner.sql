-- Why: where the answer is lost when a batch for another database begins, the mover ends that batch and begins again. It ended whichever batch was under way:
-- while answers of changes were lost again and again, no chunk of the copy came to its end. A batch now says who began it.
-- Lock: a short ACCESS EXCLUSIVE on crossfade.batch for a column without a default; none on tables of the application. Duration: milliseconds.
-- Undo: begin_batch as in 0041; ALTER TABLE crossfade.batch DROP COLUMN begun_by.

ALTER TABLE crossfade.batch ADD COLUMN begun_by text;
COMMENT ON COLUMN crossfade.batch.begun_by IS 'The name of the call that began it, as crossfade.begun_by had it in that transaction; NULL where none was given.';

CREATE OR REPLACE FUNCTION crossfade.begin_batch(p_id text, p_lease_ms integer, p_first boolean DEFAULT false) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  v_number bigint;
BEGIN
  -- Until the end of this transaction: what is read in it is read before the next batch gets its number.
  IF NOT pg_try_advisory_xact_lock(crossfade.lock_key('batch:' || p_id)) THEN RETURN NULL; END IF;
  v_number := pg_current_xact_id()::text::bigint;
  INSERT INTO crossfade.batch AS b (cutover, number, until, begun_by)
    VALUES (p_id, v_number, clock_timestamp() + make_interval(secs => p_lease_ms / 1000.0), current_setting('crossfade.begun_by', true))
  ON CONFLICT (cutover) DO UPDATE SET number = EXCLUDED.number, until = EXCLUDED.until, begun_by = EXCLUDED.begun_by, wanted_until = '-infinity'
    WHERE b.until <= clock_timestamp() AND b.number < EXCLUDED.number AND (p_first OR b.wanted_until <= clock_timestamp());
  IF FOUND THEN RETURN v_number; END IF;
  -- Changes come all the time, and each batch of them is followed by the next.
  IF p_first THEN UPDATE crossfade.batch b SET wanted_until = clock_timestamp() + interval '2 s' WHERE b.cutover = p_id; END IF;
  RETURN NULL;
END $$;
