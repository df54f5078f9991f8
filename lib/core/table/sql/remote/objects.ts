/** Everything that a cutover with a shadow in another database has in each of the two. One statement per element, in their order. */

import { isPartitioned, quoteText } from '../../shape.ts';
import { createCapture, createOutbox, createTriggers, createTruncated, dropTriggers } from '../capture.ts';
import { type Flow, objectKinds, objectNames } from '../names.ts';
import { createTurn } from '../outbox.ts';
import { createRetry } from '../quarantine.ts';
import { createClaim, createSettle } from './claim.ts';
import { remoteNames } from './names.ts';
import { createChunk } from './range.ts';
import { createReceive } from './receive.ts';

/** Where the primary is. */
export function primaryObjects(flow: Flow): { create: readonly string[]; drop: readonly string[] } {
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
    drop: [...dropTriggers(flow), ...dropPrimaryObjects(flow.id)],
  };
}

/** Without the triggers, which go first. */
export function dropPrimaryObjects(id: string): string[] {
  const { tables, functions } = objectKinds(id);
  const { claim, settle, chunk } = remoteNames(id);
  return [
    ...[...functions, claim, settle, chunk].map((name) => `DROP FUNCTION IF EXISTS ${name}`),
    ...tables.map((name) => `DROP TABLE IF EXISTS ${name}`),
    ...['batch', 'remote_pass'].map((table) => `DELETE FROM crossfade.${table} WHERE cutover = ${quoteText(id)}`),
  ];
}

/** Where the shadow is. Nothing is accepted before the mirror has said which epoch is in force; numbers go on from those of an earlier run. */
export function shadowObjects(flow: Flow): readonly string[] {
  const { receive } = remoteNames(flow.id);
  return [
    `DROP FUNCTION IF EXISTS ${receive}`,
    createReceive(flow),
    `REVOKE ALL ON FUNCTION ${receive} FROM PUBLIC`,
    `INSERT INTO crossfade.accepted_batch (cutover, epoch) VALUES (${quoteText(flow.id)}, 0) ON CONFLICT (cutover) DO UPDATE SET epoch = 0`,
  ];
}

export const dropShadowObjects = (id: string): readonly string[] => [
  `DROP FUNCTION IF EXISTS ${remoteNames(id).receive}`,
  `DELETE FROM crossfade.accepted_batch WHERE cutover = ${quoteText(id)}`,
];
