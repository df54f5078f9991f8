-- 6,160 rows of aidis, the same on every machine and in every run: what looks like chance is a number made from the row's own.
-- Lock: none that others notice. Duration: about a second. Undo: TRUNCATE projects CASCADE.

-- A whole number from 0 to p_below - 1, for row p_row and purpose p_what.
CREATE FUNCTION aidis_pick(p_what text, p_row integer, p_below integer) RETURNS integer
LANGUAGE sql IMMUTABLE AS $$ SELECT (('x' || substr(md5(p_what || ':' || p_row), 1, 8))::bit(32)::bigint % p_below)::integer $$;
CREATE FUNCTION aidis_one(p_what text, p_row integer, p_of text[]) RETURNS text
LANGUAGE sql IMMUTABLE AS $$ SELECT p_of[1 + aidis_pick(p_what, p_row, cardinality(p_of))] $$;
CREATE FUNCTION aidis_id(p_what text, p_row integer) RETURNS uuid
LANGUAGE sql IMMUTABLE AS $$ SELECT md5('aidis ' || p_what || ' ' || p_row)::uuid $$;
CREATE FUNCTION aidis_at(p_what text, p_row integer) RETURNS timestamptz
LANGUAGE sql IMMUTABLE AS $$ SELECT timestamptz '2025-01-01 00:00:00+00' + aidis_pick(p_what || ' at', p_row, 31536000) * interval '1 second' $$;

INSERT INTO projects
SELECT aidis_id('project', n), format('%s-%s', aidis_one('name', n, '{atlas,borealis,cedar,delta,ember}'), n), format('Project number %s', n),
  aidis_one('project status', n, '{active,active,active,paused,completed,archived}'), 'https://git.example.test/aidis/' || n, '/srv/projects/' || n,
  md5('commit ' || n) || substr(md5('more ' || n), 1, 8), ARRAY[aidis_one('tag', n, '{web,api,data}'), 'p' || n % 5],
  jsonb_build_object('language', aidis_one('language', n, '{typescript,sql,rust}'), 'stars', aidis_pick('stars', n, 500)),
  aidis_at('project', n), aidis_at('project', n) + interval '1 day'
FROM generate_series(1, 60) n;

INSERT INTO sessions
SELECT aidis_id('session', n), aidis_id('project', 1 + aidis_pick('session of', n, 60)), aidis_one('agent', n, '{assistant,reviewer,planner}'),
  aidis_one('session status', n, '{active,completed,completed,abandoned}'), aidis_at('session', n), aidis_at('session', n) + interval '30 minutes',
  1 + aidis_pick('duration', n, 3600000), 1 + aidis_pick('tokens', n, 200000), aidis_pick('productivity', n, 10001) / 100.0,
  CASE WHEN n % 4 > 0 THEN md5('commit ' || n) || substr(md5('more ' || n), 1, 8) END, 'Session number ' || n,
  jsonb_build_object('tools', jsonb_build_array('read', 'write'), 'turns', aidis_pick('turns', n, 80))
FROM generate_series(1, 900) n;

-- The length of the embeddings is what costs time here, so their numbers are made by one multiplication each.
INSERT INTO contexts
SELECT aidis_id('context', n), s.project_id, s.id, aidis_one('type', n, '{code,decision,error,discussion,planning,milestone}'), 'What was said in context ' || n,
  CASE WHEN n % 10 > 0 THEN ARRAY(SELECT ((n * 1536 + d)::bigint * 2654435761 % 4294967296 / 2147483648.0 - 1)::real FROM generate_series(1, 1536) d) END,
  aidis_pick('relevance', n, 101) / 100.0, ARRAY['c' || n % 7], jsonb_build_object('lines', aidis_pick('lines', n, 400)), aidis_at('context', n)
FROM generate_series(1, 400) n, sessions s WHERE s.id = aidis_id('session', 1 + aidis_pick('context of', n, 900));

INSERT INTO analytics_events (event_id, actor, project_id, session_id, context_id, event_type, status, duration_ms, tokens_used, user_feedback,
  head_commit, tags, payload, occurred_at)
SELECT n, aidis_one('actor', n, '{human,assistant,system}'), s.project_id, s.id,
  CASE WHEN n % 3 = 0 THEN aidis_id('context', 1 + aidis_pick('event of', n, 400)) END, aidis_one('event', n, '{context_stored,task_created,search,session_ended}'),
  aidis_one('event status', n, '{open,closed,closed,error}'), 1 + aidis_pick('event duration', n, 90000), 1 + aidis_pick('event tokens', n, 5000),
  CASE WHEN n % 5 = 0 THEN 1 + aidis_pick('feedback', n, 5) END, NULL, ARRAY['e' || n % 4],
  jsonb_build_object('query', 'query ' || n, 'hits', aidis_pick('hits', n, 50), 'cold', n % 2 = 0), aidis_at('event', n)
FROM generate_series(1, 3300) n, sessions s WHERE s.id = aidis_id('session', 1 + aidis_pick('event session', n, 900));
SELECT setval('analytics_events_event_id_seq', 3300);

INSERT INTO tasks
SELECT aidis_id('task', n), s.project_id, s.id, 'Task number ' || n, 'Do what task ' || n || ' says', aidis_one('task status', n, '{todo,in_progress,blocked,completed,cancelled}'),
  aidis_one('priority', n, '{low,medium,high,urgent}'), CASE WHEN n % 3 > 0 THEN aidis_one('assignee', n, '{ada,grace,alan}') END,
  CASE WHEN n > 1 THEN ARRAY[aidis_id('task', n - 1)] ELSE '{}' END, aidis_pick('progress', n, 101), 5 + aidis_pick('estimate', n, 480),
  ARRAY['t' || n % 9, aidis_one('tag', n, '{bug,feature,chore}')], jsonb_build_object('points', aidis_pick('points', n, 13)),
  aidis_at('task', n), CASE WHEN n % 6 = 0 THEN aidis_at('task', n) + interval '2 days' END
FROM generate_series(1, 1500) n, sessions s WHERE s.id = aidis_id('session', 1 + aidis_pick('task of', n, 900));

DROP FUNCTION aidis_at, aidis_id, aidis_one, aidis_pick;
ANALYZE projects, sessions, contexts, analytics_events, tasks;
