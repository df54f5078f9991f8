-- Every function of the schema as the migrations leave it, to be read; nothing applies this file.
-- Made by test/integration/postgres/schema.test.ts: npx vitest run --project postgres schema.test -u

CREATE OR REPLACE FUNCTION crossfade.abandon(p_id text, p_epoch bigint, p_version bigint)
 RETURNS jsonb
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
DECLARE
  v_epoch bigint;
BEGIN
  PERFORM pg_advisory_xact_lock(crossfade.lock_key(p_id));
  SELECT c.epoch INTO v_epoch FROM crossfade.cutover c WHERE c.id = p_id;
  IF v_epoch >= p_epoch THEN RETURN jsonb_build_object('kind', 'swapped'); END IF;
  UPDATE crossfade.cutover c SET abandoned = greatest(c.abandoned, p_version) WHERE c.id = p_id;
  RETURN jsonb_build_object('kind', 'abandoned');
END $function$;

CREATE OR REPLACE FUNCTION crossfade.accept_batch(p_id text, p_epoch bigint, p_number bigint)
 RETURNS text
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
DECLARE
  v crossfade.accepted_batch%ROWTYPE;
BEGIN
  -- Batches are written one after the other: the next one waits here until this one is committed.
  SELECT * INTO v FROM crossfade.accepted_batch a WHERE a.cutover = p_id FOR UPDATE;
  IF v.epoch IS DISTINCT FROM p_epoch THEN RETURN 'stale'; END IF;
  IF v.number >= p_number THEN RETURN 'overtaken'; END IF;
  UPDATE crossfade.accepted_batch a SET number = p_number WHERE a.cutover = p_id;
  RETURN 'accepted';
END $function$;

CREATE OR REPLACE FUNCTION crossfade.advance_sequence(p_sequence text, p_table text, p_column text, p_at bigint)
 RETURNS void
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
DECLARE
  v pg_sequence%ROWTYPE;
  v_furthest bigint;
BEGIN
  SELECT q.* INTO STRICT v FROM pg_sequence q WHERE q.seqrelid = p_sequence::regclass;
  EXECUTE format('SELECT %s(%I) FROM %s WHERE %2$I BETWEEN $1 AND $2', CASE WHEN v.seqincrement < 0 THEN 'min' ELSE 'max' END, p_column, p_table)
    INTO v_furthest USING v.seqmin, v.seqmax;
  SELECT CASE WHEN v.seqincrement < 0 THEN min(x.at) ELSE max(x.at) END INTO v_furthest
  FROM (VALUES (v_furthest), (pg_sequence_last_value(v.seqrelid)), (p_at)) x(at) WHERE x.at BETWEEN v.seqmin AND v.seqmax;
  IF v_furthest IS NOT NULL THEN PERFORM setval(v.seqrelid::regclass, v_furthest); END IF;
END $function$;

CREATE OR REPLACE FUNCTION crossfade.attached(p_table oid)
 RETURNS jsonb
 LANGUAGE plpgsql
 STABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
 SET plan_cache_mode TO 'force_generic_plan'
AS $function$
DECLARE
  v jsonb := '{"views": [], "rules": [], "triggers": [], "policies": [], "publications": [], "statistics": [], "functions": []}';
  -- The catalogs of what depends on the table or on its row type.
  v_kinds CONSTANT oid[] := ARRAY(
    SELECT DISTINCT d.classid FROM pg_class t LEFT JOIN pg_type y ON y.oid = t.reltype
    CROSS JOIN LATERAL (VALUES ('pg_class'::regclass::oid, t.oid), ('pg_type'::regclass, y.oid), ('pg_type'::regclass, y.typarray)) o(class, oid)
    CROSS JOIN LATERAL (SELECT e.classid FROM pg_depend e WHERE e.refclassid = o.class AND e.refobjid = o.oid OFFSET 0) d WHERE t.oid = p_table);
BEGIN
  IF 'pg_rewrite'::regclass = ANY (v_kinds) THEN
    v := v || jsonb_build_object('views', crossfade.views(p_table), 'rules', crossfade.rules(p_table));
  END IF;
  IF (SELECT t.relhastriggers FROM pg_class t WHERE t.oid = p_table) THEN
    v := v || jsonb_build_object('triggers', crossfade.triggers(p_table));
  END IF;
  IF 'pg_policy'::regclass = ANY (v_kinds) THEN
    v := v || jsonb_build_object('policies', (
      SELECT coalesce(jsonb_agg(jsonb_build_object(
        'name', p.polname, 'own', p.polrelid = p_table, 'permissive', p.polpermissive, 'command', p.polcmd,
        'roles', (SELECT jsonb_agg(CASE r.oid WHEN 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(r.oid)) END) FROM unnest(p.polroles) r(oid)),
        'using', pg_get_expr(p.polqual, p.polrelid), 'check', pg_get_expr(p.polwithcheck, p.polrelid), 'comment', obj_description(p.oid, 'pg_policy'),
        'table', jsonb_build_object('oid', w.oid::bigint, 'schema', n.nspname, 'name', w.relname, 'relkind', w.relkind, 'ours', pg_has_role(w.relowner, 'USAGE')),
        'uses', crossfade.columns_used('pg_policy', p.oid, p_table)) ORDER BY w.relname, p.polname), '[]')
      FROM pg_policy p JOIN pg_class w ON w.oid = p.polrelid JOIN pg_namespace n ON n.oid = w.relnamespace
      WHERE p.polrelid = p_table OR p.oid IN (SELECT d.objid FROM pg_depend d
        WHERE d.classid = 'pg_policy'::regclass AND d.refclassid = 'pg_class'::regclass AND d.refobjid = p_table)));
  END IF;
  IF EXISTS (SELECT FROM pg_publication) THEN
    -- Column lists, filters and schemas came with version 15.
    v := v || jsonb_build_object('publications', (
      SELECT coalesce(jsonb_agg(jsonb_build_object(
        'name', p.pubname, 'direct', r.oid IS NOT NULL, 'ours', pg_has_role(p.pubowner, 'USAGE'), 'changes', p.pubupdate OR p.pubdelete,
        'columns', (SELECT jsonb_agg(a.attname ORDER BY a.attnum) FROM jsonb_array_elements_text(
            CASE jsonb_typeof(to_jsonb(r) -> 'prattrs') WHEN 'array' THEN to_jsonb(r) -> 'prattrs' ELSE '[]' END) k(attnum)
          JOIN pg_attribute a ON a.attrelid = p_table AND a.attnum = k.attnum::int2),
        'filter', CASE WHEN r.oid IS NOT NULL THEN (SELECT to_jsonb(l) ->> 'rowfilter' FROM pg_publication_tables l JOIN pg_class t ON t.oid = p_table
          JOIN pg_namespace n ON n.oid = t.relnamespace WHERE l.pubname = p.pubname AND l.schemaname = n.nspname AND l.tablename = t.relname) END,
        'uses', crossfade.columns_used('pg_publication_rel', r.oid, p_table)) ORDER BY p.pubname), '[]')
      FROM pg_publication p LEFT JOIN pg_publication_rel r ON r.prpubid = p.oid AND r.prrelid = p_table
      WHERE r.oid IS NOT NULL OR p.puballtables OR p.pubname IN (SELECT l.pubname FROM pg_publication_tables l JOIN pg_class t ON t.oid = p_table
        JOIN pg_namespace n ON n.oid = t.relnamespace WHERE l.schemaname = n.nspname AND l.tablename = t.relname)));
  END IF;
  IF 'pg_statistic_ext'::regclass = ANY (v_kinds) THEN
    v := v || jsonb_build_object('statistics', (
      SELECT coalesce(jsonb_agg(jsonb_build_object(
        'schema', n.nspname, 'name', s.stxname, 'definition', pg_get_statisticsobjdef(s.oid), 'owner', quote_ident(pg_get_userbyid(s.stxowner)),
        'ours', pg_has_role(s.stxowner, 'USAGE'), 'target', nullif((to_jsonb(s) ->> 'stxstattarget')::integer, -1), 'comment', obj_description(s.oid, 'pg_statistic_ext'),
        'uses', crossfade.columns_used('pg_statistic_ext', s.oid, p_table)) ORDER BY n.nspname, s.stxname), '[]')
      FROM pg_statistic_ext s JOIN pg_namespace n ON n.oid = s.stxnamespace WHERE s.stxrelid = p_table));
  END IF;
  IF 'pg_proc'::regclass = ANY (v_kinds) THEN
    -- Functions whose body is parsed when they are made. Others name tables in a text, which is read anew in each session.
    v := v || jsonb_build_object('functions', (
      SELECT coalesce(jsonb_agg(jsonb_build_object('signature', f.oid::regprocedure::text, 'definition', pg_get_functiondef(f.oid),
        'ours', pg_has_role(f.proowner, 'USAGE'), 'uses', crossfade.columns_used('pg_proc', f.oid, p_table)) ORDER BY f.oid::regprocedure::text), '[]')
      FROM pg_proc f WHERE f.prosqlbody IS NOT NULL AND f.oid IN (SELECT d.objid FROM pg_depend d
        WHERE d.classid = 'pg_proc'::regclass AND d.refclassid = 'pg_class'::regclass AND d.refobjid = p_table)));
  END IF;
  RETURN v;
END $function$;

CREATE OR REPLACE FUNCTION crossfade.begin_batch(p_id text, p_lease_ms integer, p_first boolean DEFAULT false)
 RETURNS bigint
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
DECLARE
  v_number bigint;
BEGIN
  -- Until the end of this transaction: what is read in it is read before the next batch gets its number.
  IF NOT pg_try_advisory_xact_lock(crossfade.lock_key('batch:' || p_id)) THEN RETURN NULL; END IF;
  v_number := pg_current_xact_id()::text::bigint;
  INSERT INTO crossfade.batch AS b (cutover, number, until, begun_by)
    VALUES (p_id, v_number, clock_timestamp() + make_interval(secs => p_lease_ms / 1000.0), current_setting('crossfade.begun_by', true))
  ON CONFLICT (cutover) DO UPDATE SET number = EXCLUDED.number, until = EXCLUDED.until, begun_by = EXCLUDED.begun_by, wanted_until = '-infinity'
    WHERE b.until <= clock_timestamp() AND b.number < EXCLUDED.number AND (p_first OR b.wanted_until <= clock_timestamp());
  IF FOUND THEN RETURN v_number; END IF;
  -- Changes come all the time, and each batch of them is followed by the next.
  IF p_first THEN UPDATE crossfade.batch b SET wanted_until = clock_timestamp() + interval '2 s' WHERE b.cutover = p_id; END IF;
  RETURN NULL;
END $function$;

CREATE OR REPLACE FUNCTION crossfade.begin_hand_over(p_id text, p_epoch bigint, p_seconds integer)
 RETURNS jsonb
 LANGUAGE sql
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$SELECT crossfade.refuse_writes(p_id, p_epoch, p_seconds, true)$function$;

CREATE OR REPLACE FUNCTION crossfade.begin_range(p_id text, p_epoch bigint, p_tier text, p_lease_ms integer)
 RETURNS jsonb
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
DECLARE
  v_have bigint;
  v_number bigint;
  v_pass crossfade.verification_pass%ROWTYPE;
BEGIN
  PERFORM pg_advisory_xact_lock_shared(crossfade.lock_key(p_id));
  SELECT c.epoch INTO v_have FROM crossfade.cutover c WHERE c.id = p_id;
  IF v_have IS DISTINCT FROM p_epoch THEN RETURN jsonb_build_object('kind', 'stale', 'have', coalesce(v_have, -1), 'got', p_epoch); END IF;
  IF NOT EXISTS (SELECT FROM crossfade.cutover c WHERE c.id = p_id AND c.direction <> 'none') THEN
    RETURN jsonb_build_object('kind', 'unready', 'why', 'capture is not armed');
  END IF;
  IF EXISTS (SELECT FROM crossfade.backfill b WHERE b.cutover = p_id AND b.state <> 'done') THEN
    RETURN jsonb_build_object('kind', 'unready', 'why', 'the backfill is not done');
  END IF;
  v_number := crossfade.begin_batch(p_id, p_lease_ms, true);
  IF v_number IS NULL THEN RETURN jsonb_build_object('kind', 'busy'); END IF;
  INSERT INTO crossfade.verification_pass (cutover) VALUES (p_id) ON CONFLICT DO NOTHING;
  SELECT * INTO v_pass FROM crossfade.verification_pass v WHERE v.cutover = p_id FOR UPDATE;
  IF v_pass.state = 'done' OR v_pass.epoch <> p_epoch OR (p_tier = 'proof' AND v_pass.tier = 'fast') THEN
    UPDATE crossfade.verification_pass v SET number = v.number + 1, state = 'running', epoch = p_epoch, tier = p_tier, scope = 'full',
      started_at = clock_timestamp() WHERE v.cutover = p_id RETURNING * INTO v_pass;
    INSERT INTO crossfade.remote_pass (cutover) VALUES (p_id) ON CONFLICT (cutover) DO UPDATE SET seen_key = NULL, rows = 0, divergences = 0, samples = '[]', diverged = '{}';
  END IF;
  RETURN (SELECT jsonb_build_object('kind', 'range', 'number', v_number, 'from', to_jsonb(r.seen_key), 'tier', v_pass.tier,
    'pass', jsonb_build_object('startedMs', floor(1000 * extract(epoch FROM v_pass.started_at))::bigint, 'calledMs', floor(1000 * extract(epoch FROM clock_timestamp()))::bigint))
    FROM crossfade.remote_pass r WHERE r.cutover = p_id);
END $function$;

CREATE OR REPLACE FUNCTION crossfade.begin_sweep(p_id text, p_why text)
 RETURNS boolean
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
BEGIN
  -- Waits for the chunk that is being copied: what is read from now on is read after the cause.
  UPDATE crossfade.backfill b SET state = CASE b.state WHEN 'done' THEN 'running' ELSE b.state END, copied_key = NULL, swept_key = NULL,
    upper_key = NULL, companion = 0, companion_page = 0, rows_done = 0, rate = NULL, shadow_had_rows = true, sweep_why = p_why, updated_at = clock_timestamp()
  WHERE b.cutover = p_id;
  IF NOT FOUND THEN RETURN false; END IF;
  -- What was found equal before says nothing any more, and neither does a pass that is under way.
  DELETE FROM crossfade.verification r WHERE r.cutover = p_id;
  UPDATE crossfade.verification_pass v SET state = 'done' WHERE v.cutover = p_id AND v.state <> 'done';
  IF to_regclass(format('crossfade.%I', 'touched_' || p_id)) IS NOT NULL THEN
    EXECUTE format('INSERT INTO crossfade.%I (place) VALUES (NULL)', 'touched_' || p_id);
  END IF;
  RETURN true;
END $function$;

CREATE OR REPLACE FUNCTION crossfade.capture_gap(p_id text)
 RETURNS text
 LANGUAGE plpgsql
 STABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
 SET jit TO 'off'
AS $function$
DECLARE
  v crossfade.shape%ROWTYPE;
  v_now CONSTANT jsonb := crossfade.capture_now(p_id);
  v_stamp CONSTANT jsonb := crossfade.columns_stamp(p_id);
  v_why text;
BEGIN
  SELECT * INTO v FROM crossfade.shape s WHERE s.cutover = p_id;
  IF NOT FOUND OR NOT EXISTS (SELECT FROM crossfade.cutover c WHERE c.id = p_id AND c.direction <> 'none') THEN RETURN NULL; END IF;
  IF v.capture <> v_now THEN
    SELECT string_agg(CASE o.key WHEN 'unrecorded' THEN 'a change' ELSE regexp_replace(o.key, ' of table \d+$', '') END || CASE
      WHEN o.key = 'unrecorded' THEN ' could not be recorded anywhere'
      WHEN o.is IS NULL THEN ' was dropped'
      WHEN o.was IS NULL THEN ' was added'
      WHEN o.was ->> 'enabled' IS DISTINCT FROM o.is ->> 'enabled' THEN CASE o.is ->> 'enabled' WHEN 'D' THEN ' is switched off' ELSE ' was switched off, or is not always on' END
      WHEN o.was ->> 'version' IS DISTINCT FROM o.is ->> 'version' THEN ' was altered, or made again'
      ELSE ' was replaced' END, ', ' ORDER BY o.key) INTO v_why
    FROM (SELECT key, a.value AS was, n.value AS is FROM jsonb_each(v.capture) a FULL JOIN jsonb_each(v_now) n USING (key) WHERE a.value IS DISTINCT FROM n.value) o;
  END IF;
  IF v.stamps = v_stamp THEN RETURN v_why; END IF;
  v_why := nullif(concat_ws(', ', v_why, crossfade.partition_gap(v.stamps, v_stamp)), '');
  RETURN nullif(concat_ws(', ', v_why, (SELECT string_agg(format('column %I of %s was rewritten', a.attname, a.attrelid::regclass), ', ' ORDER BY a.attrelid, a.attnum)
    FROM jsonb_each(v.stamps) w JOIN jsonb_each(v_stamp) n ON n.key = w.key CROSS JOIN LATERAL jsonb_each_text(w.value -> 'columns') c
    JOIN pg_attribute a ON a.attrelid = w.key::oid AND a.attnum = c.key::int2
    WHERE w.value -> 'file' <> n.value -> 'file' AND c.value <> (n.value -> 'columns' ->> c.key))), '');
END $function$;

CREATE OR REPLACE FUNCTION crossfade.capture_now(p_id text)
 RETURNS jsonb
 LANGUAGE plpgsql
 STABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
 SET jit TO 'off'
AS $function$
BEGIN
  RETURN (SELECT k.capture FROM crossfade.captures_now(ARRAY[p_id]) k);
END $function$;

CREATE OR REPLACE FUNCTION crossfade.captures_now(p_ids text[])
 RETURNS TABLE(id text, capture jsonb)
 LANGUAGE plpgsql
 STABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
 SET quote_all_identifiers TO 'off'
 SET plan_cache_mode TO 'force_generic_plan'
 SET jit TO 'off'
 SET enable_seqscan TO 'off'
 SET enable_hashjoin TO 'off'
 SET enable_mergejoin TO 'off'
AS $function$
BEGIN
  RETURN QUERY
  SELECT i.id, coalesce(jsonb_object_agg(o.object, o.state) FILTER (WHERE o.object IS NOT NULL), '{}') FROM unnest(p_ids) i(id) LEFT JOIN (
    SELECT c.id, format('trigger %I of table %s', g.tgname, g.tgrelid) AS object,
      jsonb_build_object('enabled', g.tgenabled, 'function', f.proname, 'type', g.tgtype, 'version', g.xmin::text) AS state
    FROM crossfade.cutover c CROSS JOIN LATERAL (VALUES (c.primary_oid), (c.shadow_oid)) t(oid) JOIN pg_trigger g ON g.tgrelid = t.oid JOIN pg_proc f ON f.oid = g.tgfoid
    WHERE c.id = ANY (p_ids) AND NOT g.tgisinternal AND f.pronamespace = 'crossfade'::regnamespace AND f.proname <> 'read_only_guard'
    UNION ALL
    SELECT x.id, format('trigger %I of table %s', g.tgname, g.tgrelid),
      jsonb_build_object('enabled', g.tgenabled, 'function', f.proname, 'type', g.tgtype, 'version', g.xmin::text)
    FROM unnest(p_ids) x(id) JOIN pg_proc f ON f.proname = ('companion_' || x.id)::name AND f.pronamespace = 'crossfade'::regnamespace
    JOIN pg_depend d ON d.refclassid = 'pg_proc'::regclass AND d.refobjid = f.oid AND d.classid = 'pg_trigger'::regclass JOIN pg_trigger g ON g.oid = d.objid
    UNION ALL
    SELECT x.id, 'unrecorded', jsonb_build_object('number', pg_sequence_last_value('crossfade.unrecorded')) FROM unnest(p_ids) x(id)
    UNION ALL
    SELECT x.id, format('function crossfade.%I', f.proname),
      jsonb_build_object('body', md5(f.prosrc), 'settings', f.proconfig, 'definer', f.prosecdef, 'owner', pg_get_userbyid(f.proowner))
    FROM unnest(p_ids) x(id) CROSS JOIN LATERAL (VALUES ('capture_'), ('truncated_'), ('guard_'), ('inline_'), ('computed_'), ('companion_')) k(kind)
    JOIN pg_proc f ON f.proname = (k.kind || x.id)::name AND f.pronamespace = 'crossfade'::regnamespace) o ON o.id = i.id
  GROUP BY i.id;
END $function$;

CREATE OR REPLACE FUNCTION crossfade.catalog_fingerprint(p_primary oid, p_shadow oid)
 RETURNS text
 LANGUAGE sql
 STABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
  SELECT md5(crossfade.dependents(p_primary, p_shadow)::text)
$function$;

CREATE OR REPLACE FUNCTION crossfade.catalog_stamp(p_relations oid[])
 RETURNS text
 LANGUAGE sql
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
  SELECT md5(string_agg(x.stamp, ',' ORDER BY x.stamp)) FROM (
    SELECT format('c%s:%s', c.oid, c.xmin) AS stamp FROM pg_class c WHERE c.oid = ANY (p_relations)
    UNION ALL SELECT format('a%s.%s:%s', a.attrelid, a.attnum, a.xmin) FROM pg_attribute a WHERE a.attrelid = ANY (p_relations)
    UNION ALL SELECT format('t%s:%s', t.oid, t.xmin) FROM pg_trigger t WHERE t.tgrelid = ANY (p_relations)
    UNION ALL SELECT format('k%s:%s', k.oid, k.xmin) FROM pg_constraint k WHERE k.conrelid = ANY (p_relations)
    UNION ALL SELECT format('d%s.%s.%s', d.classid, d.objid, d.refobjsubid) FROM pg_depend d
      WHERE d.refclassid = 'pg_class'::regclass AND d.refobjid = ANY (p_relations)
  ) x
$function$;

CREATE OR REPLACE FUNCTION crossfade.check_dependents(p_primary oid, p_shadow oid)
 RETURNS SETOF crossfade.finding
 LANGUAGE sql
 STABLE SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
WITH fk AS (SELECT c.*, r.relname FROM pg_constraint c JOIN pg_class r ON r.oid = c.conrelid WHERE c.contype = 'f' AND (c.conrelid IN (p_primary, p_shadow) OR c.confrelid = p_primary))
SELECT crossfade.finding('triggers of the primary', count(*) > 0, 'warn', coalesce(string_agg(t.tgname, ', ' ORDER BY t.tgname), 'none'), 'none', 'crossfade plan says what becomes of each at promotion.')
  FROM pg_trigger t WHERE t.tgrelid = p_primary AND NOT t.tgisinternal AND NOT EXISTS (SELECT FROM pg_proc f WHERE f.oid = t.tgfoid AND f.pronamespace = 'crossfade'::regnamespace)
UNION ALL SELECT crossfade.finding('triggers of the shadow', count(*) > 0, 'fail', coalesce(string_agg(t.tgname, ', ' ORDER BY t.tgname), 'none'), 'none',
  'They would fire for every row that is mirrored and could change it: ALTER TABLE … DISABLE TRIGGER …, and enable it after promotion. Triggers of the primary move by themselves.')
  FROM pg_trigger t WHERE t.tgrelid = p_shadow AND NOT t.tgisinternal AND t.tgenabled NOT IN ('D', 'R') AND NOT EXISTS (SELECT FROM pg_proc f WHERE f.oid = t.tgfoid AND f.pronamespace = 'crossfade'::regnamespace)
UNION ALL SELECT crossfade.finding('rules', count(*) > 0, 'fail', coalesce(string_agg(r.rulename, ', '), 'none'), 'none', 'Rules rewrite the statements that capture and mirror rows. Drop them, or use a trigger.')
  FROM pg_rewrite r WHERE r.ev_class IN (p_primary, p_shadow)
UNION ALL SELECT crossfade.finding('foreign keys that come in', count(*) FILTER (WHERE r.reltuples > 10000000) > 0, 'warn', format('%s, the largest table has about %s rows', count(*), greatest(0, coalesce(max(r.reltuples), 0))::bigint), '10000000 rows each',
  'Each is made again at promotion and validated after it, which reads the table once. Choose a quiet hour.')
  FROM fk JOIN pg_class r ON r.oid = fk.conrelid WHERE fk.confrelid = p_primary AND fk.conrelid <> p_shadow
UNION ALL SELECT crossfade.finding('foreign keys that go out', count(*) > 0, 'warn', coalesce(string_agg(o.conname, ', '), 'all have a counterpart'), 'all have a counterpart', 'The new shape drops them. Create them on the shadow if that is not meant.')
  FROM fk o WHERE o.conrelid = p_primary AND NOT EXISTS (SELECT FROM fk n WHERE n.conrelid = p_shadow AND n.confrelid = o.confrelid)
    -- Nor those that Crossfade took off the shadow while it follows.
    AND NOT EXISTS (SELECT FROM crossfade.key_aside a WHERE a.shadow = p_shadow AND (a.key -> 'references' ->> 'oid')::oid = o.confrelid)
UNION ALL SELECT crossfade.finding('deletes that the shadow would forbid', count(*) > 0, CASE WHEN count(*) FILTER (WHERE n.conname::text NOT IN (SELECT crossfade.keys_to_set_aside(p_primary, p_shadow))) > 0 THEN 'fail' ELSE 'warn' END,
  coalesce(string_agg(n.conname, ', '), 'none'), 'none',
  'The primary lets referenced rows go, the shadow does not. Crossfade takes such a foreign key off while the shadow follows, where it owns the referenced table; from promotion on it forbids the application''s DELETE. Give it the same ON DELETE if that is not meant.')
  FROM fk n WHERE n.conrelid = p_shadow AND n.confdeltype IN ('a', 'r') AND NOT EXISTS (SELECT FROM fk o
    WHERE o.conrelid = p_primary AND o.confrelid = n.confrelid AND o.confdeltype IN ('a', 'r'))
UNION ALL SELECT crossfade.finding('foreign keys without an index', count(*) > 0, 'warn', coalesce(string_agg(n.conname, ', '), 'none'), 'none', 'A delete of a referenced row reads the whole shadow: create an index on the columns.')
  FROM fk n WHERE n.conrelid = p_shadow AND NOT EXISTS (SELECT FROM pg_index i WHERE i.indrelid = p_shadow AND i.indpred IS NULL AND i.indkey[0] = n.conkey[1])
UNION ALL SELECT crossfade.finding('row-level security', c.relrowsecurity OR s.relrowsecurity, 'warn', format('primary %s, shadow %s', c.relrowsecurity, s.relrowsecurity), 'off on both', 'crossfade plan says whether its policies can be carried over.')
  FROM pg_class c, pg_class s WHERE c.oid = p_primary AND s.oid = p_shadow
UNION ALL SELECT crossfade.finding('row-level security for the owner', bool_or(c.relforcerowsecurity) AND NOT (SELECT r.rolsuper OR r.rolbypassrls FROM pg_roles r WHERE r.rolname = current_user), 'fail',
  coalesce(string_agg(c.oid::regclass::text, ', ') FILTER (WHERE c.relforcerowsecurity), 'not forced'), 'not forced, or a role with BYPASSRLS',
  'Rows would be hidden from Crossfade and taken for deleted: ALTER TABLE … NO FORCE ROW LEVEL SECURITY, or ALTER ROLE … BYPASSRLS.')
  FROM pg_class c WHERE c.oid IN (p_primary, p_shadow)
UNION ALL SELECT crossfade.finding('replica identity', c.relreplident <> 'd', 'warn', c.relreplident::text, 'd', 'Subscribers may depend on it; crossfade plan says what becomes of it.') FROM pg_class c WHERE c.oid = p_primary
UNION ALL SELECT crossfade.finding('publications', count(*) > 0, 'warn', coalesce(string_agg(p.pubname, ', '), 'none'), 'none', 'Subscribers go on getting the old table unless the publication is changed: crossfade plan says what becomes of each.')
  FROM pg_publication p WHERE p.puballtables OR EXISTS (SELECT FROM pg_publication_rel r WHERE r.prpubid = p.oid AND r.prrelid IN (p_primary, p_shadow))
UNION ALL SELECT crossfade.finding('subscriptions', count(*) > 0, 'warn', count(*) || ' feed one of the tables', '0', 'Rows that a subscription applies are captured, too; but after promotion it does not know the new table and skips its rows: ALTER SUBSCRIPTION … REFRESH PUBLICATION then, or move the table on the publisher.')
  FROM pg_subscription_rel r WHERE r.srrelid IN (p_primary, p_shadow)
UNION ALL SELECT crossfade.finding('tables of extensions', count(*) > 0, 'fail', count(*)::text, '0', 'An extension counts the table as its own: ALTER EXTENSION … DROP TABLE first.')
  FROM pg_depend d WHERE d.classid = 'pg_class'::regclass AND d.objid IN (p_primary, p_shadow) AND d.deptype = 'e'
UNION ALL SELECT crossfade.finding('views', count(DISTINCT w.ev_class) > 0, 'warn', count(DISTINCT w.ev_class) || ' read one of the tables', '0', 'A view knows the table, not its name. crossfade plan says which can be carried over.')
  FROM pg_depend d JOIN pg_rewrite w ON d.classid = 'pg_rewrite'::regclass AND d.objid = w.oid WHERE d.refclassid = 'pg_class'::regclass AND d.refobjid IN (p_primary, p_shadow) AND w.ev_class NOT IN (p_primary, p_shadow)
$function$;

CREATE OR REPLACE FUNCTION crossfade.check_foreign(p_cutover text, p_primary oid, p_shadow oid)
 RETURNS SETOF crossfade.finding
 LANGUAGE plpgsql
 STABLE SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
DECLARE
  v_of_schema text;
  v_elsewhere text;
