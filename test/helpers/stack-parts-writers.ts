/**
 * Applications that write Chinook's customers, each change together with its twin in one statement, and keep a ledger of
 * what was acknowledged. They survive a database that dies: the write whose answer was lost is unknown, they connect
 * again, look at what is there, and go on. Every key has one writer, so its last acknowledged state is known exactly;
 * the 59 customers that came with Chinook are written by all of them and compared with the twin only.
 */

import postgres from 'postgres';
import { OLD_SHAPE } from '../../infra/examples/chinook/statements.ts';

/** `null`: the row is absent. Otherwise the token in its column `phone`. */
type RowState = string | null;
type Entry = { acknowledged: RowState; maybe: RowState[] };

type Ledger = {
  entries: ReadonlyMap<number, Entry>;
  acknowledged(key: number, state: RowState): void;
  unknown(key: number, state: RowState): void;
  /** What was seen in the database; a state that no acknowledged or unknown write explains is a violation. */
  seen(key: number, state: RowState): void;
  violations: string[];
};

function ledger(initial: Iterable<readonly [number, RowState]>): Ledger {
  const entries = new Map<number, Entry>();
  for (const [key, state] of initial) entries.set(key, { acknowledged: state, maybe: [] });
  const violations: string[] = [];
  const of = (key: number): Entry => entries.get(key) ?? { acknowledged: null, maybe: [] };
  return {
    entries,
    violations,
    acknowledged: (key, state) => void entries.set(key, { acknowledged: state, maybe: [] }),
    unknown: (key, state) => void entries.set(key, { ...of(key), maybe: [...of(key).maybe, state] }),
    seen(key, state) {
      const { acknowledged, maybe } = of(key);
      if (![acknowledged, ...maybe].includes(state)) {
        violations.push(`customer ${key} is ${state}, acknowledged was ${acknowledged}, possible ${maybe.join(', ')}`);
      }
      entries.set(key, { acknowledged: state, maybe: [] });
    },
  };
}

type WriterFigures = { acknowledged: number; unknown: number; reconnects: number; errors: string[] };

export type Writers = {
  ledger: Ledger;
  figures(): WriterFigures;
  /** Resolves when no write is under way. */
  pause(): Promise<void>;
  resume(): void;
  stop(): Promise<void>;
};

const SEED_ROWS = 20_000;
const FIRST_SEED_KEY = 1_000;
const FIRST_OWN_KEY = 100_000;
const OWN_KEYS = 40;
const CHINOOK_ROWS = 59;
const PAUSE_MS = 4;
const STATEMENT_DEADLINE_MS = 15_000;
const RETRY_MS = 40;

/**
 * Rows for the backfill, in the table and its twin. Without a fax, which only the old shape has: a row that is deleted
 * and inserted again while its hint waits would get it back on the way back. The 59 of Chinook have theirs, and keep it.
 */
export const INSERT_SEED = `
  INSERT INTO customer (customer_id, first_name, last_name, company, city, country, postal_code, phone, fax, email, support_rep_id)
  SELECT i, 'First' || i, 'Last' || i, 'Company ' || i, 'Łódź', 'Chile', (i % 90000)::text, 'seed', NULL, 's' || i || '@example.com', 3 + i % 3
  FROM generate_series(${FIRST_SEED_KEY}, ${FIRST_SEED_KEY + SEED_ROWS - 1}) i;
  INSERT INTO customer_twin SELECT * FROM customer WHERE customer_id >= ${FIRST_SEED_KEY}`;

