-- Routing in SQL knows the allow and deny lists, groups and environments, so that it answers like the SDK.

ALTER TABLE crossfade.cutover ADD COLUMN allow text[] NOT NULL DEFAULT '{}', ADD COLUMN deny text[] NOT NULL DEFAULT '{}';
COMMENT ON COLUMN crossfade.cutover.allow IS
  'Declared keys, group:NAME and environment:NAME whose reads may go to the shadow before their share does; deny: those that never do.';

CREATE FUNCTION crossfade.set_lists(p_id text, p_allow text[], p_deny text[]) RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
  UPDATE crossfade.cutover c SET allow = p_allow, deny = p_deny
  WHERE c.id = p_id AND (c.allow, c.deny) IS DISTINCT FROM (p_allow, p_deny)
$$;
COMMENT ON FUNCTION crossfade.set_lists IS
  'What is declared of a cutover beside its state, written when it differs. It needs no fence: whoever is deployed last is right.';

CREATE FUNCTION crossfade.is_listed(p_list text[], p_key text, p_groups text[], p_environment text) RETURNS boolean
LANGUAGE sql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$
  SELECT coalesce(p_key = ANY (p_list), false) OR coalesce('environment:' || p_environment = ANY (p_list), false)
    OR EXISTS (SELECT FROM unnest(p_groups) AS g(name) WHERE 'group:' || g.name = ANY (p_list))
$$;

DROP FUNCTION crossfade.should_route_to_shadow(text, text, text);
CREATE FUNCTION crossfade.should_route_to_shadow(
  p_table text, p_operation text, p_key text, p_groups text[] DEFAULT '{}', p_environment text DEFAULT NULL
) RETURNS boolean LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
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
$$;
COMMENT ON FUNCTION crossfade.should_route_to_shadow IS
  'True when this key''s operation goes to the shadow: (cutover id or table name with or without its schema, read or write, key, groups, environment). Unknown tables: false. The answer of the SDK but for what a single process knows: its override variables and its circuit breaker.';

REVOKE ALL ON FUNCTION crossfade.set_lists, crossfade.is_listed, crossfade.should_route_to_shadow FROM PUBLIC;
DO $$
BEGIN
  IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'crossfade_runtime') THEN
    GRANT EXECUTE ON FUNCTION crossfade.set_lists, crossfade.is_listed, crossfade.should_route_to_shadow TO crossfade_runtime;
  END IF;
END $$;
