-- Why: the copy remembers how far it came as text. In date styles other than ISO a timestamptz is written with the letters of
-- its zone, and before version 18 Postgres read CST as Central Standard Time wherever China's was meant: chunks were left out.
-- Lock: none. Duration: milliseconds. Undo: DROP FUNCTION crossfade.key_text.

CREATE FUNCTION crossfade.key_text(p_key anyelement) RETURNS text
LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp SET datestyle = 'ISO' AS $$
BEGIN
  RETURN p_key::text;
END $$;
COMMENT ON FUNCTION crossfade.key_text(anyelement) IS
  'A key as text that means the same in every date style and time zone.';

REVOKE ALL ON FUNCTION crossfade.key_text FROM PUBLIC;
