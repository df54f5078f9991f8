/**
 * Every key of both tables, in one place.
 *
 *   what                pk                         sk                                   expires
 *   cutover state       state                      cutover#<id>                         never
 *   system state        state                      system                               never
 *   audit entry         audit#<subject>            <seq, 12 digits>                     never
 *   last verdict        verdict                    <id>                                 never
 *   minute window       window#<id>#<shard 0–9>    <minute>#<side>#<op>#<seat 0–63>      30 days
 *   custom metric       window#<id>#<shard 0–9>    metric#<minute>#<side>#<name>        2 days
 *   alert               alert                      <cutover>.<rule>                     never
 *   experiment totals   experiment#<id>#<shard>    <hour, 10 digits>                    never
 *   idempotency record  idempotency#<key>          record                               its own time, 24 h
 *   request for flags   asked                      <real ms, 15 digits>#<id>            1 hour
 *   its answer          answered                   <the same>                           1 hour
 *   flags deployed      publisher                  flags                                never
 *   keys of the issuer  publisher                  keys                                 never
 *
 * All states lie under one partition key, so one consistent query reads them together. A window's shard comes from its
 * sender: ten partition keys a cutover take about 10,000 writes a second, and one selection reads a range of
 * minutes of five cutovers. The seat comes from a few flushes of it: a write costs a unit for each KB of the whole item. A minute
 * has at most 640 items a side and operation, however many senders there are. Older items have no seat, and are read as well.
 *
 * The changes table, whose stream wakes the shadow writer:
 *
 *   what                id                         place                                expires
 *   wake-up             <cutover>                  wake                                 never
 *   forwarded write     <cutover>#<shard 0–9>      <id: ms, shard, unique part>         when it is carried out
 *   part of its body    body#<cutover>#<id>        <number, 4 digits>                   with it, or after 90 days
 *   read to compare     compare#<cutover>          <unique part>                        1 hour
 *   receipt of one      receipt#<cutover>#<name>   receipt                              1 day
 *
 * The shard of a forwarded write comes from its order key: what must keep its order lies under one partition key.
 */

import { createHash } from 'node:crypto';
import type { CutoverId, Side } from '../../core/cutover/cutover.ts';
import { placeOfForward } from '../../core/forwards/forward.ts';

export type ItemKey = { pk: string; sk: string };

export const STATES = 'state';
export const CUTOVER_PREFIX = 'cutover#';
export const WINDOW_SHARDS = 10;
const WINDOW_SEATS = 64;

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

export const ASKED = 'asked';
export const ANSWERED = 'answered';
export const askedPlace = (realMs: number): string => padded(realMs, 15);
const PUBLISHER = 'publisher';
export const sightingKey = (): ItemKey => ({ pk: PUBLISHER, sk: 'flags' });
export const issuerKeysKey = (): ItemKey => ({ pk: PUBLISHER, sk: 'keys' });

export const windowPartition = (id: CutoverId, shard: number): string => `window#${id}#${shard}`;
/** Smallest sort key of a minute: `BETWEEN windowPlace(from) AND windowPlace(to + 1)` holds the minutes from … to. */
export const windowPlace = (minute: number): string => padded(minute, 10);

/** @param flushes of the source, that share an item: a flush that is repeated meets its own first try */
export function windowKey(
  id: CutoverId,
  { source, flushes }: { source: string; flushes: string },
  { minute, side, operation }: { minute: number; side: Side; operation: string },
): ItemKey {
  const seat = hashOf(JSON.stringify([source, flushes])) % WINDOW_SEATS;
  return {
    pk: windowPartition(id, shardOf(source)),
    sk: `${windowPlace(minute)}#${side}#${operation}#${seat}`,
  };
}

export const windowPartitions = (id: CutoverId): string[] =>
  Array.from({ length: WINDOW_SHARDS }, (_, shard) => windowPartition(id, shard));

/** In the partitions of the windows, behind them all. */
export const metricPlace = (minute: number): string => `metric#${windowPlace(minute)}`;
export const metricKey = (
  id: CutoverId,
  shard: number,
  { minute, side, metric }: { minute: number; side: Side; metric: string },
): ItemKey => ({ pk: windowPartition(id, shard), sk: `${metricPlace(minute)}#${side}#${metric}` });

/** The shard a sender always writes to. */
export const shardOf = (source: string): number => hashOf(source) % WINDOW_SHARDS;

const hashOf = (source: string): number => createHash('sha256').update(source).digest().readUInt32BE(0);

export type ChangeKey = { id: string; place: string };

export const wakeUpKey = (id: CutoverId): ChangeKey => ({ id, place: 'wake' });
export const forwardPartition = (id: CutoverId, shard: number): string => `${id}#${shard}`;
/** Null for what is no id of a forwarded write. */
export function forwardKey(id: CutoverId, forward: string): ChangeKey | null {
  const place = placeOfForward(forward);
  return place ? { id: forwardPartition(id, place.shard), place: forward } : null;
}
export const bodyPartition = (id: CutoverId, forward: string): string => `body#${id}#${forward}`;
export const bodyKey = (id: CutoverId, forward: string, part: number): ChangeKey => ({
  id: bodyPartition(id, forward),
  place: padded(part, 4),
});
export const comparisonKey = (id: CutoverId, unique: string): ChangeKey => ({ id: `compare#${id}`, place: unique });
export const receiptKey = (id: CutoverId, name: string): ChangeKey => ({
  id: `receipt#${id}#${name}`,
  place: 'receipt',
});

/** Numbers that sort as text. */
function padded(value: number, digits: number): string {
  return String(value).padStart(digits, '0');
}
