-- Why: a dry run of the copy says how long it would take, from a sample that is written to a table like the shadow and dropped.
-- Lock: none on existing objects. Duration: milliseconds. Undo: DROP FUNCTION crossfade.rehearse_copy.

-- An ordinary table, so that its log is written as that of the shadow would be; nobody else ever sees it. Without the defaults,
-- since a counter must not move for a rehearsal. p_written: columns that the copy writes. p_rows: SQL that selects them.
CREATE FUNCTION crossfade.rehearse_copy(p_shadow oid, p_path text, p_written text[], p_rows text) RETURNS jsonb
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
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
    'why', 'a row of the sample does not fit: SQLSTATE ' || v_state || ', ' || regexp_replace(v_why, ': ".*"', ''));
END $$;
COMMENT ON FUNCTION crossfade.rehearse_copy IS
  'How long a sample of rows takes into a table like the shadow, which is dropped again. Called with generated SQL by the dry run of the copy.';

REVOKE ALL ON FUNCTION crossfade.rehearse_copy FROM PUBLIC;
