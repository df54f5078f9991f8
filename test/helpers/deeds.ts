/**
 * What an application does to a table and, in the same transaction, to its twin: transactions of random deeds, each drawn
 * before it is carried out, so that one which Postgres asks to be tried again does the same again.
 */

import type postgres from 'postgres';
import { type Writer, writer } from './writer.ts';

export type Rows = readonly (readonly (string | number | null)[])[];

/** In a text, `@` stands for the end of each table's name: nothing, and `_twin`. */
export type Hands = {
  both(text: string): Promise<void>;
  /** Many rows in one statement. */
  load(into: string, rows: Rows): Promise<void>;
  /** The same within a savepoint, which is rolled back whatever happens. */
  undone(text: string): Promise<void>;
  /** The same within a savepoint that is released. */
  nested(text: string): Promise<void>;
};
export type Deed = (hands: Hands) => Promise<void>;
/** Draws a deed: `pick(n)` is 0 … n - 1, and `key` is of this writer alone. */
export type Draw = (pick: (n: number) => number, key: () => number) => Deed;

const LEVELS = ['READ COMMITTED', 'READ COMMITTED', 'REPEATABLE READ', 'SERIALIZABLE'] as const;
/** What an application tries again under REPEATABLE READ and SERIALIZABLE. */
const SERIALIZATION_FAILURE = '40001';
const TRIES = 50;

/** @param keys of this writer alone */
export function doer(
  sql: postgres.Sql,
  draws: readonly Draw[],
  random: () => number,
  keys: readonly number[],
): Writer & { retried: number } {
  const pick = (n: number) => Math.floor(random() * n);
  const key = () => keys[pick(keys.length)]!;
  const counted = { retried: 0 };
  const one = writer(async () => {
    const deeds = Array.from({ length: 1 + pick(3) }, () => draws[pick(draws.length)]!(pick, key));
    const level = LEVELS[pick(LEVELS.length)]!;
    const order = pick(2) === 0 ? ['', '_twin'] : ['_twin', ''];
    const ends = pick(8) === 0 ? 'rolled back' : 'committed';
    for (let tries = 1; ; tries += 1) {
      try {
        return await transact(sql, level, deeds, order, ends);
      } catch (error) {
        if ((error as { code?: string }).code !== SERIALIZATION_FAILURE || tries === TRIES) throw error;
        counted.retried += 1;
      }
    }
  });
  return Object.defineProperty(one, 'retried', { get: () => counted.retried }) as Writer & { retried: number };
}

async function transact(
  sql: postgres.Sql,
  level: string,
  deeds: readonly Deed[],
  order: readonly string[],
  ends: 'rolled back' | 'committed',
): Promise<void> {
  const undo = new Error('rolled back on purpose');
  await sql
    .begin(`ISOLATION LEVEL ${level}`, async (tx) => {
      const each = async (text: string) => {
        for (const end of order) await tx.unsafe(text.replaceAll('@', end)).simple();
      };
      const hands: Hands = {
        both: each,
        nested: (text) => each(`SAVEPOINT inner_one; ${text}; RELEASE inner_one`),
        undone: (text) => each(`SAVEPOINT inner_one; ${text}; ROLLBACK TO inner_one`),
        load(into, rows) {
          const values = rows.map((row) => `(${row.map((v) => (v === null ? 'NULL' : `'${v}'`)).join(', ')})`);
          return each(`INSERT INTO ${into} VALUES ${values.join(', ')}`);
        },
      };
      for (const deed of deeds) await deed(hands);
      if (ends === 'rolled back') throw undo;
    })
    .catch((error: unknown) => {
      if (error !== undo) throw error;
    });
}
