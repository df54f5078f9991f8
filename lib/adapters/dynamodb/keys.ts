/**
 * Every key of the state table, in one place.
 *
 *   what                pk                         sk                                   expires
 *   cutover state       state                      cutover#<id>                         never
 *   system state        state                      system                               never
 *   audit entry         audit#<subject>            <seq, 12 digits>                     never
 *   last verdict        verdict                    <id>                                 never
 *   minute window       window#<id>#<shard 0–9>    <minute, 10 digits>#<side>#<op>      30 days
 *   alert               alert                      <cutover>.<rule>                     never
 *   experiment totals   experiment#<id>#<shard>    <hour, 10 digits>                    never
 *   idempotency record  idempotency#<key>          record                               its own time, 24 h
 *
 * All states lie under one partition key, so one consistent query reads them together. A window's shard comes from its
 * sender: ten partition keys a cutover take about 10,000 writes a second, and a range of minutes is ten queries.
 * The changes table has the cutover's id as its only key.
 */

import { createHash } from 'node:crypto';
import type { CutoverId, Side } from '../../core/cutover.ts';

export type ItemKey = { pk: string; sk: string };

export const STATES = 'state';
export const CUTOVER_PREFIX = 'cutover#';
export const WINDOW_SHARDS = 10;

export const cutoverKey = (id: CutoverId): ItemKey => ({ pk: STATES, sk: `${CUTOVER_PREFIX}${id}` });
export const systemKey = (): ItemKey => ({ pk: STATES, sk: 'system' });
export const auditPartition = (subject: string): string => `audit#${subject}`;
export const auditPlace = (seq: number): string => padded(seq, 12);
export const auditKey = (subject: string, seq: number): ItemKey => ({
  pk: auditPartition(subject),
  sk: auditPlace(seq),
});
export const experimentPartition = (id: string, shard: number): string => `experiment#${id}#${shard}`;
export const experimentKey = (id: string, shard: number, hour: number): ItemKey => ({
  pk: experimentPartition(id, shard),
  sk: padded(hour, 10),
});
export const ALERTS = 'alert';
export const alertKey = (id: string): ItemKey => ({ pk: ALERTS, sk: id });
export const verdictKey = (id: CutoverId): ItemKey => ({ pk: 'verdict', sk: id });
export const idempotencyKey = (key: string): ItemKey => ({ pk: `idempotency#${key}`, sk: 'record' });

export const windowPartition = (id: CutoverId, shard: number): string => `window#${id}#${shard}`;
/** Smallest sort key of a minute: `BETWEEN windowPlace(from) AND windowPlace(to + 1)` holds the minutes from … to. */
export const windowPlace = (minute: number): string => padded(minute, 10);

export function windowKey(
  id: CutoverId,
  shard: number,
  window: { minute: number; side: Side; operation: string },
): ItemKey {
  return {
    pk: windowPartition(id, shard),
    sk: `${windowPlace(window.minute)}#${window.side}#${window.operation}`,
  };
}

/** The shard a sender always writes to, so that a repeated flush meets its own first try. */
export function shardOf(source: string): number {
  return createHash('sha256').update(source).digest().readUInt32BE(0) % WINDOW_SHARDS;
}

/** Numbers that sort as text. */
function padded(value: number, digits: number): string {
  return String(value).padStart(digits, '0');
}