export function startWriters(options: { url: string; count: number; random: () => number }): Writers {
  const { count, random } = options;
  const book = ledger(Array.from({ length: SEED_ROWS }, (_, i) => [FIRST_SEED_KEY + i, 'seed'] as const));
  const figures: WriterFigures = { acknowledged: 0, unknown: 0, reconnects: 0, errors: [] };
  const state = { paused: false, stopping: false, writing: 0 };

  const running = Array.from({ length: count }, (_, index) => write(index));

  async function write(index: number): Promise<void> {
    const connection = reconnecting(options.url, figures);
    for (let i = 0; !state.stopping; i += 1) {
      if (!state.paused) {
        state.writing += 1;
        await once(connection, index, `w${index}.${i}`);
        state.writing -= 1;
      }
      await pause(PAUSE_MS);
    }
    connection.close();
  }

  async function once(connection: Reconnecting, index: number, token: string): Promise<void> {
    if (random() < 0.15) {
      const result = await connection.send(OLD_SHAPE.update, [
        1 + Math.floor(random() * CHINOOK_ROWS),
        'Kraków',
        token,
        'c@example.com',
      ]);
      if (result) figures.acknowledged += 1;
      else figures.unknown += 1;
      return;
    }
    const key = keyOf(index);
    const entry = book.entries.get(key);
    if (entry && entry.maybe.length > 0) return lookAt(connection, key);
    const [statement, parameters, after] = change(key, entry?.acknowledged ?? null, token);
    const result = await connection.send(statement, parameters);
    if (!result) {
      figures.unknown += 1;
      book.unknown(key, after);
      return;
    }
    figures.acknowledged += 1;
    if (result.count !== 1)
      book.violations.push(`customer ${key}: ${result.count} rows written where one was acknowledged`);
    book.acknowledged(key, after);
  }

  async function lookAt(connection: Reconnecting, key: number): Promise<void> {
    const rows = await connection.send('SELECT phone FROM customer WHERE customer_id = $1::int', [key]);
    if (rows) book.seen(key, (rows[0]?.phone as string | undefined) ?? null);
  }

  /** Half of the time one of a few keys of its own, else one of the rows that the backfill copies. */
  function keyOf(index: number): number {
    if (random() < 0.5) return FIRST_OWN_KEY + (Math.floor(random() * OWN_KEYS) * count + index);
    return FIRST_SEED_KEY + (Math.floor((random() * SEED_ROWS) / count) * count + index);
  }

  function change(key: number, now: RowState, token: string): [string, (string | number)[], RowState] {
    if (now === null) {
      const row = [key, `First${key}`, `Last${key}`, 'Tromsø', 'Chile', token, `c${key}@example.com`, 3 + (key % 3)];
      return [OLD_SHAPE.insert, row, token];
    }
    if (random() < 0.25) return [OLD_SHAPE.delete, [key], null];
    return [OLD_SHAPE.update, [key, 'Nagoya 名古屋', token, `c${token}@example.com`], token];
  }

  return {
    ledger: book,
    figures: () => figures,
    async pause() {
      state.paused = true;
      while (state.writing > 0) await pause(5);
    },
    resume: () => {
      state.paused = false;
    },
    async stop() {
      state.stopping = true;
      await Promise.all(running);
    },
  };
}

type Rows = Record<string, unknown>[] & { count: number };
type Reconnecting = { send(statement: string, parameters: (string | number)[]): Promise<Rows | null>; close(): void };

/** One connection. `null`: the answer is unknown, and the next call has a connection of its own. */
function reconnecting(url: string, figures: WriterFigures): Reconnecting {
  let sql = connect(url);
  const renew = async () => {
    figures.reconnects += 1;
    sql.end({ timeout: 0 }).catch(() => {});
    sql = connect(url);
    await pause(RETRY_MS);
  };
  return {
    async send(statement, parameters) {
      const call = sql.unsafe(statement, parameters as never[]) as unknown as Promise<Rows>;
      try {
        return await within(call);
      } catch (error) {
        if (isApplicationError(error)) figures.errors.push(String((error as Error).message));
        await renew();
        return null;
      }
    },
    close: () => void sql.end({ timeout: 1 }).catch(() => {}),
  };
}

const connect = (url: string) =>
  postgres(url, { max: 1, prepare: false, fetch_types: false, connect_timeout: 3, onnotice: () => {} });

/** An answer of a healthy server; 57P0x is what a dying or starting one says, and the rest is the connection. */
function isApplicationError(error: unknown): boolean {
  const code = (error as { code?: string }).code ?? '';
  return /^[0-9A-Z]{5}$/.test(code) && !code.startsWith('57P') && !code.startsWith('08');
}

async function within<T>(call: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  call.catch(() => {});
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error('no answer')), STATEMENT_DEADLINE_MS);
  });
  try {
    return await Promise.race([call, late]);
  } finally {
    clearTimeout(timer);
  }
}

const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));
