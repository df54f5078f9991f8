-- Why: a row written after promotion may hold a value that the old column's type would round without a word. It must not go back so.
-- Lock: none on existing objects. Duration: milliseconds.
-- Undo: DROP FUNCTION crossfade.refuse_rounding, once no cutover is under way.

-- Declared IMMUTABLE so that it stands in the way of no plan; it is asked with a value of the row, so never before there is one.
CREATE FUNCTION crossfade.refuse_rounding(p_column text, p_value text) RETURNS text
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  RAISE EXCEPTION 'column % of the old table would round its value', p_column USING ERRCODE = 'numeric_value_out_of_range',
    DETAIL = p_value, HINT = 'Write a value that both types hold, or declare reverse for the column to have it rounded.';
END $$;
COMMENT ON FUNCTION crossfade.refuse_rounding(text, text) IS
  'Raises 22003 for a value (text) that a column (name) of the old table cannot hold exactly. Never returns.';

REVOKE ALL ON FUNCTION crossfade.refuse_rounding FROM PUBLIC;
