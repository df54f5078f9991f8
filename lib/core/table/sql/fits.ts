/**
 * `fits_<id>(key…)`: can the source row of this key be transformed at all? A value that no cast takes fails the statement that
 * reads it, and with it every other row of that statement. Who compares many rows asks this when that has happened.
 */

import { quoteName } from '../shape.ts';
import { comparedSources } from './compared.ts';
import { equalKeys } from './key-operators.ts';
import { type Flow, keys, keyType, objectNames, rowValue, securely, sourceTable, whenAKeyFails } from './names.ts';

/** STABLE, so that it sees the snapshot of the statement that asks. */
export function createFits(flow: Flow): string {
  const { fits } = objectNames(flow.id);
  const { mapping } = flow;
  const values = [...mapping.key, ...mapping.compared].map(({ sql }) => sql);
  const isRow = equalKeys(
    flow,
    (_, i) => `p.${quoteName(mapping.key[i]!.source.name)}`,
    (k) => `p_${k}`,
  );
  return `CREATE FUNCTION ${fits}(${keys(flow, (k, i) => `p_${k} ${keyType(mapping.key[i]!.source)}`)}) RETURNS boolean STABLE
${securely()} AS $crossfade$
#variable_conflict use_column
DECLARE
  v_row record;
BEGIN
  SELECT ${rowValue(values)} AS row INTO v_row FROM ${sourceTable(flow)} AS p WHERE ${isRow};
  RETURN true;
EXCEPTION ${whenAKeyFails()} THEN
  RETURN false;
END $crossfade$`;
}

/**
 * Common table expressions `judged` and `sourced`: the source's rows that satisfy a condition, with `present`, the key as k1 …,
 * the compared values as c1 …, and `fits`. A row that does not fit has its key only.
 */
export function sourcedByFit(flow: Flow, condition: string): string {
  const { fits } = objectNames(flow.id);
  const { mapping } = flow;
  const named = (alias: string) => keys(flow, (k, i) => `${alias}.${quoteName(mapping.key[i]!.source.name)} AS ${k}`);
  const asked = keys(flow, (_, i) => `p.${quoteName(mapping.key[i]!.source.name)}`);
  const values = comparedSources(flow)
    .map((sql, index) => `, ${sql} AS c${index + 1}`)
    .join('');
  // Materialised, and with an OFFSET: a condition that the planner moves past the casts guards nothing.
  return `judged AS MATERIALIZED (
    SELECT p.*, ${fits}(${asked}) AS crossfade_fits FROM ${sourceTable(flow)} AS p WHERE ${condition}
  ), sourced AS (
    SELECT true AS present, j.crossfade_fits AS fits, ${named('j')}, v.*
    FROM judged AS j LEFT JOIN LATERAL (
      SELECT true AS valued${values} FROM (SELECT j.*) AS p WHERE j.crossfade_fits OFFSET 0) v ON true
  )`;
}
