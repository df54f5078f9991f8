-- Why: inline mode, in which the capture trigger writes the shadow in the application's own transaction.
-- Lock: a short ACCESS EXCLUSIVE on crossfade.cutover for two columns with constant defaults; none on tables of the application.
-- Duration: milliseconds. Undo: DROP FUNCTION crossfade.switch_inline, crossfade.record_inline_failure; DROP TABLE crossfade.inline_failure.

ALTER TABLE crossfade.cutover ADD COLUMN inline_writes boolean NOT NULL DEFAULT true, ADD COLUMN inline_version bigint NOT NULL DEFAULT 0;
COMMENT ON COLUMN crossfade.cutover.inline_writes IS
  'The master switch of writes to shadows, for triggers that write inline. Off, they leave hints. inline_version: of the switch that was seen last.';

CREATE FUNCTION crossfade.switch_inline(p_id text, p_version bigint, p_enabled boolean) RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
  UPDATE crossfade.cutover c SET inline_writes = p_enabled, inline_version = p_version
  WHERE c.id = p_id AND c.inline_version <= p_version AND (c.inline_writes, c.inline_version) IS DISTINCT FROM (p_enabled, p_version)
$$;
COMMENT ON FUNCTION crossfade.switch_inline IS 'Tells inline triggers the master switch as of a version of the system state; an older version changes nothing.';

CREATE TABLE crossfade.inline_failure (
  cutover text NOT NULL,
  key text NOT NULL,
  sqlstate text NOT NULL,
  reason text NOT NULL,
  times bigint NOT NULL DEFAULT 1,
  first_seen timestamptz NOT NULL DEFAULT clock_timestamp(),
  last_seen timestamptz NOT NULL DEFAULT clock_timestamp(),
  PRIMARY KEY (cutover, key)
);
COMMENT ON TABLE crossfade.inline_failure IS
  'Writes that the shadow did not take in the application''s transaction, which went on and left a hint. Whoever is here has the row of the key locked, so nobody waits for anybody.';

CREATE FUNCTION crossfade.record_inline_failure(p_cutover text, p_key text, p_sqlstate text, p_message text) RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
  INSERT INTO crossfade.inline_failure AS f (cutover, key, sqlstate, reason)
  VALUES (p_cutover, p_key, p_sqlstate, regexp_replace(p_message, ': ".*"', ''))
  ON CONFLICT (cutover, key) DO UPDATE SET sqlstate = EXCLUDED.sqlstate, reason = EXCLUDED.reason, times = f.times + 1, last_seen = clock_timestamp()
$$;

REVOKE ALL ON FUNCTION crossfade.switch_inline, crossfade.record_inline_failure FROM PUBLIC;
DO $$
BEGIN
  IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'crossfade_runtime') THEN
    GRANT SELECT ON crossfade.inline_failure TO crossfade_runtime;
    GRANT EXECUTE ON FUNCTION crossfade.switch_inline TO crossfade_runtime;
  END IF;
END $$;
