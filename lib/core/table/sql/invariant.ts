/**
 * Invariants of the user's own, in ONE snapshot. A row whose key has an un-applied hint is late by design, so it is left out on BOTH
 * sides, as verification does it: what remains must agree at any moment, and nothing has to wait for a quiet one. The outbox is
 * read by the same statement, so that rows and hints are of the same moment.
 *
 *   {primary}, {shadow}   the rows of the two tables without the late ones, wherever promotion has put the tables
 */

import { quoteName } from '../shape.ts';
import { equalKeys } from './key-operators.ts';
import { asSource, type Flow, objectNames, sourceIs, sourceTable, targetTable } from './names.ts';

export type InvariantQueries = { equal: { primary: string; shadow: string } } | { empty: string };

/** More rows than this are no answer that a person could read: the query must group. */
export const MOST_ROWS = 10_000;
/** Rows that are shown of each side. */
const SAMPLES = 50;

/** Rows of the source, or of the target, that are not late. Planned together with the query that reads them. */
function settled(flow: Flow, side: 'source' | 'target'): string {
  const { outbox } = objectNames(flow.id);
  const targetKey = (i: number) => asSource(flow, i, `t.${quoteName(flow.mapping.key[i]!.target.name)}`);
  const late =
    side === 'source'
      ? sourceIs(flow, 'o')
      : equalKeys(
          flow,
          (_, i) => targetKey(i),
          (k) => `o.${k}`,
        );
  const [table, alias] = side === 'source' ? [sourceTable(flow), 'p'] : [targetTable(flow), 't'];
  return `SELECT ${alias}.* FROM ${table} AS ${alias} WHERE NOT EXISTS (SELECT FROM ${outbox} o WHERE o.op <> 'T' AND ${late})`;
}

/** The columns of a row in their order, whatever they are called: jsonb compares numbers by value, 5.0 with 5.00. */
const ROW = `SELECT (SELECT jsonb_agg(c.value::jsonb ORDER BY c.ordinality) FROM json_each(row_to_json(crossfade_q)) WITH ORDINALITY c) AS r`;

/** The line break ends a comment at the end of the query. */
const rowsOf = (name: string, query: string) => `${name} AS MATERIALIZED (${ROW} FROM (
${query.replaceAll('{primary}', 'crossfade_primary').replaceAll('{shadow}', 'crossfade_shadow')}
) AS crossfade_q LIMIT ${MOST_ROWS + 1})`;

const shown = (rows: string) => `(SELECT coalesce(jsonb_agg(d.row), '[]') FROM (
    SELECT (SELECT jsonb_agg(e.value #>> '{}' ORDER BY e.ordinality) FROM jsonb_array_elements(x.r) WITH ORDINALITY e) AS row
    FROM ${rows} x ORDER BY x.r LIMIT ${SAMPLES}) d)`;

/**
 * One statement with one `result`: the rows of each query, how many only one of them has, some of these as texts, and of which
 * moment they are. @param reverse true after promotion, when the declared shadow is the source
 */
export function invariantStatement(flow: Flow, queries: InvariantQueries, reverse: boolean): string {
  const { outbox } = objectNames(flow.id);
  const [primary, shadow] = reverse ? (['target', 'source'] as const) : (['source', 'target'] as const);
  const tables = `crossfade_primary AS NOT MATERIALIZED (${settled(flow, primary)}),
  crossfade_shadow AS NOT MATERIALIZED (${settled(flow, shadow)})`;
  const moment = `'truncated', EXISTS (SELECT FROM ${outbox} o WHERE o.op = 'T'),
  'epoch', (SELECT c.epoch FROM crossfade.cutover c WHERE c.id = '${flow.id}')`;
  if ('empty' in queries)
    return `WITH ${tables},
  ${rowsOf('crossfade_found', queries.empty)}
SELECT jsonb_build_object(${moment}, 'rows', (SELECT count(*) FROM crossfade_found), 'found', ${shown('crossfade_found')}) AS result`;
  return `WITH ${tables},
  ${rowsOf('crossfade_left', queries.equal.primary)},
  ${rowsOf('crossfade_right', queries.equal.shadow)},
  crossfade_only_left AS MATERIALIZED (TABLE crossfade_left EXCEPT ALL TABLE crossfade_right),
  crossfade_only_right AS MATERIALIZED (TABLE crossfade_right EXCEPT ALL TABLE crossfade_left)
SELECT jsonb_build_object(${moment},
  'rows', greatest((SELECT count(*) FROM crossfade_left), (SELECT count(*) FROM crossfade_right)),
  'differing', greatest((SELECT count(*) FROM crossfade_only_left), (SELECT count(*) FROM crossfade_only_right)),
  'primary', ${shown('crossfade_only_left')}, 'shadow', ${shown('crossfade_only_right')}) AS result`;
}
