-- Why: the reason of a row in quarantine and of a row that cannot go back is Postgres's message, and a reason must not show what is in a row. Only
-- a value at the end of an English message was taken away. `value "…" is out of range for type integer`, a server that speaks another language and an
-- exception of a trigger of the application got through.
--
-- Lock: none; functions are made and replaced. Duration: milliseconds. Reasons that were written before stay as they are until they are written again.
-- Undo: the five functions as they were before; DROP FUNCTION crossfade.without_values.

-- A value may hold quotes itself, so all from the first one to the last goes. The longer classes are those of German, French, Polish, Chinese, Japanese.
CREATE FUNCTION crossfade.without_values(p_sqlstate text, p_message text) RETURNS text
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
  SELECT coalesce(m.ours, '') || CASE
    WHEN p_sqlstate ~ '^22' THEN regexp_replace(regexp_replace(m.theirs, '[[:space:]]?[:：][[:space:]]?["»«„“”「『].*["»«“”」』]', ''), '["»«„“”「『].*["»«“”」』]', '"…"')
    WHEN p_sqlstate = 'P0001' THEN 'code that runs when a row is written raised an exception'
    ELSE m.theirs
  END
  FROM (SELECT o.ours, substr(p_message, 1 + coalesce(length(o.ours), 0)) AS theirs FROM (SELECT substring(p_message FROM '^column .*? was not computed: ') AS ours) o) m
$$;
COMMENT ON FUNCTION crossfade.without_values IS
  'A message of Postgres that people, logs and programs may see. Those of class 22 quote the value, in the signs of the server''s language; those of an exception that somebody raised say what they please. Twice is as good as once.';
REVOKE ALL ON FUNCTION crossfade.without_values FROM PUBLIC;

CREATE OR REPLACE FUNCTION crossfade.misfit(p_judged text, p_crossed text, p_from tid, p_to tid, p_part oid) RETURNS jsonb
LANGUAGE plpgsql
AS $$
DECLARE
  v_seen jsonb;
  v_state text;
  v_why text;
  v_kind text := 'return';
BEGIN
  EXECUTE p_judged INTO v_seen USING p_from, p_to, p_part;
  RETURN v_seen;
EXCEPTION WHEN data_exception OR integrity_constraint_violation OR program_limit_exceeded OR raise_exception THEN
  GET STACKED DIAGNOSTICS v_state = RETURNED_SQLSTATE, v_why = MESSAGE_TEXT;
  v_why := format('SQLSTATE %s, %s', v_state, crossfade.without_values(v_state, v_why));
  BEGIN
    EXECUTE coalesce(p_crossed, 'SELECT $1, $2, $3') USING p_from, p_to, p_part;
  EXCEPTION WHEN data_exception OR integrity_constraint_violation OR program_limit_exceeded OR raise_exception THEN
    v_kind := 'cross';
  END;
  RETURN jsonb_build_object('kind', v_kind, 'why', v_why);
END $$;

CREATE OR REPLACE FUNCTION crossfade.quarantine_key(p_cutover text, p_key text, p_sqlstate text, p_message text, p_attempts integer, p_deleted boolean DEFAULT false) RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path TO 'pg_catalog', 'pg_temp'
AS $$
  INSERT INTO crossfade.quarantine AS q (cutover, key, key_hash, sqlstate, reason, attempts, deleted)
  VALUES (p_cutover, p_key, crossfade.key_hash(p_key), p_sqlstate, crossfade.without_values(p_sqlstate, p_message), p_attempts, p_deleted)
  ON CONFLICT (cutover, key_hash) DO UPDATE SET sqlstate = EXCLUDED.sqlstate, reason = EXCLUDED.reason,
    attempts = q.attempts + 1, deleted = q.deleted OR EXCLUDED.deleted, last_seen = clock_timestamp();
$$;

CREATE OR REPLACE FUNCTION crossfade.record_inline_failure(p_cutover text, p_key text, p_sqlstate text, p_message text) RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path TO 'pg_catalog', 'pg_temp'
AS $$
  INSERT INTO crossfade.inline_failure AS f (cutover, key, key_hash, sqlstate, reason)
  VALUES (p_cutover, p_key, crossfade.key_hash(p_key), p_sqlstate, crossfade.without_values(p_sqlstate, p_message))
  ON CONFLICT (cutover, key_hash) DO UPDATE SET sqlstate = EXCLUDED.sqlstate, reason = EXCLUDED.reason, times = f.times + 1, last_seen = clock_timestamp()
$$;

