-- The new shape of aidis: the same rows with everything bounded that was free, and an index for each way they are looked up.
-- Written by the person who migrates; Crossfade fills the tables and keeps them equal. Each has the tracking columns, which
-- Crossfade writes. The foreign keys repeat the actions of today's: a delete that a shadow forbade would fail for the application.
-- Lock: a share lock on the referenced tables for the foreign keys. Duration: milliseconds.
-- Undo: DROP TABLE tasks_shadow, analytics_events_shadow, contexts_shadow, sessions_shadow, projects_shadow.

CREATE TABLE projects_shadow (
  id uuid NOT NULL DEFAULT gen_random_uuid(),
  name text NOT NULL,
  description text,
  status text NOT NULL DEFAULT 'active',
  git_repo_url text,
  root_directory text,
  head_commit text,
  tags text[] NOT NULL DEFAULT '{}',
  metadata jsonb NOT NULL DEFAULT '{}',
  created_at timestamptz NOT NULL DEFAULT now(),
  updated_at timestamptz NOT NULL DEFAULT now(),
  _shadow_version integer NOT NULL DEFAULT 1,
  _shadow_created_at timestamptz NOT NULL DEFAULT now(),
  _shadow_source_table text NOT NULL DEFAULT 'public.projects',
  _shadow_migration_id text,
  _shadow_sync_status text NOT NULL DEFAULT 'pending',
  _shadow_last_sync timestamptz,
  _shadow_validation_hash text,
  CONSTRAINT projects_shadow_pkey PRIMARY KEY (id),
  CONSTRAINT projects_shadow_name_key UNIQUE (name),
  CONSTRAINT projects_shadow_name_check CHECK (name <> '' AND length(name) <= 255),
  CONSTRAINT projects_shadow_status_check CHECK (status IN ('active', 'paused', 'completed', 'archived')),
  CONSTRAINT projects_shadow_head_commit_check CHECK (head_commit ~ '^[0-9a-f]{40}$'),
  CONSTRAINT projects_shadow_metadata_check CHECK (jsonb_typeof(metadata) = 'object'),
  CONSTRAINT projects_shadow_sync_status_check CHECK (_shadow_sync_status IN ('pending', 'synced', 'diverged'))
);
CREATE INDEX projects_shadow_status_idx ON projects_shadow (status);
CREATE INDEX projects_shadow_tags_idx ON projects_shadow USING gin (tags);
CREATE INDEX projects_shadow_metadata_idx ON projects_shadow USING gin (metadata jsonb_path_ops);
CREATE INDEX projects_shadow_updated_at_idx ON projects_shadow (updated_at DESC);

CREATE TABLE sessions_shadow (
  id uuid NOT NULL DEFAULT gen_random_uuid(),
  project_id uuid NOT NULL,
  agent_type text NOT NULL DEFAULT 'assistant',
  status text NOT NULL DEFAULT 'active',
  started_at timestamptz NOT NULL DEFAULT now(),
  ended_at timestamptz,
  duration_ms bigint,
  tokens_used bigint,
  productivity_score numeric(6,2),
  head_commit text,
  summary text,
  metadata jsonb NOT NULL DEFAULT '{}',
  _shadow_version integer NOT NULL DEFAULT 1,
  _shadow_created_at timestamptz NOT NULL DEFAULT now(),
  _shadow_source_table text NOT NULL DEFAULT 'public.sessions',
  _shadow_migration_id text,
  _shadow_sync_status text NOT NULL DEFAULT 'pending',
  _shadow_last_sync timestamptz,
  _shadow_validation_hash text,
  CONSTRAINT sessions_shadow_pkey PRIMARY KEY (id),
  CONSTRAINT sessions_shadow_project_id_fkey FOREIGN KEY (project_id) REFERENCES projects (id) ON DELETE CASCADE,
  CONSTRAINT sessions_shadow_status_check CHECK (status IN ('active', 'completed', 'abandoned')),
  CONSTRAINT sessions_shadow_ended_at_check CHECK (ended_at >= started_at),
  CONSTRAINT sessions_shadow_duration_ms_check CHECK (duration_ms > 0),
  CONSTRAINT sessions_shadow_tokens_used_check CHECK (tokens_used > 0),
  CONSTRAINT sessions_shadow_productivity_score_check CHECK (productivity_score BETWEEN 0 AND 100),
  CONSTRAINT sessions_shadow_head_commit_check CHECK (head_commit ~ '^[0-9a-f]{40}$'),
  CONSTRAINT sessions_shadow_metadata_check CHECK (jsonb_typeof(metadata) = 'object'),
  CONSTRAINT sessions_shadow_sync_status_check CHECK (_shadow_sync_status IN ('pending', 'synced', 'diverged'))
);
CREATE INDEX sessions_shadow_project_id_started_at_idx ON sessions_shadow (project_id, started_at DESC);
CREATE INDEX sessions_shadow_active_idx ON sessions_shadow (project_id) WHERE status = 'active';
CREATE INDEX sessions_shadow_metadata_idx ON sessions_shadow USING gin (metadata jsonb_path_ops);

