/** Functions whose body was parsed when they were made, and extended statistics: written again for the table with the name. */

import { quoteTable, quoteText } from '../shape.ts';
import { type Move, type Moved, misfit, nothingMoved, sentence } from './moved.ts';
import { qualified } from './refusals.ts';

export function moveFunctions(move: Move): Moved {
  const moved = nothingMoved();
  for (const { signature, definition, ours, uses } of move.from.functions) {
    if (move.keep('function', signature)) continue;
    const why = misfit(uses, move) ?? (ours ? null : 'is owned by others, and its body was parsed for this very table');
    if (why) {
      const remedy = 'Drop it before the swap and create it again after it.';
      moved.items.push({ action: 'refuse', kind: 'function', object: signature, text: sentence(why, remedy) });
      continue;
    }
    moved.after.push(definition);
    moved.items.push({
      action: 'rebuild',
      kind: 'function',
      object: signature,
      text: `is written again and reads the new ${move.from.name}`,
    });
  }
  return moved;
}

/** They only serve the planner, so that one which does not fit is left behind with a word. */
export function moveStatistics(move: Move): Moved {
  const moved = nothingMoved();
  for (const one of move.from.statistics) {
    const object = qualified(one);
    if (move.keep('statistics', object)) continue;
    const why = misfit(one.uses, move) ?? (one.ours ? null : 'is owned by others');
    if (why) {
      moved.items.push({
        action: 'notice',
        kind: 'statistics',
        object,
        text: `${why}, and stays with the old table; create the like on ${qualified(move.to)} if its plans need it`,
      });
      continue;
    }
    const name = quoteTable(one);
    moved.before.push(`DROP STATISTICS ${name}`);
    moved.after.push(
      one.definition,
      `ALTER STATISTICS ${name} OWNER TO ${one.owner}`,
      ...(one.target === null ? [] : [`ALTER STATISTICS ${name} SET STATISTICS ${one.target}`]),
      ...(one.comment === null ? [] : [`COMMENT ON STATISTICS ${name} IS ${quoteText(one.comment)}`]),
    );
    moved.later = [`ANALYZE ${quoteTable(move.from)}`];
    moved.items.push({
      action: 'rebuild',
      kind: 'statistics',
      object,
      text: `are made again on the new ${move.from.name} and filled after the swap`,
    });
  }
  return moved;
}
