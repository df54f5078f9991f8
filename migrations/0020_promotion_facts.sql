-- Why: a sequence must fit the column that takes its numbers, after promotion and after the way back; a table that a subscription
-- fills, and a publication of every table, are to be known before anything is armed. A generated column in the key of our own
-- tables made version 18 refuse each change of them once such a publication was there (42P10), and with it each start.
-- Lock: ACCESS EXCLUSIVE on crossfade.quarantine, foreign_write and inline_failure. Duration: milliseconds.
-- Undo: crossfade.dependents as in 0002; DROP FUNCTION crossfade.table_facts, crossfade.pass_number, crossfade.fit_sequence;
-- key_hash and the three functions that fill it as in 0017.

ALTER TABLE crossfade.quarantine ALTER COLUMN key_hash DROP EXPRESSION;
ALTER TABLE crossfade.foreign_write ALTER COLUMN key_hash DROP EXPRESSION;
ALTER TABLE crossfade.inline_failure ALTER COLUMN key_hash DROP EXPRESSION;

CREATE OR REPLACE FUNCTION crossfade.quarantine_key(
  p_cutover text, p_key text, p_sqlstate text, p_message text, p_attempts integer, p_deleted boolean DEFAULT false
) RETURNS void LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
  -- Messages of class 22 quote the value; a reason must not show what is in a row.
  INSERT INTO crossfade.quarantine AS q (cutover, key, key_hash, sqlstate, reason, attempts, deleted)
  VALUES (p_cutover, p_key, crossfade.key_hash(p_key), p_sqlstate, regexp_replace(p_message, ': ".*"', ''), p_attempts, p_deleted)
  ON CONFLICT (cutover, key_hash) DO UPDATE SET sqlstate = EXCLUDED.sqlstate, reason = EXCLUDED.reason,
    attempts = q.attempts + 1, deleted = q.deleted OR EXCLUDED.deleted, last_seen = clock_timestamp();
$$;

CREATE OR REPLACE FUNCTION crossfade.record_foreign_write(p_cutover text, p_key text, p_operation text) RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
  INSERT INTO crossfade.foreign_write AS f (cutover, key, key_hash, operation, role, application)
  VALUES (p_cutover, p_key, crossfade.key_hash(p_key), p_operation, session_user, coalesce(current_setting('application_name', true), ''))
  ON CONFLICT (cutover, key_hash) DO UPDATE SET operation = EXCLUDED.operation, role = EXCLUDED.role,
    application = EXCLUDED.application, writes = f.writes + 1, last_seen = clock_timestamp();
$$;

CREATE OR REPLACE FUNCTION crossfade.record_inline_failure(p_cutover text, p_key text, p_sqlstate text, p_message text) RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
  INSERT INTO crossfade.inline_failure AS f (cutover, key, key_hash, sqlstate, reason)
  VALUES (p_cutover, p_key, crossfade.key_hash(p_key), p_sqlstate, regexp_replace(p_message, ': ".*"', ''))
  ON CONFLICT (cutover, key_hash) DO UPDATE SET sqlstate = EXCLUDED.sqlstate, reason = EXCLUDED.reason, times = f.times + 1, last_seen = clock_timestamp()
$$;

CREATE FUNCTION crossfade.table_facts(p_table oid) RETURNS jsonb
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET plan_cache_mode = force_generic_plan AS $$
DECLARE
  v jsonb := crossfade.table_dependents(p_table);
BEGIN RETURN v || jsonb_build_object(
  'sequences', (
    SELECT coalesce(jsonb_agg(x.entry || jsonb_build_object('type', format_type(q.seqtypid, NULL), 'min', q.seqmin::text, 'max', q.seqmax::text,
        'cycle', q.seqcycle, 'ours', pg_has_role(s.relowner, 'USAGE'),
        'columnType', (WITH RECURSIVE under AS (SELECT a.atttypid AS oid FROM pg_attribute a WHERE a.attrelid = p_table AND a.attname = x.entry ->> 'column'
            UNION ALL SELECT d.typbasetype FROM under u JOIN pg_type d ON d.oid = u.oid WHERE d.typtype = 'd')
          SELECT format_type(u.oid, NULL) FROM under u JOIN pg_type y ON y.oid = u.oid WHERE y.typtype <> 'd')) ORDER BY x.place), '[]')
    FROM jsonb_array_elements(v -> 'sequences') WITH ORDINALITY x(entry, place)
    JOIN pg_namespace n ON n.nspname = x.entry ->> 'schema' JOIN pg_class s ON s.relnamespace = n.oid AND s.relname = x.entry ->> 'name'
    JOIN pg_sequence q ON q.seqrelid = s.oid),
  'publications', (
    SELECT coalesce(jsonb_agg(x.entry || jsonb_build_object('everything', p.puballtables) ORDER BY x.place), '[]')
    FROM jsonb_array_elements(v -> 'publications') WITH ORDINALITY x(entry, place) JOIN pg_publication p ON p.pubname = x.entry ->> 'name'),
  'subscriptions', (
    SELECT coalesce(jsonb_agg(s.subname ORDER BY s.subname), '[]')
    FROM pg_subscription_rel r JOIN pg_subscription s ON s.oid = r.srsubid WHERE r.srrelid = p_table)
); END $$;
COMMENT ON FUNCTION crossfade.table_facts IS
  'crossfade.table_dependents with the limits of its sequences, the reach of its publications, and the subscriptions that fill the table.';