BEGIN
  RETURN QUERY SELECT (crossfade.finding('publications of all tables', count(*) > 0, 'warn', coalesce(string_agg(p.pubname, ', ' ORDER BY p.pubname), 'none'), 'none',
    'They publish the tables of Crossfade, too. To leave these out: DROP PUBLICATION …, CREATE PUBLICATION … FOR TABLE … (15 and newer: FOR TABLES IN SCHEMA …), then ALTER SUBSCRIPTION … REFRESH PUBLICATION.')).*
    FROM pg_publication p WHERE p.puballtables;
  IF current_setting('server_version_num')::integer >= 150000 THEN
    EXECUTE 'SELECT string_agg(p.pubname, '', '' ORDER BY p.pubname) FROM pg_publication p WHERE EXISTS (SELECT FROM pg_publication_namespace n, pg_class c
      WHERE n.pnpubid = p.oid AND n.pnnspid = c.relnamespace AND c.oid IN ($1, $2))' INTO v_of_schema USING p_primary, p_shadow;
  END IF;
  RETURN QUERY SELECT (crossfade.finding('publications of the schema', v_of_schema IS NOT NULL, 'warn', coalesce(v_of_schema, 'none'), 'none',
    'They publish primary and shadow: a subscriber gets each row twice, and needs both tables. Name the tables instead: ALTER PUBLICATION … DROP TABLES IN SCHEMA …, then ADD TABLE ….')).*;
  -- A dump that was restored has the rows of the mirror with numbers of tables that are not there; a table may have been made again.
  RETURN QUERY SELECT (crossfade.finding('remains on these tables', count(*) > 0, 'fail', coalesce(string_agg(format('%s on %s', t.tgname, t.tgrelid::regclass), ', '), 'none'), 'none',
    coalesce(string_agg(format('DROP TRIGGER %I ON %s', t.tgname, t.tgrelid::regclass), '; '), '') || '. It is of a cutover that this database does not know: of another database that this one is a copy of, or of a table that was made again.')).*
    FROM pg_trigger t JOIN pg_proc f ON f.oid = t.tgfoid AND f.pronamespace = 'crossfade'::regnamespace AND f.proname <> 'refuse_older_snapshot'
    WHERE NOT t.tgisinternal AND t.tgrelid IN (p_primary, p_shadow)
      AND NOT EXISTS (SELECT FROM crossfade.cutover c WHERE c.direction <> 'none' AND t.tgrelid IN (c.primary_oid, c.shadow_oid));
  RETURN QUERY SELECT (crossfade.finding('remains on other tables', count(*) > 0, 'warn', coalesce(string_agg(format('%s on %s', t.tgname, t.tgrelid::regclass), ', '), 'none'), 'none',
    coalesce(string_agg(format('DROP TRIGGER %I ON %s', t.tgname, t.tgrelid::regclass), '; '), '') || '. It writes into an outbox that nobody empties.')).*
    FROM pg_trigger t JOIN pg_proc f ON f.oid = t.tgfoid AND f.pronamespace = 'crossfade'::regnamespace AND f.proname <> 'refuse_older_snapshot'
    WHERE NOT t.tgisinternal AND t.tgrelid NOT IN (p_primary, p_shadow) AND NOT EXISTS (SELECT FROM crossfade.cutover c WHERE c.direction <> 'none'
      AND (coalesce(pg_partition_root(t.tgrelid)::oid, t.tgrelid) IN (c.primary_oid, c.shadow_oid) OR f.proname = 'companion_' || c.id));
  RETURN QUERY SELECT (crossfade.finding('other cutovers of these tables', count(*) > 0, 'fail', coalesce(string_agg(format('%s (%s, %s)', c.id, c.direction, c.stage), ', ' ORDER BY c.id), 'none'), 'none',
    coalesce('crossfade rollback ' || min(c.id) || ' --reason …', '') || ': one table is kept equal with one other at a time.')).*
    FROM crossfade.cutover c WHERE c.id <> p_cutover AND c.direction <> 'none' AND ARRAY[c.primary_oid, c.shadow_oid] && ARRAY[p_primary, p_shadow];
  -- Recorded when it was armed, where that is recorded; a copy by CREATE DATABASE … TEMPLATE keeps the numbers of tables, not of the database.
  IF to_regclass('crossfade.shape') IS NOT NULL THEN
    EXECUTE 'SELECT string_agg(s.cutover, '', '' ORDER BY s.cutover) FROM crossfade.shape s JOIN crossfade.cutover c ON c.id = s.cutover AND c.direction <> ''none''
      WHERE s.database <> (SELECT d.oid FROM pg_database d WHERE d.datname = current_database())' INTO v_elsewhere;
  END IF;
  RETURN QUERY SELECT (crossfade.finding('database of the cutovers', v_elsewhere IS NOT NULL, 'fail', CASE WHEN v_elsewhere IS NULL THEN 'this one' ELSE format('%s: armed in another database, of which this one is a copy', v_elsewhere) END, 'this one',
    'Only the original goes on. To make this copy free of it: DROP SCHEMA crossfade CASCADE, which drops the triggers, too; then crossfade migrate.')).*;
END $function$;

CREATE OR REPLACE FUNCTION crossfade.check_roles(p_primary oid, p_shadow oid)
 RETURNS SETOF crossfade.finding
 LANGUAGE sql
 STABLE SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
WITH t AS (SELECT c.relname, c.relowner, c.relnamespace FROM pg_class c WHERE c.oid IN (p_primary, p_shadow)),
runtime AS (SELECT r.oid, (SELECT array_agg(x) FROM pg_db_role_setting g, unnest(g.setconfig) x
    WHERE g.setrole = r.oid AND g.setdatabase IN (0, (SELECT d.oid FROM pg_database d WHERE d.datname = current_database()))) AS settings
  FROM pg_roles r WHERE r.rolname = 'crossfade_runtime'),
-- Of the tables and of the types of their columns, and the one that most sessions have in their path.
schema AS (
  SELECT n.nspname, crossfade.creators(n.oid, ARRAY[p_primary, p_shadow]) AS roles FROM pg_namespace n
  WHERE n.oid IN (SELECT t.relnamespace FROM t) OR n.nspname IN ('public', 'crossfade')
    OR n.oid IN (SELECT y.typnamespace FROM pg_attribute a JOIN pg_type y ON y.oid = a.atttypid WHERE a.attrelid IN (p_primary, p_shadow) AND y.typnamespace <> 'pg_catalog'::regnamespace))
SELECT crossfade.finding('owner of the tables', count(*) FILTER (WHERE NOT pg_has_role(t.relowner, 'USAGE')) > 0, 'fail', string_agg(DISTINCT pg_get_userbyid(t.relowner), ', '), current_user::text, 'The owner role of Crossfade must be a member of the role that owns the tables: GRANT owner TO crossfade_owner.') FROM t
UNION ALL SELECT crossfade.finding('right to rename', count(*) FILTER (WHERE NOT (has_schema_privilege(t.relowner, t.relnamespace, 'CREATE') AND has_schema_privilege(t.relnamespace, 'CREATE'))) > 0, 'fail',
  CASE WHEN bool_and(has_schema_privilege(t.relowner, t.relnamespace, 'CREATE') AND has_schema_privilege(t.relnamespace, 'CREATE')) THEN 'CREATE in the schema' ELSE 'no CREATE in the schema' END, 'CREATE in the schema', 'GRANT CREATE ON SCHEMA … TO the owner of the table and the owner role of Crossfade.') FROM t
UNION ALL SELECT crossfade.finding('schemas in which others may create', count(*) > 0, 'warn', coalesce(string_agg(format('%s: %s', s.nspname, array_to_string(s.roles, ', ')), '; ' ORDER BY s.nspname), 'none'), 'none',
  'What others create there can take the place of a function or an operator in statements of the application and of its functions. Crossfade names its own in full. ' || coalesce(string_agg(format('REVOKE CREATE ON SCHEMA %I FROM %s', s.nspname, (
    SELECT string_agg(CASE r WHEN 'everybody' THEN 'PUBLIC' ELSE quote_ident(r) END, ', ') FROM unnest(s.roles) r)), '; ' ORDER BY s.nspname), ''))
  FROM schema s WHERE s.roles IS NOT NULL
UNION ALL SELECT crossfade.finding('runtime role', NOT EXISTS (SELECT FROM runtime), 'warn', CASE WHEN EXISTS (SELECT FROM runtime) THEN 'crossfade_runtime' ELSE 'none' END, 'crossfade_runtime',
  'CREATE ROLE crossfade_runtime LOGIN, then crossfade migrate on a new database, or grant what 0001 grants: functions should own nothing.')
UNION ALL SELECT crossfade.finding(s.name || ' of the runtime role', NOT coalesce((SELECT r.settings::text LIKE '%' || s.name || '=%' AND r.settings::text NOT LIKE '%' || s.name || '=0%' FROM runtime r), false), 'warn',
  coalesce((SELECT split_part(x, '=', 2) FROM runtime r, unnest(r.settings) x WHERE x LIKE s.name || '=%' LIMIT 1), 'not set'), s.wanted, format('ALTER ROLE crossfade_runtime SET %s = ''%s'';', s.name, s.wanted))
  FROM (VALUES ('statement_timeout', '5s'), ('lock_timeout', '1s'), ('idle_in_transaction_session_timeout', '10s')) s (name, wanted)
$function$;

CREATE OR REPLACE FUNCTION crossfade.check_server()
 RETURNS SETOF crossfade.finding
 LANGUAGE plpgsql
 STABLE SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
DECLARE
  v_replica boolean := pg_is_in_recovery();
  v_wal pg_lsn := CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn() ELSE pg_current_wal_lsn() END;
  -- Without it the transactions of other roles are hidden, and a check that sees nothing must not say that nothing is there.
  v_sees boolean := pg_has_role('pg_read_all_stats', 'USAGE');
  v_collation boolean := false;
  v_oldest numeric;
  v_pid integer;
  -- Of the whole server, and visible to everybody, unlike the rows of pg_stat_activity.
  v_connections bigint := (SELECT sum(d.numbackends) FROM pg_stat_database d);
  v_locks bigint := current_setting('max_locks_per_transaction')::bigint * (current_setting('max_connections')::bigint + current_setting('max_prepared_transactions')::bigint);
BEGIN
  SELECT extract(epoch FROM clock_timestamp() - a.xact_start), a.pid INTO v_oldest, v_pid FROM pg_stat_activity a
  WHERE a.datname = current_database() AND a.pid <> pg_backend_pid() AND a.backend_type = 'client backend' AND a.xact_start IS NOT NULL AND NOT crossfade.is_ours(a.pid)
  ORDER BY a.xact_start LIMIT 1;
  IF current_setting('server_version_num')::integer >= 150000 THEN
    EXECUTE 'SELECT datcollversion IS DISTINCT FROM pg_database_collation_actual_version(oid) FROM pg_database WHERE datname = current_database()' INTO v_collation;
  END IF;
  RETURN QUERY
  SELECT f.* FROM (
    SELECT crossfade.finding('version of the server', current_setting('server_version_num')::integer < 140000, 'fail', current_setting('server_version'), '14', 'Upgrade the server first.') AS x
    UNION ALL SELECT crossfade.finding('writable server', v_replica OR current_setting('default_transaction_read_only') = 'on', 'fail', CASE WHEN v_replica THEN 'replica' ELSE 'read only ' || current_setting('default_transaction_read_only') END, 'writable', CASE WHEN v_replica THEN 'Name the primary server: pg_is_in_recovery() is false there.' ELSE 'ALTER ROLE … RESET default_transaction_read_only, and ALTER DATABASE … RESET default_transaction_read_only.' END)
    UNION ALL SELECT crossfade.finding('collation of the database', v_collation, 'warn', CASE WHEN v_collation THEN 'changed' ELSE 'as it was made' END, 'as it was made', 'The library that sorts text changed: REINDEX DATABASE, then ALTER DATABASE … REFRESH COLLATION VERSION.')
    UNION ALL SELECT crossfade.finding('level of the WAL', current_setting('wal_level') = 'minimal', 'warn', current_setting('wal_level'), 'replica', 'Without replica there is no point-in-time recovery, the only way back after cleanup.')
    UNION ALL SELECT crossfade.finding('size of the WAL', pg_size_bytes(current_setting('max_wal_size')) < 512::bigint << 20, 'warn', current_setting('max_wal_size'), '512MB', 'The copy would force checkpoints all the time: raise max_wal_size.')
    UNION ALL SELECT crossfade.finding('replication slots', count(*) FILTER (WHERE NOT s.active OR s.wal_status IN ('unreserved', 'lost') OR s.held > 1::bigint << 30) > 0, 'warn',
      coalesce(string_agg(format('%s holds %s', s.slot_name, pg_size_pretty(s.held)), ', ') FILTER (WHERE NOT s.active OR s.wal_status IN ('unreserved', 'lost') OR s.held > 1::bigint << 30), 'none lags'), 'active, 1 GB',
      'Each keeps WAL until the disk is full; the copy writes much of it. Let it catch up, or drop it.')
      FROM (SELECT r.slot_name, r.active, r.wal_status, coalesce(pg_wal_lsn_diff(v_wal, r.restart_lsn), 0)::bigint AS held FROM pg_replication_slots r) s
    UNION ALL SELECT crossfade.finding('replicas', coalesce(max(extract(epoch FROM r.replay_lag)), 0) > 10, 'warn', format('%s, the slowest %s s behind', count(*), round(coalesce(max(extract(epoch FROM r.replay_lag)), 0), 1)), '10 s', 'They will fall further behind while rows are copied. Find out why first.')
      FROM pg_stat_replication r
    UNION ALL SELECT crossfade.finding('old transactions', CASE WHEN v_oldest > 60 THEN true WHEN v_sees THEN false END, CASE WHEN v_oldest > 600 THEN 'fail' ELSE 'warn' END,
      CASE WHEN v_sees OR v_oldest IS NOT NULL THEN round(coalesce(v_oldest, 0)) || ' s' || CASE WHEN v_oldest > 60 THEN ', ' || crossfade.session_shown(v_pid) ELSE '' END ELSE 'hidden from this role' END, '60 s',
      CASE WHEN v_sees THEN format('Start and the swap wait for it: let it end, or SELECT pg_terminate_backend(%s).', v_pid) ELSE format('GRANT pg_read_all_stats TO %I, and look again.', current_user) END)
    UNION ALL SELECT crossfade.finding('prepared transactions', count(*) > 0, 'fail', coalesce(string_agg(format('%L', p.gid), ', '), 'none'), 'none', 'They hold locks and old snapshots: COMMIT PREPARED or ROLLBACK PREPARED with each name.')
      FROM pg_prepared_xacts p WHERE p.database = current_database()
    UNION ALL SELECT crossfade.finding('connections', v_connections > 0.8 * current_setting('max_connections')::integer, CASE WHEN v_connections > 0.95 * current_setting('max_connections')::integer THEN 'fail' ELSE 'warn' END,
      format('%s of %s', v_connections, current_setting('max_connections')), '80 %', 'Leave about 20 for the functions: ALTER SYSTEM SET max_connections = … and restart, or close some.')
    UNION ALL SELECT crossfade.finding('locks per transaction', current_setting('max_locks_per_transaction')::integer < 64, 'warn', current_setting('max_locks_per_transaction'), '64', 'Keys are locked while they are converged: ALTER SYSTEM SET max_locks_per_transaction = 64, and restart.')
    UNION ALL SELECT crossfade.finding('free locks', v_locks - count(*) < 2000, 'warn', format('about %s of %s', v_locks - count(*), v_locks), '2000', 'Other sessions hold many locks (SELECT pid, count(*) FROM pg_locks GROUP BY pid ORDER BY 2 DESC): ALTER SYSTEM SET max_locks_per_transaction = 256, and restart.')
      FROM pg_locks l WHERE NOT l.fastpath
    UNION ALL SELECT crossfade.finding('snapshots of replication', count(*) > 0, 'warn', coalesce(string_agg(format('%s holds rows back by %s transactions', s.slot_name, age(s.xmin)), ', '), 'none is old'), '100000 transactions',
      'Dead rows of the outbox stay until it moves on: let the replica catch up, or SELECT pg_drop_replication_slot(name).')
      FROM pg_replication_slots s WHERE s.xmin IS NOT NULL AND age(s.xmin) > 100000
    UNION ALL SELECT crossfade.finding('settings of role and database', false, 'warn', coalesce(string_agg(DISTINCT x, ', '), 'none that matters'), 'Crossfade states its own in every session', '')
      FROM pg_db_role_setting g, unnest(g.setconfig) x WHERE g.setrole IN (0, (SELECT r.oid FROM pg_roles r WHERE r.rolname = session_user)) AND g.setdatabase IN (0, (SELECT d.oid FROM pg_database d WHERE d.datname = current_database()))
        AND x ~ '^(default_transaction_|statement_timeout|lock_timeout|idle_in_transaction_session_timeout|transaction_timeout|jit|search_path|row_security|session_replication_role|plan_cache_mode|enable_|synchronous_commit)'
    UNION ALL SELECT crossfade.finding('event triggers', count(*) > 0, 'warn', coalesce(string_agg(format('%s at %s', e.evtname, e.evtevent), ', ' ORDER BY e.evtname), 'none'), 'none',
      'They run for what Crossfade creates, renames and drops, and may refuse it. If one does: ALTER EVENT TRIGGER … DISABLE while a cutover starts, completes or is cleaned up.')
      FROM pg_event_trigger e WHERE e.evtenabled <> 'D' AND e.evtevent <> 'login' AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_event_trigger'::regclass AND d.objid = e.oid AND d.deptype = 'e')
  ) q, LATERAL (SELECT (q.x).*) f;
END $function$;

CREATE OR REPLACE FUNCTION crossfade.check_shape(p_primary oid, p_shadow oid)
 RETURNS SETOF crossfade.finding
 LANGUAGE sql
 STABLE SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
WITH pair AS (SELECT p.*, s.relkind AS s_kind, s.relpersistence AS s_persistence, s.relrowsecurity AS s_security
  FROM pg_class p, pg_class s WHERE p.oid = p_primary AND s.oid = p_shadow),
columns AS (
  SELECT a.attrelid = p_primary AS old, a.attname AS name, a.attnotnull AS required, a.atthasdef OR a.attidentity <> '' AS filled,
    a.attgenerated <> '' AS generated, a.atttypid AS type, a.attcollation AS collation, format_type(a.atttypid, a.atttypmod) AS shown
  FROM pg_attribute a WHERE a.attrelid IN (p_primary, p_shadow) AND a.attnum > 0 AND NOT a.attisdropped),
keys AS (
  SELECT i.indrelid, bool_or(i.indisprimary) AS is_primary FROM pg_index i
  WHERE i.indrelid IN (p_primary, p_shadow) AND i.indisunique AND i.indimmediate AND i.indisvalid AND i.indpred IS NULL AND i.indexprs IS NULL
    AND NOT EXISTS (SELECT FROM unnest(i.indkey::int2[]) WITH ORDINALITY k(attnum, place) JOIN pg_attribute a ON a.attrelid = i.indrelid
      AND a.attnum = k.attnum WHERE k.place <= i.indnkeyatts AND NOT a.attnotnull)
  GROUP BY i.indrelid),
key_types AS (
  SELECT DISTINCT a.attname AS name, a.atttypid AS type FROM pg_index i JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = ANY (i.indkey::int2[])
  WHERE i.indrelid = p_primary AND i.indisprimary),
indexes AS (
  SELECT i.indrelid = p_primary AS old, c.relname AS name, i.indisvalid AS valid,
    (SELECT string_agg(a.attname, ', ' ORDER BY k.place) FROM unnest(i.indkey::int2[]) WITH ORDINALITY k(attnum, place)
      JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.attnum) AS over
  FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid WHERE i.indrelid IN (p_primary, p_shadow))
SELECT crossfade.finding('ordinary tables', relkind NOT IN ('r', 'p') OR s_kind NOT IN ('r', 'p'), 'fail', format('%s and %s', relkind, s_kind), 'r or p',
  'Only tables cross over, partitioned ones too: views and foreign tables do not.') FROM pair
UNION ALL SELECT crossfade.finding('partitioning and inheritance', count(*) > 0, 'fail', count(*) || ' relations', '0 relations',
  'Name the partitioned table in place of its partition, or end inheritance with ALTER TABLE … NO INHERIT, and move each table on its own.')
  FROM pg_inherits h JOIN pg_class c ON c.oid = h.inhrelid WHERE h.inhrelid IN (p_primary, p_shadow) OR (h.inhparent IN (p_primary, p_shadow) AND NOT c.relispartition)
UNION ALL SELECT crossfade.finding('permanent tables', relpersistence <> 'p' OR s_persistence <> 'p', 'fail', format('%s and %s', relpersistence, s_persistence), 'p and p',
  'Rows of an unlogged or temporary table are lost in a crash: ALTER TABLE … SET LOGGED.') FROM pair
UNION ALL SELECT crossfade.finding('key of the primary', NOT coalesce(k.is_primary, false), CASE WHEN k.indrelid IS NULL THEN 'fail' ELSE 'warn' END,
  CASE WHEN k.is_primary THEN 'primary key' WHEN k.indrelid IS NULL THEN 'none' ELSE 'unique index' END, 'primary key',
  'Give it a primary key; a unique index over NOT NULL columns without a condition does, too.') FROM pair LEFT JOIN keys k ON k.indrelid = p_primary
UNION ALL SELECT crossfade.finding('key of the shadow', k.indrelid IS NULL, 'fail', CASE WHEN k.indrelid IS NULL THEN 'none' ELSE 'there' END, 'there',
  'The shadow needs the key that the primary''s key becomes: ALTER TABLE … ADD PRIMARY KEY (…).') FROM pair LEFT JOIN keys k ON k.indrelid = p_shadow
UNION ALL SELECT crossfade.finding('types of the key', count(*) FILTER (WHERE NOT sortable) > 0, 'fail', coalesce(string_agg(name, ', ') FILTER (WHERE NOT sortable), 'all sortable'), 'all sortable',
  'A key column needs a type with an order (a btree operator class). Key the table by another column.')
  FROM (SELECT t.name, EXISTS (SELECT FROM pg_opclass o JOIN pg_am m ON m.oid = o.opcmethod AND m.amname = 'btree' WHERE o.opcdefault
    AND (o.opcintype = t.type OR EXISTS (SELECT FROM pg_type y WHERE y.oid = t.type AND (o.opcintype = y.typbasetype OR y.typtype IN ('e', 'd', 'r', 'c') OR y.typcategory IN ('S', 'A'))))) AS sortable FROM key_types t) k
UNION ALL SELECT crossfade.finding('types without equality', count(*) > 0, 'warn', coalesce(string_agg(format('%s %s', c.name, c.shown), ', ' ORDER BY c.name), 'none'), 'none',
  'They are compared byte by byte, which is exact; only your own queries cannot use = or DISTINCT on them. jsonb in place of json helps.')
  FROM columns c JOIN pg_type t ON t.oid = c.type WHERE NOT c.old AND t.typname IN ('json', 'xml', 'point', 'line', 'lseg', 'box', 'path', 'polygon', 'circle')
UNION ALL SELECT crossfade.finding('columns', count(*) FILTER (WHERE n.required AND NOT n.filled AND NOT n.generated) > 0, 'warn',
  format('%s new, without a source or default: %s', count(*), coalesce(string_agg(n.name, ', ' ORDER BY n.name) FILTER (WHERE n.required AND NOT n.filled AND NOT n.generated), 'none')), 'none without',
  'Say where they come from (columns: { name: { from | sql } }), or give them a default. crossfade plan checks it.')
  FROM columns n WHERE NOT n.old AND NOT EXISTS (SELECT FROM columns o WHERE o.old AND o.name = n.name)
UNION ALL SELECT crossfade.finding('columns that are dropped', count(*) > 0, 'warn', coalesce(string_agg(o.name, ', ' ORDER BY o.name), 'none'), 'none or renamed',
  'Renamed? Then declare { from }. Dropped on purpose? Rows born after promotion get its default when they go back.')
  FROM columns o WHERE o.old AND NOT EXISTS (SELECT FROM columns n WHERE NOT n.old AND n.name = o.name)
UNION ALL SELECT crossfade.finding('stricter columns', count(*) > 0, 'warn', coalesce(string_agg(n.name, ', ' ORDER BY n.name), 'none'), 'none',
  'NULL is allowed today and not in the new shape: such rows go into quarantine. Count them first, or use { sql: "coalesce(…)" }.')
  FROM columns n JOIN columns o ON o.old AND o.name = n.name WHERE NOT n.old AND n.required AND NOT o.required
UNION ALL SELECT crossfade.finding('constraints', count(*) > 0, 'warn', coalesce(string_agg(c.conname, ', ' ORDER BY c.conname), 'none new'), 'none new',
  'Rows that break them go into quarantine and hold the cutover. Count them first: SELECT count(*) FROM primary WHERE NOT (condition).')
  FROM pg_constraint c WHERE c.conrelid = p_shadow AND c.contype IN ('c', 'u', 'x') AND NOT EXISTS (SELECT FROM pg_constraint o
    WHERE o.conrelid = p_primary AND o.contype = c.contype AND pg_get_constraintdef(o.oid) = pg_get_constraintdef(c.oid))
UNION ALL SELECT crossfade.finding('constraints that are not valid', count(*) > 0, 'warn', coalesce(string_agg(c.conname, ', ' ORDER BY c.conname), 'none'), 'none',
  'ALTER TABLE … VALIDATE CONSTRAINT …: old rows may break it, and the planner does not trust it.')
  FROM pg_constraint c WHERE c.conrelid IN (p_primary, p_shadow) AND NOT c.convalidated
UNION ALL SELECT crossfade.finding('indexes', count(*) > 0, 'warn', coalesce(string_agg(format('%s (%s)', o.name, o.over), ', ' ORDER BY o.name), 'all have a counterpart'), 'all have a counterpart',
  'Queries that use them would be slower on the new table: create an index that begins with the same columns.')
  FROM indexes o WHERE o.old AND o.over IS NOT NULL
  -- Indexes that Crossfade has set aside until the copy is done are missing on purpose.
  AND NOT EXISTS (SELECT FROM crossfade.index_aside a WHERE a.shadow = p_shadow) AND NOT EXISTS (SELECT FROM indexes n WHERE NOT n.old AND n.over LIKE o.over || '%')
UNION ALL SELECT crossfade.finding('invalid indexes', count(*) > 0, 'warn', coalesce(string_agg(name, ', ' ORDER BY name), 'none'), 'none', 'A CREATE INDEX CONCURRENTLY failed: drop it, or REINDEX INDEX CONCURRENTLY.')
  FROM indexes WHERE NOT valid
UNION ALL SELECT crossfade.finding('room for keys', count(*) > 0, 'warn', coalesce(string_agg(format('%s %s %%', q.name, q.used), ', '), 'enough'), '80 % of the type',
  'The numbers end soon: let the new column be bigint, and its sequence AS bigint.')
  FROM (SELECT s.relname AS name, round(100.0 * CASE WHEN has_sequence_privilege(s.oid, 'USAGE') OR has_sequence_privilege(s.oid, 'SELECT') THEN pg_sequence_last_value(s.oid) END / least(x.seqmax, CASE a.atttypid WHEN 'int2'::regtype THEN 32767 WHEN 'int4'::regtype THEN 2147483647 ELSE x.seqmax END), 1) AS used
    FROM pg_depend d JOIN pg_class s ON s.oid = d.objid AND s.relkind = 'S' JOIN pg_sequence x ON x.seqrelid = s.oid
      JOIN pg_attribute a ON a.attrelid = d.refobjid AND a.attnum = d.refobjsubid
    WHERE d.classid = 'pg_class'::regclass AND d.refclassid = 'pg_class'::regclass AND d.refobjid = p_primary AND d.deptype IN ('a', 'i') AND x.seqincrement > 0) q
  WHERE q.used > 80
UNION ALL SELECT crossfade.finding('sequences that end before their column', count(*) > 0, 'warn', coalesce(string_agg(format('%s ends at %s', q.name, q.seqmax), ', ' ORDER BY q.name), 'none'), 'none',
  'nextval would fail there, although the column holds more: ALTER SEQUENCE … AS bigint MAXVALUE 9223372036854775807. crossfade plan says whether promotion does it.')
  FROM (SELECT DISTINCT s.oid::regclass::text AS name, x.seqmax FROM pg_attrdef f JOIN pg_attribute a ON a.attrelid = f.adrelid AND a.attnum = f.adnum
      JOIN pg_depend d ON (d.classid = 'pg_attrdef'::regclass AND d.objid = f.oid AND d.refclassid = 'pg_class'::regclass)
      JOIN pg_class s ON s.oid = d.refobjid AND s.relkind = 'S' JOIN pg_sequence x ON x.seqrelid = s.oid
    WHERE f.adrelid = p_shadow AND a.atttypid = 'int8'::regtype AND x.seqtypid <> 'int8'::regtype AND x.seqincrement > 0) q
UNION ALL SELECT crossfade.finding('collation versions', count(*) > 0, 'warn', coalesce(string_agg(l.collname, ', '), 'as they were made'), 'as they were made',
  'The library that sorts text changed after the indexes were made: REINDEX, then ALTER COLLATION … REFRESH VERSION.')
  FROM pg_collation l WHERE l.oid IN (SELECT c.collation FROM columns c) AND l.collversion IS DISTINCT FROM pg_collation_actual_version(l.oid)
UNION ALL SELECT crossfade.finding('types of extensions', false, 'warn', coalesce(string_agg(DISTINCT format('%s in schema %s', e.extname, e.extnamespace::regnamespace), ', '), 'none'), 'installed', 'The extension must be there wherever a backup is restored, in the same version.')
  FROM columns c JOIN pg_depend d ON d.classid = 'pg_type'::regclass AND d.objid = c.type AND d.deptype = 'e' JOIN pg_extension e ON e.oid = d.refobjid
UNION ALL SELECT crossfade.finding('empty shadow', NOT EXISTS (SELECT FROM crossfade.cutover c WHERE c.shadow_oid = p_shadow AND c.direction <> 'none')
  AND ((SELECT s.reltuples FROM pg_class s WHERE s.oid = p_shadow) > 0 OR pg_relation_size(p_shadow) > 0), 'warn', pg_relation_size(p_shadow) || ' bytes', '0 bytes',
  'Rows that are in the shadow are compared and corrected, which is slower than copying. TRUNCATE it if they are leftovers.')
$function$;

CREATE OR REPLACE FUNCTION crossfade.check_size(p_primary oid, p_shadow oid)
 RETURNS SETOF crossfade.finding
 LANGUAGE sql
 STABLE SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
WITH t AS (SELECT c.reltuples, pg_total_relation_size(c.oid) AS bytes, age(c.relfrozenxid) AS frozen, s.n_live_tup, s.n_dead_tup, s.last_vacuum, s.last_autovacuum,
    s.last_analyze, s.last_autoanalyze, coalesce(array_to_string(c.reloptions, ' ') LIKE '%autovacuum_enabled=false%', false) AS off
  FROM pg_class c LEFT JOIN pg_stat_all_tables s ON s.relid = c.oid WHERE c.oid = p_primary)
SELECT crossfade.finding('size of the table', bytes > 100::bigint << 30, 'warn', pg_size_pretty(bytes), '100 GB', 'Verification reads both tables whole. Leave the stages time for it.') FROM t
UNION ALL SELECT crossfade.finding('time of the copy', greatest(reltuples, n_live_tup) / 100000 > 6 * 3600, 'warn', format('about %s s', ceil(greatest(reltuples, n_live_tup, 0) / 100000)), '21600 s at 100000 rows/s',
  'Create secondary indexes after the copy, or begin before a quiet night; it can be stopped and goes on.') FROM t
UNION ALL SELECT crossfade.finding('room on disk', bytes > 10::bigint << 30, 'warn', format('about %s will be needed: the shadow and its WAL', pg_size_pretty(2 * bytes)), 'free space, which SQL cannot see', 'Compare with the free space of the volume; keep a fifth of it free.') FROM t
UNION ALL SELECT crossfade.finding('dead rows', n_dead_tup > 10000 AND n_dead_tup > 0.2 * (n_live_tup + n_dead_tup), 'warn', format('%s of %s rows', n_dead_tup, n_live_tup + n_dead_tup), '20 %', 'VACUUM it first: the copy reads dead rows, too.') FROM t
UNION ALL SELECT crossfade.finding('statistics', coalesce(last_analyze, last_autoanalyze) IS NULL AND reltuples < 0, 'warn', coalesce(to_char(greatest(last_analyze, last_autoanalyze), 'YYYY-MM-DD HH24:MI'), CASE WHEN reltuples < 0 THEN 'never' ELSE 'there' END), 'analysed once', 'ANALYZE it: without statistics nobody knows how many rows there are.') FROM t
UNION ALL SELECT crossfade.finding('autovacuum', off OR current_setting('autovacuum') <> 'on' OR current_setting('track_counts') <> 'on', 'warn', CASE WHEN off THEN 'off for the table' ELSE current_setting('autovacuum') END, 'on', 'The outbox is written and deleted all the time and needs it. Switch it on.') FROM t
UNION ALL SELECT crossfade.finding('age of transaction ids', frozen > 1500000000, 'warn', frozen::text, '1500000000', 'VACUUM (FREEZE) first: a vacuum against wraparound in the middle of the copy slows everything.') FROM t
UNION ALL SELECT crossfade.finding('locks on the tables', count(*) > 0, 'warn', coalesce(string_agg(format('pid %s waits for %s', l.pid, l.mode), ', '), 'none waits'), 'none waits', 'Somebody waits for a lock on one of the tables; capture would queue behind: SELECT pid, pg_blocking_pids(pid) FROM pg_locks WHERE NOT granted.')
  FROM pg_locks l WHERE l.relation IN (p_primary, p_shadow) AND NOT l.granted AND l.database = (SELECT d.oid FROM pg_database d WHERE d.datname = current_database()) AND NOT crossfade.is_ours(l.pid)
UNION ALL SELECT crossfade.finding('locks held on the tables', count(*) > 0, 'warn', coalesce(string_agg(format('%s on %s by %s', l.mode, l.relation::regclass, crossfade.session_shown(l.pid)), ', '), 'none'), 'none',
  'A VACUUM, an ANALYZE, an index that is being built or DDL is at work: the start waits for it. Let it end, or SELECT pg_cancel_backend(pid).')
  FROM pg_locks l WHERE l.relation IN (p_primary, p_shadow) AND l.granted AND l.mode IN ('ShareUpdateExclusiveLock', 'ShareLock', 'ShareRowExclusiveLock', 'ExclusiveLock', 'AccessExclusiveLock')
    AND l.database = (SELECT d.oid FROM pg_database d WHERE d.datname = current_database()) AND l.pid IS DISTINCT FROM pg_backend_pid() AND NOT crossfade.is_ours(l.pid)
