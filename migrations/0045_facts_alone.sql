-- Why: a view and a function judged the rows in psql, by limits of their own. They could call a cutover ready that 'crossfade status' held, and the other
-- way round. There is one judgement, that of the tick. What is left in psql are figures: crossfade.progress.
-- Lock: none on tables of the application; the two are dropped. Duration: milliseconds. Where a view of yours reads one of them, drop that one first.
-- Undo: VIEW crossfade.health_alerts and FUNCTION crossfade.success_verdict as in 0003.

DROP FUNCTION crossfade.success_verdict(text);
DROP VIEW crossfade.health_alerts;

COMMENT ON VIEW crossfade.progress IS
  'One row per table cutover, figures alone: whether they are good enough is for ''crossfade status'' to say. Percentages 0-100; eta_seconds NULL unless the copy runs at a known rate; score 0-1 of the last complete verification, NULL before it. sync_percent is an estimate of the share of the primary''s rows that are equal: copied x (1 - hints and quarantined keys / rows) x score; copied and waiting are those two factors, 0-1.';
