/**
 * Numbers that a column takes from a sequence go on where the other table stopped. A sequence of its own is set to at
 * least the other's position; one that both tables use passes to the table that has the name.
 */

import { quoteName, quoteTable, quoteText } from '../table-shape.ts';
import type { DependentSequence, Grant, TableDependents } from './dependents.ts';
import { type Granted, grantStatements, grantsMissing, recordGrants } from './privileges.ts';
import { type PromotionItem, qualified } from './refusals.ts';

export type MovedSequence = { schema: string; name: string };

export type Sequences = {
  statements: string[];
  granted: Granted[];
  moved: MovedSequence[];
  items: PromotionItem[];
};

export type SequencesRequest = {
  /** Has the application's writes until now. */
  from: TableDependents;
  to: TableDependents;
  /** By column of `from`, that of `to`. */
  columns: ReadonlyMap<string, string>;
  /** The name that a sequence has after the renames. */
  renamed: (sequence: DependentSequence) => string;
  /** Of `to`, after the renames. */
  name: string;
  /** On the way back: what had been moved. Nothing is refused then, and no privilege granted. */
  moved?: readonly MovedSequence[];
};

/** The statements run after the renames. */
export function carrySequences(request: SequencesRequest): Sequences {
  const plan: Sequences = { statements: [], granted: [], moved: [], items: [] };
  const { from, to, columns, moved } = request;
  for (const sequence of from.sequences) {
    const column = columns.get(sequence.column);
    const own = to.sequences.find((candidate) => candidate.column === column);
    const object = `${qualified(from)}.${sequence.column}`;
    if (column === undefined) {
      const text = 'has no counterpart in the other table, and its sequence is used no more';
      plan.items.push({ action: 'notice', kind: 'sequence', object, text });
    } else if (!own) {
      if (!moved) plan.items.push(noNumbers(to, column, object));
    } else if (own.schema === sequence.schema && own.name === sequence.name) {
      move(plan, sequence, column, request);
    } else {
      advance(plan, sequence, own, request);
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
  column: string,
  { from, to, name, moved }: SequencesRequest,
): void {
  if (sequence.ownedBy?.table !== from.oid) return;
  const { schema } = sequence;
  if (moved && !moved.some((entry) => entry.schema === schema && entry.name === sequence.name)) return;
  const owner = `${quoteTable({ schema: to.schema, name })}.${quoteName(column)}`;
  plan.statements.push(`ALTER SEQUENCE ${quoteTable(sequence)} OWNED BY ${owner}`);
  plan.moved.push({ schema, name: sequence.name });
  const text = `passes from ${qualified(from)} to the new ${name} and goes on`;
  plan.items.push({ action: 'carry', kind: 'sequence', object: qualified(sequence), text });
}

function advance(
  plan: Sequences,
  sequence: DependentSequence,
  own: DependentSequence,
  { from, to, renamed, moved }: SequencesRequest,
): void {
  const source = { schema: sequence.schema, name: renamed(sequence) };
  const target = { schema: own.schema, name: renamed(own) };
  plan.statements.push(advanceStatement(source, target, own.increment));
  if (own.source === 'default' && !moved) {
    const missing = grantsMissing(wantedGrants(from, sequence, own), own.grants);
    plan.statements.push(...grantStatements('SEQUENCE', target, missing));
    plan.granted.push(...recordGrants('SEQUENCE', target, missing, own.grants));
  }
  const text = `goes on after the last number of ${qualified(sequence)}`;
  plan.items.push({ action: 'carry', kind: 'sequence', object: `${qualified(to)}.${own.column}`, text });
}

/** An identity column asks nobody for a privilege on its sequence; a default does. */
function wantedGrants(from: TableDependents, sequence: DependentSequence, own: DependentSequence): Grant[] {
  const users = sequence.source === 'default' ? sequence.grants : insertersOf(from);
  return users.filter(({ grantee }) => grantee !== own.owner);
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
