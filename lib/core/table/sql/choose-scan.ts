/**
 * How a range of keys is read. Rows that lie in the order of their keys are read fastest by the index, and come sorted; the
 * planner knows one figure for the whole table, and often takes the pages first and sorts or hashes after that, at twice the
 * cost and, in a copy, into another order. Where neighbouring keys lie on distant pages it is right to. So the first rows of
 * the range are looked at.
 */

import { isPartitioned, quoteName } from '../shape.ts';
import { type Flow, keys, sourceTable, targetTable } from './names.ts';

/** Rows that tell how a range lies. */
const PROBED = 100;
/** Of these, how many may lie on another page than the one before or the next. */
const JUMPS = PROBED / 4;

/** Forgets the choice when the function returns. */
export const SCAN_SETTING = 'SET enable_bitmapscan = on';

/** Statement for the rest of the call. @param conditions of the rows, with the source as `p` and the target as `t` */
export function chooseScan(flow: Flow, conditions: { source: string; target?: string }): string {
  const near = (side: 'source' | 'target', condition: string) => {
    const [alias, table] = side === 'source' ? ['p', sourceTable(flow)] : ['t', targetTable(flow)];
    const parted = isPartitioned(flow[side]);
    const order = keys(flow, (_, i) => `${alias}.${quoteName(flow.mapping.key[i]![side].name)}`);
    return `(SELECT count(*) FILTER (WHERE abs(n.page - n.before) > 1) <= ${JUMPS}
        FROM (SELECT f.page, lag(f.page) OVER (${parted ? 'PARTITION BY f.tableoid' : ''}) AS before FROM (SELECT ${parted ? `${alias}.tableoid, ` : ''}(${alias}.ctid::text::point)[0] AS page
          FROM ${table} AS ${alias} WHERE ${condition} ORDER BY ${order} LIMIT ${PROBED}) f) n)`;
  };
  const both = [near('source', conditions.source), ...(conditions.target ? [near('target', conditions.target)] : [])];
  return `PERFORM set_config('enable_bitmapscan', CASE WHEN ${both.join('\n        AND ')} THEN 'off' ELSE 'on' END, true);`;
}
