/**
 * Everything that a cutover with a shadow in another database has in each of the two: on the side that takes the application's writes, and
 * on the side that follows. One statement per element, in their order.
 */

import { isPartitioned, quoteText } from '../../shape.ts';
import { createCapture, createOutbox, createTriggers, createTruncated, dropTriggers } from '../capture.ts';
import { type Flow, objectKinds, objectNames } from '../names.ts';
import { createTurn } from '../outbox.ts';
import { createRetry } from '../quarantine.ts';
import { createClaim, createSettle } from './claim.ts';
import { remoteNames } from './names.ts';
import { createChunk } from './range.ts';
import { createReceive } from './receive.ts';

/** On the side whose changes are captured: the primary, and after completion the shadow. */
export function leadingObjects(flow: Flow): { create: readonly string[]; drop: readonly string[] } {
  const { capture, truncated, turn, retry } = objectNames(flow.id);
  const { claim, settle, chunk } = remoteNames(flow.id);
  const made = [capture, truncated, turn, retry, claim, settle, chunk];
  const id = quoteText(flow.id);
  return {
    create: [
      ...createOutbox(flow),
      createCapture(flow, null),
      createTruncated(flow),
      createTurn(flow),
      createRetry(flow),
      createClaim(flow),
      createSettle(flow),
      createChunk(flow),
      ...made.map((name) => `REVOKE ALL ON FUNCTION ${name} FROM PUBLIC`),
      `SELECT crossfade.grant_runtime(${id})`,
      ...createTriggers(flow),
      ...(isPartitioned(flow.source) ? [`SELECT crossfade.follow_partitions(${id})`] : []),
    ],
    drop: [dropCapture(flow.id), ...dropTriggers(flow), ...dropLeadingObjects(flow.id)],
  };
}

/** Without the triggers, which go first. */
export function dropLeadingObjects(id: string): string[] {
  const { tables, functions } = objectKinds(id);
  const { claim, settle, chunk } = remoteNames(id);
  return [
    ...[...functions, claim, settle, chunk].map((name) => `DROP FUNCTION IF EXISTS ${name}`),
    ...tables.map((name) => `DROP TABLE IF EXISTS ${name}`),
    ...['batch', 'remote_pass'].map((table) => `DELETE FROM crossfade.${table} WHERE cutover = ${quoteText(id)}`),
  ];
}

/**
 * On the side that follows. With epoch 0 nothing is accepted before the mirror has said which one is in force; numbers go on from those of an
 * earlier run of this direction.
 */
export function followingObjects(flow: Flow, epoch = 0): readonly string[] {
  const { receive } = remoteNames(flow.id);
  return [
    `DROP FUNCTION IF EXISTS ${receive}`,
    createReceive(flow),
    `REVOKE ALL ON FUNCTION ${receive} FROM PUBLIC`,
    `INSERT INTO crossfade.accepted_batch (cutover, epoch) VALUES (${quoteText(flow.id)}, ${epoch}) ON CONFLICT (cutover) DO UPDATE SET epoch = ${epoch}`,
  ];
}

/** Capture by the functions it calls, whatever the table is called by now. What makes a table read-only stays. */
export const dropCapture = (id: string): string => `DO $crossfade$
     DECLARE v_drop text;
     BEGIN
       FOR v_drop IN SELECT format('DROP TRIGGER %I ON %s', t.tgname, t.tgrelid::regclass) FROM pg_trigger t
         JOIN pg_proc f ON f.oid = t.tgfoid WHERE f.pronamespace = 'crossfade'::regnamespace AND t.tgparentid = 0
           AND f.proname IN (${quoteText(`capture_${id}`)}, ${quoteText(`truncated_${id}`)})
       LOOP
         EXECUTE v_drop;
       END LOOP;
     END $crossfade$`;

export const dropFollowingObjects = (id: string): readonly string[] => [
  `DROP FUNCTION IF EXISTS ${remoteNames(id).receive}`,
  `DELETE FROM crossfade.accepted_batch WHERE cutover = ${quoteText(id)}`,
];
