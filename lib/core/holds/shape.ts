/**
 * What holds a table in every stage, before and after promotion: its shape is not the one that was armed, or changes may have
 * been missed. No force helps, since nothing is promoted that was not compared.
 */

import { type Condition, condition } from '../conditions/verdict.ts';
import type { ShapeDifference, TableStatus } from '../gates/evidence.ts';

/** Their codes. */
export const SHAPE_CODES: ReadonlySet<string> = new Set(['schema_changed', 'sweep']);

const NAMED = 3;

/** Those that hold; none while everything is as it was armed. */
export function shapeConditions(id: string, table: Pick<TableStatus, 'shape'> | null): Condition[] {
  const shape = table?.shape;
  if (!shape) return [];
  const { differences, gap } = shape;
  const holds: Condition[] = [];
  if (differences.length > 0) {
    const text = changedText(id, differences, shape.sinceMs);
    holds.push(condition('schema_changed', false, differences.length, 0, text));
  }
  if (gap !== null) {
    const text = `Changes may have been missed: ${gap}. The tick makes capture again, and every row is copied and compared again; a complete verification without a difference releases it.`;
    holds.push(condition('sweep', false, gap, null, text));
  }
  return holds;
}

function changedText(id: string, differences: readonly ShapeDifference[], sinceMs: number | null): string {
  const named = differences.slice(0, NAMED).map(differenceText);
  const more = differences.length > NAMED ? `; and ${differences.length - NAMED} more` : '';
  const since =
    sinceMs === null ? '' : `, first seen ${new Date(sinceMs).toISOString().slice(0, 16).replace('T', ' ')} UTC`;
  return `The tables are not as they were armed${since}: ${named.join('; ')}${more}. 'crossfade adopt ${id}' takes the tables over as they are; undoing the change releases the hold, too.`;
}

export function differenceText({ object, was, is }: ShapeDifference): string {
  if (was === null && is === null) return `${object} is missing`;
  if (is === null) return `${object} is gone (it was: ${was})`;
  return was === null ? `${object} is new (${is})` : `${object} was ${was}, is ${is}`;
}