$function$;

CREATE OR REPLACE FUNCTION crossfade.close_table(p_id text, p_table oid)
 RETURNS void
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
DECLARE
  v_table oid;
BEGIN
  FOR v_table IN SELECT t FROM crossfade.with_partitions(p_table) t LOOP
    EXECUTE format('CREATE OR REPLACE TRIGGER crossfade_read_only BEFORE INSERT OR UPDATE OR DELETE OR TRUNCATE ON %s
      FOR EACH STATEMENT EXECUTE FUNCTION crossfade.read_only_guard(%L)', v_table::regclass, p_id);
    EXECUTE format('ALTER TABLE ONLY %s ENABLE ALWAYS TRIGGER crossfade_read_only', v_table::regclass);
  END LOOP;
END $function$;

CREATE OR REPLACE FUNCTION crossfade.column_by_number(p_table oid, p_number integer, p_outbox text, p_column text)
 RETURNS text
 LANGUAGE sql
 STABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
  SELECT format('SELECT (($1).%I)::%s AS f1', a.attname, format_type(o.atttypid, o.atttypmod))
  FROM pg_attribute a, pg_attribute o
  WHERE a.attrelid = p_table AND a.attnum = p_number AND NOT a.attisdropped
    AND o.attrelid = p_outbox::regclass AND o.attname = p_column
$function$;

CREATE OR REPLACE FUNCTION crossfade.columns_stamp(p_id text)
 RETURNS jsonb
 LANGUAGE plpgsql
 STABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
 SET jit TO 'off'
AS $function$
BEGIN
  RETURN (SELECT s.stamps FROM crossfade.columns_stamps(ARRAY[p_id]) s);
END $function$;

CREATE OR REPLACE FUNCTION crossfade.columns_stamps(p_ids text[])
 RETURNS TABLE(id text, stamps jsonb)
 LANGUAGE plpgsql
 STABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
 SET plan_cache_mode TO 'force_generic_plan'
 SET jit TO 'off'
 SET enable_seqscan TO 'off'
 SET enable_hashjoin TO 'off'
 SET enable_mergejoin TO 'off'
AS $function$
BEGIN
  RETURN QUERY
  SELECT i.id, coalesce(jsonb_object_agg(o.oid, o.stamp) FILTER (WHERE o.oid IS NOT NULL), '{}') FROM unnest(p_ids) i(id) LEFT JOIN (
    SELECT c.id, t.oid, jsonb_build_object('file', t.relfilenode, 'columns',
      (SELECT jsonb_object_agg(a.attnum, a.xmin::text) FROM pg_attribute a WHERE a.attrelid = t.oid AND a.attnum > 0 AND NOT a.attisdropped))
      || CASE WHEN t.relkind = 'p' THEN crossfade.partition_stamps(t.oid) ELSE '{}' END AS stamp
    FROM crossfade.cutover c CROSS JOIN LATERAL (SELECT c.primary_oid UNION SELECT c.shadow_oid) x(oid) JOIN pg_class t ON t.oid = x.oid
    WHERE c.id = ANY (p_ids)) o ON o.id = i.id
  GROUP BY i.id;
END $function$;

CREATE OR REPLACE FUNCTION crossfade.columns_used(p_class regclass, p_object oid, p_table oid)
 RETURNS jsonb
 LANGUAGE plpgsql
 STABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
 SET plan_cache_mode TO 'force_generic_plan'
AS $function$
BEGIN RETURN (
  SELECT coalesce(jsonb_agg(DISTINCT a.attname), '[]') FROM pg_depend d
  JOIN pg_attribute a ON a.attrelid = d.refobjid AND a.attnum = d.refobjsubid
  WHERE d.classid = p_class AND d.objid = p_object AND d.refclassid = 'pg_class'::regclass AND d.refobjid = p_table AND d.refobjsubid > 0
); END $function$;

CREATE OR REPLACE FUNCTION crossfade.compared_again(p_id text)
 RETURNS boolean
 LANGUAGE sql
 STABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
  SELECT EXISTS (SELECT FROM crossfade.verification v JOIN crossfade.backfill b ON b.cutover = v.cutover
    WHERE v.cutover = p_id AND b.state = 'done' AND v.divergences = 0)
$function$;

CREATE OR REPLACE FUNCTION crossfade.control_backfill(p_id text, p_epoch bigint, p_action text)
 RETURNS jsonb
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
DECLARE
  v_have bigint;
  v_state text;
  v_next text;
BEGIN
  PERFORM pg_advisory_xact_lock_shared(crossfade.lock_key(p_id));
  SELECT c.epoch INTO v_have FROM crossfade.cutover c WHERE c.id = p_id;
  IF v_have IS DISTINCT FROM p_epoch THEN
    RETURN jsonb_build_object('kind', 'stale', 'have', coalesce(v_have, -1), 'got', p_epoch);
  END IF;
  -- Waits for the chunk that is being copied: after the answer nothing is copied any more.
  SELECT b.state INTO v_state FROM crossfade.backfill b WHERE b.cutover = p_id FOR UPDATE;
  v_next := CASE
    WHEN p_action = 'pause' AND v_state = 'running' THEN 'paused'
    WHEN p_action = 'cancel' AND v_state IN ('running', 'paused') THEN 'cancelled'
    WHEN p_action = 'resume' AND v_state IN ('paused', 'cancelled') THEN 'running' END;
  IF v_next IS NULL THEN
    RETURN jsonb_build_object('kind', 'unchanged', 'state', coalesce(v_state, 'none'));
  END IF;
  UPDATE crossfade.backfill b SET state = v_next WHERE b.cutover = p_id;
  IF v_next = 'cancelled' THEN
    -- What was copied stays, and is compared when the copy begins anew.
    UPDATE crossfade.backfill b SET copied_key = NULL, swept_key = NULL, upper_key = NULL, rows_done = 0, rate = NULL,
      shadow_had_rows = true WHERE b.cutover = p_id;
  END IF;
  RETURN jsonb_build_object('kind', 'changed', 'state', v_next);
END $function$;

CREATE OR REPLACE FUNCTION crossfade.creators(p_schema oid, p_tables oid[])
 RETURNS text[]
 LANGUAGE sql
 STABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
  SELECT array_agg(DISTINCT CASE x.grantee WHEN 0 THEN 'everybody' ELSE pg_get_userbyid(x.grantee)::text END) FROM pg_namespace n
  CROSS JOIN LATERAL (
    SELECT a.grantee FROM aclexplode(coalesce(n.nspacl, acldefault('n', n.nspowner))) a WHERE a.privilege_type = 'CREATE' UNION ALL SELECT n.nspowner) x
  WHERE n.oid = p_schema AND (x.grantee = 0 OR NOT crossfade.is_trusted(x.grantee, p_tables))
$function$;

CREATE OR REPLACE FUNCTION crossfade.database_oid()
 RETURNS oid
 LANGUAGE sql
 STABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$ SELECT d.oid FROM pg_database d WHERE d.datname = current_database() $function$;

CREATE OR REPLACE FUNCTION crossfade.ddl_rehearsal()
 RETURNS jsonb
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
 SET jit TO 'off'
AS $function$
DECLARE
  v_triggers text;
  v_table CONSTANT text := 'rehearsal_' || pg_backend_pid();
  v_at timestamptz;
  v_ms numeric;
  v_context text;
  v_by text;
  v_state text;
BEGIN
  SELECT string_agg(format('%I (function %s)', e.evtname, e.evtfoid::regproc), ', ' ORDER BY e.evtname) INTO v_triggers
  FROM pg_event_trigger e WHERE e.evtenabled IN ('O', 'A') AND e.evtevent IN ('ddl_command_start', 'ddl_command_end', 'sql_drop', 'table_rewrite');
  IF v_triggers IS NULL OR current_setting('event_triggers', true) = 'off' THEN RETURN NULL; END IF;
  BEGIN
    EXECUTE format('CREATE TABLE crossfade.%I (a0 integer CONSTRAINT %I PRIMARY KEY)', v_table, v_table || '_key');
    FOR i IN 1 .. 3 LOOP
      v_at := clock_timestamp();
      EXECUTE format('ALTER TABLE crossfade.%I RENAME COLUMN a%s TO a%s', v_table, i - 1, i);
      v_ms := least(v_ms, 1000 * extract(epoch FROM clock_timestamp() - v_at));
    END LOOP;
    EXECUTE format('CREATE TRIGGER %I BEFORE UPDATE ON crossfade.%I FOR EACH ROW EXECUTE FUNCTION suppress_redundant_updates_trigger()', v_table, v_table);
    EXECUTE format('CREATE VIEW crossfade.%I AS SELECT 1 AS a', v_table || '_view');
    EXECUTE format('DROP VIEW crossfade.%I', v_table || '_view');
    EXECUTE format('ALTER TABLE crossfade.%I RENAME TO %I', v_table, v_table || '_old');
    EXECUTE format('DROP TABLE crossfade.%I', v_table || '_old');
    RAISE EXCEPTION 'all of it is undone' USING ERRCODE = 'CF013';
  EXCEPTION
    WHEN SQLSTATE 'CF013' THEN NULL;
    WHEN OTHERS THEN
      GET STACKED DIAGNOSTICS v_context = PG_EXCEPTION_CONTEXT, v_state = RETURNED_SQLSTATE;
      v_by := nullif(substring(v_context FROM '(?n)^PL/\w+ function ([^\s(]+)'), 'crossfade.ddl_rehearsal');
      -- A right or a lock that is missing is no word of an event trigger.
      IF v_by IS NULL THEN RAISE; END IF;
  END;
  RETURN jsonb_build_object('triggers', v_triggers, 'ms', round(v_ms, 1), 'raised', v_state, 'by', v_by);
END $function$;

CREATE OR REPLACE FUNCTION crossfade.demand_newer_snapshots(p_table oid)
 RETURNS void
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
DECLARE
  v_table oid;
BEGIN
  FOR v_table IN SELECT t FROM crossfade.with_partitions(p_table) t LOOP
    EXECUTE format('DROP TRIGGER IF EXISTS crossfade_snapshot ON %s', v_table::regclass);
    EXECUTE format($t$CREATE TRIGGER crossfade_snapshot BEFORE INSERT OR UPDATE OR DELETE ON %s FOR EACH STATEMENT
      WHEN (pg_catalog.current_setting('transaction_isolation') <> 'read committed') EXECUTE FUNCTION crossfade.refuse_older_snapshot(%L)$t$,
      v_table::regclass, pg_current_xact_id()::text);
  END LOOP;
END $function$;

CREATE OR REPLACE FUNCTION crossfade.dependents(p_primary oid, p_shadow oid)
 RETURNS jsonb
 LANGUAGE plpgsql
 STABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
 SET plan_cache_mode TO 'force_generic_plan'
AS $function$
BEGIN RETURN (
  SELECT jsonb_build_object(
    'primary', crossfade.table_facts(p_primary), 'shadow', crossfade.table_facts(p_shadow),
    -- Names that are taken where new ones will be needed: relations and types share one space per schema. A cut name keeps 50 bytes or more.
    'taken', (
      SELECT coalesce(jsonb_agg(DISTINCT x.name), '[]') FROM pg_class t JOIN pg_class h ON h.oid = p_primary
      JOIN LATERAL (
        SELECT c.relname AS name FROM pg_class c WHERE c.relnamespace = h.relnamespace
        UNION SELECT y.typname FROM pg_type y WHERE y.typnamespace = h.relnamespace
      ) x ON starts_with(x.name::text, CASE WHEN octet_length(t.relname::text) > 50 THEN left(t.relname::text, 12) ELSE t.relname::text END)
        -- What a shadow of another schema takes along into that of the primary.
        OR (t.relnamespace <> h.relnamespace AND x.name IN (SELECT c.relname FROM pg_depend d JOIN pg_class c ON c.oid = d.objid AND c.relkind IN ('i', 'I', 'S')
          WHERE d.classid = 'pg_class'::regclass AND d.refclassid = 'pg_class'::regclass AND d.refobjid = t.oid
          UNION SELECT c.relname FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid WHERE i.indrelid = t.oid))
      WHERE t.oid IN (p_primary, p_shadow)))
); END $function$;

CREATE OR REPLACE FUNCTION crossfade.discard_quarantined(p_id text, p_key text)
 RETURNS integer
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
DECLARE
  v_count integer;
BEGIN
  DELETE FROM crossfade.quarantine q WHERE q.cutover = p_id AND q.key::jsonb = p_key::jsonb;
  GET DIAGNOSTICS v_count = ROW_COUNT;
  RETURN v_count;
END $function$;

CREATE OR REPLACE FUNCTION crossfade.drain(p_id text, p_epoch bigint, p_most integer, p_rest integer)
 RETURNS integer
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
DECLARE
  v_left integer;
  v_before integer;
  v_put_off integer;
  v_unnamed boolean;
  v_done integer := 0;
  v_result jsonb;
  v_why text;
BEGIN
  LOOP
    EXECUTE format('SELECT count(*), count(*) FILTER (WHERE o.not_before > clock_timestamp()), coalesce(bool_or(o.op = ''S''), false)
      FROM (SELECT op, not_before FROM crossfade.%I LIMIT %s) o', 'outbox_' || p_id, p_most + 1)
    INTO v_left, v_put_off, v_unnamed;
    -- A sweep is not begun here: it takes longer than a swap may, and it would wait for a chunk of the copy.
    IF v_unnamed OR EXISTS (SELECT FROM crossfade.missed m WHERE m.cutover = p_id) THEN
      RAISE EXCEPTION 'changes left no key, so both tables must be swept first. The writer begins the sweep by itself' USING ERRCODE = 'CF003';
    END IF;
    EXIT WHEN v_left = 0;
    EXIT WHEN v_done > 0 AND v_put_off = 0 AND v_left <= p_rest AND (v_left <= p_rest / 5 OR v_left >= v_before);
    IF v_done + v_left > p_most THEN
      RAISE EXCEPTION '% or more changes came while it was tried, and a swap takes at most % with it. It is tried again; the writer applies what waits, and a pause of the application''s writes, or of a load that is under way, releases it',
        v_done + v_left, p_most USING ERRCODE = 'CF003';
    END IF;
    -- A change that is put off is not due for up to some seconds; nobody waits for it here.
    IF v_put_off = 0 THEN
      EXECUTE format('SELECT crossfade.%I($1, $2)', 'converge_' || p_id) INTO v_result USING p_epoch, least(p_most, 500);
      IF (v_result ->> 'claimed')::integer IS DISTINCT FROM 0
        AND (v_result ->> 'postponed')::integer = 0 AND (v_result ->> 'quarantined')::integer = 0 THEN
        v_done := v_done + coalesce((v_result ->> 'claimed')::integer, v_left);
        v_before := v_left;
        CONTINUE;
      END IF;
    END IF;
    RAISE EXCEPTION '% changes could not be applied yet. Each is tried five times within some seconds, and then it is applied or in quarantine with its reason',
      CASE WHEN v_put_off > 0 THEN v_put_off ELSE v_left END USING ERRCODE = 'CF003';
  END LOOP;
  -- In both directions: a row that changed without a hint would be missing on the other side.
  SELECT b.sweep_why INTO v_why FROM crossfade.backfill b WHERE b.cutover = p_id AND b.state <> 'done' AND b.sweep_why IS NOT NULL;
  IF FOUND THEN
    RAISE EXCEPTION 'a sweep of both tables is not done: %', v_why USING ERRCODE = 'CF003';
  END IF;
  RETURN v_done;
END $function$;

CREATE OR REPLACE FUNCTION crossfade.drop_companion_triggers(p_id text)
 RETURNS void
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
DECLARE
  v record;
BEGIN
  FOR v IN SELECT g.tgname AS name, g.tgrelid::regclass AS relation FROM pg_trigger g JOIN pg_proc f ON f.oid = g.tgfoid
    WHERE f.pronamespace = 'crossfade'::regnamespace AND f.proname = 'companion_' || p_id ORDER BY g.tgrelid
  LOOP
    EXECUTE format('DROP TRIGGER %I ON %s', v.name, v.relation);
  END LOOP;
END $function$;

CREATE OR REPLACE FUNCTION crossfade.drop_partition_triggers(p_id text, p_strays boolean DEFAULT false)
 RETURNS void
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
DECLARE
  v record;
  v_roots regclass[] := '{}';
BEGIN
  FOR v IN
    SELECT g.tgname AS name, g.tgrelid::regclass AS relation, pg_partition_root(g.tgrelid) AS root
    FROM crossfade.cutover c CROSS JOIN pg_trigger g JOIN pg_proc f ON f.oid = g.tgfoid AND f.pronamespace = 'crossfade'::regnamespace
    WHERE c.id = p_id AND (f.proname IN ('truncated_' || p_id, 'guard_' || p_id)
        OR (f.proname = 'read_only_guard' AND split_part(encode(g.tgargs, 'escape'), '\000', 1) = p_id)
        -- The transaction that exchanged the tables says of which they are.
        OR (f.proname = 'refuse_older_snapshot' AND g.tgargs IN (SELECT r.tgargs FROM pg_trigger r WHERE r.tgrelid IN (c.primary_oid, c.shadow_oid) AND r.tgfoid = f.oid)))
      AND g.tgparentid = 0 AND g.tgrelid NOT IN (c.primary_oid, c.shadow_oid)
      AND NOT (p_strays AND coalesce(pg_partition_root(g.tgrelid)::oid IN (c.primary_oid, c.shadow_oid), false))
  LOOP
    -- In the order in which a statement of the application takes both.
    IF v.root IS NOT NULL AND v.root <> ALL (v_roots) THEN
      EXECUTE format('LOCK TABLE ONLY %s IN ACCESS EXCLUSIVE MODE', v.root);
      v_roots := v_roots || v.root;
    END IF;
    EXECUTE format('DROP TRIGGER %I ON %s', v.name, v.relation);
  END LOOP;
END $function$;

CREATE OR REPLACE FUNCTION crossfade.drop_read_only(p_id text)
 RETURNS void
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
 SET lock_timeout TO '100ms'
AS $function$
DECLARE
  v_table oid;
BEGIN
  FOR v_table IN SELECT t.tgrelid FROM crossfade.cutover c CROSS JOIN LATERAL (VALUES (c.primary_oid), (c.shadow_oid)) x(oid)
    CROSS JOIN LATERAL crossfade.with_partitions(x.oid) w(oid) JOIN pg_trigger t ON t.tgrelid = w.oid
    WHERE c.id = p_id AND t.tgname = 'crossfade_read_only' AND t.tgnargs > 1 AND c.read_only_until IS NULL
  LOOP
    EXECUTE format('DROP TRIGGER IF EXISTS crossfade_read_only ON %s', v_table::regclass);
  END LOOP;
EXCEPTION WHEN lock_not_available THEN
  NULL;
END $function$;

CREATE OR REPLACE FUNCTION crossfade.end_batch(p_id text, p_number bigint)
 RETURNS boolean
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
BEGIN
  UPDATE crossfade.batch b SET until = '-infinity' WHERE b.cutover = p_id AND b.number = p_number;
  RETURN FOUND;
END $function$;

CREATE OR REPLACE FUNCTION crossfade.end_chunk(p_id text, p_number bigint, p_from text[], p_to text[], p_rows bigint, p_begun text, p_took_ms double precision)
 RETURNS boolean
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
DECLARE
  v_moved boolean;
BEGIN
  UPDATE crossfade.backfill b SET copied_key = p_to, swept_key = p_to, rows_done = b.rows_done + p_rows, updated_at = clock_timestamp(),
    state = CASE WHEN p_to IS NULL THEN 'done' ELSE b.state END, rate = coalesce(0.9 * b.rate + 0.1 * r.now, r.now)
  FROM (SELECT 1000 * p_rows / greatest(1, p_took_ms) AS now) r
  -- A sweep that began meanwhile begins at the first key again.
  WHERE b.cutover = p_id AND b.state = 'running' AND b.updated_at = p_begun::timestamptz AND b.copied_key IS NOT DISTINCT FROM p_from
    AND EXISTS (SELECT FROM crossfade.batch x WHERE x.cutover = p_id AND x.number = p_number);
  v_moved := FOUND;
  PERFORM crossfade.end_batch(p_id, p_number);
  RETURN v_moved;
END $function$;

CREATE OR REPLACE FUNCTION crossfade.end_newer_snapshots(p_table oid, p_elders text[])
 RETURNS boolean
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
 SET lock_timeout TO '100ms'
AS $function$
DECLARE
  v_table oid;
BEGIN
  IF EXISTS (SELECT FROM pg_locks l WHERE l.locktype = 'virtualxid' AND l.virtualtransaction = ANY (p_elders)) THEN RETURN false; END IF;
  FOR v_table IN SELECT t FROM crossfade.with_partitions(p_table) t LOOP
    EXECUTE format('DROP TRIGGER IF EXISTS crossfade_snapshot ON %s', v_table::regclass);
  END LOOP;
  RETURN true;
EXCEPTION WHEN lock_not_available THEN
  RETURN false;
END $function$;

CREATE OR REPLACE FUNCTION crossfade.end_range(p_id text, p_epoch bigint, p_number bigint, p_from text[], p_to text[], p_rows bigint, p_divergences bigint, p_samples jsonb, p_diverged text[], p_at_ms bigint)
 RETURNS jsonb
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
DECLARE
  c_samples CONSTANT integer := 20;
  c_keys CONSTANT integer := 10000;
  v crossfade.remote_pass%ROWTYPE;
BEGIN
  -- Later batches may have been written while the range was read: then it says nothing, and is read again.
  IF NOT crossfade.end_batch(p_id, p_number) THEN RETURN jsonb_build_object('kind', 'busy'); END IF;
  UPDATE crossfade.remote_pass r SET seen_key = p_to, rows = r.rows + p_rows, divergences = r.divergences + p_divergences,
    samples = (SELECT coalesce(jsonb_agg(s.sample ORDER BY s.place), '[]') FROM jsonb_array_elements(r.samples || p_samples) WITH ORDINALITY s(sample, place) WHERE s.place <= c_samples),
    diverged = (r.diverged || p_diverged)[1:c_keys]
  WHERE r.cutover = p_id AND r.seen_key IS NOT DISTINCT FROM p_from AND EXISTS (SELECT FROM crossfade.verification_pass p WHERE p.cutover = p_id AND p.state = 'running' AND p.epoch = p_epoch)
  RETURNING * INTO v;
  IF NOT FOUND THEN RETURN jsonb_build_object('kind', 'busy'); END IF;
  IF p_to IS NOT NULL THEN
    RETURN jsonb_build_object('kind', 'running', 'rowsDone', v.rows, 'rowsTotal', greatest(v.rows, (SELECT b.rows_total FROM crossfade.backfill b WHERE b.cutover = p_id)));
  END IF;
  UPDATE crossfade.verification_pass p SET state = 'done' WHERE p.cutover = p_id;
  INSERT INTO crossfade.verification AS x (cutover, epoch, rows_compared, divergences, score, at_ms, samples, tier)
  SELECT p_id, p_epoch, v.rows, v.divergences, CASE WHEN v.rows = 0 THEN CASE WHEN v.divergences = 0 THEN 1 ELSE 0 END
    ELSE greatest(0, 1 - v.divergences::double precision / v.rows) END, p_at_ms, v.samples, p.tier FROM crossfade.verification_pass p WHERE p.cutover = p_id
  ON CONFLICT (cutover) DO UPDATE SET epoch = EXCLUDED.epoch, rows_compared = EXCLUDED.rows_compared, divergences = EXCLUDED.divergences,
    score = EXCLUDED.score, samples = EXCLUDED.samples, at_ms = EXCLUDED.at_ms, tier = EXCLUDED.tier;
  UPDATE crossfade.backfill b SET sweep_why = NULL WHERE b.cutover = p_id AND b.sweep_why IS NOT NULL AND v.divergences = 0;
  RETURN (SELECT jsonb_build_object('kind', 'verified', 'rowsCompared', x.rows_compared, 'divergences', x.divergences, 'score', x.score,
    'atMs', x.at_ms, 'samples', x.samples) FROM crossfade.verification x WHERE x.cutover = p_id);
END $function$;

CREATE OR REPLACE FUNCTION crossfade.end_read_only(p_id text)
 RETURNS boolean
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
BEGIN
  UPDATE crossfade.cutover c SET read_only_until = NULL, read_only_ended = clock_timestamp() WHERE c.id = p_id AND c.read_only_until IS NOT NULL;
  RETURN FOUND;
END $function$;

CREATE OR REPLACE FUNCTION crossfade.finding(p_check text, p_bad boolean, p_status text, p_value text, p_limit text, p_remedy text)
 RETURNS crossfade.finding
 LANGUAGE sql
 IMMUTABLE PARALLEL SAFE
AS $function$
  SELECT ROW(p_check, CASE WHEN p_bad THEN p_status WHEN p_bad IS NULL THEN 'warn' ELSE 'pass' END, coalesce(p_value, 'unknown'), p_limit,
    CASE WHEN p_bad IS NOT FALSE THEN p_remedy ELSE '' END)::crossfade.finding
$function$;

CREATE OR REPLACE FUNCTION crossfade.fit_sequence(p_sequence text, p_type text, p_min bigint, p_max bigint, p_table text, p_column text)
 RETURNS void
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
DECLARE
  v pg_sequence%ROWTYPE;
  v_at bigint;
  v_furthest bigint;
BEGIN
  SELECT q.* INTO v FROM pg_sequence q WHERE q.seqrelid = to_regclass(p_sequence);
  -- Somebody dropped or renamed it since: nothing of it keeps the swap.
  IF NOT FOUND THEN RETURN; END IF;
  EXECUTE format('SELECT last_value FROM %s', v.seqrelid::regclass) INTO v_at;
  IF v_at NOT BETWEEN p_min AND p_max THEN
    IF p_table IS NULL THEN RETURN; END IF;
    EXECUTE format('SELECT %s(%I) FROM %s WHERE %2$I BETWEEN $1 AND $2', CASE WHEN v.seqincrement < 0 THEN 'min' ELSE 'max' END, p_column, p_table)
      INTO v_furthest USING p_min, p_max;
    PERFORM setval(v.seqrelid::regclass, coalesce(v_furthest, v.seqstart), v_furthest IS NOT NULL);
  END IF;
  EXECUTE format('ALTER SEQUENCE %s AS %s MINVALUE %s MAXVALUE %s', v.seqrelid::regclass, p_type::regtype, p_min, p_max);
END $function$;

CREATE OR REPLACE FUNCTION crossfade.follow_partitions(p_id text)
 RETURNS void
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
 SET quote_all_identifiers TO 'off'
AS $function$
DECLARE
  v record;
BEGIN
  -- A table that is no partition any more keeps what is not a clone.
  PERFORM crossfade.drop_partition_triggers(p_id, true);
  FOR v IN
    SELECT x.oid::regclass AS partition, g.tgname AS name, g.tgenabled AS enabled, o.oid IS NULL AS missing,
      split_part(pg_get_triggerdef(g.oid), format(' ON %s ', g.tgrelid::regclass), 1) AS before, split_part(pg_get_triggerdef(g.oid), format(' ON %s ', g.tgrelid::regclass), 2) AS after
    FROM crossfade.cutover c JOIN pg_class t ON t.oid IN (c.primary_oid, c.shadow_oid) AND t.relkind = 'p'
      CROSS JOIN LATERAL (SELECT p.relid AS oid FROM pg_partition_tree(t.oid) p WHERE p.level > 0) x JOIN pg_class k ON k.oid = x.oid AND k.relkind IN ('r', 'p')
      JOIN pg_trigger g ON g.tgrelid = t.oid AND NOT g.tgisinternal JOIN pg_proc f ON f.oid = g.tgfoid AND f.pronamespace = 'crossfade'::regnamespace
      LEFT JOIN pg_trigger o ON o.tgrelid = x.oid AND o.tgname = g.tgname
    -- 1: it is one for rows, which Postgres clones.
    WHERE c.id = p_id AND CASE WHEN o.oid IS NULL THEN g.tgtype & 1 = 0 ELSE o.tgenabled <> g.tgenabled END
    ORDER BY x.oid, g.tgname
  LOOP
    IF v.missing THEN EXECUTE format('%s ON %s %s', v.before, v.partition, v.after); END IF;
    IF v.enabled = 'A' THEN
      EXECUTE format('ALTER TABLE ONLY %s ENABLE ALWAYS TRIGGER %I', v.partition, v.name);
    ELSIF NOT v.missing THEN
      EXECUTE format('ALTER TABLE ONLY %s ENABLE TRIGGER %I', v.partition, v.name);
    END IF;
  END LOOP;
END $function$;

CREATE OR REPLACE FUNCTION crossfade.foreign_key(p_constraint oid)
 RETURNS jsonb
 LANGUAGE plpgsql
 STABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
 SET plan_cache_mode TO 'force_generic_plan'
AS $function$
BEGIN RETURN (
  SELECT jsonb_build_object(
    'name', c.conname,
    'table', jsonb_build_object('oid', r.oid::bigint, 'schema', rn.nspname, 'name', r.relname, 'relkind', r.relkind,
      'ours', pg_has_role(r.relowner, 'USAGE')),
    'columns', (SELECT jsonb_agg(a.attname ORDER BY k.place) FROM unnest(c.conkey) WITH ORDINALITY k(attnum, place)
      JOIN pg_attribute a ON a.attrelid = c.conrelid AND a.attnum = k.attnum),
    'types', (SELECT jsonb_agg(format_type(a.atttypid, NULL) ORDER BY k.place) FROM unnest(c.conkey) WITH ORDINALITY k(attnum, place)
      JOIN pg_attribute a ON a.attrelid = c.conrelid AND a.attnum = k.attnum),
    'references', jsonb_build_object('oid', f.oid::bigint, 'schema', fn.nspname, 'name', f.relname, 'ours', pg_has_role(f.relowner, 'USAGE')),
    'referencedColumns', (SELECT jsonb_agg(a.attname ORDER BY k.place) FROM unnest(c.confkey) WITH ORDINALITY k(attnum, place)
      JOIN pg_attribute a ON a.attrelid = c.confrelid AND a.attnum = k.attnum),
    'match', c.confmatchtype, 'onUpdate', c.confupdtype, 'onDelete', c.confdeltype,
    -- SET NULL (columns) came with version 15, NOT ENFORCED and PERIOD with 18.
    'setColumns', (SELECT jsonb_agg(a.attname ORDER BY a.attnum) FROM jsonb_array_elements_text(
        CASE jsonb_typeof(to_jsonb(c) -> 'confdelsetcols') WHEN 'array' THEN to_jsonb(c) -> 'confdelsetcols' ELSE '[]' END) s(attnum)
      JOIN pg_attribute a ON a.attrelid = c.conrelid AND a.attnum = s.attnum::int2),
    'enforced', coalesce((to_jsonb(c) ->> 'conenforced')::boolean, true),
    'period', coalesce((to_jsonb(c) ->> 'conperiod')::boolean, false),
    'inherited', c.conparentid <> 0,
    'deferrable', c.condeferrable, 'deferred', c.condeferred, 'validated', c.convalidated,
    'comment', obj_description(c.oid, 'pg_constraint'))
  FROM pg_constraint c
  JOIN pg_class r ON r.oid = c.conrelid JOIN pg_namespace rn ON rn.oid = r.relnamespace
  JOIN pg_class f ON f.oid = c.confrelid JOIN pg_namespace fn ON fn.oid = f.relnamespace
  WHERE c.oid = p_constraint
); END $function$;

CREATE OR REPLACE FUNCTION crossfade.functions_of(p_table oid, p_expressions text[], p_path text)
 RETURNS oid[]
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
 SET jit TO 'off'
AS $function$
DECLARE
  v_view CONSTANT text := 'crossfade.look_' || pg_backend_pid();
  v_expression text;
  v_found oid[] := '{}';
BEGIN
  PERFORM set_config('search_path', p_path, true);
  FOREACH v_expression IN ARRAY p_expressions LOOP
    EXECUTE format('CREATE VIEW %s AS SELECT ROW(%s) IS NULL AS c FROM %s AS p', v_view, v_expression, p_table::regclass);
    v_found := v_found || (SELECT coalesce(array_agg(DISTINCT CASE m[1] WHEN 'funcid' THEN m[2]::oid ELSE o.oprcode::oid END), '{}')
      FROM pg_rewrite r CROSS JOIN LATERAL regexp_matches(r.ev_action::text, ':(funcid|opno) (\d+)', 'g') m
      LEFT JOIN pg_operator o ON m[1] = 'opno' AND o.oid = m[2]::oid
      WHERE r.ev_class = v_view::regclass);
    EXECUTE format('DROP VIEW %s', v_view);
  END LOOP;
  RETURN v_found;
END $function$;

CREATE OR REPLACE FUNCTION crossfade.give_key_back(p_id text, p_name text)
 RETURNS text
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
DECLARE
  c_actions CONSTANT jsonb := '{"a": "NO ACTION", "r": "RESTRICT", "c": "CASCADE", "n": "SET NULL", "d": "SET DEFAULT"}';
  c_matches CONSTANT jsonb := '{"f": "FULL", "p": "PARTIAL", "s": "SIMPLE"}';
  v crossfade.key_aside%ROWTYPE;
  v_key jsonb;
BEGIN
  PERFORM pg_advisory_xact_lock(crossfade.lock_key(p_id));
  IF EXISTS (SELECT FROM crossfade.cutover c WHERE c.id = p_id AND c.direction <> 'none') THEN
    RAISE EXCEPTION 'cutover % is under way: its promotion or rollback gives foreign keys back', p_id USING ERRCODE = 'CF001';
  END IF;
  SELECT * INTO v FROM crossfade.key_aside a WHERE a.cutover = p_id AND a.name = p_name;
  IF NOT FOUND THEN RETURN NULL; END IF;
  v_key := crossfade.key_now(v.key, p_id, false);
  EXECUTE format('ALTER TABLE %s ADD CONSTRAINT %I FOREIGN KEY (%s) REFERENCES %s (%s) MATCH %s ON UPDATE %s ON DELETE %s%s%s%s', v.shadow, v.name,
    crossfade.name_list(v_key -> 'columns'), (v_key -> 'references' ->> 'oid')::oid::regclass, crossfade.name_list(v_key -> 'referencedColumns'),
    c_matches ->> (v_key ->> 'match'), c_actions ->> (v_key ->> 'onUpdate'), c_actions ->> (v_key ->> 'onDelete'), ' (' || crossfade.name_list(v_key -> 'setColumns') || ')',
    CASE WHEN (v_key ->> 'deferrable')::boolean THEN ' DEFERRABLE INITIALLY ' || CASE WHEN (v_key ->> 'deferred')::boolean THEN 'DEFERRED' ELSE 'IMMEDIATE' END END,
    -- On a partitioned table every row is read at once, so it comes back by itself only to one without rows.
    CASE WHEN (SELECT c.relkind FROM pg_class c WHERE c.oid = v.shadow) = 'r' THEN ' NOT VALID' END);
  IF v.key ->> 'comment' IS NOT NULL THEN EXECUTE format('COMMENT ON CONSTRAINT %I ON %s IS %L', v.name, v.shadow, v.key ->> 'comment'); END IF;
  DELETE FROM crossfade.key_aside a WHERE a.cutover = p_id AND a.name = p_name;
  RETURN CASE WHEN (v.key ->> 'validated')::boolean THEN format('ALTER TABLE %s VALIDATE CONSTRAINT %I', v.shadow, v.name) END;
END $function$;

CREATE OR REPLACE FUNCTION crossfade.give_privileges(p_relation regclass, p_grants jsonb, p_columns jsonb)
 RETURNS void
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
DECLARE
  v_grant record;
BEGIN
  FOR v_grant IN SELECT DISTINCT CASE a.grantee WHEN 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(a.grantee)) END AS grantee
    FROM pg_class c, aclexplode(c.relacl) a WHERE c.oid = p_relation AND a.grantee <> c.relowner
  LOOP
    EXECUTE format('REVOKE ALL ON TABLE %s FROM %s', p_relation, v_grant.grantee);
  END LOOP;
  FOR v_grant IN SELECT g.grantee, g.privilege, g.grantable, NULL AS name FROM jsonb_to_recordset(p_grants) g(grantee text, privilege text, grantable boolean)
    UNION ALL SELECT g.grantee, g.privilege, g.grantable, c.name FROM jsonb_to_recordset(p_columns) c(name text, grants jsonb),
      LATERAL jsonb_to_recordset(c.grants) g(grantee text, privilege text, grantable boolean)
  LOOP
    EXECUTE format('GRANT %s%s ON TABLE %s TO %s%s', v_grant.privilege, CASE WHEN v_grant.name IS NULL THEN '' ELSE format(' (%I)', v_grant.name) END, p_relation, v_grant.grantee,
      CASE WHEN v_grant.grantable THEN ' WITH GRANT OPTION' ELSE '' END);
  END LOOP;
END $function$;

CREATE OR REPLACE FUNCTION crossfade.grant_runtime(p_id text)
 RETURNS void
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
DECLARE
  v_function regprocedure;
BEGIN
  IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'crossfade_runtime') THEN RETURN; END IF;
  FOR v_function IN SELECT p.oid FROM pg_proc p WHERE p.pronamespace = 'crossfade'::regnamespace
    AND p.proname IN (SELECT w || '_' || p_id FROM unnest('{converge,turn,backfill,verify,repair,retry,claim,settle,chunk}'::text[]) w)
  LOOP
    EXECUTE format('GRANT EXECUTE ON FUNCTION %s TO crossfade_runtime', v_function);
  END LOOP;
