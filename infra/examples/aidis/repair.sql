-- Repairs the rows of violations.sql in the primary tables, as their owner would: the next write of a key takes it out of quarantine.
UPDATE projects SET name = name || ' (second)', status = CASE status WHEN 'on hold' THEN 'paused' ELSE status END WHERE id::text LIKE 'bad00000%';
UPDATE sessions SET head_commit = NULL, tokens_used = NULL WHERE id::text LIKE 'bad00000%';
UPDATE tasks SET priority = CASE priority WHEN 'whenever' THEN 'low' ELSE priority END, progress = least(progress, 100) WHERE id::text LIKE 'bad00000%';
UPDATE analytics_events SET user_feedback = NULL, duration_ms = NULL WHERE event_id IN (900001, 900002);
UPDATE contexts SET relevance_score = NULL, embedding = NULL WHERE id::text LIKE 'bad00000%';
