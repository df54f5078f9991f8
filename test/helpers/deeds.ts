/**
 * What an application does to a table and, in the same transaction, to its twin: transactions of random deeds, each drawn
 * before it is carried out, so that one which Postgres asks to be tried again does the same again.
 */

import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type postgres from 'postgres';
import { type Writer, writer } from './writer.ts';

type Rows = readonly (readonly (string | number | null)[])[];

/** In a text, `@` stands for the end of each table's name: nothing, and `_twin`. */
type Hands = {
  both(text: string): Promise<void>;
  /** Many rows in one statement: COPY, or an INSERT where the client has none. */
  load(into: string, rows: Rows): Promise<void>;
  /** The same within a savepoint, which is rolled back whatever happens. */
  undone(text: string): Promise<void>;
  /** The same within a savepoint that is released. */
  nested(text: string): Promise<void>;
};
type Deed = (hands: Hands) => Promise<void>;
/** Draws a deed: `pick(n)` is 0 … n - 1, and `key` is of this writer alone. */
export type Draw = (pick: (n: number) => number, key: () => number) => Deed;

const LEVELS = ['READ COMMITTED', 'READ COMMITTED', 'REPEATABLE READ', 'SERIALIZABLE'] as const;
/** What an application tries again under REPEATABLE READ and SERIALIZABLE. */
const SERIALIZATION_FAILURE = '40001';
const TRIES = 50;

type Transaction = {
  level: string;
  deeds: readonly Deed[];
  /** What `@` stands for, one after the other. */
  order: readonly string[];
  ends: 'rolled back' | 'committed';
};
/** @throws Error with the SQLSTATE as its code */
export type Transact = (transaction: Transaction) => Promise<void>;

/** @param keys of this writer alone */
export function doer(
  transact: Transact,
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
        return await transact({ level, deeds, order, ends });
      } catch (error) {
        if ((error as { code?: string }).code !== SERIALIZATION_FAILURE || tries === TRIES) throw error;
        counted.retried += 1;
      }
    }
  });
  return Object.defineProperty(one, 'retried', { get: () => counted.retried }) as Writer & { retried: number };
}

export function byDriver(sql: postgres.Sql): Transact {
  const undo = new Error('rolled back on purpose');
  return ({ level, deeds, order, ends }) =>
    sql
      .begin(`ISOLATION LEVEL ${level}`, async (tx) => {
        const each = async (text: string) => {
          for (const end of order) await tx.unsafe(text.replaceAll('@', end)).simple();
        };
        const hands: Hands = {
          both: each,
          ...points(each),
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

const points = (each: Hands['both']): Pick<Hands, 'nested' | 'undone'> => ({
  nested: (text) => each(`SAVEPOINT inner_one; ${text}; RELEASE inner_one`),
  undone: (text) => each(`SAVEPOINT inner_one; ${text}; ROLLBACK TO inner_one`),
});

export type PsqlClient = { transact: Transact; end(): Promise<void> };

/**
 * One session of psql, which is handed a transaction at a time and loads rows with `\copy`. The rows are in a file: psql reads
 * those that follow a COPY which failed as statements. The driver of the other clients writes a row and its end in two packets, of
 * which the second waits for the first to be acknowledged: some 45 ms for each COPY.
 */
export function byPsql(program: string, url: string, directory: string): PsqlClient {
  const psql = spawn(program, ['-X', '-q', '-v', 'VERBOSITY=verbose', '-f', '-', url], { stdio: 'pipe' });
  psql.stdout.resume();
  const file = (n: number) => join(directory, `rows-${psql.pid}-${n}`);
  let turns = 0;
  return {
    async transact({ level, deeds, order, ends }) {
      const lines = [`BEGIN ISOLATION LEVEL ${level};`];
      let loads = 0;
      const each = async (text: string) => void lines.push(...order.map((end) => `${text.replaceAll('@', end)};`));
      const hands: Hands = {
        both: each,
        ...points(each),
        async load(into, rows) {
          loads += 1;
          const cells = (row: Rows[number]) =>
            row.map((v) => (v === null ? '\\N' : String(v).replaceAll('\\', '\\\\')));
          writeFileSync(file(loads), rows.map((row) => `${cells(row).join('\t')}\n`).join(''));
          lines.push(...order.map((end) => `\\copy ${into.replaceAll('@', end)} FROM '${file(loads)}'`));
        },
      };
      for (const deed of deeds) await deed(hands);
      turns += 1;
      const mark = `turn ${turns} is over`;
      const said = saidBefore(psql, mark);
      psql.stdin.write([...lines, ends === 'committed' ? 'COMMIT;' : 'ROLLBACK;', `\\warn ${mark}`, ''].join('\n'));
      const first = /(?:ERROR|FATAL): {2}(?:(\w{5}): )?.*/.exec(await said);
      if (first) throw Object.assign(new Error(`psql: ${first[0]}`), { code: first[1] });
    },
    async end() {
      if (psql.exitCode !== null) return;
      const closed = new Promise<void>((resolve) => psql.once('close', () => resolve()));
      psql.stdin.end();
      await closed;
    },
  };
}

function saidBefore(psql: ChildProcessWithoutNullStreams, mark: string): Promise<string> {
  return new Promise((resolve, reject) => {
    let said = '';
    const settle = (act: () => void) => {
      psql.stderr.off('data', hear);
      psql.off('close', closed);
      act();
    };
    const closed = () => settle(() => reject(new Error(`psql ended: ${said}`)));
    const hear = (chunk: Buffer) => {
      said += chunk.toString();
      if (said.includes(mark)) settle(() => resolve(said));
    };
    psql.stderr.on('data', hear);
    psql.once('close', closed);
  });
}
