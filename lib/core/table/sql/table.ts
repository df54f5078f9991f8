/**
 * Everything in the database that belongs to one direction of one table cutover: outbox, capture, converge, backfill,
 * verification. One statement per element, in the order in which they must run; `drop` undoes `create`.
 */

import type { ValidationMode } from '../../cutover/cutover.ts';
import { isPartitioned, quoteText } from '../shape.ts';
import { createApply, createExchange } from './apply.ts';
import { createBackfill } from './backfill.ts';
import { createCapture, createOutbox, createTriggers, createTruncated, dropTriggers } from './capture.ts';
import { createCompanion, createCompanionTriggers } from './companions.ts';
import { createComputed, createComputedTrigger } from './computed.ts';
import { createConverge, createSpread } from './converge.ts';
import { createFits } from './fits.ts';
import { createInline, type InlineMode } from './inline.ts';
import { createCompareRow, createConsistency } from './inspect.ts';
import { type Flow, objectKinds, objectNames } from './names.ts';
import { createTurn } from './outbox.ts';
import { createRetry } from './quarantine.ts';
import { createGuard, createSegments, dropGuard } from './segments.ts';
import { createRepair, createVerify } from './verify.ts';

/** No id of a cutover begins like this. */
const STAGED = 'next~';

export type TableObjects = {
  /** Outbox and functions, then the triggers: a trigger must never fire without them. */
  create: readonly string[];
  /** The tables of `create`, under names that nothing has, so that they can be made ahead of a swap. */
  staged: readonly string[];
  /** Gives those tables their names and makes the rest of `create`. */
  takeStaged: readonly string[];
  drop: readonly string[];
  /** Functions and triggers again; hints, segments and their marks stay. */
  replace: readonly string[];
  /** The triggers on the source alone: what ends capture while the outbox stays. */
  dropTriggers: readonly string[];
};

/**
 * @param direction rows are read from its source, where changes are captured, and written to its target
 * @param inline the source's writers write the target themselves, and what happens when it refuses
 */
export function tableObjects(
  direction: Omit<Flow, 'inline'>,
  validation: ValidationMode,
  inline: InlineMode | null = null,
): TableObjects {
  const flow: Flow = { ...direction, inline: inline !== null };
  const { id, mapping } = flow;
  const { tables, functions } = objectKinds(id);
  const parted = isPartitioned(flow.source) || isPartitioned(flow.target);
  const keeps = (mapping.kept ?? []).length > 0;
  const accompanied = (mapping.companions ?? []).length > 0;
  const names = objectNames(id);
  const unmade = new Set([
    ...(inline === null ? [names.inline] : []),
    ...(keeps ? [] : [names.computed]),
    ...(accompanied ? [] : [names.companion]),
  ]);
  const made = functions.filter((name) => !unmade.has(name));
  const behaviour = [
    ...(inline === null ? [] : [createInline(flow)]),
    createCapture(flow, inline),
    ...(keeps ? [createComputed(flow)] : []),
    ...(accompanied ? [createCompanion(flow)] : []),
    createTruncated(flow),
    createApply(flow),
    createExchange(flow),
    createFits(flow),
    createConverge(flow, validation),
    createTurn(flow),
    createSpread(flow),
    createBackfill(flow),
    createVerify(flow),
    createRepair(flow),
    createConsistency(flow),
    createCompareRow(flow),
    createRetry(flow),
    ...createGuard(flow),
    ...made.map((name) => `REVOKE ALL ON FUNCTION ${name} FROM PUBLIC`),
    `SELECT crossfade.grant_runtime('${id}')`,
    ...createTriggers(flow),
    ...(keeps ? createComputedTrigger(flow) : []),
    ...createCompanionTriggers(flow),
    ...(parted ? [`SELECT crossfade.follow_partitions(${quoteText(id)})`] : []),
  ];
  const endCapture = [
    ...(parted ? [`SELECT crossfade.drop_partition_triggers(${quoteText(id)})`] : []),
    ...dropTriggers(flow),
    ...(accompanied ? [`SELECT crossfade.drop_companion_triggers(${quoteText(id)})`] : []),
  ];
  const dropBehaviour = [
    ...endCapture,
    ...dropGuard(flow),
    ...functions.map((name) => `DROP FUNCTION IF EXISTS ${name}`),
  ];
  const tablesOf = (name: string) => [...createOutbox({ ...flow, id: name }), ...createSegments({ ...flow, id: name })];
  return {
    create: [...tablesOf(id), ...behaviour],
    staged: tablesOf(`${STAGED}${id}`),
    takeStaged: [`SELECT crossfade.take_staged('_${STAGED}${id}', '_${id}')`, ...behaviour],
    replace: [...dropBehaviour, ...behaviour],
    drop: [...dropBehaviour, ...tables.map((name) => `DROP TABLE IF EXISTS ${name}`)],
    dropTriggers: endCapture,
  };
}
