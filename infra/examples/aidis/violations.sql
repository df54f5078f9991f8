-- Rows as they are found in real tables: each is allowed today and refused by one constraint of the new shape. Lets you see what
-- quarantine does: the cutover is held, and the key and the constraint are named. Run it after seed.sql. Undo: repair.sql.
INSERT INTO projects (id, name) SELECT 'bad00000-0000-4000-8000-000000000001', name FROM projects ORDER BY name LIMIT 1;
INSERT INTO projects (id, name, status) VALUES ('bad00000-0000-4000-8000-000000000002', 'status without a list', 'on hold');
INSERT INTO sessions (id, project_id, head_commit) SELECT 'bad00000-0000-4000-8000-000000000001', id, 'HEAD~1' FROM projects ORDER BY id DESC LIMIT 1;
INSERT INTO sessions (id, project_id, tokens_used) SELECT 'bad00000-0000-4000-8000-000000000002', id, -1 FROM projects ORDER BY id DESC LIMIT 1;
INSERT INTO tasks (id, project_id, title, priority) SELECT 'bad00000-0000-4000-8000-000000000001', id, 'priority without a list', 'whenever' FROM projects ORDER BY id DESC LIMIT 1;
INSERT INTO tasks (id, project_id, title, progress) SELECT 'bad00000-0000-4000-8000-000000000002', id, 'more than everything', 120 FROM projects ORDER BY id DESC LIMIT 1;
INSERT INTO analytics_events (event_id, actor, event_type, user_feedback) VALUES (900001, 'human', 'search', 9);
INSERT INTO analytics_events (event_id, actor, event_type, duration_ms) VALUES (900002, 'human', 'search', 0);
INSERT INTO contexts (id, project_id, context_type, content, relevance_score) SELECT 'bad00000-0000-4000-8000-000000000001', id, 'code', 'too relevant', 1.7 FROM projects ORDER BY id DESC LIMIT 1;
INSERT INTO contexts (id, project_id, context_type, content, embedding) SELECT 'bad00000-0000-4000-8000-000000000002', id, 'code', 'three dimensions', '{0.1,0.2,0.3}' FROM projects ORDER BY id DESC LIMIT 1;
