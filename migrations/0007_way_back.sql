-- Why: `plan` looks at the rows themselves and lists those that could not go back to the old shape after a promotion.
-- Lock: none on existing objects. Duration: milliseconds. Undo: DROP FUNCTION crossfade.way_back, crossfade.misfit.

-- One row that failed within its range. p_crossed: the way there alone, which says on which way it fails.
CREATE FUNCTION crossfade.misfit(p_judged text, p_crossed text, p_from tid, p_to tid) RETURNS jsonb
LANGUAGE plpgsql AS $$
DECLARE
  v_seen jsonb;
  v_state text;
  v_why text;
  v_kind text := 'return';
BEGIN
  EXECUTE p_judged INTO v_seen USING p_from, p_to;
  RETURN v_seen;
EXCEPTION WHEN data_exception OR integrity_constraint_violation OR program_limit_exceeded OR raise_exception THEN
  -- Messages of class 22 quote the value; a reason must not show what is in a row.
  GET STACKED DIAGNOSTICS v_state = RETURNED_SQLSTATE, v_why = MESSAGE_TEXT;
  v_why := format('SQLSTATE %s, %s', v_state, regexp_replace(v_why, ': ".*"', ''));
  BEGIN
    EXECUTE coalesce(p_crossed, 'SELECT $1, $2') USING p_from, p_to;
  EXCEPTION WHEN data_exception OR integrity_constraint_violation OR program_limit_exceeded OR raise_exception THEN
    v_kind := 'cross';
  END;
  RETURN jsonb_build_object('kind', v_kind, 'why', v_why);
END $$;

-- Reads ranges of pages, so that no key and no index is needed, until all were read or the time is over. A range with a row
-- that no cast takes fails whole: it is halved down to one page, whose rows are then asked one by one.
-- p_judged: SQL over one range ($1 <= ctid < $2) that returns jsonb: rows, unfit, changed, samples. p_key: SQL text of a row's key.
CREATE FUNCTION crossfade.way_back(
  p_table oid, p_path text, p_judged text, p_crossed text, p_key text, p_limit_ms integer, p_most integer
) RETURNS jsonb LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  v_pages CONSTANT bigint := pg_relation_size(p_table) / current_setting('block_size')::bigint;
  v_until CONSTANT timestamptz := clock_timestamp() + make_interval(secs => p_limit_ms / 1000.0);
  v_began timestamptz;
  v_from bigint := 0;
  v_size bigint := 8;
  v_failed boolean;
  v_row record;
  v_seen jsonb;
  v_rows bigint := 0;
  v_cross bigint := 0;
  v_return bigint := 0;
  v_changed bigint := 0;
  v_samples jsonb := '[]';
  v_cut boolean := false;
BEGIN
  PERFORM set_config('search_path', p_path, true);
  <<ranges>>
  WHILE v_from < v_pages LOOP
    v_began := clock_timestamp();
    IF v_began > v_until THEN v_cut := true; EXIT; END IF;
    v_failed := false;
    BEGIN
      EXECUTE p_judged INTO v_seen USING format('(%s,0)', v_from)::tid, format('(%s,0)', v_from + v_size)::tid;
    EXCEPTION WHEN data_exception OR integrity_constraint_violation OR program_limit_exceeded OR raise_exception THEN
      v_failed := true;
    END;
    IF v_failed AND v_size > 1 THEN
      v_size := v_size / 2;
      CONTINUE;
    END IF;
    IF NOT v_failed THEN
      v_rows := v_rows + (v_seen ->> 'rows')::bigint;
      v_return := v_return + (v_seen ->> 'unfit')::bigint;
      v_changed := v_changed + (v_seen ->> 'changed')::bigint;
      v_samples := v_samples || (v_seen -> 'samples');
      v_from := v_from + v_size;
      v_size := CASE WHEN clock_timestamp() - v_began < interval '50 ms' THEN least(1024, v_size * 2) ELSE greatest(1, v_size / 2) END;
      CONTINUE;
    END IF;
    FOR v_row IN EXECUTE format('SELECT p.ctid AS at, (p.ctid::text::point)[1] + 1 AS next, %s AS key FROM %s AS p WHERE p.ctid >= $1 AND p.ctid < $2',
      p_key, p_table::regclass) USING format('(%s,0)', v_from)::tid, format('(%s,0)', v_from + 1)::tid
    LOOP
      IF clock_timestamp() > v_until THEN v_cut := true; EXIT ranges; END IF;
      v_seen := crossfade.misfit(p_judged, p_crossed, v_row.at, format('(%s,%s)', v_from, v_row.next)::tid);
      v_rows := v_rows + 1;
      IF v_seen ->> 'kind' = 'cross' THEN v_cross := v_cross + 1; END IF;
      v_return := v_return + CASE WHEN v_seen ->> 'kind' = 'return' THEN 1 ELSE coalesce((v_seen ->> 'unfit')::bigint, 0) END;
      v_changed := v_changed + coalesce((v_seen ->> 'changed')::bigint, 0);
      v_samples := v_samples || CASE WHEN v_seen ? 'kind' THEN v_seen || jsonb_build_object('key', v_row.key) ELSE v_seen -> 'samples' END;
    END LOOP;
    v_from := v_from + 1;
  END LOOP;
  RETURN jsonb_build_object('rows', v_rows, 'complete', NOT v_cut, 'limitMs', p_limit_ms, 'cannotCross', v_cross, 'cannotReturn', v_return,
    'changed', v_changed, 'samples', (SELECT coalesce(jsonb_agg(s ORDER BY place), '[]') FROM jsonb_array_elements(v_samples) WITH ORDINALITY x(s, place)
      WHERE place <= p_most));
END $$;
COMMENT ON FUNCTION crossfade.way_back IS
  'Rows of a table that could not go back to the old shape, with samples; reads for p_limit_ms at most and changes nothing. Called with generated SQL by `crossfade plan`.';

REVOKE ALL ON FUNCTION crossfade.misfit, crossfade.way_back FROM PUBLIC;
