/**
 * Numbers that a column takes from a sequence go on where the other table stopped. A sequence of its own is set to at
 * least the other's position; one that both tables use passes to the table that has the name.
 */

import { quoteName, quoteTable, quoteText } from '../table-shape.ts';
import type { DependentSequence, Grant, TableDependents } from './dependents.ts';
import { type Granted, grantStatements, grantsMissing } from './privileges.ts';
import { type PromotionItem, qualified } from './refusals.ts';

export type MovedSequence = { schema: string; name: string; column: string; back: string };

export type Sequences = {
  /** Before the renames have freed any name: nothing here. After them, in this order. */
  statements: string[];
  granted: Granted[];
  moved: MovedSequence[];
  items: PromotionItem[];
};

/**
 * @param from has the application's writes until now
 * @param columns by column of `from`, that of `to`
 * @param renamed the name that a sequence has after the renames
 * @param name of `to` after the renames
 * @param required refuses where `to` could not make numbers of its own
 */
export function carrySequences(
  from: TableDependents,
  to: TableDependents,
  columns: ReadonlyMap<string, string>,
  renamed: (sequence: DependentSequence) => string,
  name: string,
  required: boolean,
): Sequences {
  const plan: Sequences = { statements: [], granted: [], moved: [], items: [] };
  for (const sequence of from.sequences) {
    const column = columns.get(sequence.column);
    const own = to.sequences.find((candidate) => candidate.column === column);
    const object = `${qualified(from)}.${sequence.column}`;
    if (column === undefined) {
      plan.items.push({
        action: 'notice',
        kind: 'sequence',
        object,
        text: 'The new shape drops the column, and its sequence is used no more.',
      });
    } else if (!own) {
      if (required) plan.items.push(noNumbers(to, column, object));
    } else if (own.schema === sequence.schema && own.name === sequence.name) {
      move(plan, sequence, { from, to, name, column });
    } else {
      advance(plan, sequence, own, { from, renamed, column: `${qualified(to)}.${column}` });
    }
  }
  return plan;
}

function noNumbers(to: TableDependents, column: string, object: string): PromotionItem {
  const text = `Inserts after promotion would fail: give column ${column} of ${qualified(to)} a default from a sequence, or make it an identity column.`;
  return { action: 'refuse', kind: 'sequence', object, text };
}

/** Both tables use one sequence: it must not be dropped with the table that owned it. */
function move(
  plan: Sequences,
  sequence: DependentSequence,
  { from, to, name, column }: { from: TableDependents; to: TableDependents; name: string; column: string },
): void {
  if (sequence.ownedBy?.table !== from.oid) return;
  const object = qualified(sequence);
  plan.statements.push(
    `ALTER SEQUENCE ${quoteTable(sequence)} OWNED BY ${quoteTable({ schema: to.schema, name })}.${quoteName(column)}`,
  );
  plan.moved.push({ schema: sequence.schema, name: sequence.name, column, back: sequence.column });
  plan.items.push({
    action: 'carry',
    kind: 'sequence',
    object,
    text: `passes from ${qualified(from)} to the new ${name} and goes on`,
  });
}

function advance(
  plan: Sequences,
  sequence: DependentSequence,
  own: DependentSequence,
  {
    from,
    renamed,
    column,
  }: { from: TableDependents; renamed: (sequence: DependentSequence) => string; column: string },
): void {
  const source = { schema: sequence.schema, name: renamed(sequence) };
  const target = { schema: own.schema, name: renamed(own) };
  plan.statements.push(advanceStatement(source, target, own.increment));
  if (own.source === 'default') {
    const missing = grantsMissing(wantedGrants(from, sequence, own), own.grants);
    plan.statements.push(...grantStatements('SEQUENCE', target, missing));
    plan.granted.push(...missing.map((grant) => ({ on: 'SEQUENCE' as const, ...target, grant })));
  }
  plan.items.push({
    action: 'carry',
    kind: 'sequence',
    object: column,
    text: `goes on after the last number of ${qualified(sequence)}`,
  });
}

/** An identity column asks nobody for a privilege on its sequence; a default does. */
function wantedGrants(from: TableDependents, sequence: DependentSequence, own: DependentSequence): Grant[] {
  const users = sequence.source === 'default' ? sequence.grants : insertersOf(from);
  return users.filter(({ grantee }) => grantee !== own.owner).map((grant) => ({ ...grant }));
}

const insertersOf = (table: TableDependents): Grant[] =>
  table.grants
    .filter(({ privilege }) => privilege === 'INSERT')
    .map(({ grantee }) => ({ grantee, privilege: 'USAGE', grantable: false }));

/** Never back: whoever is further wins. `is_called` goes with the position. */
function advanceStatement(
  source: { schema: string; name: string },
  target: { schema: string; name: string },
  increment: number,
): string {
  const position = (sequence: { schema: string; name: string }) =>
    `SELECT last_value, is_called FROM ${quoteTable(sequence)}`;
  const order = increment < 0 ? 'last_value ASC, is_called DESC' : 'last_value DESC, is_called DESC';
  return `SELECT pg_catalog.setval(${quoteText(quoteTable(target))}::regclass, p.last_value, p.is_called) FROM (
  SELECT * FROM (${position(source)} UNION ALL ${position(target)}) s ORDER BY ${order} LIMIT 1) p`;
}
