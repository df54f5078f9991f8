/**
 * `_shadow_sync_status`, where a target has that tracking column: `synced` is written by converge and the copy with the row;
 * here rows that verification finds to differ, and keys that go into quarantine, become `diverged`. Only converge says that a
 * row is right again, since it alone reads both sides with the lock of the key held: for rows that are no longer found to differ,
 * verification leaves a hint.
 */

import { quoteName } from '../shape.ts';
import {
  asSource,
  type Flow,
  isQuarantined,
  keys,
  objectNames,
  targetIs,
  targetTable,
  whenAKeyFails,
} from './names.ts';

const DIVERGED = "'diverged'";

/** Quoted name of the column in the target; null where there is none that is ours. */
function statusColumn(flow: Flow): string | null {
  const column = flow.mapping.written.find(({ follows }) => follows === 'tells');
  return column ? quoteName(column.target) : null;
}

/**
 * Further common table expressions behind `diff`. A row that somebody has locked is passed over, so that no two wait for
 * this in a circle, and so is one that is newer than what was compared: its writer knows better.
 */
export function markDiverged(flow: Flow): string {
  const status = statusColumn(flow);
  if (status === null) return '';
  return `, markable AS MATERIALIZED (
    SELECT ${keys(flow, (k) => `d.${k}`)} FROM diff d JOIN ${targetTable(flow)} AS t ON ${targetIs(flow, 'd')}
    WHERE t.xmin = d.version AND t.${status} IS DISTINCT FROM ${DIVERGED} FOR UPDATE OF t SKIP LOCKED
  ), marked AS (
    UPDATE ${targetTable(flow)} AS t SET ${status} = ${DIVERGED} FROM markable d WHERE ${targetIs(flow, 'd')}
  )`;
}

/** Statement: the row of key `i` of a batch, whose key has just gone into quarantine. A column that refuses the word stays as it is. */
export function markQuarantined(flow: Flow): string {
  const status = statusColumn(flow);
  if (status === null) return '';
  return `BEGIN
          UPDATE ${targetTable(flow)} AS t SET ${status} = ${DIVERGED} FROM (SELECT ${keys(flow, (k) => `v_${k}[i] AS ${k}`)}) k
          WHERE ${targetIs(flow, 'k')} AND t.${status} IS DISTINCT FROM ${DIVERGED};
        EXCEPTION ${whenAKeyFails()} THEN
          NULL;
        END;`;
}

/** Statement: hints for rows that say `diverged` where nothing was found to differ. @param range of rows of the target, as `t` */
export function recheckDiverged(flow: Flow, range: string): string {
  const status = statusColumn(flow);
  if (status === null) return '';
  const { outbox } = objectNames(flow.id);
  const key = (index: number) => asSource(flow, index, `t.${quoteName(flow.mapping.key[index]!.target.name)}`);
  return `IF v_divergences = 0 THEN
      INSERT INTO ${outbox} (${keys(flow, (k) => k)})
      SELECT ${keys(flow, (_, i) => key(i))} FROM ${targetTable(flow)} AS t WHERE t.${status} = ${DIVERGED} AND ${range}
        AND NOT ${isQuarantined(flow, key)};
    END IF;`;
}

export const hasStatus = (flow: Flow): boolean => statusColumn(flow) !== null;
