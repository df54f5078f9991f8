/**
 * Everything in the database that belongs to one direction of one table cutover: outbox, capture, converge, backfill,
 * verification. One statement per element, in the order in which they must run; `drop` undoes `create`.
 */

import type { ValidationMode } from './cutover.ts';
import { createApply, createExchange } from './sql/apply.ts';
import { createBackfill } from './sql/backfill.ts';
import { createCapture, createOutbox, createTriggers, createTruncated, dropTriggers } from './sql/capture.ts';
import { createConverge } from './sql/converge.ts';
import { createConsistency, createRecord } from './sql/inspect.ts';
import { type Flow, objectNames } from './sql/names.ts';
import type { Sabotage } from './sql/sabotage.ts';
import { createRepair, createVerify } from './sql/verify.ts';
import type { TableShape } from './table-shape.ts';
import type { Mapping } from './transform.ts';

export type TableObjects = {
  /** Outbox and functions, then the triggers: a trigger must never fire without them. */
  create: readonly string[];
  drop: readonly string[];
  /** The triggers alone: what ends capture while the outbox stays. */
  dropTriggers: readonly string[];
};

/**
 * @param source rows are read here, and changes captured
 * @param target rows are written here
 * @param sabotage breaks a rule, for negative controls
 */
export function tableObjects(
  id: string,
  source: TableShape,
  target: TableShape,
  mapping: Mapping,
  validation: ValidationMode,
  sabotage: Sabotage = {},
): TableObjects {
  const flow: Flow = { id, source, target, mapping };
  const names = objectNames(id);
  const functions = [
    names.capture,
    names.truncated,
    names.apply,
    names.exchange,
    names.converge,
    names.backfill,
    names.verify,
    names.repair,
    names.consistency,
    names.record,
  ];
  return {
    create: [
      createOutbox(flow),
      createCapture(flow),
      createTruncated(flow),
      createApply(flow, sabotage),
      createExchange(flow),
      createConverge(flow, validation, sabotage),
      createBackfill(flow, sabotage),
      createVerify(flow, sabotage),
      createRepair(flow),
      createConsistency(flow),
      createRecord(flow),
      ...functions.map((name) => `REVOKE ALL ON FUNCTION ${name} FROM PUBLIC`),
      `SELECT crossfade.grant_runtime('${id}')`,
      ...createTriggers(flow),
    ],
    drop: [
      ...dropTriggers(flow),
      ...functions.map((name) => `DROP FUNCTION IF EXISTS ${name}`),
      `DROP TABLE IF EXISTS ${names.outbox}`,
    ],
    dropTriggers: dropTriggers(flow),
  };
}
