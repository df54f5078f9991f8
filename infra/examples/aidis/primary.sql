-- aidis, a memory for programs that write code: what its five tables look like today. Statuses and priorities are free text,
-- nothing is bounded, embeddings are plain arrays of any length. Lock: none on existing objects. Duration: milliseconds.
-- Undo: DROP TABLE tasks, analytics_events, contexts, sessions, projects.

CREATE TABLE projects (
  id uuid NOT NULL DEFAULT gen_random_uuid(),
  name varchar(255) NOT NULL,
  description text,
  status varchar(50) NOT NULL DEFAULT 'active',
  git_repo_url text,
  root_directory text,
  head_commit varchar(64),
  tags text[] NOT NULL DEFAULT '{}',
  metadata jsonb NOT NULL DEFAULT '{}',
  created_at timestamptz NOT NULL DEFAULT now(),
  updated_at timestamptz NOT NULL DEFAULT now(),
  CONSTRAINT projects_pkey PRIMARY KEY (id)
);
CREATE INDEX projects_name_idx ON projects (name);

CREATE TABLE sessions (
  id uuid NOT NULL DEFAULT gen_random_uuid(),
  project_id uuid NOT NULL,
  agent_type varchar(50) NOT NULL DEFAULT 'assistant',
  status varchar(20) NOT NULL DEFAULT 'active',
  started_at timestamptz NOT NULL DEFAULT now(),
  ended_at timestamptz,
  duration_ms integer,
  tokens_used integer,
  productivity_score numeric(6,2),
  head_commit varchar(64),
  summary text,
  metadata jsonb NOT NULL DEFAULT '{}',
  CONSTRAINT sessions_pkey PRIMARY KEY (id),
  CONSTRAINT sessions_project_id_fkey FOREIGN KEY (project_id) REFERENCES projects (id) ON DELETE CASCADE
);
CREATE INDEX sessions_project_id_idx ON sessions (project_id);

CREATE TABLE contexts (
  id uuid NOT NULL DEFAULT gen_random_uuid(),
  project_id uuid NOT NULL,
  session_id uuid,
  context_type varchar(50) NOT NULL,
  content text NOT NULL,
  embedding real[],
  relevance_score real,
  tags text[] NOT NULL DEFAULT '{}',
  metadata jsonb NOT NULL DEFAULT '{}',
  created_at timestamptz NOT NULL DEFAULT now(),
  CONSTRAINT contexts_pkey PRIMARY KEY (id),
  CONSTRAINT contexts_project_id_fkey FOREIGN KEY (project_id) REFERENCES projects (id) ON DELETE CASCADE,
  CONSTRAINT contexts_session_id_fkey FOREIGN KEY (session_id) REFERENCES sessions (id) ON DELETE SET NULL
);
CREATE INDEX contexts_project_id_idx ON contexts (project_id);

CREATE TABLE analytics_events (
  event_id bigserial NOT NULL,
  actor varchar(50) NOT NULL,
  project_id uuid,
  session_id uuid,
  context_id uuid,
  event_type varchar(100) NOT NULL,
  status varchar(20) NOT NULL DEFAULT 'open',
  duration_ms integer,
  tokens_used integer,
  user_feedback integer,
  head_commit varchar(64),
  tags text[] NOT NULL DEFAULT '{}',
  payload jsonb NOT NULL DEFAULT '{}',
  occurred_at timestamptz NOT NULL DEFAULT now(),
  CONSTRAINT analytics_events_pkey PRIMARY KEY (event_id),
  CONSTRAINT analytics_events_project_id_fkey FOREIGN KEY (project_id) REFERENCES projects (id) ON DELETE CASCADE,
  CONSTRAINT analytics_events_session_id_fkey FOREIGN KEY (session_id) REFERENCES sessions (id) ON DELETE SET NULL,
  CONSTRAINT analytics_events_context_id_fkey FOREIGN KEY (context_id) REFERENCES contexts (id) ON DELETE SET NULL
);
CREATE INDEX analytics_events_occurred_at_idx ON analytics_events (occurred_at);

CREATE TABLE tasks (
  id uuid NOT NULL DEFAULT gen_random_uuid(),
  project_id uuid NOT NULL,
  session_id uuid,
  title varchar(500) NOT NULL,
  description text,
  status varchar(50) NOT NULL DEFAULT 'todo',
  priority varchar(50) NOT NULL DEFAULT 'medium',
  assigned_to varchar(100),
  depends_on uuid[] NOT NULL DEFAULT '{}',
  progress integer NOT NULL DEFAULT 0,
  estimate_minutes integer,
  tags text[] NOT NULL DEFAULT '{}',
  metadata jsonb NOT NULL DEFAULT '{}',
  created_at timestamptz NOT NULL DEFAULT now(),
  completed_at timestamptz,
  CONSTRAINT tasks_pkey PRIMARY KEY (id),
  CONSTRAINT tasks_project_id_fkey FOREIGN KEY (project_id) REFERENCES projects (id) ON DELETE CASCADE,
  CONSTRAINT tasks_session_id_fkey FOREIGN KEY (session_id) REFERENCES sessions (id) ON DELETE SET NULL
);
CREATE INDEX tasks_project_id_status_idx ON tasks (project_id, status);
