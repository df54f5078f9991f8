/** The writes of the load: which kinds the table takes, and the statements of each. */

import type postgres from 'postgres';
import { type Key, type LoadTable, named, pick } from './load-table.ts';

export type WriteKind = 'updates' | 'inserts' | 'deletes';

export type Writer = {
  counts: Record<WriteKind, number>;
  /** One write of a kind that the table takes. @throws what the server says, unless it refuses the values */
  write(): Promise<void>;
  /** Kinds that the table does not take, each with why. */
  refused(): string[];
  /** No kind is written any more. */
  end(why: string): void;
};

/** SQLSTATE class of violated constraints, and of values that do not fit. */
const REFUSED = /^2[23]/;
/** Two writers took the same new key: the next one is another. */
const TAKEN = '23505';

export function writerOf(sql: postgres.Sql, table: LoadTable, keys: readonly Key[]): Writer {
  const counts = { updates: 0, inserts: 0, deletes: 0 };
  const refused = new Map<WriteKind, string>(unwritable(table));
  return {
    counts,
    async write() {
      const kinds = KINDS.filter(([kind]) => !refused.has(kind));
      if (kinds.length === 0) return;
      const [kind, statements] = pick(kinds);
      try {
        await inOneSession(sql, statements(table, pick(keys), pick(keys)));
        counts[kind] += 1;
      } catch (error) {
        const { code = '', message } = error as { code?: string; message: string };
        if (!REFUSED.test(code)) throw error;
        if (code !== TAKEN) refused.set(kind, message);
      }
    },
    refused: () => [...refused].map(([kind, why]) => `${kind}: ${why}`),
    end(why) {
      for (const [kind] of KINDS) refused.set(kind, why);
    },
  };
}

/** The first failure ends it, and leaves nothing in the session. */
async function inOneSession(sql: postgres.Sql, statements: readonly string[]): Promise<void> {
  const session = await sql.reserve();
  try {
    for (const statement of statements) await session.unsafe(statement);
  } catch (error) {
    await session.unsafe('DISCARD TEMP').catch(() => {});
    throw error;
  } finally {
    session.release();
  }
}

type Statements = (table: LoadTable, key: Key, other: Key) => readonly string[];

const KINDS: readonly (readonly [kind: WriteKind, statements: Statements])[] = [
  ['updates', (table, key, other) => [update(table, key, other)]],
  ['updates', (table, key, other) => [update(table, key, other)]],
  ['inserts', (table, key) => [insert(table, key)]],
  ['deletes', deleteUndone],
];

const settable = ({ columns }: LoadTable) => columns.filter(({ unique, computed }) => !unique && !computed);

function update(table: LoadTable, key: Key, other: Key): string {
  const { ident } = pick(settable(table));
  return `UPDATE ${table.ident} SET ${ident} = (SELECT o.${ident} FROM ${table.ident} o WHERE ${named(table, other)}) WHERE ${named(table, key)}`;
}

function insert(table: LoadTable, key: Key): string {
  const copied = settable(table).map(({ ident }) => ident);
  const into = table.newKey === null ? copied : [...table.key, ...copied];
  const values = table.newKey === null ? copied : [table.newKey, ...copied];
  return `INSERT INTO ${table.ident} (${into.join(', ')}) SELECT ${values.join(', ')} FROM ${table.ident} WHERE ${named(table, key)}`;
}

/** Two transactions, so that the row is really away for a moment. */
function deleteUndone(table: LoadTable, key: Key): string[] {
  const list = table.columns.flatMap(({ computed, ident }) => (computed ? [] : [ident])).join(', ');
  const row = `FROM ${table.ident} WHERE ${named(table, key)}`;
  return [
    `CREATE TEMP TABLE undone AS SELECT ${list} ${row} FOR UPDATE; DELETE ${row}`,
    `INSERT INTO ${table.ident} (${list}) SELECT ${list} FROM undone; DROP TABLE undone`,
  ];
}

function* unwritable(table: LoadTable): Iterable<[WriteKind, string]> {
  if (settable(table).length === 0) yield ['updates', 'every column is part of a key or computed'];
  if (table.newKey === undefined) yield ['inserts', 'no new value of its key can be made'];
  const others = table.columns.filter(({ unique, ident }) => unique && !table.key.includes(ident));
  if (others.length > 0) yield ['inserts', `the values of ${others.map(({ ident }) => ident).join(', ')} are unique`];
  if (table.referenced) yield ['deletes', 'other tables refer to its rows'];
  if (table.columns.some(({ computed, ident }) => computed && table.key.includes(ident)))
    yield ['deletes', 'its key cannot be written again'];
}