CREATE TABLE contexts_shadow (
  id uuid NOT NULL DEFAULT gen_random_uuid(),
  project_id uuid NOT NULL,
  session_id uuid,
  context_type text NOT NULL,
  content text NOT NULL,
  relevance_score real,
  tags text[] NOT NULL DEFAULT '{}',
  metadata jsonb NOT NULL DEFAULT '{}',
  created_at timestamptz NOT NULL DEFAULT now(),
  _shadow_version integer NOT NULL DEFAULT 1,
  _shadow_created_at timestamptz NOT NULL DEFAULT now(),
  _shadow_source_table text NOT NULL DEFAULT 'public.contexts',
  _shadow_migration_id text,
  _shadow_sync_status text NOT NULL DEFAULT 'pending',
  _shadow_last_sync timestamptz,
  _shadow_validation_hash text,
  CONSTRAINT contexts_shadow_pkey PRIMARY KEY (id),
  CONSTRAINT contexts_shadow_project_id_fkey FOREIGN KEY (project_id) REFERENCES projects (id) ON DELETE CASCADE,
  CONSTRAINT contexts_shadow_session_id_fkey FOREIGN KEY (session_id) REFERENCES sessions (id) ON DELETE SET NULL,
  CONSTRAINT contexts_shadow_context_type_check CHECK (context_type IN ('code', 'decision', 'error', 'discussion', 'planning', 'milestone')),
  CONSTRAINT contexts_shadow_content_check CHECK (content <> ''),
  CONSTRAINT contexts_shadow_relevance_score_check CHECK (relevance_score BETWEEN 0 AND 1),
  CONSTRAINT contexts_shadow_metadata_check CHECK (jsonb_typeof(metadata) = 'object'),
  CONSTRAINT contexts_shadow_sync_status_check CHECK (_shadow_sync_status IN ('pending', 'synced', 'diverged'))
);
CREATE INDEX contexts_shadow_project_id_created_at_idx ON contexts_shadow (project_id, created_at DESC);
CREATE INDEX contexts_shadow_session_id_idx ON contexts_shadow (session_id);
CREATE INDEX contexts_shadow_context_type_idx ON contexts_shadow (context_type);
CREATE INDEX contexts_shadow_tags_idx ON contexts_shadow USING gin (tags);
CREATE INDEX contexts_shadow_metadata_idx ON contexts_shadow USING gin (metadata jsonb_path_ops);

-- 1536 dimensions: a vector with an index of cosine distance where pgvector is, an array of that length where it is not.
DO $$
BEGIN
  IF EXISTS (SELECT FROM pg_available_extensions WHERE name = 'vector') THEN
    CREATE EXTENSION IF NOT EXISTS vector;
    ALTER TABLE contexts_shadow ADD COLUMN embedding vector(1536);
    CREATE INDEX contexts_shadow_embedding_idx ON contexts_shadow USING ivfflat (embedding vector_cosine_ops) WITH (lists = 100);
  ELSE
    CREATE DOMAIN embedding_1536 AS real[]
      CONSTRAINT embedding_1536_check CHECK (array_ndims(VALUE) = 1 AND cardinality(VALUE) = 1536 AND array_position(VALUE, NULL) IS NULL);
    ALTER TABLE contexts_shadow ADD COLUMN embedding embedding_1536;
  END IF;
END $$;

