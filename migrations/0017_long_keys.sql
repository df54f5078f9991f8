-- Why: a key of 2,700 bytes fits the index of its own table and not that of quarantine, where JSON is around it, so one such
-- key stopped every converge. These tables are now keyed by a hash of the key. And a pass of verification remembers which
-- transactions were over when it began: rows from before that must all be among those that it compared.
-- Lock: ACCESS EXCLUSIVE on crossfade.quarantine, foreign_write, inline_failure (rewritten: a row for each key that is held) and
-- crossfade.verification_pass; none on tables of the application. Duration: milliseconds for each thousand keys.
-- Undo: take the primary keys back to (cutover, key), drop the columns key_hash, horizon, counted_pages and counted_rows, and
-- create quarantine_key, record_foreign_write and record_inline_failure as 0001 and 0009 have them.

CREATE FUNCTION crossfade.key_hash(p_key text) RETURNS bytea
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$ SELECT pg_catalog.sha256(pg_catalog.convert_to(p_key, 'UTF8')) $$;
COMMENT ON FUNCTION crossfade.key_hash(text) IS 'SHA-256 of the text of a key: what the key is found by, however long it is.';

ALTER TABLE crossfade.quarantine
  ADD COLUMN key_hash bytea GENERATED ALWAYS AS (crossfade.key_hash(key)) STORED,
  DROP CONSTRAINT quarantine_pkey, ADD PRIMARY KEY (cutover, key_hash);
ALTER TABLE crossfade.foreign_write
  ADD COLUMN key_hash bytea GENERATED ALWAYS AS (crossfade.key_hash(key)) STORED,
  DROP CONSTRAINT foreign_write_pkey, ADD PRIMARY KEY (cutover, key_hash);
ALTER TABLE crossfade.inline_failure
  ADD COLUMN key_hash bytea GENERATED ALWAYS AS (crossfade.key_hash(key)) STORED,
  DROP CONSTRAINT inline_failure_pkey, ADD PRIMARY KEY (cutover, key_hash);

CREATE OR REPLACE FUNCTION crossfade.quarantine_key(
  p_cutover text, p_key text, p_sqlstate text, p_message text, p_attempts integer, p_deleted boolean DEFAULT false
) RETURNS void LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
  -- Messages of class 22 quote the value; a reason must not show what is in a row.
  INSERT INTO crossfade.quarantine AS q (cutover, key, sqlstate, reason, attempts, deleted)
  VALUES (p_cutover, p_key, p_sqlstate, regexp_replace(p_message, ': ".*"', ''), p_attempts, p_deleted)
  ON CONFLICT (cutover, key_hash) DO UPDATE SET sqlstate = EXCLUDED.sqlstate, reason = EXCLUDED.reason,
    attempts = q.attempts + 1, deleted = q.deleted OR EXCLUDED.deleted, last_seen = clock_timestamp();
$$;

CREATE OR REPLACE FUNCTION crossfade.record_foreign_write(p_cutover text, p_key text, p_operation text) RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
  INSERT INTO crossfade.foreign_write AS f (cutover, key, operation, role, application)
  VALUES (p_cutover, p_key, p_operation, session_user, coalesce(current_setting('application_name', true), ''))
  ON CONFLICT (cutover, key_hash) DO UPDATE SET operation = EXCLUDED.operation, role = EXCLUDED.role,
    application = EXCLUDED.application, writes = f.writes + 1, last_seen = clock_timestamp();
$$;

CREATE OR REPLACE FUNCTION crossfade.record_inline_failure(p_cutover text, p_key text, p_sqlstate text, p_message text) RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
  INSERT INTO crossfade.inline_failure AS f (cutover, key, sqlstate, reason)
  VALUES (p_cutover, p_key, p_sqlstate, regexp_replace(p_message, ': ".*"', ''))
  ON CONFLICT (cutover, key_hash) DO UPDATE SET sqlstate = EXCLUDED.sqlstate, reason = EXCLUDED.reason, times = f.times + 1, last_seen = clock_timestamp()
$$;

ALTER TABLE crossfade.verification_pass ADD COLUMN horizon xid8, ADD COLUMN counted_pages bigint NOT NULL DEFAULT 0,
  ADD COLUMN counted_rows bigint NOT NULL DEFAULT 0;
COMMENT ON COLUMN crossfade.verification_pass.horizon IS
  'The oldest transaction that was under way when the pass began. Rows of older ones were there all through the pass, and are counted (pages, rows) behind its last comparison.';

-- Declared IMMUTABLE so that it stands in the way of no plan; it is asked with a value of the row, so never before there is one.
CREATE FUNCTION crossfade.refuse_change(p_column text, p_value text) RETURNS text
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  RAISE EXCEPTION 'a value of column % would not come back from the other table as it was', p_column USING ERRCODE = 'numeric_value_out_of_range',
    DETAIL = p_value, HINT = 'Write a value that both types hold alike, or give both columns the same type.';
END $$;
COMMENT ON FUNCTION crossfade.refuse_change(text, text) IS
  'Raises 22003 for a value (text) of a column (name) that the type of the other table does not keep. Never returns.';

REVOKE ALL ON FUNCTION crossfade.key_hash, crossfade.refuse_change FROM PUBLIC;
