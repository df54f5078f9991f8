-- Why: the progress of a table took its status apart, and Postgres put the call of `table_status` in the place of each of the 22 parts: 22 statuses
-- for a row of `progress`, 84 for what `crossfade status` shows of one table. OFFSET 0 keeps the call in one place.
--
-- Lock: ACCESS EXCLUSIVE on the view crossfade.progress for the time of its replacement. Duration: milliseconds.
-- Undo: the view of 0003_for_people.sql, with CREATE OR REPLACE.

CREATE OR REPLACE VIEW crossfade.progress AS
SELECT f.*, round((100 * f.copied * f.waiting * coalesce(f.score, 1))::numeric, 2) AS sync_percent
FROM (
  SELECT c.id AS cutover, c.stage, c.direction,
    s.status -> 'backfill' ->> 'state' AS backfill, b.rows_done, b.rows_total,
    CASE WHEN s.status -> 'backfill' ->> 'state' = 'done' THEN 100 ELSE round(100 * b.share::numeric, 2) END AS backfill_percent,
    b.rows_per_second,
    CASE WHEN s.status -> 'backfill' ->> 'state' = 'running' AND b.rows_per_second > 0
      THEN ceil((b.rows_total - b.rows_done)::numeric / b.rows_per_second) END AS eta_seconds,
    round((s.status ->> 'lagMs')::numeric / 1000, 3) AS lag_seconds,
    (s.status ->> 'outboxRows')::bigint AS hints, (s.status ->> 'quarantined')::bigint AS quarantined,
    (s.status -> 'verification' ->> 'rowsCompared')::bigint AS rows_compared,
    (s.status -> 'verification' ->> 'divergences')::bigint AS divergences,
    (s.status -> 'verification' ->> 'score')::double precision AS score,
    to_timestamp((s.status -> 'verification' ->> 'atMs')::double precision / 1000) AS verified_at,
    CASE WHEN s.status -> 'backfill' ->> 'state' = 'done' THEN 1 ELSE b.share END AS copied,
    greatest(0, 1 - ((s.status ->> 'outboxRows')::bigint + (s.status ->> 'quarantined')::bigint)::double precision
      / greatest(b.rows_total, 1)) AS waiting
  FROM crossfade.cutover c, LATERAL (SELECT crossfade.table_status(c.id) AS status OFFSET 0) s, LATERAL (
    SELECT (s.status -> 'backfill' ->> 'rowsDone')::bigint AS rows_done, (s.status -> 'backfill' ->> 'rowsTotal')::bigint AS rows_total,
      (s.status -> 'backfill' ->> 'rowsPerSecond')::double precision AS rows_per_second,
      CASE WHEN (s.status -> 'backfill' ->> 'rowsTotal')::bigint > 0
        THEN least(1, (s.status -> 'backfill' ->> 'rowsDone')::double precision / (s.status -> 'backfill' ->> 'rowsTotal')::bigint) ELSE 0 END AS share
  ) b
) f;
