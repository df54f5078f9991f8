/**
 * Triggers and rules of the application. The table that loses the name loses them, too, so that they never run for a row
 * that is mirrored; the other one gets them with their state.
 */

import { quoteName, quoteTable, quoteText } from '../shape.ts';
import type { Rule, Trigger } from './dependents.ts';
import { type Move, type Moved, misfit, nothingMoved, sentence } from './moved.ts';
import { qualified } from './refusals.ts';

const FIX = 'Change it to the columns of the new shape, or drop it before the swap and create it again after it.';

export function moveTriggers(move: Move): Moved {
  const moved = nothingMoved();
  const table = quoteTable(move.from);
  for (const trigger of move.from.triggers.filter(({ name }) => !move.keep('trigger', name))) {
    const object = `${trigger.name} on ${qualified(move.from)}`;
    const why =
      misfit(trigger.uses, move) ??
      missingRead(trigger, move) ??
      taken(move.to.triggers, trigger, move) ??
      unfit(trigger, move);
    if (why) {
      moved.items.push({ action: 'refuse', kind: 'trigger', object, text: sentence(why, FIX) });
      continue;
    }
    moved.before.push(`DROP TRIGGER ${quoteName(trigger.name)} ON ${table}`);
    moved.after.push(...createTrigger(trigger, table));
    const text = `is made again on the new ${move.from.name}, ${state(trigger.enabled)}; it never runs for rows that are mirrored`;
    moved.items.push({ action: 'rebuild', kind: 'trigger', object, text });
  }
  return moved;
}

const taken = (there: readonly { name: string }[], { name }: { name: string }, { to }: Move): string | null =>
  there.some((other) => other.name === name) ? `has the name of another one on ${qualified(to)}` : null;

/** Postgres refuses them. */
const unfit = ({ definition }: Trigger, { to }: Move): string | null =>
  to.partitionedBy !== null && / REFERENCING .* FOR EACH ROW /.test(definition)
    ? `has transition tables for each row, which no trigger of a partitioned table may have, as ${qualified(to)} is`
    : null;

/** A field that the row has not is an error for each row that is written. */
function missingRead({ reads }: Trigger, { from, to }: Move): string | null {
  const has = (table: Move['from'], name: string) => table.columns.some((column) => column.name === name);
  const lost = reads.find((name) => has(from, name) && !has(to, name));
  return lost === undefined ? null : `reads column '${lost}' in its function, which ${qualified(to)} has not`;
}

const STATES: Readonly<Record<string, string>> = {
  O: 'enabled',
  D: 'disabled',
  R: 'for replication only',
  A: 'always enabled',
};
const state = (enabled: string) => STATES[enabled] ?? enabled;
const SET: Readonly<Record<string, string>> = { D: 'DISABLE', R: 'ENABLE REPLICA', A: 'ENABLE ALWAYS' };

function setState(what: 'TRIGGER' | 'RULE', name: string, enabled: string, table: string): string[] {
  const verb = SET[enabled];
  return verb ? [`ALTER TABLE ${table} ${verb} ${what} ${quoteName(name)}`] : [];
}

export function createTrigger(trigger: Trigger, table: string): string[] {
  const { name, definition, enabled, comment } = trigger;
  return [
    definition,
    ...setState('TRIGGER', name, enabled, table),
    ...(comment === null ? [] : [`COMMENT ON TRIGGER ${quoteName(name)} ON ${table} IS ${quoteText(comment)}`]),
  ];
}

export function createRule(rule: Rule, table: string): string[] {
  const { name, definition, enabled, comment } = rule;
  return [
    definition.replace(/;\s*$/, ''),
    ...setState('RULE', name, enabled, table),
    ...(comment === null ? [] : [`COMMENT ON RULE ${quoteName(name)} ON ${table} IS ${quoteText(comment)}`]),
  ];
}

/** Rules of the table move; a rule of another one is written again where it is, and reads the new table from then on. */
export function moveRules(move: Move): Moved {
  const moved = nothingMoved();
  const own = quoteTable(move.from);
  const remade = (rule: Rule) =>
    move.from.views.some(({ schema, name }) => schema === rule.table.schema && name === rule.table.name);
  for (const rule of move.from.rules) {
    const object = `${rule.name} on ${qualified(rule.table)}`;
    if (move.keep('rule', object) || remade(rule)) continue;
    const why =
      misfit(rule.uses, move) ??
      (rule.own
        ? taken(
            move.to.rules.filter((other) => other.own),
            rule,
            move,
          )
        : null) ??
      (rule.table.ours ? null : `belongs to ${qualified(rule.table)}, which others own`);
    if (why) {
      moved.items.push({ action: 'refuse', kind: 'rule', object, text: sentence(why, FIX) });
      continue;
    }
    if (rule.own) {
      moved.before.push(`DROP RULE ${quoteName(rule.name)} ON ${own}`);
      moved.after.push(...createRule(rule, own));
    } else {
      const isView = rule.table.relkind === 'v';
      if (isView) moved.views.push(quoteTable(rule.table));
      else moved.lock.push(rule.table.oid);
      moved.after.push(rule.definition.replace(/^CREATE RULE/, 'CREATE OR REPLACE RULE').replace(/;\s*$/, ''));
    }
    const text = rule.own
      ? `is made again on the new ${move.from.name}, ${state(rule.enabled)}`
      : `is written again and reads the new ${move.from.name}`;
    moved.items.push({ action: 'rebuild', kind: 'rule', object, text });
  }
  return moved;
}