END $function$;

CREATE OR REPLACE FUNCTION crossfade.grants(p_acl aclitem[], p_kind "char", p_owner oid)
 RETURNS jsonb
 LANGUAGE plpgsql
 STABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
 SET plan_cache_mode TO 'force_generic_plan'
AS $function$
BEGIN RETURN (
  SELECT coalesce(jsonb_agg(DISTINCT jsonb_build_object(
    'grantee', CASE a.grantee WHEN 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(a.grantee)) END,
    'privilege', a.privilege_type, 'grantable', a.is_grantable)), '[]')
  FROM aclexplode(coalesce(p_acl, acldefault(p_kind, p_owner))) a WHERE a.grantee <> p_owner
); END $function$;

CREATE OR REPLACE FUNCTION crossfade.hand_over(p_id text, p_from_epoch bigint, p_to_epoch bigint, p_version bigint, p_stage text)
 RETURNS void
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
DECLARE
  v crossfade.cutover%ROWTYPE;
  v_waits boolean;
  v_compared crossfade.verification%ROWTYPE;
  v_table oid;
  v_name name;
BEGIN
  PERFORM pg_advisory_xact_lock(crossfade.lock_key(p_id));
  SELECT * INTO v FROM crossfade.cutover c WHERE c.id = p_id;
  IF v.epoch IS DISTINCT FROM p_from_epoch OR v.direction = 'none' OR v.abandoned >= p_version THEN
    RAISE EXCEPTION 'cutover % has left epoch %, or this was given up', p_id, p_from_epoch USING ERRCODE = 'CF016';
  END IF;
  EXECUTE format('LOCK TABLE %s IN SHARE ROW EXCLUSIVE MODE', v.primary_oid::regclass);
  EXECUTE format('SELECT EXISTS (SELECT FROM crossfade.%I) OR EXISTS (SELECT FROM crossfade.missed m WHERE m.cutover = %L)', 'outbox_' || p_id, p_id) INTO v_waits;
  IF v_waits THEN RAISE EXCEPTION 'some changes are not on the other side yet' USING ERRCODE = 'CF016'; END IF;
  IF EXISTS (SELECT FROM crossfade.quarantine q WHERE q.cutover = p_id) THEN
    RAISE EXCEPTION 'keys are in quarantine, so the other side has not got them' USING ERRCODE = 'CF016';
  END IF;
  IF EXISTS (SELECT FROM crossfade.backfill b WHERE b.cutover = p_id AND (b.state <> 'done' OR b.sweep_why IS NOT NULL)) THEN
    RAISE EXCEPTION 'rows are being copied, or were not compared since' USING ERRCODE = 'CF016';
  END IF;
  SELECT * INTO v_compared FROM crossfade.verification x WHERE x.cutover = p_id;
  IF v.direction = 'forward' AND (v_compared.epoch IS DISTINCT FROM p_from_epoch OR v_compared.divergences > 0) THEN
    RAISE EXCEPTION 'both sides were not found equal: %', CASE WHEN v_compared.epoch = p_from_epoch THEN format('%s divergences at the last comparison', v_compared.divergences) ELSE 'they were not compared yet' END USING ERRCODE = 'CF016';
  END IF;
  PERFORM crossfade.refuse_changed_shape(p_id);
  PERFORM crossfade.close_table(p_id, v.primary_oid);
  -- What the mover writes here from now on is no change of the application. To drop them would lock out readers.
  FOR v_table, v_name IN SELECT g.tgrelid, g.tgname FROM crossfade.with_partitions(v.primary_oid) w(oid) JOIN pg_trigger g ON g.tgrelid = w.oid
    WHERE g.tgname IN ('crossfade_capture', 'crossfade_truncated')
  LOOP
    EXECUTE format('ALTER TABLE ONLY %s DISABLE TRIGGER %I', v_table::regclass, v_name);
  END LOOP;
  UPDATE crossfade.cutover c SET epoch = p_to_epoch, version = p_version, stage = p_stage, read_only_until = NULL,
    direction = CASE c.direction WHEN 'forward' THEN 'reverse' ELSE 'none' END, shadow_writes = c.direction = 'forward' WHERE c.id = p_id;
END $function$;

CREATE OR REPLACE FUNCTION crossfade.hold_batch(p_id text, p_number bigint)
 RETURNS void
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
BEGIN
  IF NOT pg_try_advisory_xact_lock(crossfade.lock_key('batch:' || p_id)) OR NOT EXISTS (SELECT FROM crossfade.batch b WHERE b.cutover = p_id AND b.number = p_number) THEN
    RAISE EXCEPTION 'batch % of cutover % was overtaken by a later one', p_number, p_id USING ERRCODE = 'CF015';
  END IF;
END $function$;

CREATE OR REPLACE FUNCTION crossfade.hold_shape(p_tables oid[])
 RETURNS void
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
DECLARE
  v_before text := current_setting('lock_timeout');
  v_patience integer := least(5000, 500 + round(1000 * extract(epoch FROM current_setting('deadlock_timeout')::interval)));
  v_table oid;
BEGIN
  PERFORM set_config('lock_timeout', v_patience::text, true);
  -- A table that is gone is said by those who look at its shape.
  FOR v_table IN SELECT c.oid FROM pg_class c WHERE c.oid = ANY (p_tables) AND c.relkind IN ('r', 'p') ORDER BY c.oid LOOP
    EXECUTE format('LOCK TABLE %s IN SHARE UPDATE EXCLUSIVE MODE', v_table::regclass);
  END LOOP;
  PERFORM set_config('lock_timeout', v_before, true);
EXCEPTION WHEN lock_not_available THEN
  RAISE EXCEPTION '% is locked: %', v_table::regclass, coalesce((
      SELECT string_agg(crossfade.holder_shown(h.pid, h.application, h.doing), '; ')
      FROM crossfade.lock_holders('', ARRAY[v_table]) h), 'by a transaction that is gone by now')
    USING ERRCODE = 'lock_not_available';
END $function$;

CREATE OR REPLACE FUNCTION crossfade.holder_shown(p_pid integer, p_application text, p_doing text)
 RETURNS text
 LANGUAGE sql
 IMMUTABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
  SELECT CASE WHEN p_pid IS NULL THEN format('%s (%s)', p_application, p_doing)
    ELSE format('process %s (%s%s)', p_pid, coalesce(nullif(p_application, ''), 'a client'), ', ' || p_doing) END
$function$;

CREATE OR REPLACE FUNCTION crossfade.holding_transactions(p_tables oid[], p_of text[])
 RETURNS text[]
 LANGUAGE sql
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
  SELECT coalesce(array_agg(DISTINCT l.virtualtransaction), '{}') FROM pg_locks l
  WHERE l.locktype = 'relation' AND l.granted AND l.relation = ANY (p_tables) AND l.pid IS DISTINCT FROM pg_backend_pid()
    AND l.database = (SELECT d.oid FROM pg_database d WHERE d.datname = current_database())
    AND (p_of IS NULL OR l.virtualtransaction = ANY (p_of))
$function$;

CREATE OR REPLACE FUNCTION crossfade.index_given_back(p_id text, p_name text)
 RETURNS void
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
DECLARE
  v crossfade.index_aside%ROWTYPE;
BEGIN
  SELECT * INTO v FROM crossfade.index_aside a WHERE a.cutover = p_id AND a.name = p_name FOR UPDATE;
  IF NOT FOUND THEN RETURN; END IF;
  IF v.comment IS NOT NULL THEN EXECUTE format('COMMENT ON INDEX %I.%I IS %L', v.schema, v.name, v.comment); END IF;
  DELETE FROM crossfade.index_aside a WHERE a.cutover = p_id AND a.name = p_name;
END $function$;

CREATE OR REPLACE FUNCTION crossfade.is_listed(p_list text[], p_key text, p_groups text[], p_environment text)
 RETURNS boolean
 LANGUAGE sql
 IMMUTABLE PARALLEL SAFE
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
  SELECT coalesce(p_key = ANY (p_list), false) OR coalesce('environment:' || p_environment = ANY (p_list), false)
    OR EXISTS (SELECT FROM unnest(p_groups) AS g(name) WHERE 'group:' || g.name = ANY (p_list))
$function$;

CREATE OR REPLACE FUNCTION crossfade.is_ours(p_pid integer)
 RETURNS boolean
 LANGUAGE sql
 STABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
  SELECT coalesce(p_pid IS NOT NULL AND (p_pid = pg_backend_pid()
    OR EXISTS (SELECT FROM pg_stat_activity a WHERE a.pid = p_pid AND a.application_name LIKE 'crossfade%')), false)
$function$;

CREATE OR REPLACE FUNCTION crossfade.is_trusted(p_role oid, p_tables oid[])
 RETURNS boolean
 LANGUAGE sql
 STABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
  SELECT p_role = 'pg_database_owner'::regrole OR EXISTS (
    SELECT FROM pg_roles r CROSS JOIN (
      SELECT o.oid FROM pg_roles o WHERE o.rolname = current_user
      UNION ALL SELECT d.datdba FROM pg_database d WHERE d.datname = current_database()
      UNION ALL SELECT c.relowner FROM pg_class c WHERE c.oid = ANY (p_tables)) trusted
    WHERE r.oid = p_role AND pg_has_role(r.oid, trusted.oid, 'MEMBER'))
$function$;

CREATE OR REPLACE FUNCTION crossfade.key_hash(p_key text)
 RETURNS bytea
 LANGUAGE sql
 IMMUTABLE PARALLEL SAFE STRICT
AS $function$ SELECT pg_catalog.sha256(pg_catalog.convert_to(p_key, 'UTF8')) $function$;

CREATE OR REPLACE FUNCTION crossfade.key_now(p_key jsonb, p_id text, p_promoting boolean)
 RETURNS jsonb
 LANGUAGE plpgsql
 STABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
DECLARE
  v_from oid := (p_key -> 'references' ->> 'oid')::oid;
  v_to oid;
  v_columns jsonb := p_key -> 'referencedColumns';
BEGIN
  SELECT CASE WHEN c.direction = 'reverse' OR c.stage = 'cleaned' THEN c.shadow_oid WHEN p_promoting THEN c.primary_oid ELSE v_from END INTO v_to
  FROM crossfade.cutover c WHERE c.id <> p_id AND v_from IN (c.primary_oid, c.shadow_oid) ORDER BY c.direction = 'none', c.id LIMIT 1;
  v_to := coalesce(v_to, v_from);
  IF EXISTS (SELECT FROM jsonb_array_elements_text(v_columns) x WHERE NOT EXISTS (
    SELECT FROM pg_attribute a WHERE a.attrelid = v_to AND a.attname = x AND NOT a.attisdropped)) THEN
    SELECT jsonb_build_array(a.attname) INTO v_columns FROM pg_constraint k JOIN pg_attribute a ON a.attrelid = v_to AND a.attnum = k.conkey[1]
    WHERE k.conrelid = v_to AND k.contype = 'p' AND cardinality(k.conkey) = 1 AND jsonb_array_length(p_key -> 'referencedColumns') = 1;
  END IF;
  RETURN p_key || jsonb_build_object('referencedColumns', v_columns) || coalesce((
    SELECT jsonb_build_object('references', jsonb_build_object('oid', t.oid::bigint, 'schema', n.nspname, 'name', t.relname, 'ours', pg_has_role(t.relowner, 'USAGE')))
    FROM pg_class t JOIN pg_namespace n ON n.oid = t.relnamespace WHERE t.oid = v_to), '{}');
END $function$;

CREATE OR REPLACE FUNCTION crossfade.key_text(p_key anyelement)
 RETURNS text
 LANGUAGE plpgsql
 STABLE PARALLEL SAFE
 SET search_path TO 'pg_catalog', 'pg_temp'
 SET "DateStyle" TO 'ISO'
AS $function$
BEGIN
  RETURN p_key::text;
END $function$;

CREATE OR REPLACE FUNCTION crossfade.keys_aside(p_id text, p_promoting boolean)
 RETURNS jsonb
 LANGUAGE sql
 STABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
  SELECT coalesce(jsonb_agg(crossfade.key_now(a.key, p_id, p_promoting) ORDER BY a.name), '[]')
  FROM crossfade.key_aside a JOIN pg_class t ON t.oid = a.shadow WHERE a.cutover = p_id
$function$;

CREATE OR REPLACE FUNCTION crossfade.keys_to_give_back(p_id text)
 RETURNS SETOF text
 LANGUAGE plpgsql
 STABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
DECLARE
  v_shadow regclass;
  v_empty boolean;
BEGIN
  SELECT a.shadow INTO v_shadow FROM crossfade.key_aside a JOIN pg_class t ON t.oid = a.shadow WHERE a.cutover = p_id LIMIT 1;
  IF v_shadow IS NULL OR EXISTS (SELECT FROM crossfade.cutover c WHERE c.id = p_id AND c.direction <> 'none') THEN RETURN; END IF;
  EXECUTE format('SELECT NOT EXISTS (SELECT FROM %s)', v_shadow) INTO v_empty;
  RETURN QUERY SELECT a.name FROM crossfade.key_aside a
    WHERE a.cutover = p_id AND (v_empty OR (a.key ->> 'onDelete' IN ('c', 'n') AND (SELECT c.relkind FROM pg_class c WHERE c.oid = v_shadow) = 'r')) ORDER BY 1;
END $function$;

CREATE OR REPLACE FUNCTION crossfade.keys_to_set_aside(p_primary oid, p_shadow oid)
 RETURNS SETOF text
 LANGUAGE sql
 STABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
  SELECT k.conname::text FROM pg_constraint k JOIN pg_class f ON f.oid = k.confrelid
  WHERE k.conrelid = p_shadow AND k.contype = 'f' AND k.confrelid <> p_primary AND k.conparentid = 0 AND pg_has_role(f.relowner, 'USAGE')
    AND coalesce((to_jsonb(k) ->> 'conenforced')::boolean, true) AND NOT coalesce((to_jsonb(k) ->> 'conperiod')::boolean, false)
  ORDER BY 1
$function$;

CREATE OR REPLACE FUNCTION crossfade.known_cutover(p_cutover text)
 RETURNS crossfade.cutover
 LANGUAGE plpgsql
 STABLE SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
DECLARE
  v crossfade.cutover%ROWTYPE;
BEGIN
  SELECT * INTO v FROM crossfade.cutover c WHERE c.id = p_cutover;
  IF NOT FOUND THEN
    RAISE EXCEPTION 'this database knows no cutover %', quote_literal(p_cutover) USING ERRCODE = 'CF010',
      HINT = 'It is known from its first start on. Known: ' || coalesce((SELECT string_agg(c.id, ', ' ORDER BY c.id) FROM crossfade.cutover c), 'none') || '.';
  END IF;
  RETURN v;
END $function$;

CREATE OR REPLACE FUNCTION crossfade.lock_holders(p_id text, p_tables oid[])
 RETURNS TABLE(pid integer, application text, state text, seconds integer, doing text)
 LANGUAGE sql
 STABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
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
    SELECT NULL, format('prepared transaction %s of %s', x.gid, x.owner), 'prepared', x.prepared,
      format('COMMIT PREPARED %L or ROLLBACK PREPARED %L ends it', x.gid, x.gid) FROM pg_prepared_xacts x
    WHERE x.database = current_database()
      AND EXISTS (SELECT FROM held h JOIN pg_locks own ON own.virtualtransaction = h.virtualtransaction
        WHERE h.pid IS NULL AND own.pid IS NULL AND own.locktype = 'transactionid' AND own.transactionid = x.transaction)
  )
  SELECT h.pid, h.application, h.state, round(extract(epoch FROM clock_timestamp() - h.since))::integer, h.doing
  FROM holders h ORDER BY h.since NULLS LAST
$function$;

CREATE OR REPLACE FUNCTION crossfade.lock_key(id text)
 RETURNS bigint
 LANGUAGE sql
 IMMUTABLE PARALLEL SAFE
AS $function$ SELECT pg_catalog.hashtextextended('crossfade:'::pg_catalog.text OPERATOR(pg_catalog.||) id, 0::pg_catalog.int8) $function$;

CREATE OR REPLACE FUNCTION crossfade.make_capture_again(p_id text)
 RETURNS void
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
 SET check_function_bodies TO 'off'
AS $function$
DECLARE
  v record;
BEGIN
  FOR v IN SELECT f AS definition FROM crossfade.shape s, jsonb_array_elements_text(s.made -> 'functions') f WHERE s.cutover = p_id LOOP
    EXECUTE v.definition;
  END LOOP;
  FOR v IN SELECT g ->> 'name' AS name, c.oid::regclass AS relation, g ->> 'before' AS before, g ->> 'after' AS after, g ->> 'enabled' AS enabled
    FROM crossfade.shape s, jsonb_array_elements(s.made -> 'triggers') g JOIN pg_class c ON c.oid = (g ->> 'table')::oid WHERE s.cutover = p_id
  LOOP
    EXECUTE format('DROP TRIGGER IF EXISTS %I ON %s', v.name, v.relation);
    EXECUTE format('%s ON %s %s', v.before, v.relation, v.after);
    IF v.enabled = 'A' THEN EXECUTE format('ALTER TABLE %s ENABLE ALWAYS TRIGGER %I', v.relation, v.name); END IF;
  END LOOP;
  UPDATE crossfade.shape s SET capture = crossfade.capture_now(p_id) WHERE s.cutover = p_id;
END $function$;

CREATE OR REPLACE FUNCTION crossfade.mirror(p_id text, p_epoch bigint, p_version bigint, p_stage text, p_shadow_writes boolean, p_read_ppm integer, p_salt text)
 RETURNS jsonb
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
DECLARE
  v crossfade.cutover%ROWTYPE;
BEGIN
  -- Waits for the appliers that began under the old epoch; those that come later read the new one.
  PERFORM pg_advisory_xact_lock(crossfade.lock_key(p_id));
  SELECT * INTO v FROM crossfade.cutover c WHERE c.id = p_id;
  IF NOT FOUND THEN RETURN jsonb_build_object('kind', 'stale', 'epoch', -1, 'version', -1); END IF;
  IF (v.epoch, v.version) > (p_epoch, p_version) THEN
    RETURN jsonb_build_object('kind', 'stale', 'epoch', v.epoch, 'version', v.version);
  END IF;
  UPDATE crossfade.cutover c SET epoch = p_epoch, version = p_version, stage = p_stage, shadow_writes = p_shadow_writes,
    read_ppm = p_read_ppm, salt = p_salt WHERE c.id = p_id;
  RETURN jsonb_build_object('kind', 'written');
END $function$;

CREATE OR REPLACE FUNCTION crossfade.misfit(p_judged text, p_crossed text, p_from tid, p_to tid, p_part oid)
 RETURNS jsonb
 LANGUAGE plpgsql
AS $function$
DECLARE
  v_seen jsonb;
  v_state text;
  v_why text;
  v_kind text := 'return';
BEGIN
  EXECUTE p_judged INTO v_seen USING p_from, p_to, p_part;
  RETURN v_seen;
EXCEPTION WHEN data_exception OR integrity_constraint_violation OR program_limit_exceeded OR raise_exception THEN
  GET STACKED DIAGNOSTICS v_state = RETURNED_SQLSTATE, v_why = MESSAGE_TEXT;
  v_why := format('SQLSTATE %s, %s', v_state, crossfade.without_values(v_state, v_why));
  BEGIN
    EXECUTE coalesce(p_crossed, 'SELECT $1, $2, $3') USING p_from, p_to, p_part;
  EXCEPTION WHEN data_exception OR integrity_constraint_violation OR program_limit_exceeded OR raise_exception THEN
    v_kind := 'cross';
  END;
  RETURN jsonb_build_object('kind', v_kind, 'why', v_why);
END $function$;

CREATE OR REPLACE FUNCTION crossfade.multiply_32(a bigint, b bigint)
 RETURNS bigint
 LANGUAGE sql
 IMMUTABLE PARALLEL SAFE STRICT
AS $function$
  SELECT ((a OPERATOR(pg_catalog.&) 65535::pg_catalog.int8) OPERATOR(pg_catalog.*) b OPERATOR(pg_catalog.+)
    ((((a OPERATOR(pg_catalog.>>) 16) OPERATOR(pg_catalog.*) (b OPERATOR(pg_catalog.&) 65535::pg_catalog.int8))
      OPERATOR(pg_catalog.&) 65535::pg_catalog.int8) OPERATOR(pg_catalog.<<) 16)) OPERATOR(pg_catalog.&) 4294967295::pg_catalog.int8
$function$;

CREATE OR REPLACE FUNCTION crossfade.murmur3_32(p_text text)
 RETURNS bigint
 LANGUAGE plpgsql
 IMMUTABLE PARALLEL SAFE STRICT
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
DECLARE
  m CONSTANT bigint := 4294967295;
  b bytea := convert_to(p_text, 'UTF8');
  n integer := length(b);
  h bigint := 0;
  k bigint;
