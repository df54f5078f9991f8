/**
 * Views and materialised views, also views of views: dropped from the outermost inwards, made again under the same name
 * from the inside out, with options, owner, privileges, defaults, comments, triggers and rules.
 */

import { quoteName, quoteTable, quoteText } from '../shape.ts';
import type { View } from './dependents.ts';
import { type Move, type Moved, misfit, nothingMoved } from './moved.ts';
import { qualified } from './refusals.ts';
import { createRule, createTrigger } from './triggers.ts';

const kindOf = ({ relkind }: View) => (relkind === 'm' ? 'materialized view' : 'view');

export function moveViews(move: Move): Moved {
  const moved = nothingMoved();
  const views = move.from.views.filter((view) => !move.keep('view', qualified(view)));
  for (const view of views) {
    const why = reasonAgainst(view, move);
    const text =
      why ??
      (view.relkind === 'm' && view.populated
        ? `is made again over the new ${move.from.name} and filled under the lock`
        : `is made again over the new ${move.from.name}, with its owner, privileges and comments`);
    moved.items.push({ action: why ? 'refuse' : 'rebuild', kind: kindOf(view), object: qualified(view), text });
    moved.after.push(...createView(view));
  }
  for (const view of [...views].reverse()) {
    moved.before.push(`DROP ${kindOf(view).toUpperCase()} ${quoteTable(view)}`);
    moved.views.push(quoteTable(view));
  }
  return moved;
}

function reasonAgainst(view: View, move: Move): string | null {
  const remedy = 'Drop it before the swap and create it again after it.';
  const why = misfit(view.uses, move);
  if (why) return `It ${why}, and would go on reading the old rows. ${remedy}`;
  if (view.blockers.length > 0)
    return `It cannot be made again over the new rows, since something depends on it: ${view.blockers.join(', ')}. ${remedy}`;
  if (!view.ours)
    return `The role that swaps must own it to make it again. Grant it: GRANT ${view.owner} TO the owner role of Crossfade.`;
  if (!view.small && view.populated)
    return `It reads more than 16 MB, too much to be filled again while the application waits. ${remedy}`;
  return null;
}

function createView(view: View): string[] {
  const name = quoteTable(view);
  const body = view.definition.replace(/;\s*$/, '');
  const options = view.options.length > 0 ? ` WITH (${view.options.join(', ')})` : '';
  const created =
    view.relkind === 'm'
      ? `CREATE MATERIALIZED VIEW ${name}${view.method ? ` USING ${quoteName(view.method)}` : ''}${options}${
          view.tablespace ? ` TABLESPACE ${quoteName(view.tablespace)}` : ''
        } AS ${body} WITH NO DATA`
      : `CREATE VIEW ${name}${options} AS ${body}`;
  return [
    created,
    ...properties(view, name),
    ...(view.relkind === 'm' && view.populated ? [`REFRESH MATERIALIZED VIEW ${name}`] : []),
  ];
}

function properties(view: View, name: string): string[] {
  const commented = view.columns.filter(({ comment }) => comment !== null);
  const granted = view.columns
    .filter(({ grants }) => grants.length > 0)
    .map((column) => ({ name: column.name, grants: column.grants }));
  return [
    `ALTER TABLE ${name} OWNER TO ${view.owner}`,
    ...view.indexes,
    ...view.columns
      .filter((column) => column.default !== null)
      .map((column) => `ALTER VIEW ${name} ALTER COLUMN ${quoteName(column.name)} SET DEFAULT ${column.default}`),
    ...view.rules.flatMap((rule) => createRule(rule, name)),
    ...view.triggers.flatMap((trigger) => createTrigger(trigger, name)),
    `SELECT crossfade.give_privileges(${quoteText(name)}, ${quoteText(JSON.stringify(view.grants))}, ${quoteText(JSON.stringify(granted))})`,
    ...(view.comment === null
      ? []
      : [`COMMENT ON ${kindOf(view).toUpperCase()} ${name} IS ${quoteText(view.comment)}`]),
    ...commented.map(
      (column) => `COMMENT ON COLUMN ${name}.${quoteName(column.name)} IS ${quoteText(column.comment!)}`,
    ),
  ];
}
