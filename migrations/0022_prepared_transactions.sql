-- Why: a prepared transaction outlives its session and has no process, so a swap that waited for one named nobody, and asked for its
-- locks again and again, with the application queueing behind it, in place of waiting until the transaction is gone.
--
-- Lock: none; functions are replaced. Duration: milliseconds.
-- Undo: crossfade.holding_transactions and crossfade.lock_holders as in 0016.

CREATE OR REPLACE FUNCTION crossfade.holding_transactions(p_tables oid[], p_of text[]) RETURNS text[]
LANGUAGE sql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
  SELECT coalesce(array_agg(DISTINCT l.virtualtransaction), '{}') FROM pg_locks l
  WHERE l.locktype = 'relation' AND l.granted AND l.relation = ANY (p_tables) AND l.pid IS DISTINCT FROM pg_backend_pid()
    AND l.database = (SELECT d.oid FROM pg_database d WHERE d.datname = current_database())
    AND (p_of IS NULL OR l.virtualtransaction = ANY (p_of))
$$;
COMMENT ON FUNCTION crossfade.holding_transactions IS
  'Virtual ids of other transactions, prepared ones included, that hold any lock on one of the tables; with p_of only those among them.';

CREATE OR REPLACE FUNCTION crossfade.lock_holders(p_id text, p_tables oid[])
RETURNS TABLE (pid integer, application text, state text, seconds integer, doing text)
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
  WITH held AS (
    SELECT l.pid, l.virtualtransaction FROM pg_locks l
    WHERE l.granted AND l.database = (SELECT d.oid FROM pg_database d WHERE d.datname = current_database())
      AND (l.relation = ANY (p_tables) OR (l.locktype = 'advisory' AND l.objsubid = 1
        AND (l.classid::bigint << 32 | l.objid::bigint) = crossfade.lock_key(p_id)))
  ), holders AS (
    SELECT a.pid, a.application_name AS application, a.state, a.xact_start AS since,
      -- Up to the first value: what is in a row is not shown.
      CASE WHEN a.backend_type <> 'client backend' THEN a.backend_type
        ELSE nullif(left(regexp_replace(regexp_replace(a.query, '^\s*/\*.*?\*/\s*', ''), '[''0-9].*$', '…'), 60), '') END AS doing
    FROM pg_stat_activity a WHERE a.pid <> pg_backend_pid() AND a.pid IN (SELECT h.pid FROM held h)
    UNION ALL
    -- It has no process; its locks, that on its own number included, keep the virtual id that its session had.
    SELECT NULL, format('prepared transaction %s of %s', x.gid, x.owner), 'prepared', x.prepared, NULL FROM pg_prepared_xacts x
    WHERE x.database = current_database()
      AND EXISTS (SELECT FROM held h JOIN pg_locks own ON own.virtualtransaction = h.virtualtransaction
        WHERE h.pid IS NULL AND own.pid IS NULL AND own.locktype = 'transactionid' AND own.transactionid = x.transaction)
  )
  SELECT h.pid, h.application, h.state, round(extract(epoch FROM clock_timestamp() - h.since))::integer, h.doing
  FROM holders h ORDER BY h.since NULLS LAST
$$;
COMMENT ON FUNCTION crossfade.lock_holders IS
  'Who holds locks that a swap waits for, oldest transaction first, with the beginning of its last statement. A prepared transaction has no process. A role without pg_read_all_stats sees process and application only.';