BEGIN
  FOR i IN 0 .. n / 4 - 1 LOOP
    -- Parentheses: << and | bind alike.
    k := get_byte(b, i * 4)::bigint | (get_byte(b, i * 4 + 1)::bigint << 8) | (get_byte(b, i * 4 + 2)::bigint << 16)
      | (get_byte(b, i * 4 + 3)::bigint << 24);
    k := crossfade.multiply_32(k, 3432918353);
    k := ((k << 15) | (k >> 17)) & m;
    h := h # crossfade.multiply_32(k, 461845907);
    h := ((h << 13) | (h >> 19)) & m;
    h := (crossfade.multiply_32(h, 5) + 3864292196) & m;
  END LOOP;
  IF n % 4 > 0 THEN
    k := 0;
    FOR i IN 0 .. n % 4 - 1 LOOP
      k := k | (get_byte(b, n - n % 4 + i)::bigint << (8 * i));
    END LOOP;
    k := crossfade.multiply_32(k, 3432918353);
    k := ((k << 15) | (k >> 17)) & m;
    h := h # crossfade.multiply_32(k, 461845907);
  END IF;
  h := h # n;
  h := crossfade.multiply_32(h # (h >> 16), 2246822507);
  h := crossfade.multiply_32(h # (h >> 13), 3266489909);
  RETURN h # (h >> 16);
END $function$;

CREATE OR REPLACE FUNCTION crossfade.name_list(p_names jsonb)
 RETURNS text
 LANGUAGE sql
 IMMUTABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
  SELECT string_agg(quote_ident(x), ', ' ORDER BY place) FROM jsonb_array_elements_text(CASE jsonb_typeof(p_names) WHEN 'array' THEN p_names ELSE '[]' END) WITH ORDINALITY y(x, place)
$function$;

CREATE OR REPLACE FUNCTION crossfade.names_lost(p_function oid)
 RETURNS text[]
 LANGUAGE sql
 STABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
  WITH body AS (
    SELECT regexp_replace(f.prosrc, '--[^\n]*|/\*.*?\*/|''(?:[^'']|'''')*''', ' ', 'g') AS code
    FROM pg_proc f JOIN pg_language l ON l.oid = f.prolang
    WHERE f.oid = p_function AND l.lanname IN ('sql', 'plpgsql') AND f.prosqlbody IS NULL
      AND NOT EXISTS (SELECT FROM unnest(f.proconfig) s WHERE s LIKE 'search\_path=%')
  ), named AS (
    SELECT CASE WHEN m[2] LIKE '"%' THEN replace(trim(BOTH '"' FROM m[2]), '""', '"') ELSE lower(m[2]) END AS name, m[1] IS NOT NULL AS relation
    FROM body b CROSS JOIN LATERAL (
      SELECT r AS m FROM regexp_matches(b.code, '\m(from|join|into|update|only|table)\s+("(?:[^"]|"")+"|[a-z_]\w*)(?![\w."])', 'gi') r
      UNION ALL SELECT ARRAY[NULL, r[1]] FROM regexp_matches(b.code, '(?<![.\w"])("(?:[^"]|"")+"|[a-z_]\w*)\s*\(', 'gi') r) x
  )
  SELECT array_agg(DISTINCT n.name) FROM named n WHERE CASE WHEN n.relation
    THEN EXISTS (SELECT FROM pg_class c WHERE c.relname = n.name AND c.relkind IN ('r', 'p', 'v', 'm', 'f') AND c.relnamespace NOT IN ('pg_catalog'::regnamespace, 'crossfade'::regnamespace))
      AND NOT EXISTS (SELECT FROM pg_class c WHERE c.relname = n.name AND c.relnamespace = 'pg_catalog'::regnamespace)
    ELSE EXISTS (SELECT FROM pg_proc f WHERE f.proname = n.name AND f.pronamespace NOT IN ('pg_catalog'::regnamespace, 'crossfade'::regnamespace))
      AND NOT EXISTS (SELECT FROM pg_proc f WHERE f.proname = n.name AND f.pronamespace = 'pg_catalog'::regnamespace) END
$function$;

CREATE OR REPLACE FUNCTION crossfade.never_filled(p_partition oid)
 RETURNS boolean
 LANGUAGE plpgsql
 STABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
DECLARE
  v_filled boolean;
BEGIN
  IF EXISTS (SELECT FROM pg_class c WHERE c.oid = p_partition AND c.relkind = 'p') THEN RETURN true; END IF;
  IF NOT EXISTS (SELECT FROM pg_class c WHERE c.oid = p_partition AND c.relkind = 'r' AND c.relfilenode = c.oid) THEN RETURN false; END IF;
  EXECUTE format('SELECT EXISTS (SELECT FROM %s)', p_partition::regclass) INTO v_filled;
  RETURN NOT v_filled;
END $function$;

CREATE OR REPLACE FUNCTION crossfade.next_index(p_id text)
 RETURNS jsonb
 LANGUAGE sql
 STABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
  SELECT jsonb_build_object('name', a.name, 'left', (SELECT count(*) FROM crossfade.index_aside o WHERE o.cutover = p_id),
    'create', regexp_replace(a.definition, '^CREATE INDEX', 'CREATE INDEX CONCURRENTLY'),
    'drop', format('DROP INDEX CONCURRENTLY IF EXISTS %I.%I', a.schema, a.name),
    'state', CASE WHEN i.indexrelid IS NOT NULL AND i.indisvalid THEN 'there'
      WHEN EXISTS (SELECT FROM pg_stat_progress_create_index p WHERE p.relid = a.shadow) THEN 'building'
      WHEN i.indexrelid IS NOT NULL THEN 'broken' ELSE 'absent' END)
  FROM crossfade.index_aside a JOIN pg_class t ON t.oid = a.shadow
  LEFT JOIN pg_index i ON i.indrelid = a.shadow AND i.indexrelid = to_regclass(format('%I.%I', a.schema, a.name))
  WHERE a.cutover = p_id ORDER BY a.name LIMIT 1
$function$;

CREATE OR REPLACE FUNCTION crossfade.not_verified(p_id text)
 RETURNS jsonb
 LANGUAGE sql
 STABLE SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
  SELECT coalesce((SELECT jsonb_build_object('unproven', p.unproven) FROM crossfade.verification_pass p
    WHERE p.cutover = p_id AND p.unproven IS NOT NULL), '{}')
$function$;

CREATE OR REPLACE FUNCTION crossfade.note_used(p_id text, p_functions oid[])
 RETURNS void
 LANGUAGE sql
 SET search_path TO 'pg_catalog', 'pg_temp'
 SET jit TO 'off'
AS $function$
  DELETE FROM crossfade.used u WHERE u.cutover = p_id;
  WITH RECURSIVE mine AS (
    SELECT f.oid, f.proname, f.prosrc, l.lanname IN ('sql', 'plpgsql') AS readable FROM pg_proc f JOIN pg_language l ON l.oid = f.prolang
    WHERE f.pronamespace NOT IN ('pg_catalog'::regnamespace, 'information_schema'::regnamespace, 'crossfade'::regnamespace)
  ), called AS (
    SELECT m.* FROM mine m WHERE m.oid = ANY (p_functions)
    UNION
    SELECT m.* FROM called c JOIN mine m ON c.readable AND (c.prosrc ~* ('\m' || regexp_replace(m.proname, '(\W)', '\\\1', 'g') || '"?\s*\(')
      OR EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_proc'::regclass AND d.objid = c.oid AND d.refclassid = 'pg_proc'::regclass AND d.refobjid = m.oid))
  )
  INSERT INTO crossfade.used (cutover, kind, oid)
  SELECT p_id, 'function', c.oid FROM called c
  UNION
  SELECT p_id, 'type', e.oid FROM (
    SELECT y.oid, a.attrelid FROM crossfade.cutover c JOIN pg_attribute a ON a.attrelid IN (c.primary_oid, c.shadow_oid) AND a.attnum > 0 AND NOT a.attisdropped
      CROSS JOIN LATERAL (WITH RECURSIVE base AS (
        SELECT a.atttypid AS oid UNION SELECT coalesce(nullif(t.typbasetype, 0), t.typelem) FROM base b JOIN pg_type t ON t.oid = b.oid WHERE t.typbasetype <> 0 OR t.typelem <> 0
      ) SELECT t.oid FROM base b JOIN pg_type t ON t.oid = b.oid AND t.typtype = 'e') y
    WHERE c.id = p_id) e
  GROUP BY e.oid HAVING count(DISTINCT e.attrelid) = 1
$function$;

CREATE OR REPLACE FUNCTION crossfade.open_transactions()
 RETURNS text[]
 LANGUAGE sql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
  SELECT coalesce(array_agg(l.virtualtransaction), '{}') FROM pg_locks l JOIN pg_stat_activity a ON a.pid = l.pid
  WHERE l.locktype = 'virtualxid' AND l.granted AND l.pid <> pg_backend_pid() AND a.datname = current_database()
$function$;

CREATE OR REPLACE FUNCTION crossfade.operator_schemas(p_table oid)
 RETURNS jsonb
 LANGUAGE sql
 STABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
  WITH RECURSIVE under AS (
    -- Types of the catalog have its operators.
    SELECT a.attname, a.atttypid AS type FROM pg_attribute a WHERE a.attrelid = p_table AND a.attnum > 0 AND NOT a.attisdropped AND a.atttypid >= 16384
    UNION ALL
    SELECT u.attname, y.typbasetype FROM under u JOIN pg_type y ON y.oid = u.type WHERE y.typtype = 'd'
  )
  SELECT coalesce(jsonb_object_agg(u.attname, n.nspname), '{}') FROM under u JOIN pg_opclass o ON o.opcintype = u.type AND o.opcdefault
  JOIN pg_am m ON m.oid = o.opcmethod AND m.amname = 'btree'
  JOIN pg_amop a ON a.amopfamily = o.opcfamily AND a.amoplefttype = o.opcintype AND a.amoprighttype = o.opcintype AND a.amopstrategy = 3
  JOIN pg_operator e ON e.oid = a.amopopr JOIN pg_namespace n ON n.oid = e.oprnamespace AND n.nspname <> 'pg_catalog'
$function$;

CREATE OR REPLACE FUNCTION crossfade.other_cutovers(p_id text, p_tables oid[])
 RETURNS text
 LANGUAGE sql
 STABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
 SET jit TO 'off'
AS $function$
  SELECT string_agg(format('%s (%s of cutover %s, which is armed %s)', t.oid::regclass, t.side, c.id, c.direction), ', ' ORDER BY c.id, t.side)
  FROM crossfade.cutover c CROSS JOIN LATERAL (
    SELECT 'primary' AS side, c.primary_oid AS oid UNION ALL SELECT 'shadow', c.shadow_oid
    UNION ALL SELECT 'companions', g.tgrelid FROM pg_proc f JOIN pg_trigger g ON g.tgrelid = ANY (p_tables) AND g.tgfoid = f.oid
      WHERE f.proname = ('companion_' || c.id)::name AND f.pronamespace = 'crossfade'::regnamespace) t
  WHERE c.id <> p_id AND c.direction <> 'none' AND t.oid = ANY (p_tables)
$function$;

CREATE OR REPLACE FUNCTION crossfade.partition_gap(p_was jsonb, p_is jsonb)
 RETURNS text
 LANGUAGE plpgsql
 STABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
 SET jit TO 'off'
AS $function$
BEGIN
  RETURN (SELECT string_agg(CASE
      WHEN x.is IS NULL THEN format('partition %s was detached or dropped', x.was ->> 'name')
      WHEN x.was IS NULL THEN format('partition %s was attached with rows', x.is ->> 'name')
      WHEN x.was -> 'attached' <> x.is -> 'attached' THEN format('partition %s was attached again', x.is ->> 'name')
      ELSE format('capture of partition %s was switched off, or made again', x.is ->> 'name') END, ', ' ORDER BY x.key)
    FROM (SELECT key, a.value AS was, n.value AS is FROM jsonb_each(crossfade.partitions_of(p_was)) a FULL JOIN jsonb_each(crossfade.partitions_of(p_is)) n USING (key)) x
    WHERE (x.was - 'name') IS DISTINCT FROM (x.is - 'name')
      AND CASE WHEN x.was IS NULL THEN NOT crossfade.never_filled(x.key::oid) ELSE true END);
END $function$;

CREATE OR REPLACE FUNCTION crossfade.partition_stamps(p_table oid)
 RETURNS jsonb
 LANGUAGE plpgsql
 STABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
 SET jit TO 'off'
AS $function$
BEGIN
  -- The table itself has no file, those of its partitions say whether a column was rewritten.
  RETURN (SELECT jsonb_build_object('file', md5(string_agg(c.relfilenode::text, ',' ORDER BY c.oid)),
    'partitions', coalesce(jsonb_object_agg(c.oid, jsonb_build_object('name', c.oid::regclass::text, 'attached', h.xmin::text,
      'triggers', (SELECT coalesce(jsonb_object_agg(g.tgname, format('%s %s', g.tgenabled, g.xmin)), '{}') FROM pg_trigger g JOIN pg_proc f ON f.oid = g.tgfoid
        WHERE g.tgrelid = c.oid AND NOT (g.tgisinternal AND g.tgparentid = 0) AND f.pronamespace = 'crossfade'::regnamespace AND f.proname <> 'read_only_guard')))
      FILTER (WHERE p.level > 0), '{}'))
    FROM pg_partition_tree(p_table) p JOIN pg_class c ON c.oid = p.relid LEFT JOIN pg_inherits h ON h.inhrelid = p.relid);
END $function$;

CREATE OR REPLACE FUNCTION crossfade.partitions_of(p_stamps jsonb)
 RETURNS jsonb
 LANGUAGE sql
 IMMUTABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
  SELECT coalesce(jsonb_object_agg(p.key, p.value), '{}') FROM jsonb_each(p_stamps) t CROSS JOIN LATERAL jsonb_each(coalesce(t.value -> 'partitions', '{}')) p
$function$;

CREATE OR REPLACE FUNCTION crossfade.pass_number(p_sequence text, p_number bigint, p_called boolean, p_table text, p_column text)
 RETURNS void
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
DECLARE
  v pg_sequence%ROWTYPE;
  v_at bigint;
  v_called boolean;
  v_furthest bigint;
BEGIN
  SELECT q.* INTO v FROM pg_sequence q WHERE q.seqrelid = p_sequence::regclass;
  EXECUTE format('SELECT last_value, is_called FROM %s', v.seqrelid::regclass) INTO v_at, v_called;
  IF p_number NOT BETWEEN v.seqmin AND v.seqmax THEN
    -- Beyond the sequence: numbers go on after the furthest one of the rows, which the column holds.
    EXECUTE format('SELECT %s(%I) FROM %s WHERE %2$I BETWEEN $1 AND $2', CASE WHEN v.seqincrement < 0 THEN 'min' ELSE 'max' END, p_column, p_table)
      INTO v_furthest USING v.seqmin, v.seqmax;
    IF v_furthest IS NULL THEN RETURN; END IF;
    p_number := v_furthest;
    p_called := true;
  END IF;
  IF sign(p_number - v_at) = sign(v.seqincrement) OR (p_number = v_at AND p_called AND NOT v_called) THEN
    PERFORM setval(v.seqrelid::regclass, p_number, p_called);
  END IF;
END $function$;

CREATE OR REPLACE FUNCTION crossfade.pre_migration_health_check(p_cutover text, p_primary text DEFAULT NULL::text, p_shadow text DEFAULT NULL::text)
 RETURNS SETOF crossfade.finding
 LANGUAGE plpgsql
 STABLE SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
DECLARE
  v crossfade.cutover%ROWTYPE;
  v_primary oid;
  v_shadow oid;
  v_group text;
  v_groups text[];
BEGIN
  SELECT * INTO v FROM crossfade.cutover c WHERE c.id = p_cutover;
  IF p_primary IS NULL OR p_shadow IS NULL THEN v := crossfade.known_cutover(p_cutover); END IF;
  -- While rows follow, the tables are known by number: promotion changes their names.
  IF p_primary IS NULL OR p_shadow IS NULL OR v.direction <> 'none' THEN
    v_primary := (SELECT c.oid FROM pg_class c WHERE c.oid = v.primary_oid);
    v_shadow := (SELECT c.oid FROM pg_class c WHERE c.oid = v.shadow_oid);
  ELSE
    v_primary := crossfade.table_named(p_primary);
    v_shadow := crossfade.table_named(p_shadow);
  END IF;
  RETURN QUERY SELECT (crossfade.finding('primary exists', v_primary IS NULL, 'fail', CASE WHEN v_primary IS NULL THEN format('%s is missing', coalesce(p_primary, v.primary_name)) ELSE v_primary::regclass::text END, 'there', 'Is the name in the declaration right, with its schema?')).*;
  RETURN QUERY SELECT (crossfade.finding('shadow exists', v_shadow IS NULL, 'fail', CASE WHEN v_shadow IS NULL THEN format('%s is missing', coalesce(p_shadow, v.shadow_name)) ELSE v_shadow::regclass::text END, 'there', 'Create it in your own migrations; Crossfade fills it and never creates it.')).*;
  -- After promotion the tables are not those of a beginning: the plan says what stands in the way back.
  v_groups := CASE WHEN v_primary IS NULL OR v_shadow IS NULL THEN '{}' WHEN v.direction = 'reverse' THEN ARRAY['size', 'roles', 'foreign']
    ELSE ARRAY['shape', 'dependents', 'size', 'roles', 'foreign'] END || '{server}'::text[];
  FOREACH v_group IN ARRAY v_groups LOOP
    BEGIN
      CASE v_group
        WHEN 'shape' THEN RETURN QUERY SELECT * FROM crossfade.check_shape(v_primary, v_shadow);
        WHEN 'dependents' THEN RETURN QUERY SELECT * FROM crossfade.check_dependents(v_primary, v_shadow);
        WHEN 'size' THEN RETURN QUERY SELECT * FROM crossfade.check_size(CASE WHEN v.direction = 'reverse' THEN v_shadow ELSE v_primary END, CASE WHEN v.direction = 'reverse' THEN v_primary ELSE v_shadow END);
        WHEN 'roles' THEN RETURN QUERY SELECT * FROM crossfade.check_roles(v_primary, v_shadow);
        WHEN 'foreign' THEN RETURN QUERY SELECT * FROM crossfade.check_foreign(p_cutover, v_primary, v_shadow);
        ELSE RETURN QUERY SELECT * FROM crossfade.check_server();
      END CASE;
    EXCEPTION WHEN insufficient_privilege THEN
      RETURN QUERY SELECT (crossfade.finding('checks of ' || v_group, NULL, 'warn', format('hidden from this role: %s', SQLERRM), 'visible',
        format('GRANT pg_monitor TO %I, and look again.', current_user))).*;
    END;
  END LOOP;
END $function$;

CREATE OR REPLACE FUNCTION crossfade.pressure(p_id text)
 RETURNS jsonb
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
BEGIN
  RETURN jsonb_build_object(
    -- NULL where no replica is connected, or the role may not see them.
    'replicaLagMs', (SELECT round(1000 * max(extract(epoch FROM r.replay_lag))) FROM pg_stat_replication r),
    'walBytes', pg_wal_lsn_diff(CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn() ELSE pg_current_wal_insert_lsn() END, '0/0'),
    'activeConnections', (SELECT count(*) FROM pg_stat_activity a WHERE a.state = 'active' AND a.pid <> pg_backend_pid()),
    -- Other cutovers whose shadow this one refers to, and whose rows are not all there; those of a circle do not wait.
    'waitsFor', (
      WITH RECURSIVE edge AS (
        SELECT c.id AS child, o.id AS parent FROM crossfade.cutover c
        JOIN pg_constraint k ON k.contype = 'f' AND k.conrelid = c.shadow_oid
        JOIN crossfade.cutover o ON o.shadow_oid = k.confrelid AND o.id <> c.id AND o.direction = 'forward'
        WHERE c.direction = 'forward'
      ), reach AS (
        SELECT child, parent FROM edge UNION SELECT r.child, e.parent FROM reach r JOIN edge e ON e.child = r.parent
      )
      SELECT coalesce(jsonb_agg(DISTINCT e.parent), '[]') FROM edge e
      JOIN crossfade.backfill b ON b.cutover = e.parent AND b.state <> 'done'
      WHERE e.child = p_id AND NOT EXISTS (SELECT FROM reach r WHERE r.child = e.parent AND r.parent = p_id)));
END $function$;

CREATE OR REPLACE FUNCTION crossfade.put_off_hand_over(p_id text)
 RETURNS boolean
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
BEGIN
  UPDATE crossfade.cutover c SET read_only_until = NULL, read_only_ended = clock_timestamp() WHERE c.id = p_id AND c.handing_over AND c.read_only_until IS NOT NULL;
  RETURN FOUND;
END $function$;

CREATE OR REPLACE FUNCTION crossfade.quarantine_key(p_cutover text, p_key text, p_sqlstate text, p_message text, p_attempts integer, p_deleted boolean DEFAULT false)
 RETURNS void
 LANGUAGE sql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
  INSERT INTO crossfade.quarantine AS q (cutover, key, key_hash, sqlstate, reason, attempts, deleted)
  VALUES (p_cutover, p_key, crossfade.key_hash(p_key), p_sqlstate, crossfade.without_values(p_sqlstate, p_message), p_attempts, p_deleted)
  ON CONFLICT (cutover, key_hash) DO UPDATE SET sqlstate = EXCLUDED.sqlstate, reason = EXCLUDED.reason,
    attempts = q.attempts + 1, deleted = q.deleted OR EXCLUDED.deleted, last_seen = clock_timestamp();
$function$;

CREATE OR REPLACE FUNCTION crossfade.quarantined(p_id text, p_after text, p_limit integer)
 RETURNS jsonb
 LANGUAGE sql
 STABLE SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
  SELECT jsonb_build_object(
    'total', (SELECT count(*) FROM crossfade.quarantine q WHERE q.cutover = p_id),
    'keys', (SELECT coalesce(jsonb_agg(jsonb_build_object('key', f.key, 'sqlstate', f.sqlstate, 'reason', f.reason, 'attempts', f.attempts,
        'firstSeenMs', floor(extract(epoch FROM f.first_seen) * 1000), 'lastSeenMs', floor(extract(epoch FROM f.last_seen) * 1000)) ORDER BY f.key), '[]')
      FROM (SELECT * FROM crossfade.quarantine q WHERE q.cutover = p_id AND q.key > p_after ORDER BY q.key LIMIT p_limit) f))
$function$;

CREATE OR REPLACE FUNCTION crossfade.read_only_guard()
 RETURNS trigger
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
DECLARE
  v_since timestamptz;
  v_until timestamptz;
BEGIN
  IF TG_NARGS = 1 THEN
    IF EXISTS (SELECT FROM crossfade.accepted_batch a WHERE a.cutover = TG_ARGV[0] AND a.xmin = pg_current_xact_id_if_assigned()::xid) THEN RETURN NULL; END IF;
    RAISE EXCEPTION 'table %.% takes no writes: the other database of cutover % does', TG_TABLE_SCHEMA, TG_TABLE_NAME, TG_ARGV[0]
      USING ERRCODE = 'read_only_sql_transaction', HINT = 'Nothing was written. Write to the other database.';
  END IF;
  v_since := TG_ARGV[1];
  v_until := TG_ARGV[2];
  IF v_until <= clock_timestamp() OR NOT EXISTS (SELECT FROM crossfade.cutover c WHERE c.id = TG_ARGV[0] AND (c.direction = 'forward' OR (c.direction = 'reverse' AND c.shadow_oid = 0))
    AND c.stage <> 'rolled_back' AND (c.read_only_ended IS NULL OR c.read_only_ended < v_since)) THEN RETURN NULL; END IF;
  RAISE EXCEPTION 'table %.% takes no writes until % UTC: cutover % catches up', TG_TABLE_SCHEMA, TG_TABLE_NAME,
    to_char(v_until AT TIME ZONE 'UTC', 'HH24:MI:SS'), TG_ARGV[0] USING ERRCODE = 'read_only_sql_transaction',
    HINT = 'Nothing was written. Try again after that moment; it ends by itself.';
END $function$;

CREATE OR REPLACE FUNCTION crossfade.record_foreign_write(p_cutover text, p_key text, p_operation text)
 RETURNS void
 LANGUAGE sql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
  INSERT INTO crossfade.foreign_write AS f (cutover, key, key_hash, operation, role, application)
  VALUES (p_cutover, p_key, crossfade.key_hash(p_key), p_operation, session_user, coalesce(current_setting('application_name', true), ''))
  ON CONFLICT (cutover, key_hash) DO UPDATE SET operation = EXCLUDED.operation, role = EXCLUDED.role,
    application = EXCLUDED.application, writes = f.writes + 1, last_seen = clock_timestamp();
$function$;

CREATE OR REPLACE FUNCTION crossfade.record_hash(p_row record)
 RETURNS text
 LANGUAGE plpgsql
 STABLE PARALLEL SAFE
 SET search_path TO 'pg_catalog', 'pg_temp'
 SET "DateStyle" TO 'ISO'
 SET "IntervalStyle" TO 'postgres'
 SET extra_float_digits TO '1'
 SET "TimeZone" TO 'UTC'
 SET bytea_output TO 'hex'
AS $function$
BEGIN
  RETURN encode(sha256(convert_to(p_row::text, 'UTF8')), 'hex');
END $function$;

CREATE OR REPLACE FUNCTION crossfade.record_inline_failure(p_cutover text, p_key text, p_sqlstate text, p_message text)
 RETURNS void
 LANGUAGE sql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
  INSERT INTO crossfade.inline_failure AS f (cutover, key, key_hash, sqlstate, reason)
  VALUES (p_cutover, p_key, crossfade.key_hash(p_key), p_sqlstate, crossfade.without_values(p_sqlstate, p_message))
  ON CONFLICT (cutover, key_hash) DO UPDATE SET sqlstate = EXCLUDED.sqlstate, reason = EXCLUDED.reason, times = f.times + 1, last_seen = clock_timestamp()
$function$;

CREATE OR REPLACE FUNCTION crossfade.record_shape(p_id text)
 RETURNS void
 LANGUAGE sql
 SET search_path TO 'pg_catalog', 'pg_temp'
 SET quote_all_identifiers TO 'off'
AS $function$
  INSERT INTO crossfade.shape AS s (cutover, database, armed, capture, made, stamps)
  SELECT p_id, crossfade.database_oid(), crossfade.shape_now(p_id), crossfade.capture_now(p_id), jsonb_build_object(
    'triggers', (SELECT coalesce(jsonb_agg(jsonb_build_object('name', g.tgname, 'table', g.tgrelid::bigint, 'enabled', g.tgenabled,
        'before', split_part(pg_get_triggerdef(g.oid), ' ON ' || g.tgrelid::regclass::text || ' ', 1),
        'after', split_part(pg_get_triggerdef(g.oid), ' ON ' || g.tgrelid::regclass::text || ' ', 2)) ORDER BY g.tgname), '[]')
      FROM pg_trigger g JOIN pg_proc f ON f.oid = g.tgfoid
      WHERE (g.tgrelid IN (c.primary_oid, c.shadow_oid) OR f.proname = 'companion_' || p_id) AND NOT g.tgisinternal AND f.pronamespace = 'crossfade'::regnamespace AND f.proname <> 'read_only_guard'),
    'functions', (SELECT coalesce(jsonb_agg(pg_get_functiondef(f.oid) ORDER BY f.proname DESC), '[]') FROM pg_proc f WHERE f.pronamespace = 'crossfade'::regnamespace
      AND f.proname IN ('capture_' || p_id, 'truncated_' || p_id, 'guard_' || p_id, 'inline_' || p_id, 'computed_' || p_id, 'companion_' || p_id))), crossfade.columns_stamp(p_id)
  FROM crossfade.cutover c WHERE c.id = p_id
  ON CONFLICT (cutover) DO UPDATE SET database = EXCLUDED.database, armed = EXCLUDED.armed, capture = EXCLUDED.capture, made = EXCLUDED.made,
    stamps = EXCLUDED.stamps, armed_at = clock_timestamp(), differences = '[]', since = NULL, stopped = false, gap = NULL, gap_at = NULL
$function$;

CREATE OR REPLACE FUNCTION crossfade.refuse_change(p_column text, p_value text)
 RETURNS text
 LANGUAGE plpgsql
 IMMUTABLE PARALLEL SAFE
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
BEGIN
  RAISE EXCEPTION 'a value of column % would not come back from the other table as it was', p_column USING ERRCODE = 'numeric_value_out_of_range',
    DETAIL = p_value, HINT = 'Write a value that both types hold alike, or give both columns the same type.';
END $function$;

CREATE OR REPLACE FUNCTION crossfade.refuse_changed_shape(p_id text)
 RETURNS void
 LANGUAGE plpgsql
 STABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
 SET jit TO 'off'
AS $function$
DECLARE
  v_why CONSTANT text := crossfade.shape_obstacle(p_id);
BEGIN
  IF v_why IS NOT NULL THEN RAISE EXCEPTION '%', v_why USING ERRCODE = 'CF003'; END IF;
END $function$;

CREATE OR REPLACE FUNCTION crossfade.refuse_older(p_id text, p_epoch bigint, p_version bigint)
 RETURNS void
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
DECLARE
  v crossfade.cutover%ROWTYPE;
BEGIN
  PERFORM pg_advisory_xact_lock(crossfade.lock_key(p_id));
  SELECT * INTO v FROM crossfade.cutover c WHERE c.id = p_id;
  IF (v.epoch, v.version) > (p_epoch, p_version) OR (v.armed_epoch, v.armed_version) > (p_epoch, p_version) THEN
    RAISE EXCEPTION 'cutover % is at a newer state than epoch %, version %', p_id, p_epoch, p_version USING ERRCODE = 'CF005';
  END IF;
  UPDATE crossfade.cutover c SET armed_epoch = p_epoch, armed_version = p_version WHERE c.id = p_id;
END $function$;

CREATE OR REPLACE FUNCTION crossfade.refuse_older_snapshot()
 RETURNS trigger
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
BEGIN
  IF NOT pg_visible_in_snapshot(TG_ARGV[0]::xid8, pg_current_snapshot()) THEN
    RAISE EXCEPTION 'could not serialize access due to a concurrent exchange of tables' USING ERRCODE = 'serialization_failure',
      HINT = 'The transaction began before the table was exchanged. Begin it again.';
  END IF;
  RETURN NULL;
END $function$;

CREATE OR REPLACE FUNCTION crossfade.refuse_rounding(p_column text, p_value text)
 RETURNS text
 LANGUAGE plpgsql
 IMMUTABLE PARALLEL SAFE
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
BEGIN
  RAISE EXCEPTION 'column % of the old table would round its value', p_column USING ERRCODE = 'numeric_value_out_of_range',
    DETAIL = p_value, HINT = 'Write a value that both types hold, or declare reverse for the column to have it rounded.';
END $function$;

CREATE OR REPLACE FUNCTION crossfade.refuse_shared(p_id text, p_tables oid[])
 RETURNS void
 LANGUAGE plpgsql
 STABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
 SET jit TO 'off'
AS $function$
BEGIN
  IF crossfade.other_cutovers(p_id, p_tables) IS NOT NULL THEN
    RAISE EXCEPTION 'another cutover has %', crossfade.other_cutovers(p_id, p_tables) USING ERRCODE = 'CF014';
  END IF;
END $function$;

CREATE OR REPLACE FUNCTION crossfade.refuse_writes(p_id text, p_epoch bigint, p_seconds integer, p_hands_over boolean)
 RETURNS jsonb
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
 SET lock_timeout TO '500ms'
 SET "DateStyle" TO 'ISO'
AS $function$
DECLARE
  v crossfade.cutover%ROWTYPE;
  v_now timestamptz;
  v_until timestamptz;
  v_persons timestamptz;
  v_table oid;
BEGIN
  IF p_seconds IS NULL OR p_seconds NOT BETWEEN 1 AND 300 THEN
    RAISE EXCEPTION 'a primary is read-only for 1 to 300 seconds, not %', p_seconds USING ERRCODE = 'CF004';
  END IF;
  PERFORM pg_advisory_xact_lock(crossfade.lock_key(p_id));
  SELECT * INTO v FROM crossfade.cutover c WHERE c.id = p_id;
  -- In reverse only where the other table is in another database; and what takes no writes for good must not take them again.
  IF v.epoch IS DISTINCT FROM p_epoch OR v.stage = 'rolled_back' OR NOT (v.direction = 'forward' OR (v.direction = 'reverse' AND v.shadow_oid = 0))
    OR EXISTS (SELECT FROM pg_trigger g WHERE g.tgrelid = v.primary_oid AND g.tgname = 'crossfade_read_only' AND g.tgnargs = 1) THEN
    RETURN jsonb_build_object('kind', 'stale', 'have', coalesce(v.epoch, -1), 'got', p_epoch);
  END IF;
  EXECUTE format('LOCK TABLE %s IN SHARE ROW EXCLUSIVE MODE', v.primary_oid::regclass);
  v_now := clock_timestamp();
  v_until := v_now + make_interval(secs => p_seconds);
  IF p_hands_over AND NOT v.handing_over AND v.read_only_until > v_now THEN v_persons := v.read_only_until; END IF;
  v_until := greatest(v_until, v_persons);
  FOR v_table IN SELECT t FROM crossfade.with_partitions(v.primary_oid) t LOOP
    EXECUTE format('CREATE OR REPLACE TRIGGER crossfade_read_only BEFORE INSERT OR UPDATE OR DELETE OR TRUNCATE ON %s
      FOR EACH STATEMENT EXECUTE FUNCTION crossfade.read_only_guard(%L, %L, %L)', v_table::regclass, p_id, v_now, v_until);
  END LOOP;
  UPDATE crossfade.cutover c SET read_only_until = v_until, handing_over = p_hands_over AND v_persons IS NULL WHERE c.id = p_id;
  RETURN jsonb_build_object('kind', 'read_only', 'untilMs', floor(extract(epoch FROM v_until) * 1000));
END $function$;

CREATE OR REPLACE FUNCTION crossfade.rehearse_copy(p_shadow oid, p_path text, p_written text[], p_rows text)
 RETURNS jsonb
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
DECLARE
  v_name CONSTANT text := format('crossfade.%I', 'rehearsal_' || pg_backend_pid());
  v_column name;
  v_rows bigint;
  v_began timestamptz;
  v_took double precision;
  v_state text;
  v_why text;
BEGIN
  EXECUTE format('CREATE TABLE %s (LIKE %s INCLUDING ALL EXCLUDING DEFAULTS)', v_name, p_shadow::regclass);
  FOR v_column IN SELECT a.attname FROM pg_attribute a WHERE a.attrelid = v_name::regclass AND a.attnum > 0 AND a.attnotnull
    AND a.attidentity = '' AND a.attgenerated = '' AND NOT a.attname = ANY (p_written)
  LOOP
    EXECUTE format('ALTER TABLE %s ALTER COLUMN %I DROP NOT NULL', v_name, v_column);
  END LOOP;
  PERFORM set_config('search_path', p_path, true);
  BEGIN
    v_began := clock_timestamp();
    EXECUTE format('INSERT INTO %s (%s) OVERRIDING SYSTEM VALUE %s', v_name, (SELECT string_agg(quote_ident(c), ', ' ORDER BY place)
      FROM unnest(p_written) WITH ORDINALITY x(c, place)), p_rows);
    GET DIAGNOSTICS v_rows = ROW_COUNT;
    v_took := 1000 * extract(epoch FROM clock_timestamp() - v_began);
  EXCEPTION WHEN data_exception OR integrity_constraint_violation OR program_limit_exceeded OR raise_exception THEN
    GET STACKED DIAGNOSTICS v_state = RETURNED_SQLSTATE, v_why = MESSAGE_TEXT;
  END;
  EXECUTE format('DROP TABLE %s', v_name);
  RETURN jsonb_build_object('rows', coalesce(v_rows, 0), 'tookMs', v_took,
    'why', 'a row of the sample does not fit: SQLSTATE ' || v_state || ', ' || crossfade.without_values(v_state, v_why));
END $function$;

CREATE OR REPLACE FUNCTION crossfade.resolved(p_query text, p_path text, p_tables oid[])
 RETURNS jsonb
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
 SET jit TO 'off'
 SET quote_all_identifiers TO 'off'
AS $function$
DECLARE
  v_view CONSTANT text := 'crossfade.look_' || pg_backend_pid();
  v_parse CONSTANT text := format('CREATE VIEW %s AS %s', v_view, p_query);
  v_found jsonb;
BEGIN
  PERFORM set_config('search_path', p_path, true);
  -- Parsed and not planned: a plan would already run what is immutable. Nothing else is said under this path.
  EXECUTE v_parse;
  PERFORM pg_catalog.set_config('search_path', 'pg_catalog, pg_temp', true);
  WITH tree AS (
    -- Beside a relation of this name, what is selected is all that counts: the rows have columns that are not used.
    SELECT coalesce(substring(r.ev_action::text FROM ':aliasname crossfade_beside.*?:targetList \((.*)$'), r.ev_action::text) AS nodes
    FROM pg_rewrite r WHERE r.ev_class = v_view::regclass
  ), named AS (
    SELECT m[1] AS field, unnest(regexp_matches(m[2], '\d+', 'g'))::oid AS oid FROM tree r
    CROSS JOIN LATERAL regexp_matches(r.nodes, ':(funcid|aggfnoid|winfnoid|opno|opnos|eqop|sortop|resulttype|consttype|vartype|relid) (\(o[\d ]*\)|\d+)', 'g') m
  ), object AS (
    SELECT DISTINCT CASE WHEN n.field IN ('funcid', 'aggfnoid', 'winfnoid') THEN 'function' WHEN n.field IN ('opno', 'opnos', 'eqop', 'sortop') THEN 'operator'
      WHEN n.field = 'relid' THEN 'relation' ELSE 'type' END AS kind, n.oid FROM named n
  ), described AS (
    SELECT o.kind, f.oid::regprocedure::text AS name, f.pronamespace AS schema, f.proowner AS owner, f.oid AS function,
      f.provariadic <> 0 OR f.pronargdefaults > 0 OR EXISTS (SELECT FROM unnest(f.proargtypes) a(type) JOIN pg_type y ON y.oid = a.type WHERE y.typtype = 'p') AS loose
    FROM object o JOIN pg_proc f ON o.kind = 'function' AND f.oid = o.oid
    UNION ALL
    SELECT o.kind, p.oid::regoperator::text, p.oprnamespace, p.oprowner, p.oprcode::oid,
      EXISTS (SELECT FROM pg_type y WHERE y.oid IN (p.oprleft, p.oprright) AND y.typtype = 'p')
    FROM object o JOIN pg_operator p ON o.kind = 'operator' AND p.oid = o.oid
    UNION ALL
    SELECT 'function', f.oid::regprocedure::text, f.pronamespace, f.proowner, f.oid, false
    FROM object o JOIN pg_operator p ON o.kind = 'operator' AND p.oid = o.oid JOIN pg_proc f ON f.oid = p.oprcode
    UNION ALL
    SELECT o.kind, y.oid::regtype::text, y.typnamespace, y.typowner, NULL, false
    FROM object o JOIN pg_type y ON o.kind = 'type' AND y.oid = o.oid WHERE NOT y.typrelid = ANY (p_tables)
    UNION ALL
    SELECT 'view', c.oid::regclass::text, c.relnamespace, c.relowner, NULL, false
    FROM object o JOIN pg_class c ON o.kind = 'relation' AND c.oid = o.oid WHERE c.relkind = 'v' AND c.oid <> v_view::regclass
  )
  SELECT jsonb_build_object('definition', pg_get_viewdef(v_view::regclass),
    'meaning', (SELECT string_agg(n.field || ' ' || n.oid, ',') FROM named n WHERE n.field <> 'relid'),
    'outside', coalesce((SELECT jsonb_agg(jsonb_build_object('kind', d.kind, 'name', d.name, 'owner', pg_get_userbyid(d.owner),
        'trusted', crossfade.is_trusted(d.owner, p_tables), 'replaceable', CASE WHEN d.loose THEN to_jsonb(crossfade.creators(d.schema, p_tables)) END,
        'lost', to_jsonb(crossfade.names_lost(d.function))) ORDER BY d.kind, d.name)
      FROM described d WHERE d.schema NOT IN ('pg_catalog'::regnamespace, 'crossfade'::regnamespace, 'information_schema'::regnamespace)), '[]'))
  INTO v_found;
  RAISE EXCEPTION 'seen' USING ERRCODE = 'CF012';
EXCEPTION WHEN SQLSTATE 'CF012' THEN
  RETURN v_found;
END $function$;

CREATE OR REPLACE FUNCTION crossfade.rules(p_table oid)
 RETURNS jsonb
 LANGUAGE plpgsql
 STABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
 SET plan_cache_mode TO 'force_generic_plan'
 SET enable_seqscan TO 'off'
 SET enable_hashjoin TO 'off'
 SET enable_mergejoin TO 'off'
AS $function$
BEGIN RETURN (
  SELECT coalesce(jsonb_agg(jsonb_build_object(
    'name', r.rulename, 'own', r.ev_class = p_table, 'definition', pg_get_ruledef(r.oid), 'enabled', r.ev_enabled,
    'table', jsonb_build_object('oid', CASE WHEN w.relkind IN ('v', 'm') THEN 0 ELSE w.oid::bigint END, 'schema', n.nspname, 'name', w.relname,
      'relkind', w.relkind, 'ours', pg_has_role(w.relowner, 'USAGE')),
    'comment', obj_description(r.oid, 'pg_rewrite'), 'uses', crossfade.columns_used('pg_rewrite', r.oid, p_table)) ORDER BY w.relname, r.rulename), '[]')
  -- A rule depends on its own table, too.
  FROM (SELECT DISTINCT e.objid FROM pg_depend e WHERE e.classid = 'pg_rewrite'::regclass AND e.refclassid = 'pg_class'::regclass AND e.refobjid = p_table) d
  CROSS JOIN LATERAL (SELECT x.oid, x.rulename, x.ev_class, x.ev_enabled FROM pg_rewrite x WHERE x.oid = d.objid OFFSET 0) r
  JOIN pg_class w ON w.oid = r.ev_class JOIN pg_namespace n ON n.oid = w.relnamespace WHERE r.rulename <> '_RETURN'
); END $function$;

CREATE OR REPLACE FUNCTION crossfade.segments(p_id text)
 RETURNS TABLE(place bigint, bounds text, rows bigint, divergences bigint, verified_at timestamp with time zone, due_since timestamp with time zone)
 LANGUAGE plpgsql
 STABLE SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
BEGIN
  IF to_regclass(format('crossfade.%I', 'segment_' || p_id)) IS NULL THEN RETURN; END IF;
  RETURN QUERY EXECUTE format($q$
    SELECT g.place, (to_jsonb(g) - '{place,rows,size,sum,divergences,samples,verified_at,pass}'::text[])::text, g.rows, g.divergences,
      g.verified_at, (SELECT min(m.at) FROM crossfade.%I m WHERE m.place = g.place OR m.place IS NULL)
    FROM crossfade.%I g ORDER BY g.place $q$, 'touched_' || p_id, 'segment_' || p_id);
END $function$;

CREATE OR REPLACE FUNCTION crossfade.session_shown(p_pid integer)
 RETURNS text
 LANGUAGE sql
 STABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
  SELECT coalesce((SELECT format('pid %s', a.pid)
      || CASE WHEN a.usename IS NOT NULL THEN format(', role %s', a.usename) ELSE '' END
      || CASE WHEN a.application_name <> '' THEN format(', application %s', a.application_name) ELSE '' END
      || CASE WHEN a.xact_start IS NOT NULL THEN format(', for %s s', round(extract(epoch FROM clock_timestamp() - a.xact_start))) ELSE '' END
      || CASE WHEN a.query IS NOT NULL AND a.query NOT IN ('', '<insufficient privilege>') THEN format(': %s', left(regexp_replace(regexp_replace(a.query, '''[^'']*''|[0-9]+', '…', 'g'), '[[:space:]]+', ' ', 'g'), 60)) ELSE '' END
    FROM pg_stat_activity a WHERE a.pid = p_pid), CASE WHEN p_pid IS NULL THEN 'a prepared transaction' ELSE format('pid %s', p_pid) END)
$function$;

CREATE OR REPLACE FUNCTION crossfade.set_indexes_aside(p_id text, p_shadow oid)
 RETURNS integer
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
DECLARE
  v record;
  v_count integer := 0;
BEGIN
  DELETE FROM crossfade.index_aside a WHERE a.cutover = p_id AND a.shadow <> p_shadow;
  FOR v IN
    SELECT c.oid, c.relname, n.nspname, pg_get_indexdef(c.oid) AS definition, obj_description(c.oid, 'pg_class') AS comment
    FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE i.indrelid = p_shadow AND c.relkind = 'i' AND c.reltablespace = 0 AND i.indisvalid
      AND (i.indexprs IS NULL AND i.indpred IS NULL OR (SELECT s.reset_val !~ 'pg_catalog' FROM pg_settings s WHERE s.name = 'search_path') AND NOT EXISTS (
        SELECT FROM regexp_matches(concat(i.indexprs::text, i.indpred::text), ':(funcid|opno|opnos) (\(o[\d ]*\)|\d+)', 'g') m
        CROSS JOIN LATERAL regexp_matches(m[2], '\d+', 'g') x LEFT JOIN pg_operator o ON m[1] <> 'funcid' AND o.oid = x[1]::oid
        JOIN pg_proc f ON f.oid = CASE m[1] WHEN 'funcid' THEN x[1]::oid ELSE o.oprcode::oid END
        WHERE f.provariadic <> 0 OR f.pronargdefaults > 0 OR EXISTS (SELECT FROM unnest(f.proargtypes) a(type) JOIN pg_type y ON y.oid = a.type WHERE y.typtype = 'p')))
      AND NOT (i.indisunique OR i.indisexclusion OR i.indisprimary OR i.indisreplident OR i.indisclustered)
      AND NOT EXISTS (SELECT FROM pg_constraint k WHERE k.conindid = c.oid)
      AND NOT EXISTS (SELECT FROM pg_attribute t WHERE t.attrelid = c.oid AND (to_jsonb(t) ->> 'attstattarget')::integer >= 0)
      AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype IN ('e', 'x'))
  LOOP
    INSERT INTO crossfade.index_aside AS a (cutover, shadow, name, schema, definition, comment)
    VALUES (p_id, p_shadow, v.relname, v.nspname, v.definition, v.comment)
    ON CONFLICT (cutover, name) DO UPDATE SET definition = EXCLUDED.definition, comment = EXCLUDED.comment;
    EXECUTE format('DROP INDEX %I.%I', v.nspname, v.relname);
    v_count := v_count + 1;
  END LOOP;
  RETURN v_count;
END $function$;

CREATE OR REPLACE FUNCTION crossfade.set_key_aside(p_id text, p_shadow oid, p_name text)
 RETURNS void
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
BEGIN
  PERFORM pg_advisory_xact_lock(crossfade.lock_key(p_id));
  IF EXISTS (SELECT FROM crossfade.cutover c WHERE c.id = p_id AND c.direction = 'reverse') THEN
    RAISE EXCEPTION 'cutover % is promoted: its foreign keys are those of the table in use', p_id USING ERRCODE = 'CF001';
  END IF;
  DELETE FROM crossfade.key_aside a WHERE a.cutover = p_id AND a.shadow <> p_shadow;
  INSERT INTO crossfade.key_aside AS a (cutover, shadow, name, definition, key)
  SELECT p_id, k.conrelid, k.conname, pg_get_constraintdef(k.oid), crossfade.foreign_key(k.oid)
  FROM pg_constraint k WHERE k.conrelid = p_shadow AND k.contype = 'f' AND k.conname = p_name
  ON CONFLICT (cutover, name) DO UPDATE SET shadow = EXCLUDED.shadow, definition = EXCLUDED.definition, key = EXCLUDED.key, since = clock_timestamp();
  IF FOUND THEN EXECUTE format('ALTER TABLE %s DROP CONSTRAINT %I', p_shadow::regclass, p_name); END IF;
END $function$;

CREATE OR REPLACE FUNCTION crossfade.set_lists(p_id text, p_allow text[], p_deny text[])
 RETURNS void
 LANGUAGE sql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
  UPDATE crossfade.cutover c SET allow = p_allow, deny = p_deny
  WHERE c.id = p_id AND (c.allow, c.deny) IS DISTINCT FROM (p_allow, p_deny)
$function$;

CREATE OR REPLACE FUNCTION crossfade.set_read_only(p_id text, p_epoch bigint, p_seconds integer)
 RETURNS jsonb
 LANGUAGE sql
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$SELECT crossfade.refuse_writes(p_id, p_epoch, p_seconds, false)$function$;

CREATE OR REPLACE FUNCTION crossfade.shape_adopted(p_id text)
 RETURNS void
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
BEGIN
  PERFORM crossfade.record_shape(p_id);
  UPDATE crossfade.shape s SET gap = 'the tables were taken over as they are', gap_at = clock_timestamp() WHERE s.cutover = p_id;
  PERFORM crossfade.begin_sweep(p_id, 'the tables were taken over as they are');
END $function$;

CREATE OR REPLACE FUNCTION crossfade.shape_differences(p_id text)
 RETURNS jsonb
 LANGUAGE plpgsql
 STABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
 SET jit TO 'off'
AS $function$
DECLARE
  v crossfade.shape%ROWTYPE;
  v_now CONSTANT jsonb := crossfade.shape_now(p_id);
BEGIN
  IF NOT EXISTS (SELECT FROM crossfade.cutover c WHERE c.id = p_id AND c.direction <> 'none') THEN RETURN '[]'; END IF;
  SELECT * INTO v FROM crossfade.shape s WHERE s.cutover = p_id;
  IF NOT FOUND THEN RETURN '[{"object": "the record of what was armed", "was": null, "is": null}]'; END IF;
  IF v.armed = v_now THEN RETURN '[]'; END IF;
  RETURN (SELECT coalesce(jsonb_agg(jsonb_build_object('object', CASE
      WHEN o.side = '' THEN 'database'
      WHEN o.side = 'used' THEN o.object
      WHEN o.object = 'name' THEN 'table ' || (v.armed ->> (o.side || '/name'))
      ELSE format('%s of %s', o.object, v.armed ->> (o.side || '/name')) END, 'was', o.was, 'is', o.is) ORDER BY o.side, o.object <> 'name', o.object), '[]')
    FROM (
      SELECT CASE WHEN key LIKE '%/%' THEN split_part(key, '/', 1) ELSE '' END AS side, substr(key, strpos(key, '/') + 1) AS object, a.value AS was, n.value AS is
      FROM jsonb_each_text(v.armed) a FULL JOIN jsonb_each_text(v_now) n USING (key) WHERE a.value IS DISTINCT FROM n.value) o
    WHERE (o.side IN ('', 'used') OR o.object = 'name' OR v_now ? (o.side || '/name'))
      -- After promotion a constraint of the old table hides nothing: a row that it refuses waits in quarantine, by name.
      AND NOT (o.side = 'primary' AND o.object LIKE 'constraint %' AND EXISTS (SELECT FROM crossfade.cutover c WHERE c.id = p_id AND c.direction = 'reverse')));
END $function$;

CREATE OR REPLACE FUNCTION crossfade.shape_now(p_id text)
 RETURNS jsonb
 LANGUAGE plpgsql
 STABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
 SET jit TO 'off'
AS $function$
BEGIN
  RETURN (SELECT s.shape FROM crossfade.shapes_now(ARRAY[p_id]) s);
END $function$;

CREATE OR REPLACE FUNCTION crossfade.shape_obstacle(p_id text)
 RETURNS text
 LANGUAGE plpgsql
 STABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
 SET jit TO 'off'
AS $function$
DECLARE
  v_differences CONSTANT jsonb := crossfade.shape_differences(p_id);
  v_gap CONSTANT text := crossfade.capture_gap(p_id);
  v_open text;
BEGIN
  IF v_differences <> '[]' THEN
    RETURN 'the tables are not as they were armed: ' || (SELECT string_agg(format('%s was %s, is %s', d ->> 'object', coalesce(d ->> 'was', 'not there'), coalesce(d ->> 'is', 'not there')), '; ')
      FROM jsonb_array_elements(v_differences) WITH ORDINALITY x(d, place) WHERE place <= 3);
  END IF;
  IF NOT crossfade.compared_again(p_id) THEN
    v_open := coalesce((SELECT s.gap FROM crossfade.shape s WHERE s.cutover = p_id), crossfade.sweep_reason(p_id));
  END IF;
  IF coalesce(v_gap, v_open) IS NULL THEN RETURN NULL; END IF;
  IF v_gap IS NULL AND EXISTS (SELECT FROM crossfade.backfill b WHERE b.cutover = p_id AND b.state <> 'done') THEN
    RETURN format('a sweep of both tables is not done: %s', v_open);
  END IF;
  RETURN format('changes may have been missed (%s), and not every row was compared since', coalesce(v_gap, v_open));
END $function$;

CREATE OR REPLACE FUNCTION crossfade.shape_status(p_id text)
 RETURNS jsonb
 LANGUAGE plpgsql
 STABLE SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
 SET jit TO 'off'
AS $function$
DECLARE
  v crossfade.shape%ROWTYPE;
  v_differences jsonb;
  v_gap text;
  v_compared boolean;
BEGIN
  IF NOT EXISTS (SELECT FROM crossfade.cutover c WHERE c.id = p_id AND c.direction <> 'none') THEN RETURN '{}'; END IF;
  SELECT * INTO v FROM crossfade.shape s WHERE s.cutover = p_id;
  v_differences := crossfade.shape_differences(p_id);
  v_gap := crossfade.capture_gap(p_id);
  v_compared := crossfade.compared_again(p_id);
  RETURN jsonb_build_object('shape', jsonb_build_object('differences', v_differences,
    'sinceMs', CASE WHEN v_differences <> '[]' THEN floor(1000 * extract(epoch FROM v.since)) END,
    'gap', coalesce(v_gap, CASE WHEN NOT v_compared THEN coalesce(v.gap, crossfade.sweep_reason(p_id)) END),
    -- In another database nothing can be made again.
    'due', v_differences IS DISTINCT FROM v.differences
      OR (v.database = crossfade.database_oid() AND (v_gap IS NOT NULL OR (v.gap IS NOT NULL AND v_compared) OR v.stamps <> crossfade.columns_stamp(p_id)))));
END $function$;

CREATE OR REPLACE FUNCTION crossfade.shapes_now(p_ids text[])
 RETURNS TABLE(id text, shape jsonb)
 LANGUAGE plpgsql
 STABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
 SET quote_all_identifiers TO 'off'
 SET plan_cache_mode TO 'force_generic_plan'
 SET jit TO 'off'
AS $function$
DECLARE
  v_database CONSTANT jsonb := jsonb_build_object('database', format('%s (oid %s)', current_database(), crossfade.database_oid()));
BEGIN
  RETURN QUERY
  SELECT c.id, v_database || coalesce(jsonb_object_agg(t.side || '/' || s.object, s.definition) FILTER (WHERE s.object IS NOT NULL), '{}')
    || coalesce((SELECT jsonb_object_agg('used/function ' || f.oid::regprocedure, 'body ' || left(md5(concat_ws(' ', l.lanname, f.prosrc, f.probin, pg_get_function_sqlbody(f.oid), f.proisstrict, f.proconfig)), 8))
      FROM crossfade.used u JOIN pg_proc f ON f.oid = u.oid JOIN pg_language l ON l.oid = f.prolang WHERE u.cutover = c.id AND u.kind = 'function'), '{}')
    || coalesce((SELECT jsonb_object_agg('used/type ' || y.oid::regtype, (SELECT string_agg(quote_literal(e.enumlabel), ', ' ORDER BY e.enumsortorder) FROM pg_enum e WHERE e.enumtypid = y.oid))
      FROM crossfade.used u JOIN pg_type y ON y.oid = u.oid WHERE u.cutover = c.id AND u.kind = 'type'), '{}')
  FROM crossfade.cutover c CROSS JOIN LATERAL (VALUES ('primary', c.primary_oid), ('shadow', c.shadow_oid)) t(side, oid)
  LEFT JOIN crossfade.table_shapes((SELECT array_agg(DISTINCT x.oid) FROM crossfade.cutover k CROSS JOIN LATERAL (VALUES (k.primary_oid), (k.shadow_oid)) x(oid)
    WHERE k.id = ANY (p_ids))) s ON s.relation = t.oid
  WHERE c.id = ANY (p_ids) GROUP BY c.id;
END $function$;

CREATE OR REPLACE FUNCTION crossfade.should_route_to_shadow(p_table text, p_operation text, p_key text, p_groups text[] DEFAULT '{}'::text[], p_environment text DEFAULT NULL::text)
 RETURNS boolean
 LANGUAGE sql
 STABLE SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
  SELECT coalesce((
    SELECT CASE
      WHEN c.stage IN ('completed', 'cleaned') THEN true
      WHEN p_operation IN ('write', 'insert', 'update', 'delete', 'upsert') THEN false
      WHEN crossfade.is_listed(c.deny, p_key, p_groups, p_environment) THEN false
      WHEN c.read_ppm > 0 AND crossfade.is_listed(c.allow, p_key, p_groups, p_environment) THEN true
      WHEN c.read_ppm >= 1000000 THEN true
      WHEN p_key IS NULL OR p_key = '' THEN false
      ELSE crossfade.murmur3_32(c.salt || ':' || p_key) < floor(c.read_ppm * 4294967296::numeric / 1000000)
    END
    FROM crossfade.cutover c
    WHERE regexp_replace(p_table, '^.*\.', '') IN (c.id, c.primary_name, c.shadow_name) ORDER BY c.id LIMIT 1), false)
$function$;

CREATE OR REPLACE FUNCTION crossfade.statuses(p_ids text[])
 RETURNS TABLE(id text, status jsonb)
 LANGUAGE plpgsql
 STABLE SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
 SET plan_cache_mode TO 'force_generic_plan'
 SET jit TO 'off'
AS $function$
DECLARE
  v_ids CONSTANT text[] := ARRAY(SELECT c.id FROM crossfade.cutover c WHERE c.id = ANY (p_ids));
  v_armed CONSTANT text[] := ARRAY(SELECT c.id FROM crossfade.cutover c WHERE c.id = ANY (p_ids) AND c.direction <> 'none');
  v_same text[];
BEGIN
  v_same := ARRAY(SELECT s.cutover FROM crossfade.shape s
    JOIN crossfade.shapes_now(v_armed) n ON n.id = s.cutover AND n.shape = s.armed
    JOIN crossfade.captures_now(v_armed) k ON k.id = s.cutover AND k.capture = s.capture
    JOIN crossfade.columns_stamps(v_armed) t ON t.id = s.cutover AND t.stamps = s.stamps
    WHERE s.database = crossfade.database_oid() AND s.differences = '[]' AND s.gap IS NULL
      AND NOT EXISTS (SELECT FROM crossfade.backfill b WHERE b.cutover = s.cutover AND b.sweep_why IS NOT NULL));
  RETURN QUERY SELECT i.id, crossfade.table_status(i.id) || CASE WHEN i.id = ANY (v_same)
      THEN '{"shape": {"differences": [], "sinceMs": null, "gap": null, "due": false}}'::jsonb ELSE crossfade.shape_status(i.id) END || crossfade.not_verified(i.id)
  FROM unnest(v_ids) i(id);
END $function$;

CREATE OR REPLACE FUNCTION crossfade.stay_closed(p_id text, p_table oid, p_before_epoch bigint)
 RETURNS void
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
BEGIN
  PERFORM pg_advisory_xact_lock(crossfade.lock_key(p_id));
  IF EXISTS (SELECT FROM crossfade.cutover c WHERE c.id = p_id AND c.epoch >= p_before_epoch) THEN
    RAISE EXCEPTION 'this side of cutover % has epoch % already', p_id, p_before_epoch USING ERRCODE = 'CF016';
  END IF;
  IF NOT EXISTS (SELECT FROM pg_trigger g WHERE g.tgrelid = p_table AND g.tgname = 'crossfade_read_only' AND g.tgnargs = 1) THEN
    PERFORM crossfade.close_table(p_id, p_table);
  END IF;
END $function$;

CREATE OR REPLACE FUNCTION crossfade.swap(p_id text, p_from bigint, p_to bigint, p_direction text, p_stage text, p_version bigint, p_views text[], p_tables oid[], p_statements text[], p_fingerprint text, p_plan jsonb, p_most integer, p_before text[] DEFAULT '{}'::text[])
 RETURNS jsonb
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
 SET lock_timeout TO '200ms'
 SET check_function_bodies TO 'off'
AS $function$
DECLARE
  v crossfade.cutover%ROWTYPE;
  v_table oid;
  v_statement text;
  v_key text;
  v_count bigint;
  v_asked timestamptz;
  v_since timestamptz;
  v_complete timestamptz;
  v_stamp text;
  v_holders text[];
  v_drained integer;
  v_views oid[] := coalesce((SELECT array_agg(coalesce(to_regclass(n), 0)::oid ORDER BY place) FROM unnest(p_views) WITH ORDINALITY x(n, place)), '{}');
  v_order oid[] := p_tables;
  v_locked oid[] := v_views || p_tables;
  -- Milliseconds that all locks of a round may take, and so the application waits: far below deadlock_timeout (1 s), so that it is
  -- always the swap that lets go. Short ones mostly: a round in which a transaction under way needs them in another order is lost from
  -- its beginning, and any other one is over when the transactions that were under way are.
  v_patience integer[] := '{30,60,100,30,60,100,100}';
  v_queued integer := 3;
  -- Whatever makes the statements under the lock slow, code of others among it, the application waits no longer than for the one that is at work then.
  v_longest CONSTANT interval := '1 second';
BEGIN
  IF current_setting('transaction_isolation') <> 'read committed' THEN
    RAISE EXCEPTION 'crossfade needs READ COMMITTED, this transaction is %', upper(current_setting('transaction_isolation'))
      USING ERRCODE = 'CF011', HINT = 'Begin it with BEGIN ISOLATION LEVEL READ COMMITTED.';
  END IF;
  BEGIN
    PERFORM pg_advisory_xact_lock(crossfade.lock_key(p_id));
    SELECT * INTO v FROM crossfade.cutover c WHERE c.id = p_id;
    IF v.epoch = p_to AND v.direction = p_direction THEN RETURN jsonb_build_object('kind', 'already'); END IF;
    IF v.epoch IS DISTINCT FROM p_from THEN
      RAISE EXCEPTION 'the database is at epoch %, not at %', coalesce(v.epoch::text, 'none'), p_from USING ERRCODE = 'CF001';
    END IF;
    IF p_version <= v.abandoned THEN
      RAISE EXCEPTION 'this swap was given up before it began' USING ERRCODE = 'CF001';
    END IF;
    SELECT count(*), min(q.key) INTO v_count, v_key FROM crossfade.quarantine q WHERE q.cutover = p_id;
    IF v_count > 0 THEN
      RAISE EXCEPTION '% keys are in quarantine, first %', v_count, v_key USING ERRCODE = 'CF003';
    END IF;
    -- Nothing else says that every row is there: a hint exists only for what was written since capture was armed.
    IF p_direction = 'reverse' AND NOT EXISTS (SELECT FROM crossfade.backfill b WHERE b.cutover = p_id AND b.state = 'done') THEN
      RAISE EXCEPTION 'the backfill is not done' USING ERRCODE = 'CF003';
    END IF;
    PERFORM crossfade.hold_shape(ARRAY[v.primary_oid, v.shadow_oid]);
    v_stamp := crossfade.catalog_stamp(v_locked || v.primary_oid || v.shadow_oid);
    IF crossfade.catalog_fingerprint(v.primary_oid, v.shadow_oid) IS DISTINCT FROM p_fingerprint THEN
      RAISE EXCEPTION 'the tables were changed after the plan was made' USING ERRCODE = 'CF002';
    END IF;
    FOREACH v_statement IN ARRAY p_before LOOP
      EXECUTE v_statement;
    END LOOP;
    PERFORM crossfade.drain(p_id, p_from, 20 * p_most, p_most / 2);

    FOR v_round IN 1 .. cardinality(v_patience) LOOP
      BEGIN
        v_asked := clock_timestamp();
        v_since := NULL;
        FOREACH v_table IN ARRAY v_views || v_order LOOP
          PERFORM set_config('lock_timeout', greatest(1, v_patience[v_round] - round(1000 * extract(epoch FROM clock_timestamp() - v_asked)))::text, true);
          -- LOCK TABLE on a view goes on to everything that it reads; an owner who stays the same only locks the view.
          SELECT CASE WHEN c.relkind IN ('v', 'm') THEN format('ALTER TABLE %s OWNER TO %I', c.oid::regclass, pg_get_userbyid(c.relowner))
            ELSE format('LOCK TABLE %s IN ACCESS EXCLUSIVE MODE', c.oid::regclass) END
          INTO v_statement FROM pg_class c WHERE c.oid = v_table;
          IF v_statement IS NULL THEN
            RAISE EXCEPTION 'a table or view was dropped after the plan was made' USING ERRCODE = 'CF002';
          END IF;
          EXECUTE v_statement;
          v_since := coalesce(v_since, clock_timestamp());
        END LOOP;
        EXIT;
      EXCEPTION WHEN lock_not_available OR deadlock_detected THEN
        -- Every lock of this round is gone by here.
        IF v_round = cardinality(v_patience) THEN RAISE; END IF;
        v_holders := crossfade.holding_transactions(v_locked, NULL);
        IF v_table = ANY (v_order) THEN v_order := v_table || array_remove(v_order, v_table); END IF;
      END;
      -- Whoever queued behind us works on, and what they write meanwhile is not left for the time under the lock.
      PERFORM pg_sleep(0.01 + 0.04 * random());
      IF v_round >= v_queued THEN
        FOR v_look IN 1 .. 50 LOOP
          EXIT WHEN crossfade.holding_transactions(v_locked, v_holders) = '{}';
          IF v_look = 50 THEN
            RAISE EXCEPTION 'a transaction that holds a lock on the tables goes on' USING ERRCODE = 'lock_not_available';
          END IF;
          PERFORM pg_sleep(0.02);
        END LOOP;
      END IF;
      PERFORM crossfade.drain(p_id, p_from, 20 * p_most, p_most / 2);
    END LOOP;
    v_complete := clock_timestamp();
    PERFORM set_config('lock_timeout', '200', true);

    -- A transaction that reads one snapshot throughout would see the new table as of its beginning.
    SELECT count(*), min(format('%s (process %s)', coalesce(nullif(a.application_name, ''), 'a client'), a.pid)) INTO v_count, v_key
    FROM pg_stat_activity a WHERE a.datname = current_database() AND a.pid <> pg_backend_pid()
      AND a.state LIKE 'idle in transaction%' AND a.backend_xmin IS NOT NULL;
    IF v_count > 0 THEN
      RAISE EXCEPTION 'an open transaction holds an old snapshot: %', v_key USING ERRCODE = 'CF003';
    END IF;
    -- A snapshot from before the copy ended sees none or few of its rows, whatever its transaction does now.
    SELECT count(*), min(format('%s (process %s)', coalesce(nullif(a.application_name, ''), 'a client'), a.pid)) INTO v_count, v_key
    FROM crossfade.backfill b JOIN pg_locks l ON l.locktype = 'virtualxid' AND l.virtualtransaction = ANY (b.elders)
      JOIN pg_stat_activity a ON a.pid = l.pid
    WHERE b.cutover = p_id AND p_direction = 'reverse';
    IF v_count > 0 THEN
      RAISE EXCEPTION 'a transaction that began before the copy ended is still open, and may read an old snapshot: %', v_key USING ERRCODE = 'CF003';
    END IF;
    IF crossfade.catalog_stamp(v_locked || v.primary_oid || v.shadow_oid) IS DISTINCT FROM v_stamp THEN
      RAISE EXCEPTION 'the tables were changed after the plan was made' USING ERRCODE = 'CF002';
    END IF;
    v_drained := crossfade.drain(p_id, p_from, p_most, 0);
    -- A deferred constraint that is still to be checked keeps its table from being altered.
    SET CONSTRAINTS ALL IMMEDIATE;

    FOR v_place IN 1 .. cardinality(p_statements) LOOP
      IF clock_timestamp() - v_since > v_longest THEN
        RAISE EXCEPTION 'the tables were locked for % ms after % of % statements, the limit is % ms: event triggers or a slow server',
          round(1000 * extract(epoch FROM clock_timestamp() - v_since)), v_place - 1, cardinality(p_statements), round(1000 * extract(epoch FROM v_longest)) USING ERRCODE = 'CF003';
      END IF;
      EXECUTE p_statements[v_place];
    END LOOP;
    UPDATE crossfade.cutover c SET direction = p_direction, epoch = p_to, version = greatest(c.version, p_version), stage = p_stage,
      plan = p_plan, shadow_writes = p_direction <> 'none', read_ppm = CASE p_direction WHEN 'none' THEN 0 ELSE 1000000 END
    WHERE c.id = p_id;
    RETURN jsonb_build_object('kind', 'swapped', 'drained', v_drained,
      'lockHeldMs', round((1000 * extract(epoch FROM clock_timestamp() - v_since))::numeric, 1),
      'waitedMs', round((1000 * extract(epoch FROM v_complete - v_asked))::numeric, 1));
  EXCEPTION WHEN SQLSTATE 'CF001' OR SQLSTATE 'CF002' OR SQLSTATE 'CF003' OR lock_not_available OR deadlock_detected THEN
    RETURN jsonb_build_object('kind', 'postponed', 'sqlstate', SQLSTATE, 'why', SQLERRM, 'holders', (
      SELECT coalesce(jsonb_agg(to_jsonb(h)), '[]') FROM crossfade.lock_holders(p_id, v_locked) h));
  END;
END $function$;

CREATE OR REPLACE FUNCTION crossfade.sweep_reason(p_id text)
 RETURNS text
 LANGUAGE sql
 STABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$ SELECT to_jsonb(b) ->> 'sweep_why' FROM crossfade.backfill b WHERE b.cutover = p_id $function$;

CREATE OR REPLACE FUNCTION crossfade.switch_inline(p_id text, p_version bigint, p_enabled boolean)
 RETURNS void
 LANGUAGE sql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
  UPDATE crossfade.cutover c SET inline_writes = p_enabled, inline_version = p_version
  WHERE c.id = p_id AND c.inline_version <= p_version AND (c.inline_writes, c.inline_version) IS DISTINCT FROM (p_enabled, p_version)
$function$;

CREATE OR REPLACE FUNCTION crossfade.sync_status(p_cutover text)
 RETURNS TABLE(sync_status text, rows bigint)
 LANGUAGE plpgsql
 STABLE SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
DECLARE
  v crossfade.cutover%ROWTYPE := crossfade.known_cutover(p_cutover);
BEGIN
  IF NOT EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = v.shadow_oid AND a.attname = '_shadow_sync_status' AND NOT a.attisdropped) THEN
    RAISE EXCEPTION 'the rows of %, the shadow of cutover %, do not say how it stands with them', v.shadow_name, p_cutover USING ERRCODE = 'CF010',
      HINT = 'They do in a column _shadow_sync_status text. SELECT * FROM crossfade.validate_table_consistency(' || quote_literal(p_cutover) || ') compares every row now.';
  END IF;
  RETURN QUERY EXECUTE format('SELECT t._shadow_sync_status::text, count(*) FROM %s t GROUP BY 1 ORDER BY 1', v.shadow_oid::regclass);
END $function$;

CREATE OR REPLACE FUNCTION crossfade.table_dependents(p_table oid)
 RETURNS jsonb
 LANGUAGE plpgsql
 STABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
 SET plan_cache_mode TO 'force_generic_plan'
AS $function$
BEGIN RETURN (
  SELECT crossfade.attached(t.oid) || jsonb_build_object(
    'oid', t.oid::bigint, 'schema', n.nspname, 'name', t.relname, 'relkind', t.relkind, 'persistence', t.relpersistence,
    'owner', quote_ident(pg_get_userbyid(t.relowner)), 'ours', pg_has_role(t.relowner, 'USAGE'),
    -- A view and a table are only given to an owner who may create in the schema, unless a superuser does it.
    'mayCreate', has_schema_privilege(n.oid, 'CREATE') AND (has_schema_privilege(t.relowner, n.oid, 'CREATE')
      OR (SELECT u.rolsuper FROM pg_roles u WHERE u.rolname = current_user)),
    'rowSecurity', t.relrowsecurity, 'forced', t.relforcerowsecurity,
    'bypassed', (SELECT u.rolsuper OR u.rolbypassrls FROM pg_roles u WHERE u.rolname = current_user), 'replicaIdentity', t.relreplident,
    'options', coalesce(to_jsonb(t.reloptions), '[]'), 'comment', obj_description(t.oid, 'pg_class'),
    'grants', crossfade.grants(t.relacl, 'r', t.relowner),
    'columns', (
      SELECT coalesce(jsonb_agg(jsonb_build_object(
        'name', a.attname, 'type', format_type(a.atttypid, a.atttypmod), 'notNull', a.attnotnull,
        'default', pg_get_expr(d.adbin, d.adrelid), 'identity', a.attidentity, 'generated', a.attgenerated,
        'collation', a.attcollation::regcollation::text, 'comment', col_description(t.oid, a.attnum),
        'grants', crossfade.grants(a.attacl, 'c', t.relowner)) ORDER BY a.attnum), '[]')
      FROM pg_attribute a LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
      WHERE a.attrelid = t.oid AND a.attnum > 0 AND NOT a.attisdropped),
    'indexes', (
      SELECT coalesce(jsonb_agg(jsonb_build_object(
        'name', i.relname, 'definition', pg_get_indexdef(x.indexrelid), 'unique', x.indisunique, 'valid', x.indisvalid,
        'immediate', x.indimmediate AND x.indpred IS NULL, 'identifies', x.indisreplident, 'clustered', x.indisclustered,
        'constraint', EXISTS (SELECT FROM pg_constraint c WHERE c.conindid = i.oid AND c.contype IN ('p', 'u', 'x')),
        'columns', (SELECT coalesce(jsonb_agg(a.attname ORDER BY k.place), '[]') FROM unnest(x.indkey::int2[]) WITH ORDINALITY k(attnum, place)
          LEFT JOIN pg_attribute a ON a.attrelid = x.indrelid AND a.attnum = k.attnum AND k.attnum > 0
          WHERE k.place <= x.indnkeyatts)) ORDER BY i.relname), '[]')
      FROM pg_index x JOIN pg_class i ON i.oid = x.indexrelid WHERE x.indrelid = t.oid),
    'constraints', (
      SELECT coalesce(jsonb_agg(jsonb_build_object(
        'name', c.conname, 'type', c.contype, 'definition', pg_get_constraintdef(c.oid),
        'columns', (SELECT coalesce(jsonb_agg(a.attname ORDER BY k.place), '[]') FROM unnest(c.conkey) WITH ORDINALITY k(attnum, place)
          JOIN pg_attribute a ON a.attrelid = c.conrelid AND a.attnum = k.attnum)) ORDER BY c.conname), '[]')
      FROM pg_constraint c WHERE c.conrelid = t.oid AND NOT (c.contype = 'f' AND c.conparentid <> 0)),
    'outgoing', (
      SELECT coalesce(jsonb_agg(crossfade.foreign_key(c.oid) ORDER BY c.conname), '[]')
      FROM pg_constraint c WHERE c.conrelid = t.oid AND c.contype = 'f' AND c.conparentid = 0),
    'inbound', (
      SELECT coalesce(jsonb_agg(crossfade.foreign_key(c.oid) ORDER BY c.conrelid, c.conname), '[]')
      FROM pg_constraint c WHERE c.confrelid = t.oid AND c.contype = 'f' AND c.conparentid = 0),
    'sequences', (
      SELECT coalesce(jsonb_agg(jsonb_build_object(
        'schema', sn.nspname, 'name', s.relname, 'column', a.attname, 'increment', q.seqincrement,
        'source', CASE WHEN u.identity THEN 'identity' ELSE 'default' END,
        'ownedBy', (SELECT jsonb_build_object('table', o.refobjid::bigint, 'column', oa.attname) FROM pg_depend o
          JOIN pg_attribute oa ON oa.attrelid = o.refobjid AND oa.attnum = o.refobjsubid
          WHERE o.classid = 'pg_class'::regclass AND o.objid = s.oid AND o.refclassid = 'pg_class'::regclass AND o.deptype IN ('a', 'i') LIMIT 1),
        'owner', quote_ident(pg_get_userbyid(s.relowner)),
        'grants', crossfade.grants(s.relacl, 's', s.relowner)) ORDER BY a.attnum, s.relname), '[]')
      FROM (
        SELECT d.objid AS sequence, d.refobjsubid AS attnum, true AS identity FROM pg_depend d
        WHERE d.refclassid = 'pg_class'::regclass AND d.refobjid = t.oid AND d.classid = 'pg_class'::regclass AND d.deptype = 'i' AND d.refobjsubid > 0
        UNION
        SELECT d.refobjid, e.adnum, false FROM pg_attrdef e JOIN pg_depend d ON d.classid = 'pg_attrdef'::regclass AND d.objid = e.oid
        WHERE e.adrelid = t.oid AND d.refclassid = 'pg_class'::regclass AND d.refobjid <> t.oid
      ) u
      JOIN pg_class s ON s.oid = u.sequence AND s.relkind = 'S' JOIN pg_namespace sn ON sn.oid = s.relnamespace
      JOIN pg_sequence q ON q.seqrelid = s.oid
      JOIN pg_attribute a ON a.attrelid = t.oid AND a.attnum = u.attnum),
    'partitionedBy', pg_get_partkeydef(t.oid),
    'partitionColumns', (
      SELECT coalesce(jsonb_agg(a.attname ORDER BY k.place), '[]') FROM pg_partitioned_table p CROSS JOIN unnest(p.partattrs::int2[]) WITH ORDINALITY k(attnum, place)
      JOIN pg_attribute a ON a.attrelid = t.oid AND a.attnum = k.attnum WHERE p.partrelid = t.oid AND k.attnum > 0),
    'partitions', (
      SELECT coalesce(jsonb_agg(jsonb_build_object('oid', x.oid::bigint, 'schema', m.nspname, 'name', x.relname, 'leaf', p.isleaf,
        'persistence', x.relpersistence, 'ours', pg_has_role(x.relowner, 'USAGE'), 'bound', pg_get_expr(x.relpartbound, x.oid),
        'triggers', (SELECT coalesce(jsonb_agg(g.tgname ORDER BY g.tgname), '[]') FROM pg_trigger g JOIN pg_proc f ON f.oid = g.tgfoid WHERE g.tgrelid = x.oid
          AND NOT g.tgisinternal AND g.tgparentid = 0 AND g.tgenabled IN ('O', 'A') AND f.pronamespace <> 'crossfade'::regnamespace)) ORDER BY p.level, x.oid), '[]')
      FROM pg_partition_tree(t.oid) p JOIN pg_class x ON x.oid = p.relid JOIN pg_namespace m ON m.oid = x.relnamespace WHERE p.level > 0 AND t.relkind = 'p'),
    -- What can only be described: {kind, object, detail}, in a stable order.
    'others', (
      SELECT coalesce(jsonb_agg(DISTINCT jsonb_build_object('kind', o.kind, 'object', o.object, 'detail', o.detail)), '[]') FROM (
        SELECT CASE WHEN c.relispartition THEN 'partition' ELSE 'inheritance' END AS kind,
          x.oid::regclass::text AS object, '' AS detail
        FROM pg_inherits h JOIN pg_class x ON x.oid = CASE h.inhrelid WHEN t.oid THEN h.inhparent ELSE h.inhrelid END
        JOIN pg_class c ON c.oid = h.inhrelid WHERE t.oid = h.inhrelid OR (t.oid = h.inhparent AND NOT c.relispartition)
        UNION ALL
        SELECT 'extension', e.extname::text, '' FROM pg_depend d JOIN pg_extension e ON e.oid = d.refobjid
        WHERE d.classid = 'pg_class'::regclass AND d.objid = t.oid AND d.refclassid = 'pg_extension'::regclass
        UNION ALL
        SELECT 'security label', l.provider, l.label FROM pg_seclabel l WHERE l.classoid = 'pg_class'::regclass AND l.objoid = t.oid
        UNION ALL
        -- All that pg_depend knows beyond the above: functions, columns and domains of the row type, policies of other tables.
        SELECT CASE d.classid WHEN 'pg_proc'::regclass THEN 'function' WHEN 'pg_class'::regclass THEN 'column' ELSE substr(d.classid::regclass::text, 4) END,
          pg_describe_object(d.classid, d.objid, d.objsubid), ''
        FROM (VALUES ('pg_class'::regclass::oid, t.oid), ('pg_type'::regclass, t.reltype),
          ('pg_type'::regclass, (SELECT y.typarray FROM pg_type y WHERE y.oid = t.reltype))) r(class, oid)
        CROSS JOIN LATERAL (SELECT e.classid, e.objid, e.objsubid, e.refclassid FROM pg_depend e WHERE e.refclassid = r.class AND e.refobjid = r.oid OFFSET 0) d
        WHERE CASE d.classid
            WHEN 'pg_rewrite'::regclass THEN false
            WHEN 'pg_publication_rel'::regclass THEN false
            WHEN 'pg_class'::regclass THEN d.objid <> t.oid
              AND NOT (d.refclassid = 'pg_class'::regclass AND (
                EXISTS (SELECT FROM pg_class c WHERE c.oid = d.objid AND c.relkind IN ('i', 'I', 't', 'S'))
                OR EXISTS (SELECT FROM pg_inherits h WHERE h.inhrelid = d.objid AND h.inhparent = t.oid)))
            WHEN 'pg_constraint'::regclass THEN NOT EXISTS (SELECT FROM pg_constraint c WHERE c.oid = d.objid AND t.oid IN (c.conrelid, c.confrelid))
            WHEN 'pg_attrdef'::regclass THEN NOT EXISTS (SELECT FROM pg_attrdef e WHERE e.oid = d.objid AND e.adrelid = t.oid)
            WHEN 'pg_trigger'::regclass THEN NOT EXISTS (SELECT FROM pg_trigger g WHERE g.oid = d.objid AND (g.tgrelid = t.oid OR g.tgisinternal))
            WHEN 'pg_policy'::regclass THEN d.refclassid <> 'pg_class'::regclass
            WHEN 'pg_proc'::regclass THEN d.refclassid <> 'pg_class'::regclass OR NOT EXISTS (SELECT FROM pg_proc f WHERE f.oid = d.objid AND f.prosqlbody IS NOT NULL)
            WHEN 'pg_statistic_ext'::regclass THEN NOT EXISTS (SELECT FROM pg_statistic_ext s WHERE s.oid = d.objid AND s.stxrelid = t.oid)
            WHEN 'pg_type'::regclass THEN NOT EXISTS (SELECT FROM pg_type y WHERE y.oid = d.objid AND (y.oid = t.reltype OR y.typelem = t.reltype))
            ELSE true END
      ) o))
  FROM pg_class t JOIN pg_namespace n ON n.oid = t.relnamespace WHERE t.oid = p_table
); END $function$;

CREATE OR REPLACE FUNCTION crossfade.table_facts(p_table oid)
 RETURNS jsonb
 LANGUAGE plpgsql
 STABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
 SET plan_cache_mode TO 'force_generic_plan'
AS $function$
DECLARE
  v jsonb := crossfade.table_dependents(p_table);
BEGIN RETURN v || jsonb_build_object(
  'sequences', (
    SELECT coalesce(jsonb_agg(x.entry || jsonb_build_object('type', format_type(q.seqtypid, NULL), 'min', q.seqmin::text, 'max', q.seqmax::text,
        'cycle', q.seqcycle, 'ours', pg_has_role(s.relowner, 'USAGE'),
        'columnType', (WITH RECURSIVE under AS (SELECT a.atttypid AS oid FROM pg_attribute a WHERE a.attrelid = p_table AND a.attname = x.entry ->> 'column'
            UNION ALL SELECT d.typbasetype FROM under u JOIN pg_type d ON d.oid = u.oid WHERE d.typtype = 'd')
          SELECT format_type(u.oid, NULL) FROM under u JOIN pg_type y ON y.oid = u.oid WHERE y.typtype <> 'd')) ORDER BY x.place), '[]')
    FROM jsonb_array_elements(v -> 'sequences') WITH ORDINALITY x(entry, place)
    JOIN pg_namespace n ON n.nspname = x.entry ->> 'schema' JOIN pg_class s ON s.relnamespace = n.oid AND s.relname = x.entry ->> 'name'
    JOIN pg_sequence q ON q.seqrelid = s.oid),
  'publications', (
    SELECT coalesce(jsonb_agg(x.entry || jsonb_build_object('everything', p.puballtables, 'viaRoot', p.pubviaroot) ORDER BY x.place), '[]')
    FROM jsonb_array_elements(v -> 'publications') WITH ORDINALITY x(entry, place) JOIN pg_publication p ON p.pubname = x.entry ->> 'name'),
  'subscriptions', (
    SELECT coalesce(jsonb_agg(s.subname ORDER BY s.subname), '[]')
    FROM pg_subscription_rel r JOIN pg_subscription s ON s.oid = r.srsubid WHERE r.srrelid = p_table)
); END $function$;

CREATE OR REPLACE FUNCTION crossfade.table_looks(p_oids oid[])
 RETURNS TABLE(place integer, shape jsonb, readable boolean)
 LANGUAGE plpgsql
 STABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
 SET plan_cache_mode TO 'force_generic_plan'
AS $function$
BEGIN RETURN QUERY
  SELECT t.place::integer, jsonb_build_object(
    'oid', t.oid::bigint, 'schema', t.nspname, 'name', t.relname, 'relkind', t.relkind, 'estimatedRows', t.reltuples::float8,
    'columns', coalesce((
      SELECT jsonb_agg(jsonb_build_object(
        'name', a.attname,
        'number', a.attnum,
        'type', format_type(a.atttypid, a.atttypmod),
        'base', CASE WHEN under.oid <> a.atttypid OR item.oid <> e.oid THEN format_type(coalesce(item.array, under.oid), coalesce(item.typmod, under.typmod)) END,
        'kind', b.typtype,
        'schemas', (SELECT jsonb_agg(DISTINCT s.nspname) FROM pg_type x JOIN pg_namespace s ON s.oid = x.typnamespace
          WHERE x.oid IN (b.oid, item.oid, r.rngsubtype) AND s.nspname <> 'pg_catalog'),
        'hashes', EXISTS (
          SELECT FROM pg_opclass o JOIN pg_am m ON m.oid = o.opcmethod
          JOIN pg_amproc f ON f.amprocfamily = o.opcfamily AND f.amproclefttype = o.opcintype AND f.amprocrighttype = o.opcintype AND f.amprocnum = 2
          WHERE m.amname = 'hash' AND o.opcdefault AND (o.opcintype = b.oid
          OR o.opcintype = CASE b.typtype WHEN 'e' THEN 'anyenum'::regtype::oid WHEN 'r' THEN 'anyrange'::regtype::oid WHEN 'm' THEN 'anymultirange'::regtype::oid END
          OR EXISTS (SELECT FROM pg_cast k WHERE k.castsource = b.oid AND k.casttarget = o.opcintype AND k.castmethod = 'b' AND k.castcontext = 'i'))) AND (r.rngsubtype IS NULL OR EXISTS (SELECT FROM pg_type g WHERE g.oid = r.rngsubtype AND EXISTS (
          SELECT FROM pg_opclass o JOIN pg_am m ON m.oid = o.opcmethod
          JOIN pg_amproc f ON f.amprocfamily = o.opcfamily AND f.amproclefttype = o.opcintype AND f.amprocrighttype = o.opcintype AND f.amprocnum = 2
          WHERE m.amname = 'hash' AND o.opcdefault AND (o.opcintype = g.oid
          OR o.opcintype = CASE g.typtype WHEN 'e' THEN 'anyenum'::regtype::oid WHEN 'r' THEN 'anyrange'::regtype::oid WHEN 'm' THEN 'anymultirange'::regtype::oid END
          OR EXISTS (SELECT FROM pg_cast k WHERE k.castsource = g.oid AND k.casttarget = o.opcintype AND k.castmethod = 'b' AND k.castcontext = 'i'))))),
        'notNull', a.attnotnull,
        'defaultSql', CASE WHEN a.attgenerated = '' THEN pg_get_expr(d.adbin, d.adrelid) END,
        'generated', a.attgenerated <> '',
        'identity', CASE a.attidentity WHEN 'a' THEN 'always' WHEN 'd' THEN 'default' END,
        'deterministic', coalesce(l.collisdeterministic, true),
        'collation', CASE WHEN a.attcollation <> y.typcollation THEN a.attcollation::regcollation::text END
      ) ORDER BY a.attnum)
      FROM pg_attribute a
      JOIN pg_type y ON y.oid = a.atttypid
      CROSS JOIN LATERAL (
        WITH RECURSIVE under AS (
          SELECT a.atttypid AS oid, a.atttypmod AS typmod, 0 AS depth
          UNION ALL
          SELECT d.typbasetype, d.typtypmod, u.depth + 1 FROM under u
          CROSS JOIN LATERAL (SELECT y.typtype, y.typbasetype, y.typtypmod FROM pg_type y WHERE y.oid = u.oid OFFSET 0) d
          WHERE d.typtype = 'd'
        ) SELECT u.oid, u.typmod FROM under u ORDER BY u.depth DESC LIMIT 1) under
      JOIN pg_type b ON b.oid = under.oid
      LEFT JOIN pg_range r ON b.oid IN (r.rngtypid, r.rngmultitypid)
      LEFT JOIN pg_type e ON e.oid = b.typelem AND e.typarray = b.oid
      LEFT JOIN LATERAL (
        SELECT u.oid, u.typmod, w.typarray AS array FROM LATERAL (
        WITH RECURSIVE under AS (
          SELECT e.oid AS oid, under.typmod AS typmod, 0 AS depth
          UNION ALL
          SELECT d.typbasetype, d.typtypmod, u.depth + 1 FROM under u
          CROSS JOIN LATERAL (SELECT y.typtype, y.typbasetype, y.typtypmod FROM pg_type y WHERE y.oid = u.oid OFFSET 0) d
          WHERE d.typtype = 'd'
        ) SELECT u.oid, u.typmod FROM under u ORDER BY u.depth DESC LIMIT 1) u
        JOIN pg_type w ON w.oid = u.oid) item ON true
      LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
      LEFT JOIN pg_collation l ON l.oid = a.attcollation
      WHERE a.attrelid = t.oid AND a.attnum > 0 AND NOT a.attisdropped
    ), '[]'),
    'uniques', (
      SELECT coalesce(jsonb_agg(jsonb_build_object('names', u.names, 'unusable', u.unusable)
        ORDER BY u.indisprimary DESC, jsonb_array_length(u.names), u.indexrelid), '[]') FROM (
        SELECT i.indexrelid, i.indisprimary, CASE
          WHEN m.amname <> 'btree' THEN 'its index ' || c.relname || ' is of the kind ' || m.amname
          ELSE (
            SELECT 'its index ' || c.relname || CASE WHEN NOT l.collisdeterministic THEN ' has a nondeterministic collation'
              WHEN e.oprname <> '=' OR NOT less.named THEN ' is of a type whose order is not the one of <, = and >'
              WHEN NOT e.oprcanmerge THEN ' is of operator class ' || o.opcname || ', whose equality no merge join can use'
              ELSE ' is of operator class ' || o.opcname || ', whose equality is not the one of the type' END
            FROM ROWS FROM (unnest(i.indclass::oid[]), unnest(i.indcollation::oid[])) WITH ORDINALITY k(class, collated, place)
            JOIN pg_opclass o ON o.oid = k.class
            JOIN pg_amop a ON a.amopfamily = o.opcfamily AND a.amoplefttype = o.opcintype AND a.amoprighttype = o.opcintype AND a.amopstrategy = 3
            JOIN pg_operator e ON e.oid = a.amopopr
            LEFT JOIN pg_collation l ON l.oid = k.collated
            CROSS JOIN LATERAL (
              SELECT count(*) = 2 AS named FROM pg_opclass d
              JOIN pg_amop x ON x.amopfamily = d.opcfamily AND x.amoplefttype = d.opcintype AND x.amoprighttype = d.opcintype
              JOIN pg_operator n ON n.oid = x.amopopr
              WHERE d.opcmethod = o.opcmethod AND d.opcdefault AND d.opcintype = o.opcintype
                AND (x.amopstrategy, n.oprname) IN ((1, '<'), (5, '>'))) less
            WHERE k.place <= i.indnkeyatts AND (NOT l.collisdeterministic OR e.oprname <> '=' OR NOT less.named OR NOT e.oprcanmerge OR NOT EXISTS (
              SELECT FROM pg_opclass d JOIN pg_amop b ON b.amopfamily = d.opcfamily AND b.amoplefttype = d.opcintype AND b.amoprighttype = d.opcintype
              WHERE d.opcmethod = o.opcmethod AND d.opcdefault AND d.opcintype = o.opcintype AND b.amopstrategy = 3 AND b.amopopr = a.amopopr))
            ORDER BY k.place LIMIT 1)
          END AS unusable,
          (SELECT jsonb_agg(a.attname ORDER BY k.place)
           FROM unnest(i.indkey::int2[]) WITH ORDINALITY k(attnum, place)
           JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.attnum
           WHERE k.place <= i.indnkeyatts) AS names
        FROM pg_index i
        JOIN pg_class c ON c.oid = i.indexrelid
        JOIN pg_am m ON m.oid = c.relam
        WHERE i.indrelid = t.oid AND i.indisunique AND i.indimmediate AND i.indisvalid AND i.indpred IS NULL AND i.indexprs IS NULL
          AND NOT EXISTS (
            SELECT FROM unnest(i.indkey::int2[]) WITH ORDINALITY k(attnum, place)
            JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.attnum
            WHERE k.place <= i.indnkeyatts AND NOT a.attnotnull)
      ) u
    )
  ), has_table_privilege(t.oid, 'SELECT')
  FROM (SELECT a.place - 1 AS place, c.oid, n.nspname, c.relname, c.relkind, c.reltuples
    FROM unnest(p_oids) WITH ORDINALITY a(oid, place) JOIN pg_class c ON c.oid = a.oid JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE c.relkind IN ('r', 'v', 'm', 'f', 'p', 'S')) t;
END $function$;

CREATE OR REPLACE FUNCTION crossfade.table_named(p_name text)
 RETURNS oid
 LANGUAGE plpgsql
 STABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
DECLARE
  v oid := (SELECT c.oid FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE n.nspname = split_part(p_name, '.', 1) AND c.relname = substr(p_name, length(split_part(p_name, '.', 1)) + 2));
BEGIN
  RETURN coalesce(v, to_regclass(p_name)::oid);
EXCEPTION WHEN invalid_name OR syntax_error OR invalid_parameter_value OR feature_not_supported OR insufficient_privilege THEN
  RETURN v;
END $function$;

CREATE OR REPLACE FUNCTION crossfade.table_shape(p_table oid)
 RETURNS TABLE(object text, definition text)
 LANGUAGE sql
 STABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$ SELECT s.object, s.definition FROM crossfade.table_shapes(ARRAY[p_table]) s $function$;

CREATE OR REPLACE FUNCTION crossfade.table_shapes(p_tables oid[])
 RETURNS TABLE(relation oid, object text, definition text)
 LANGUAGE plpgsql
 STABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
 SET plan_cache_mode TO 'force_generic_plan'
 SET jit TO 'off'
 SET enable_seqscan TO 'off'
 SET enable_hashjoin TO 'off'
 SET enable_mergejoin TO 'off'
 SET quote_all_identifiers TO 'off'
 SET "DateStyle" TO 'ISO, MDY'
 SET "TimeZone" TO 'utc'
 SET "IntervalStyle" TO 'postgres'
 SET bytea_output TO 'hex'
 SET extra_float_digits TO '1'
AS $function$
BEGIN
  RETURN QUERY
  SELECT t.oid, x.object, x.definition FROM pg_class t JOIN pg_namespace n ON n.oid = t.relnamespace CROSS JOIN LATERAL (VALUES
    ('name', format('%I.%I', n.nspname, t.relname)),
    ('kind', CASE t.relkind WHEN 'r' THEN 'table' WHEN 'p' THEN 'partitioned table' WHEN 'v' THEN 'view' ELSE t.relkind::text END
      || CASE t.relpersistence WHEN 'u' THEN ', unlogged' WHEN 't' THEN ', temporary' ELSE '' END),
    ('owner', pg_get_userbyid(t.relowner)::text),
    ('row security', CASE WHEN t.relrowsecurity AND t.relforcerowsecurity THEN 'forced' WHEN t.relrowsecurity THEN 'on'
      WHEN t.relforcerowsecurity THEN 'off, to be forced' ELSE 'off' END)) x(object, definition)
  WHERE t.oid = ANY (p_tables)
  UNION ALL
  SELECT a.attrelid, format('column %s', a.attnum), concat_ws(' ', quote_ident(a.attname), format_type(a.atttypid, a.atttypmod),
    CASE WHEN a.attcollation <> 0 AND a.attcollation <> 100 THEN 'COLLATE ' || a.attcollation::regcollation::text END,
    CASE WHEN a.attnotnull THEN 'NOT NULL' END,
    CASE a.attidentity WHEN 'a' THEN 'GENERATED ALWAYS AS IDENTITY' WHEN 'd' THEN 'GENERATED BY DEFAULT AS IDENTITY' END,
    CASE WHEN d.oid IS NOT NULL THEN format(CASE a.attgenerated WHEN '' THEN 'DEFAULT %s' WHEN 's' THEN 'GENERATED ALWAYS AS (%s) STORED' ELSE 'GENERATED ALWAYS AS (%s)' END,
      pg_get_expr(d.adbin, d.adrelid)) END)
  FROM pg_attribute a LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
  WHERE a.attrelid = ANY (p_tables) AND a.attnum > 0 AND NOT a.attisdropped
  UNION ALL
  SELECT k.conrelid, format('constraint %I', k.conname), CASE k.contype
    WHEN 'f' THEN format('FOREIGN KEY (%s) %s%s%s%s%s', (SELECT string_agg(a.attnum::text, ', ' ORDER BY c.place) FROM unnest(k.conkey) WITH ORDINALITY c(attnum, place)
        JOIN pg_attribute a ON a.attrelid = k.conrelid AND a.attnum = c.attnum), k.confmatchtype, k.confupdtype, k.confdeltype,
      CASE WHEN k.condeferrable THEN ' DEFERRABLE' ELSE '' END, CASE WHEN k.condeferred THEN ' INITIALLY DEFERRED' ELSE '' END)
    ELSE regexp_replace(pg_get_constraintdef(k.oid), ' NOT VALID$', '') END
  -- A foreign key to a partitioned table has a copy for each of its partitions: they come and go with the partitions of the other table.
  FROM pg_constraint k WHERE k.conrelid = ANY (p_tables) AND k.contype IN ('c', 'f', 'p', 'u', 'x') AND NOT (k.contype = 'f' AND k.conparentid <> 0)
  UNION ALL
  SELECT x.indrelid, format('unique index %I', i.relname), regexp_replace(pg_get_indexdef(i.oid), '^.*? USING ', '')
  FROM pg_index x JOIN pg_class i ON i.oid = x.indexrelid
  WHERE x.indrelid = ANY (p_tables) AND x.indisunique AND x.indisvalid AND NOT EXISTS (SELECT FROM pg_constraint k WHERE k.conindid = i.oid AND k.conrelid = x.indrelid)
  UNION ALL
  SELECT g.tgrelid, format('trigger %I', g.tgname), replace(pg_get_triggerdef(g.oid), ' ON ' || g.tgrelid::regclass::text || ' ', ' ')
    || CASE g.tgenabled WHEN 'O' THEN '' WHEN 'D' THEN ', disabled' WHEN 'R' THEN ', on replicas only' ELSE ', always' END
  FROM pg_trigger g JOIN pg_proc f ON f.oid = g.tgfoid
  WHERE g.tgrelid = ANY (p_tables) AND NOT g.tgisinternal AND f.pronamespace <> 'crossfade'::regnamespace
  UNION ALL
  SELECT r.ev_class, format('rule %I', r.rulename), regexp_replace(pg_get_ruledef(r.oid), '^.*? AS ', '') || CASE r.ev_enabled WHEN 'O' THEN '' ELSE ', ' || r.ev_enabled::text END
  FROM pg_rewrite r WHERE r.ev_class = ANY (p_tables) AND r.rulename <> '_RETURN'
  UNION ALL
  SELECT t.oid, format('publication %I', p.pubname), CASE WHEN p.puballtables THEN 'all tables' ELSE 'this table' END
  FROM pg_publication p CROSS JOIN unnest(p_tables) t(oid)
  WHERE p.puballtables OR EXISTS (SELECT FROM pg_publication_rel r WHERE r.prpubid = p.oid AND r.prrelid = t.oid)
  UNION ALL
  SELECT h.inhrelid, format('inheritance with %s', h.inhparent::regclass), 'child' FROM pg_inherits h WHERE h.inhrelid = ANY (p_tables)
  UNION ALL
  SELECT h.inhparent, format('inheritance with %s', h.inhrelid::regclass), 'parent' FROM pg_inherits h JOIN pg_class c ON c.oid = h.inhrelid
  WHERE h.inhparent = ANY (p_tables) AND NOT c.relispartition
  UNION ALL
  SELECT t.oid, 'partition key', pg_get_partkeydef(t.oid) FROM pg_class t WHERE t.oid = ANY (p_tables) AND t.relkind = 'p'
  UNION ALL
  -- A foreign key that each partition has by itself, until all are validated and the table has it.
  SELECT DISTINCT t.oid, format('constraint %I', k.conname), format('FOREIGN KEY (%s) %s%s%s%s%s', (SELECT string_agg(a.attnum::text, ', ' ORDER BY c.place)
      FROM unnest(k.conkey) WITH ORDINALITY c(attnum, place) JOIN pg_attribute l ON l.attrelid = k.conrelid AND l.attnum = c.attnum
      JOIN pg_attribute a ON a.attrelid = t.oid AND a.attname = l.attname AND NOT a.attisdropped), k.confmatchtype, k.confupdtype, k.confdeltype,
    CASE WHEN k.condeferrable THEN ' DEFERRABLE' ELSE '' END, CASE WHEN k.condeferred THEN ' INITIALLY DEFERRED' ELSE '' END)
  FROM pg_class t CROSS JOIN LATERAL (SELECT p.relid FROM pg_partition_tree(t.oid) p WHERE p.isleaf OFFSET 0) p
    JOIN pg_constraint k ON k.conrelid = p.relid AND k.contype = 'f' AND k.conparentid = 0 WHERE t.oid = ANY (p_tables) AND t.relkind = 'p';
  -- Publications of whole schemas came with version 15.
  IF current_setting('server_version_num')::integer >= 150000 THEN
    RETURN QUERY SELECT t.oid, format('publication %I', p.pubname), 'tables of the schema'::text FROM pg_publication p JOIN pg_publication_namespace s ON s.pnpubid = p.oid
      JOIN pg_class t ON t.relnamespace = s.pnnspid WHERE t.oid = ANY (p_tables);
  END IF;
END $function$;

CREATE OR REPLACE FUNCTION crossfade.table_status(p_id text)
 RETURNS jsonb
 LANGUAGE plpgsql
 STABLE SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
DECLARE
  v crossfade.cutover%ROWTYPE;
  v_backfill crossfade.backfill%ROWTYPE;
  v_rows bigint := 0;
  v_oldest timestamptz;
  v_aside bigint := 0;
BEGIN
  SELECT * INTO v FROM crossfade.cutover c WHERE c.id = p_id;
  IF NOT FOUND THEN RETURN NULL; END IF;
  IF to_regclass(format('crossfade.%I', 'outbox_' || p_id)) IS NOT NULL THEN
    EXECUTE format('SELECT count(*), min(o.at) FROM (SELECT at FROM crossfade.%I UNION ALL SELECT at FROM crossfade.missed WHERE cutover = %L) o', 'outbox_' || p_id, p_id)
    INTO v_rows, v_oldest;
  END IF;
  SELECT * INTO v_backfill FROM crossfade.backfill b WHERE b.cutover = p_id;
  SELECT count(*) INTO v_aside FROM crossfade.index_aside a WHERE a.cutover = p_id;
  RETURN jsonb_build_object(
    'armed', v.direction,
    'mirror', CASE WHEN v.version > 0 THEN jsonb_build_object('epoch', v.epoch, 'version', v.version, 'stage', v.stage) END,
    'lagMs', coalesce(greatest(0, round(extract(epoch FROM clock_timestamp() - v_oldest) * 1000)), 0),
    'outboxRows', v_rows,
    'quarantined', (SELECT count(*) FROM crossfade.quarantine q WHERE q.cutover = p_id),
    'quarantine', (SELECT coalesce(jsonb_agg(to_jsonb(f)), '[]') FROM (
      SELECT key, sqlstate, reason, attempts FROM crossfade.quarantine q WHERE q.cutover = p_id ORDER BY key LIMIT 20) f),
    'backfill', jsonb_build_object(
      -- Whoever waits for the copy waits for its indexes, too.
      'state', CASE WHEN v_backfill.state = 'done' AND v_aside > 0 THEN 'running' ELSE coalesce(v_backfill.state, 'none') END,
      'rowsDone', coalesce(v_backfill.rows_done, 0),
      'rowsTotal', coalesce(greatest(v_backfill.rows_total, v_backfill.rows_done), 0),
      'rowsPerSecond', coalesce(round(v_backfill.rate), 0)) || CASE WHEN v_backfill.sweep_why IS NULL THEN '{}' ELSE jsonb_build_object('sweep', v_backfill.sweep_why) END,
    'verification', (SELECT jsonb_build_object('rowsCompared', r.rows_compared, 'divergences', r.divergences, 'score', r.score,
      'atMs', r.at_ms, 'samples', r.samples) FROM crossfade.verification r WHERE r.cutover = p_id),
    'foreignWrites', (SELECT coalesce(sum(f.writes), 0) FROM crossfade.foreign_write f WHERE f.cutover = p_id),
    'indexesAside', v_aside,
    'readOnlyUntilMs', CASE WHEN v.read_only_until > clock_timestamp() THEN floor(extract(epoch FROM v.read_only_until) * 1000) END,
    'inlineFailures', (SELECT coalesce(sum(i.times), 0) FROM crossfade.inline_failure i WHERE i.cutover = p_id));
END $function$;

CREATE OR REPLACE FUNCTION crossfade.take_over(p_id text, p_epoch bigint, p_version bigint, p_stage text, p_direction text, p_table oid, p_name text, p_other_name text)
 RETURNS void
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
DECLARE
  v_table oid;
BEGIN
  PERFORM pg_advisory_xact_lock(crossfade.lock_key(p_id));
  IF EXISTS (SELECT FROM crossfade.cutover c WHERE c.id = p_id AND c.epoch >= p_epoch) THEN
    RAISE EXCEPTION 'this side of cutover % has epoch % already', p_id, p_epoch USING ERRCODE = 'CF016';
  END IF;
  -- Waits for a batch that is being written; whichever comes later is stale.
  UPDATE crossfade.accepted_batch a SET epoch = p_epoch WHERE a.cutover = p_id;
  INSERT INTO crossfade.cutover (id, primary_oid, shadow_oid, primary_name, shadow_name, direction, epoch, version, stage, shadow_writes, armed_epoch, armed_version)
  VALUES (p_id, p_table, 0, p_name, p_other_name, p_direction, p_epoch, p_version, p_stage, p_direction <> 'none', p_epoch, p_version)
  ON CONFLICT (id) DO UPDATE SET primary_oid = EXCLUDED.primary_oid, shadow_oid = 0, primary_name = EXCLUDED.primary_name, shadow_name = EXCLUDED.shadow_name,
    direction = EXCLUDED.direction, epoch = EXCLUDED.epoch, version = EXCLUDED.version, stage = EXCLUDED.stage, shadow_writes = EXCLUDED.shadow_writes,
    armed_epoch = EXCLUDED.armed_epoch, armed_version = EXCLUDED.armed_version;
  -- Over since ever: to drop it would lock out readers.
  FOR v_table IN SELECT w.oid FROM crossfade.with_partitions(p_table) w(oid) JOIN pg_trigger g ON g.tgrelid = w.oid AND g.tgname = 'crossfade_read_only' LOOP
    EXECUTE format('CREATE OR REPLACE TRIGGER crossfade_read_only BEFORE INSERT OR UPDATE OR DELETE OR TRUNCATE ON %s
      FOR EACH STATEMENT EXECUTE FUNCTION crossfade.read_only_guard(%L, %L, %L)', v_table::regclass, p_id, '-infinity', '-infinity');
  END LOOP;
END $function$;

CREATE OR REPLACE FUNCTION crossfade.take_staged(p_staged text, p_name text)
 RETURNS void
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
DECLARE
  v_rename text;
BEGIN
  FOR v_rename IN
    SELECT format('ALTER %s crossfade.%I RENAME TO %I', CASE c.relkind WHEN 'i' THEN 'INDEX' WHEN 'S' THEN 'SEQUENCE' ELSE 'TABLE' END,
      c.relname, replace(c.relname, p_staged, p_name))
    FROM pg_class c WHERE c.relnamespace = 'crossfade'::regnamespace AND strpos(c.relname, p_staged) > 0 AND c.relkind IN ('r', 'i', 'S')
  LOOP
    EXECUTE v_rename;
  END LOOP;
END $function$;

CREATE OR REPLACE FUNCTION crossfade.takes_hints(p_table regclass)
 RETURNS boolean
 LANGUAGE plpgsql
 IMMUTABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
BEGIN
  RETURN has_table_privilege(p_table, 'INSERT')
    AND EXISTS (SELECT FROM pg_class c WHERE c.oid = p_table AND c.relkind = 'r' AND NOT c.relrowsecurity AND NOT c.relhasrules AND c.relchecks = 0)
    AND NOT EXISTS (SELECT FROM pg_trigger t WHERE t.tgrelid = p_table AND t.tgenabled <> 'D')
    AND NOT EXISTS (SELECT FROM pg_constraint c WHERE c.conrelid = p_table AND c.contype NOT IN ('n'))
    AND (SELECT count(*) = 1 AND bool_and(NOT i.indisunique AND i.indpred IS NULL AND i.indexprs IS NULL) FROM pg_index i WHERE i.indrelid = p_table)
    AND NOT EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = p_table AND a.attnum > 0 AND NOT a.attisdropped AND CASE
      WHEN a.attname IN ('seq', 'op', 'at', 'attempts', 'not_before') THEN false
      WHEN a.attname ~ '^k[0-9]+$' THEN a.attnotnull OR a.attgenerated <> ''
      ELSE true END);
END $function$;

CREATE OR REPLACE FUNCTION crossfade.triggers(p_table oid)
 RETURNS jsonb
 LANGUAGE plpgsql
 STABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
 SET plan_cache_mode TO 'force_generic_plan'
AS $function$
BEGIN RETURN (
  SELECT coalesce(jsonb_agg(jsonb_build_object(
    'name', g.tgname, 'definition', pg_get_triggerdef(g.oid), 'enabled', g.tgenabled, 'comment', obj_description(g.oid, 'pg_trigger'),
    'uses', crossfade.columns_used('pg_trigger', g.oid, p_table),
    'reads', (SELECT coalesce(jsonb_agg(DISTINCT CASE WHEN m[1] LIKE '"%' THEN replace(trim(BOTH '"' FROM m[1]), '""', '"') ELSE lower(m[1]) END), '[]')
      FROM regexp_matches(f.prosrc, '\m(?:new|old)\.("(?:[^"]|"")+"|\w+)', 'gi') m
      WHERE f.prolang = (SELECT l.oid FROM pg_language l WHERE l.lanname = 'plpgsql'))) ORDER BY g.tgname), '[]')
  FROM pg_trigger g JOIN pg_proc f ON f.oid = g.tgfoid
  WHERE g.tgrelid = p_table AND NOT g.tgisinternal AND f.pronamespace <> 'crossfade'::regnamespace
); END $function$;

CREATE OR REPLACE FUNCTION crossfade.unfinished_backfills()
 RETURNS SETOF text
 LANGUAGE sql
 STABLE SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
  SELECT c.id FROM crossfade.cutover c JOIN crossfade.backfill b ON b.cutover = c.id
  WHERE c.direction <> 'none' AND b.state <> 'done' ORDER BY c.id
$function$;

CREATE OR REPLACE FUNCTION crossfade.validate_record_hash(p_cutover text, p_key text)
 RETURNS TABLE(key text, primary_hash text, shadow_hash text, equal boolean, differing_columns text[], late boolean, quarantined boolean)
 LANGUAGE plpgsql
 STABLE SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
DECLARE
  v crossfade.cutover%ROWTYPE := crossfade.known_cutover(p_cutover);
  v_name text := format('crossfade.%I', 'record_' || p_cutover);
  v_seen jsonb;
BEGIN
  IF to_regprocedure(v_name || '(text)') IS NULL THEN
    RAISE EXCEPTION 'cutover % keeps nothing equal: there is no column map to compare rows by', p_cutover USING ERRCODE = 'CF010', HINT = 'Start it first.';
  END IF;
  EXECUTE format('SELECT %s($1)', v_name) INTO v_seen USING p_key;
  key := v_seen ->> 'key';
  primary_hash := v_seen ->> CASE v.direction WHEN 'reverse' THEN 'target' ELSE 'source' END;
  shadow_hash := v_seen ->> CASE v.direction WHEN 'reverse' THEN 'source' ELSE 'target' END;
  equal := v_seen -> 'equal';
  differing_columns := ARRAY(SELECT jsonb_array_elements_text(v_seen -> 'columns'));
  late := v_seen -> 'late';
  quarantined := v_seen -> 'quarantined';
  RETURN NEXT;
END $function$;

CREATE OR REPLACE FUNCTION crossfade.validate_table_consistency(p_cutover text)
 RETURNS TABLE(cutover text, primary_rows bigint, shadow_rows bigint, consistent bigint, diverged bigint, late bigint, quarantined bigint, errors text[], score double precision)
 LANGUAGE plpgsql
 STABLE SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
DECLARE
  v crossfade.cutover%ROWTYPE := crossfade.known_cutover(p_cutover);
  v_name text := format('crossfade.%I', 'consistency_' || p_cutover);
  v_seen jsonb;
BEGIN
  cutover := p_cutover;
  errors := '{}';
  IF to_regprocedure(v_name || '()') IS NULL THEN
    errors := ARRAY['nothing keeps the tables equal: there is no column map to compare them by until the cutover is started'];
    RETURN NEXT;
    RETURN;
  END IF;
  BEGIN
    EXECUTE format('SELECT %s()', v_name) INTO v_seen;
  EXCEPTION WHEN undefined_table OR undefined_column OR data_exception THEN
    errors := ARRAY[format('the tables cannot be compared: %s [%s]', crossfade.without_values(SQLSTATE, SQLERRM), SQLSTATE)];
    RETURN NEXT;
    RETURN;
  END;
  IF v.direction = 'none' THEN errors := ARRAY['capture is not armed: what is written now is not carried over']; END IF;
  IF EXISTS (SELECT FROM crossfade.backfill b WHERE b.cutover = p_cutover AND b.state <> 'done') THEN
    errors := errors || 'the copy is not done: rows that it has not reached count as diverged'::text;
  END IF;
  -- After promotion rows flow from the new table to the old one.
  primary_rows := v_seen -> CASE v.direction WHEN 'reverse' THEN 'target' ELSE 'source' END;
  shadow_rows := v_seen -> CASE v.direction WHEN 'reverse' THEN 'source' ELSE 'target' END;
  consistent := v_seen -> 'consistent';
  diverged := v_seen -> 'diverged';
  late := v_seen -> 'late';
  quarantined := v_seen -> 'quarantined';
  score := CASE WHEN diverged = 0 THEN 1 ELSE greatest(0, 1 - diverged::double precision / nullif((v_seen ->> 'source')::bigint, 0)) END;
  score := coalesce(score, 0);
  RETURN NEXT;
END $function$;

CREATE OR REPLACE FUNCTION crossfade.views(p_table oid)
 RETURNS jsonb
 LANGUAGE plpgsql
 STABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
 SET plan_cache_mode TO 'force_generic_plan'
 SET enable_seqscan TO 'off'
 SET enable_hashjoin TO 'off'
 SET enable_mergejoin TO 'off'
AS $function$
BEGIN RETURN (
  WITH RECURSIVE uses AS (
    SELECT r.ev_class AS oid, 1 AS depth FROM pg_class t LEFT JOIN pg_type y ON y.oid = t.reltype
    CROSS JOIN LATERAL (VALUES ('pg_class'::regclass::oid, t.oid), ('pg_type'::regclass, y.oid), ('pg_type'::regclass, y.typarray)) o(class, oid)
    JOIN pg_depend d ON d.refclassid = o.class AND d.refobjid = o.oid AND d.classid = 'pg_rewrite'::regclass
    JOIN pg_rewrite r ON r.oid = d.objid
    WHERE t.oid = p_table AND r.rulename = '_RETURN' AND r.ev_class <> p_table
    UNION
    SELECT r.ev_class, u.depth + 1 FROM uses u JOIN pg_depend d ON d.refclassid = 'pg_class'::regclass AND d.refobjid = u.oid
    JOIN pg_rewrite r ON d.classid = 'pg_rewrite'::regclass AND r.oid = d.objid
    WHERE r.rulename = '_RETURN' AND r.ev_class <> u.oid
  ), found AS MATERIALIZED (SELECT u.oid, max(u.depth) AS depth FROM uses u GROUP BY u.oid)
  SELECT coalesce(jsonb_agg(jsonb_build_object(
    'schema', n.nspname, 'name', v.relname, 'relkind', v.relkind, 'definition', pg_get_viewdef(v.oid), 'options', coalesce(to_jsonb(v.reloptions), '[]'),
    'owner', quote_ident(pg_get_userbyid(v.relowner)), 'ours', pg_has_role(v.relowner, 'USAGE'), 'comment', obj_description(v.oid, 'pg_class'),
    'grants', crossfade.grants(v.relacl, 'r', v.relowner), 'uses', crossfade.columns_used('pg_rewrite', r.oid, p_table),
    'columns', (SELECT jsonb_agg(jsonb_build_object('name', a.attname, 'default', pg_get_expr(e.adbin, e.adrelid), 'comment', col_description(v.oid, a.attnum),
        'grants', crossfade.grants(a.attacl, 'c', v.relowner)) ORDER BY a.attnum)
      FROM pg_attribute a LEFT JOIN pg_attrdef e ON e.adrelid = a.attrelid AND e.adnum = a.attnum WHERE a.attrelid = v.oid AND a.attnum > 0 AND NOT a.attisdropped),
    'populated', v.relispopulated, 'tablespace', (SELECT s.spcname FROM pg_tablespace s WHERE s.oid = v.reltablespace),
    'method', (SELECT m.amname FROM pg_am m WHERE m.oid = v.relam),
    'small', v.relkind <> 'm' OR (SELECT coalesce(sum(pg_relation_size(c.oid)), 0) <= 16777216 FROM pg_class c WHERE c.relkind IN ('r', 'm') AND (c.oid = p_table
      OR c.oid IN (SELECT d.refobjid FROM pg_depend d WHERE d.classid = 'pg_rewrite'::regclass AND d.objid = r.oid AND d.refclassid = 'pg_class'::regclass AND d.refobjid <> v.oid))),
    'indexes', (SELECT coalesce(jsonb_agg(pg_get_indexdef(x.indexrelid) ORDER BY x.indexrelid::regclass::text), '[]') FROM pg_index x WHERE x.indrelid = v.oid),
    'triggers', crossfade.triggers(v.oid),
    'rules', (SELECT coalesce(jsonb_agg(o ORDER BY o ->> 'name'), '[]') FROM jsonb_array_elements(crossfade.rules(v.oid)) o WHERE (o ->> 'own')::boolean),
    -- What would be lost with the view, or keeps it from being dropped.
    'blockers', (SELECT coalesce(jsonb_agg(DISTINCT pg_describe_object(d.classid, d.objid, d.objsubid)), '[]') FROM (
        SELECT e.classid, e.objid, e.objsubid, e.refclassid
        FROM (VALUES ('pg_class'::regclass::oid, v.oid), ('pg_type'::regclass, v.reltype),
          ('pg_type'::regclass, (SELECT y.typarray FROM pg_type y WHERE y.oid = v.reltype))) o(class, oid)
        CROSS JOIN LATERAL (SELECT x.classid, x.objid, x.objsubid, x.refclassid FROM pg_depend x WHERE x.refclassid = o.class AND x.refobjid = o.oid OFFSET 0) e
        UNION ALL
        SELECT e.classid, e.objid, e.objsubid, e.refclassid FROM pg_depend e
        WHERE e.classid = 'pg_class'::regclass AND e.objid = v.oid AND e.refclassid = 'pg_extension'::regclass) d
      WHERE CASE d.classid
          WHEN 'pg_rewrite'::regclass THEN coalesce((SELECT w.ev_class <> v.oid AND w.ev_class NOT IN (SELECT f.oid FROM found f) FROM pg_rewrite w WHERE w.oid = d.objid), true)
          WHEN 'pg_class'::regclass THEN d.refclassid = 'pg_extension'::regclass OR EXISTS (SELECT FROM pg_class c WHERE c.oid = d.objid AND c.relkind NOT IN ('i', 't'))
          WHEN 'pg_type'::regclass THEN NOT EXISTS (SELECT FROM pg_type y WHERE y.oid = d.objid AND (y.oid = v.reltype OR y.typelem = v.reltype))
          WHEN 'pg_trigger'::regclass THEN NOT EXISTS (SELECT FROM pg_trigger g WHERE g.oid = d.objid AND g.tgrelid = v.oid)
          WHEN 'pg_attrdef'::regclass THEN NOT EXISTS (SELECT FROM pg_attrdef e WHERE e.oid = d.objid AND e.adrelid = v.oid)
          ELSE true END)) ORDER BY f.depth, n.nspname, v.relname), '[]')
  FROM found f JOIN pg_class v ON v.oid = f.oid JOIN pg_namespace n ON n.oid = v.relnamespace
  JOIN pg_rewrite r ON r.ev_class = v.oid AND r.rulename = '_RETURN'
); END $function$;

CREATE OR REPLACE FUNCTION crossfade.waiting()
 RETURNS TABLE(id text, hints bigint, lag_ms bigint)
 LANGUAGE plpgsql
 STABLE SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
DECLARE
  v_id text;
BEGIN
  FOR v_id IN SELECT c.id FROM crossfade.cutover c
    WHERE to_regclass(format('crossfade.%I', 'outbox_' || c.id)) IS NOT NULL AND c.shadow_writes ORDER BY c.id
  LOOP
    RETURN QUERY EXECUTE format(
      'SELECT %L::text, count(*), coalesce(round(extract(epoch FROM clock_timestamp() - min(o.at)) * 1000), 0)::bigint
       FROM (SELECT at FROM crossfade.%I WHERE not_before IS NULL OR not_before <= clock_timestamp()
         UNION ALL SELECT at FROM crossfade.missed WHERE cutover = %L) o HAVING count(*) > 0',
      v_id, 'outbox_' || v_id, v_id);
  END LOOP;
END $function$;

CREATE OR REPLACE FUNCTION crossfade.watch_shape(p_id text)
 RETURNS void
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
DECLARE
  v crossfade.shape%ROWTYPE;
  v_differences jsonb;
  v_gap text;
  v_new boolean := false;
BEGIN
  IF NOT EXISTS (SELECT FROM crossfade.cutover c WHERE c.id = p_id AND c.direction <> 'none') THEN RETURN; END IF;
  SELECT * INTO v FROM crossfade.shape s WHERE s.cutover = p_id;
  IF NOT FOUND THEN RETURN; END IF;
  IF v.database = crossfade.database_oid() THEN PERFORM crossfade.follow_partitions(p_id); END IF;
  v_differences := crossfade.shape_differences(p_id);
  -- In another database the numbers of tables and triggers mean nothing, so nothing is made there.
  IF v.database = crossfade.database_oid() THEN
    v_gap := coalesce(crossfade.capture_gap(p_id),
      CASE WHEN v_differences = '[]' AND v.differences <> '[]' THEN format('%s was another one for a while', v.differences -> 0 ->> 'object') END);
    IF v.capture <> crossfade.capture_now(p_id) THEN
      PERFORM crossfade.make_capture_again(p_id);
      PERFORM crossfade.follow_partitions(p_id);
    END IF;
    v_new := EXISTS (SELECT jsonb_object_keys(crossfade.partitions_of(crossfade.columns_stamp(p_id))) EXCEPT SELECT jsonb_object_keys(crossfade.partitions_of(v.stamps)));
  END IF;
  UPDATE crossfade.shape s SET differences = v_differences, since = CASE WHEN v_differences <> '[]' THEN coalesce(v.since, clock_timestamp()) END,
    stopped = EXISTS (SELECT FROM jsonb_array_elements(v_differences) d WHERE d ->> 'object' ~ '^(database|table |kind of )' OR d ->> 'is' = 'forced'),
    stamps = crossfade.columns_stamp(p_id), gap = CASE WHEN NOT crossfade.compared_again(p_id) THEN v.gap END
  WHERE s.cutover = p_id;
  -- A row that had no partition may have one now.
  IF v_new AND EXISTS (SELECT FROM crossfade.quarantine q WHERE q.cutover = p_id AND q.sqlstate = '23514') THEN
    EXECUTE format('SELECT crossfade.%I(NULL)', 'retry_' || p_id);
  END IF;
  IF v_gap IS NULL THEN RETURN; END IF;
  UPDATE crossfade.shape s SET gap = v_gap, gap_at = clock_timestamp() WHERE s.cutover = p_id;
  PERFORM crossfade.begin_sweep(p_id, v_gap);
END $function$;

CREATE OR REPLACE FUNCTION crossfade.way_back(p_table oid, p_path text, p_judged text, p_crossed text, p_key text, p_limit_ms integer, p_most integer)
 RETURNS jsonb
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
DECLARE
  v_part oid;
  v_pages bigint;
  v_until CONSTANT timestamptz := clock_timestamp() + make_interval(secs => p_limit_ms / 1000.0);
  v_began timestamptz;
  v_from bigint;
  v_size bigint;
  v_failed boolean;
  v_row record;
  v_seen jsonb;
  v_rows bigint := 0;
  v_cross bigint := 0;
  v_return bigint := 0;
  v_changed bigint := 0;
  v_samples jsonb := '[]';
  v_cut boolean := false;
BEGIN
  PERFORM set_config('search_path', p_path, true);
  -- Pages are those of one file each.
  <<parts>>
  FOR v_part IN SELECT coalesce(p.relid, p_table) FROM (SELECT p_table) t(oid) LEFT JOIN pg_partition_tree(p_table) p ON p.isleaf ORDER BY 1 LOOP
    v_pages := pg_relation_size(v_part) / current_setting('block_size')::bigint;
    v_from := 0;
    v_size := 8;
    WHILE v_from < v_pages LOOP
      v_began := clock_timestamp();
      IF v_began > v_until THEN v_cut := true; EXIT parts; END IF;
      v_failed := false;
      BEGIN
        EXECUTE p_judged INTO v_seen USING format('(%s,0)', v_from)::tid, format('(%s,0)', v_from + v_size)::tid, v_part;
      EXCEPTION WHEN data_exception OR integrity_constraint_violation OR program_limit_exceeded OR raise_exception THEN
        v_failed := true;
      END;
      IF v_failed AND v_size > 1 THEN
        v_size := v_size / 2;
        CONTINUE;
      END IF;
      IF NOT v_failed THEN
        v_rows := v_rows + (v_seen ->> 'rows')::bigint;
        v_return := v_return + (v_seen ->> 'unfit')::bigint;
        v_changed := v_changed + (v_seen ->> 'changed')::bigint;
        v_samples := v_samples || (v_seen -> 'samples');
        v_from := v_from + v_size;
        v_size := CASE WHEN clock_timestamp() - v_began < interval '50 ms' THEN least(1024, v_size * 2) ELSE greatest(1, v_size / 2) END;
        CONTINUE;
      END IF;
      FOR v_row IN EXECUTE format('SELECT p.ctid AS at, (p.ctid::text::point)[1] + 1 AS next, %s AS key FROM %s AS p WHERE p.ctid >= $1 AND p.ctid < $2 AND p.tableoid = $3',
        p_key, p_table::regclass) USING format('(%s,0)', v_from)::tid, format('(%s,0)', v_from + 1)::tid, v_part
      LOOP
        IF clock_timestamp() > v_until THEN v_cut := true; EXIT parts; END IF;
        v_seen := crossfade.misfit(p_judged, p_crossed, v_row.at, format('(%s,%s)', v_from, v_row.next)::tid, v_part);
        v_rows := v_rows + 1;
        IF v_seen ->> 'kind' = 'cross' THEN v_cross := v_cross + 1; END IF;
        v_return := v_return + CASE WHEN v_seen ->> 'kind' = 'return' THEN 1 ELSE coalesce((v_seen ->> 'unfit')::bigint, 0) END;
        v_changed := v_changed + coalesce((v_seen ->> 'changed')::bigint, 0);
        v_samples := v_samples || CASE WHEN v_seen ? 'kind' THEN v_seen || jsonb_build_object('key', v_row.key) ELSE v_seen -> 'samples' END;
      END LOOP;
      v_from := v_from + 1;
    END LOOP;
  END LOOP;
  RETURN jsonb_build_object('rows', v_rows, 'complete', NOT v_cut, 'limitMs', p_limit_ms, 'cannotCross', v_cross, 'cannotReturn', v_return,
    'changed', v_changed, 'samples', (SELECT coalesce(jsonb_agg(s ORDER BY place), '[]') FROM jsonb_array_elements(v_samples) WITH ORDINALITY x(s, place)
      WHERE place <= p_most));
END $function$;

CREATE OR REPLACE FUNCTION crossfade.with_partitions(p_table oid)
 RETURNS SETOF oid
 LANGUAGE sql
 STABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
  SELECT p_table UNION SELECT p.relid FROM pg_partition_tree(p_table) p ORDER BY 1
$function$;

CREATE OR REPLACE FUNCTION crossfade.without_values(p_sqlstate text, p_message text)
 RETURNS text
 LANGUAGE sql
 IMMUTABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
  SELECT coalesce(m.ours, '') || CASE
    WHEN p_sqlstate ~ '^22' THEN regexp_replace(regexp_replace(m.theirs, '[[:space:]]?[:：][[:space:]]?["»«„“”「『].*["»«“”」』]', ''), '["»«„“”「『].*["»«“”」』]', '"…"')
    WHEN p_sqlstate = 'P0001' THEN 'code that runs when a row is written raised an exception'
    ELSE m.theirs
  END
  FROM (SELECT o.ours, substr(p_message, 1 + coalesce(length(o.ours), 0)) AS theirs FROM (SELECT substring(p_message FROM '^column .*? was not computed: ') AS ours) o) m
$function$;

CREATE OR REPLACE FUNCTION crossfade.written_code(p_primary oid, p_shadow oid)
 RETURNS TABLE(object text, name text, owner text, foisted boolean, lost text[])
 LANGUAGE sql
 STABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
  WITH RECURSIVE domain AS (
    SELECT a.atttypid AS type FROM pg_attribute a WHERE a.attrelid IN (p_primary, p_shadow) AND a.attnum > 0 AND NOT a.attisdropped AND a.atttypid >= 16384
    UNION SELECT y.typbasetype FROM domain d JOIN pg_type y ON y.oid = d.type WHERE y.typtype = 'd'
  ), part AS (
    SELECT 'pg_attrdef'::regclass AS class, e.oid FROM pg_attrdef e WHERE e.adrelid IN (p_primary, p_shadow)
    UNION ALL SELECT 'pg_constraint'::regclass, c.oid FROM pg_constraint c WHERE c.conrelid IN (p_primary, p_shadow) AND c.contype IN ('c', 'x')
    UNION ALL SELECT 'pg_constraint'::regclass, c.oid FROM domain d JOIN pg_constraint c ON c.contypid = d.type
    UNION ALL SELECT 'pg_class'::regclass, x.indexrelid FROM pg_index x WHERE x.indrelid IN (p_primary, p_shadow)
    -- Those of the table in use never run for a row that Crossfade writes.
    UNION ALL SELECT 'pg_trigger'::regclass, g.oid FROM pg_trigger g WHERE g.tgrelid = p_shadow AND NOT g.tgisinternal AND g.tgenabled IN ('O', 'A')
  ), called AS (
    SELECT p.class, p.oid, coalesce(o.oprcode::oid, d.refobjid) AS function FROM part p
    CROSS JOIN LATERAL (SELECT x.refclassid, x.refobjid FROM pg_depend x WHERE x.classid = p.class AND x.objid = p.oid
      AND x.refclassid IN ('pg_proc'::regclass, 'pg_operator'::regclass) OFFSET 0) d
    LEFT JOIN pg_operator o ON d.refclassid = 'pg_operator'::regclass AND o.oid = d.refobjid
  )
  SELECT DISTINCT pg_describe_object(c.class, c.oid, 0), f.oid::regprocedure::text, pg_get_userbyid(f.proowner)::text,
    c.class = 'pg_trigger'::regclass AND NOT crossfade.is_trusted(f.proowner, ARRAY[p_primary, p_shadow]), crossfade.names_lost(f.oid)
  FROM called c JOIN pg_proc f ON f.oid = c.function
  WHERE f.pronamespace NOT IN ('pg_catalog'::regnamespace, 'crossfade'::regnamespace)
$function$;