CREATE OR REPLACE FUNCTION crossfade.dependents(p_primary oid, p_shadow oid) RETURNS jsonb
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET plan_cache_mode = force_generic_plan AS $$
BEGIN RETURN (
  SELECT jsonb_build_object(
    'primary', crossfade.table_facts(p_primary), 'shadow', crossfade.table_facts(p_shadow),
    -- Names that are taken where new ones will be needed: relations and types share one space per schema.
    'taken', (
      SELECT coalesce(jsonb_agg(DISTINCT x.name), '[]') FROM pg_class t
      JOIN LATERAL (
        SELECT c.relname AS name FROM pg_class c WHERE c.relnamespace = t.relnamespace
        UNION SELECT y.typname FROM pg_type y WHERE y.typnamespace = t.relnamespace
      ) x ON starts_with(x.name::text, t.relname::text)
      WHERE t.oid IN (p_primary, p_shadow)))
); END $$;

CREATE FUNCTION crossfade.pass_number(p_sequence text, p_number bigint, p_called boolean, p_table text, p_column text) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  v pg_sequence%ROWTYPE;
  v_at bigint;
  v_called boolean;
  v_furthest bigint;
BEGIN
  SELECT q.* INTO v FROM pg_sequence q WHERE q.seqrelid = p_sequence::regclass;
  EXECUTE format('SELECT last_value, is_called FROM %s', v.seqrelid::regclass) INTO v_at, v_called;
  IF p_number NOT BETWEEN v.seqmin AND v.seqmax THEN
    -- Beyond the sequence: numbers go on after the furthest one of the rows, which the column holds.
    EXECUTE format('SELECT %s(%I) FROM %s WHERE %2$I BETWEEN $1 AND $2', CASE WHEN v.seqincrement < 0 THEN 'min' ELSE 'max' END, p_column, p_table)
      INTO v_furthest USING v.seqmin, v.seqmax;
    IF v_furthest IS NULL THEN RETURN; END IF;
    p_number := v_furthest;
    p_called := true;
  END IF;
  IF sign(p_number - v_at) = sign(v.seqincrement) OR (p_number = v_at AND p_called AND NOT v_called) THEN
    PERFORM setval(v.seqrelid::regclass, p_number, p_called);
  END IF;
END $$;
COMMENT ON FUNCTION crossfade.pass_number IS
  'Moves a sequence on to a number, never back. A number beyond its limits counts as the furthest one of the rows within them.';

CREATE FUNCTION crossfade.fit_sequence(p_sequence text, p_type text, p_min bigint, p_max bigint, p_table text, p_column text) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  v pg_sequence%ROWTYPE;
  v_at bigint;
  v_furthest bigint;
BEGIN
  SELECT q.* INTO v FROM pg_sequence q WHERE q.seqrelid = to_regclass(p_sequence);
  -- Somebody dropped or renamed it since: nothing of it keeps the swap.
  IF NOT FOUND THEN RETURN; END IF;
  EXECUTE format('SELECT last_value FROM %s', v.seqrelid::regclass) INTO v_at;
  IF v_at NOT BETWEEN p_min AND p_max THEN
    IF p_table IS NULL THEN RETURN; END IF;
    EXECUTE format('SELECT %s(%I) FROM %s WHERE %2$I BETWEEN $1 AND $2', CASE WHEN v.seqincrement < 0 THEN 'min' ELSE 'max' END, p_column, p_table)
      INTO v_furthest USING p_min, p_max;
    PERFORM setval(v.seqrelid::regclass, coalesce(v_furthest, v.seqstart), v_furthest IS NOT NULL);
  END IF;
  EXECUTE format('ALTER SEQUENCE %s AS %s MINVALUE %s MAXVALUE %s', v.seqrelid::regclass, p_type::regtype, p_min, p_max);
END $$;
COMMENT ON FUNCTION crossfade.fit_sequence IS
  'Gives a sequence another type and limits. Where its number is beyond them, it goes on after the furthest one of the rows within them; without a table the sequence is left as it is.';

REVOKE ALL ON FUNCTION crossfade.table_facts, crossfade.pass_number, crossfade.fit_sequence FROM PUBLIC;
