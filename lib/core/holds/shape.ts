/**
 * What holds a table in every stage, before and after promotion: its shape is not the one that was armed, or changes may have
 * been missed. No force helps, since nothing is promoted that was not compared.
 */

import { type Condition, condition } from '../conditions/condition.ts';
import type { ShapeDifference, TableStatus } from '../gates/table-status.ts';

const NAMED = 3;

/** Those that hold; none while everything is as it was armed. */
export function shapeConditions(id: string, table: Pick<TableStatus, 'shape'> | null): Condition[] {
  const shape = table?.shape;
  if (!shape) return [];
  const { differences, gap } = shape;
  const holds: Condition[] = [];
  if (differences.length > 0) {
    holds.push(
      condition('schema_changed', {
        ok: false,
        seen: differences.length,
        limit: 0,
        says: changedText(differences, shape.sinceMs),
        release: [
          { command: ['crossfade', 'adopt', id], does: 'takes the tables over as they are' },
          { person: 'Undoing the change releases the hold, too' },
        ],
      }),
    );
  }
  if (gap !== null) {
    const says = `Changes may have been missed: ${gap}.`;
    holds.push(condition('sweep', { ok: false, seen: gap, limit: null, says, release: { wait: 'sweep' } }));
  }
  return holds;
}

function changedText(differences: readonly ShapeDifference[], sinceMs: number | null): string {
  const named = differences.slice(0, NAMED).map(differenceText);
  const more = differences.length > NAMED ? `; and ${differences.length - NAMED} more` : '';
  const since =
    sinceMs === null ? '' : `, first seen ${new Date(sinceMs).toISOString().slice(0, 16).replace('T', ' ')} UTC`;
  return `The tables are not as they were armed${since}: ${named.join('; ')}${more}.`;
}

function differenceText({ object, was, is }: ShapeDifference): string {
  if (was === null && is === null) return `${object} is missing`;
  if (is === null) return `${object} is gone (it was: ${was})`;
  return was === null ? `${object} is new (${is})` : `${object} was ${was}, is ${is}`;
}