CREATE OR REPLACE FUNCTION crossfade.rehearse_copy(p_shadow oid, p_path text, p_written text[], p_rows text) RETURNS jsonb
LANGUAGE plpgsql SET search_path TO 'pg_catalog', 'pg_temp'
AS $$
DECLARE
  v_name CONSTANT text := format('crossfade.%I', 'rehearsal_' || pg_backend_pid());
  v_column name;
  v_rows bigint;
  v_began timestamptz;
  v_took double precision;
  v_state text;
  v_why text;
BEGIN
  EXECUTE format('CREATE TABLE %s (LIKE %s INCLUDING ALL EXCLUDING DEFAULTS)', v_name, p_shadow::regclass);
  FOR v_column IN SELECT a.attname FROM pg_attribute a WHERE a.attrelid = v_name::regclass AND a.attnum > 0 AND a.attnotnull
    AND a.attidentity = '' AND a.attgenerated = '' AND NOT a.attname = ANY (p_written)
  LOOP
    EXECUTE format('ALTER TABLE %s ALTER COLUMN %I DROP NOT NULL', v_name, v_column);
  END LOOP;
  PERFORM set_config('search_path', p_path, true);
  BEGIN
    v_began := clock_timestamp();
    EXECUTE format('INSERT INTO %s (%s) OVERRIDING SYSTEM VALUE %s', v_name, (SELECT string_agg(quote_ident(c), ', ' ORDER BY place)
      FROM unnest(p_written) WITH ORDINALITY x(c, place)), p_rows);
    GET DIAGNOSTICS v_rows = ROW_COUNT;
    v_took := 1000 * extract(epoch FROM clock_timestamp() - v_began);
  EXCEPTION WHEN data_exception OR integrity_constraint_violation OR program_limit_exceeded OR raise_exception THEN
    GET STACKED DIAGNOSTICS v_state = RETURNED_SQLSTATE, v_why = MESSAGE_TEXT;
  END;
  EXECUTE format('DROP TABLE %s', v_name);
  RETURN jsonb_build_object('rows', coalesce(v_rows, 0), 'tookMs', v_took,
    'why', 'a row of the sample does not fit: SQLSTATE ' || v_state || ', ' || crossfade.without_values(v_state, v_why));
END $$;

CREATE OR REPLACE FUNCTION crossfade.validate_table_consistency(p_cutover text) RETURNS TABLE(cutover text, primary_rows bigint, shadow_rows bigint, consistent bigint, diverged bigint, late bigint, quarantined bigint, errors text[], score double precision)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path TO 'pg_catalog', 'pg_temp'
AS $$
DECLARE
  v crossfade.cutover%ROWTYPE := crossfade.known_cutover(p_cutover);
  v_name text := format('crossfade.%I', 'consistency_' || p_cutover);
  v_seen jsonb;
BEGIN
  cutover := p_cutover;
  errors := '{}';
  IF to_regprocedure(v_name || '()') IS NULL THEN
    errors := ARRAY['nothing keeps the tables equal: there is no column map to compare them by until the cutover is started'];
    RETURN NEXT;
    RETURN;
  END IF;
  BEGIN
    EXECUTE format('SELECT %s()', v_name) INTO v_seen;
  EXCEPTION WHEN undefined_table OR undefined_column OR data_exception THEN
    errors := ARRAY[format('the tables cannot be compared: %s [%s]', crossfade.without_values(SQLSTATE, SQLERRM), SQLSTATE)];
    RETURN NEXT;
    RETURN;
  END;
  IF v.direction = 'none' THEN errors := ARRAY['capture is not armed: what is written now is not carried over']; END IF;
  IF EXISTS (SELECT FROM crossfade.backfill b WHERE b.cutover = p_cutover AND b.state <> 'done') THEN
    errors := errors || 'the copy is not done: rows that it has not reached count as diverged'::text;
  END IF;
  -- After promotion rows flow from the new table to the old one.
  primary_rows := v_seen -> CASE v.direction WHEN 'reverse' THEN 'target' ELSE 'source' END;
  shadow_rows := v_seen -> CASE v.direction WHEN 'reverse' THEN 'source' ELSE 'target' END;
  consistent := v_seen -> 'consistent';
  diverged := v_seen -> 'diverged';
  late := v_seen -> 'late';
  quarantined := v_seen -> 'quarantined';
  score := CASE WHEN diverged = 0 THEN 1 ELSE greatest(0, 1 - diverged::double precision / nullif((v_seen ->> 'source')::bigint, 0)) END;
  score := coalesce(score, 0);
  RETURN NEXT;
END $$;