CREATE TABLE analytics_events_shadow (
  event_id bigint GENERATED BY DEFAULT AS IDENTITY,
  actor text NOT NULL,
  project_id uuid,
  session_id uuid,
  context_id uuid,
  event_type text NOT NULL,
  status text NOT NULL DEFAULT 'open',
  duration_ms bigint,
  tokens_used bigint,
  feedback smallint,
  head_commit text,
  tags text[] NOT NULL DEFAULT '{}',
  payload jsonb NOT NULL DEFAULT '{}',
  occurred_at timestamptz NOT NULL DEFAULT now(),
  _shadow_version integer NOT NULL DEFAULT 1,
  _shadow_created_at timestamptz NOT NULL DEFAULT now(),
  _shadow_source_table text NOT NULL DEFAULT 'public.analytics_events',
  _shadow_migration_id text,
  _shadow_sync_status text NOT NULL DEFAULT 'pending',
  _shadow_last_sync timestamptz,
  _shadow_validation_hash text,
  CONSTRAINT analytics_events_shadow_pkey PRIMARY KEY (event_id),
  CONSTRAINT analytics_events_shadow_project_id_fkey FOREIGN KEY (project_id) REFERENCES projects (id) ON DELETE CASCADE,
  CONSTRAINT analytics_events_shadow_session_id_fkey FOREIGN KEY (session_id) REFERENCES sessions (id) ON DELETE SET NULL,
  CONSTRAINT analytics_events_shadow_context_id_fkey FOREIGN KEY (context_id) REFERENCES contexts (id) ON DELETE SET NULL,
  CONSTRAINT analytics_events_shadow_actor_check CHECK (actor IN ('human', 'assistant', 'system')),
  CONSTRAINT analytics_events_shadow_event_type_check CHECK (event_type ~ '^[a-z][a-z0-9_]*$'),
  CONSTRAINT analytics_events_shadow_status_check CHECK (status IN ('open', 'closed', 'error')),
  CONSTRAINT analytics_events_shadow_duration_ms_check CHECK (duration_ms > 0),
  CONSTRAINT analytics_events_shadow_tokens_used_check CHECK (tokens_used > 0),
  CONSTRAINT analytics_events_shadow_feedback_check CHECK (feedback BETWEEN 1 AND 5),
  CONSTRAINT analytics_events_shadow_head_commit_check CHECK (head_commit ~ '^[0-9a-f]{40}$'),
  CONSTRAINT analytics_events_shadow_payload_check CHECK (jsonb_typeof(payload) = 'object'),
  CONSTRAINT analytics_events_shadow_sync_status_check CHECK (_shadow_sync_status IN ('pending', 'synced', 'diverged'))
);
CREATE INDEX analytics_events_shadow_occurred_at_idx ON analytics_events_shadow USING brin (occurred_at);
CREATE INDEX analytics_events_shadow_project_id_occurred_at_idx ON analytics_events_shadow (project_id, occurred_at DESC);
CREATE INDEX analytics_events_shadow_session_id_idx ON analytics_events_shadow (session_id);
CREATE INDEX analytics_events_shadow_context_id_idx ON analytics_events_shadow (context_id);
CREATE INDEX analytics_events_shadow_event_type_idx ON analytics_events_shadow (event_type, occurred_at DESC);
CREATE INDEX analytics_events_shadow_errors_idx ON analytics_events_shadow (occurred_at) WHERE status = 'error';
CREATE INDEX analytics_events_shadow_payload_idx ON analytics_events_shadow USING gin (payload jsonb_path_ops);

CREATE TABLE tasks_shadow (
  id uuid NOT NULL DEFAULT gen_random_uuid(),
  project_id uuid NOT NULL,
  session_id uuid,
  title text NOT NULL,
  description text,
  status text NOT NULL DEFAULT 'todo',
  priority text NOT NULL DEFAULT 'medium',
  assigned_to text,
  depends_on uuid[] NOT NULL DEFAULT '{}',
  progress smallint NOT NULL DEFAULT 0,
  estimate_minutes integer,
  tags text[] NOT NULL DEFAULT '{}',
  metadata jsonb NOT NULL DEFAULT '{}',
  created_at timestamptz NOT NULL DEFAULT now(),
  completed_at timestamptz,
  _shadow_version integer NOT NULL DEFAULT 1,
  _shadow_created_at timestamptz NOT NULL DEFAULT now(),
  _shadow_source_table text NOT NULL DEFAULT 'public.tasks',
  _shadow_migration_id text,
  _shadow_sync_status text NOT NULL DEFAULT 'pending',
  _shadow_last_sync timestamptz,
  _shadow_validation_hash text,
  CONSTRAINT tasks_shadow_pkey PRIMARY KEY (id),
  CONSTRAINT tasks_shadow_project_id_fkey FOREIGN KEY (project_id) REFERENCES projects (id) ON DELETE CASCADE,
  CONSTRAINT tasks_shadow_session_id_fkey FOREIGN KEY (session_id) REFERENCES sessions (id) ON DELETE SET NULL,
  CONSTRAINT tasks_shadow_title_check CHECK (title <> '' AND length(title) <= 500),
  CONSTRAINT tasks_shadow_status_check CHECK (status IN ('todo', 'in_progress', 'blocked', 'completed', 'cancelled')),
  CONSTRAINT tasks_shadow_priority_check CHECK (priority IN ('low', 'medium', 'high', 'urgent')),
  CONSTRAINT tasks_shadow_progress_check CHECK (progress BETWEEN 0 AND 100),
  CONSTRAINT tasks_shadow_estimate_minutes_check CHECK (estimate_minutes > 0),
  CONSTRAINT tasks_shadow_completed_at_check CHECK (completed_at >= created_at),
  CONSTRAINT tasks_shadow_depends_on_check CHECK (NOT id = ANY (depends_on)),
  CONSTRAINT tasks_shadow_metadata_check CHECK (jsonb_typeof(metadata) = 'object'),
  CONSTRAINT tasks_shadow_sync_status_check CHECK (_shadow_sync_status IN ('pending', 'synced', 'diverged'))
);
CREATE INDEX tasks_shadow_project_id_status_priority_idx ON tasks_shadow (project_id, status, priority);
CREATE INDEX tasks_shadow_session_id_idx ON tasks_shadow (session_id);
CREATE INDEX tasks_shadow_assigned_to_idx ON tasks_shadow (assigned_to) WHERE assigned_to IS NOT NULL;
CREATE INDEX tasks_shadow_depends_on_idx ON tasks_shadow USING gin (depends_on);
CREATE INDEX tasks_shadow_tags_idx ON tasks_shadow USING gin (tags);
CREATE INDEX tasks_shadow_created_at_idx ON tasks_shadow (created_at DESC);
