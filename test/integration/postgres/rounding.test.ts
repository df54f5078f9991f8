/** I13 what the old table would round does not go back: it waits in quarantine, named, until it fits or rounding is asked for. */

import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { rounds } from '../../../lib/core/table/rounding.ts';
import type { TableCutover } from '../../../lib/ports/tables.ts';
import { type OwnDatabase, ownDatabase } from '../../helpers/postgres.ts';
import { type TestPlane, testPlane } from '../../helpers/postgres-tables.ts';

let db: OwnDatabase;
let plane: TestPlane;

beforeAll(async () => {
  db = await ownDatabase();
  plane = testPlane(db);
});
afterAll(async () => {
  await plane.close();
  await db.drop();
});

describe('the table of casts that round', () => {
  const NUMBERS = [
    '0',
    '1',
    '-32768',
    '16777217',
    '2147483647',
    '9007199254740993',
    '9223372036854775807',
    '12345.67',
    '11111111111111.13',
  ];
  const FRACTIONS = ['0.1', '1.25', '0.3333333333333333', '12345.678901', '1e30'];
  const MOMENTS = ['2024-02-29', '2024-05-01 12:34:56.789012', '2024-05-01 12:34:56', '2024-05-01 00:00:00.5'];
  const TIMES = ['00:00', '23:59:59.123456', '12:34:56.7'];
  const SAMPLES: Readonly<Record<string, readonly string[]>> = {
    ...Object.fromEntries(['smallint', 'integer', 'bigint'].map((type) => [type, NUMBERS])),
    ...Object.fromEntries(
      [
        'real',
        'double precision',
        'numeric',
        'numeric(20,0)',
        'numeric(30,2)',
        'numeric(30,4)',
        'numeric(6,2)',
        'numeric(6,-2)',
        'numeric(7,2)',
        'numeric(15,4)',
        'numeric(16,2)',
      ].map((type) => [type, [...NUMBERS, ...FRACTIONS]]),
    ),
    ...Object.fromEntries(
      ['', '(0)', '(3)'].flatMap((digits) => [
        [`timestamp${digits} without time zone`, MOMENTS],
        [`timestamp${digits} with time zone`, MOMENTS],
        [`time${digits} without time zone`, TIMES],
        [`interval${digits}`, [...TIMES, '1 day', '1 mon 02:03:04.5']],
      ]),
    ),
    date: MOMENTS,
  };
  const TYPES = Object.keys(SAMPLES);

  beforeAll(async () => {
    await db.sql.unsafe(`CREATE FUNCTION there_and_back(value text, one text, other text) RETURNS text LANGUAGE plpgsql AS $$
      DECLARE v_same boolean;
      BEGIN
        EXECUTE format('SELECT ($1::%1$s)::%2$s::%1$s IS NOT DISTINCT FROM $1::%1$s', one, other) INTO v_same USING value;
        RETURN CASE WHEN v_same THEN 'same' ELSE 'changed' END;
      EXCEPTION WHEN data_exception THEN RETURN 'refused'; WHEN cannot_coerce THEN RETURN 'no cast';
      END $$;
      SET timezone = 'UTC'`);
  });

  it('is right for each pair, as single values and in arrays, and no stricter than it must be', async () => {
    const pairs = TYPES.flatMap((from) => TYPES.filter((to) => to !== from).map((to) => ({ from, to })));
    const rows = await db.sql.unsafe<{ from: string; to: string; outcomes: string[] }[]>(
      `SELECT p."from", p."to", array_agg(DISTINCT there_and_back(v, p."from", p."to")) AS outcomes
       FROM jsonb_to_recordset(${quoted(pairs)}) AS p("from" text, "to" text)
       CROSS JOIN LATERAL jsonb_array_elements_text(${quoted(SAMPLES)} -> p."from") v GROUP BY 1, 2`,
    );
    expect(rows).toHaveLength(pairs.length);
    const castable = rows.filter(({ outcomes }) => !outcomes.includes('no cast'));
    expect(castable.length).toBeGreaterThan(150);
    const wrong = castable.filter(({ from, to, outcomes }) => rounds(from, to) !== outcomes.includes('changed'));
    expect(wrong).toEqual([]);
    expect(castable.every(({ from, to }) => rounds(`${from}[]`, `${to}[]`) === rounds(from, to))).toBe(true);
  });

  const quoted = (value: unknown) => `'${JSON.stringify(value)}'::jsonb`;
});

describe('after promotion to a finer type', () => {
  const accountsOf = (id: string, reverse: TableCutover['table']['reverse']): TableCutover => ({
    id,
    validation: 'strict',
    table: { primary: `public.${id}`, shadow: `public.${id}_v2`, reverse },
  });
  const OLD = 'id integer PRIMARY KEY, balance integer, rates integer[], opened date';
  const NEW = 'id bigint PRIMARY KEY, balance numeric(14,2), rates numeric(6,3)[], opened timestamp';
  const FITS = "7, '{1,2}', '2024-05-01'";
  const TOO_FINE = {
    balance: "7.5, '{1,2}', '2024-05-01'",
    rates: "7, '{1,2.5}', '2024-05-01'",
    opened: "7, NULL, '2024-05-01 12:00'",
  };

  async function promoted(cutover: TableCutover): Promise<void> {
    const { id } = cutover;
    await db.sql.unsafe(
      `CREATE TABLE ${id} (${OLD}); CREATE TABLE ${id}_v2 (${NEW}); INSERT INTO ${id} VALUES (1, ${FITS})`,
    );
    await plane.start(cutover);
    await plane.copy(id, 1);
    await plane.settle(id, 1);
    const by = { fromEpoch: 1, toEpoch: 2, stage: 'completed', version: 2 };
    expect(await plane.promote(cutover, by)).toMatchObject({ kind: 'swapped' });
  }

  /** Writes rows 2, 3 … and returns what waits in quarantine once every hint had its tries. */
  async function written(id: string, rows: readonly string[]) {
    await db.sql.unsafe(rows.map((row, index) => `INSERT INTO ${id} VALUES (${index + 2}, ${row})`).join(';'));
    await plane.converge(id, 2, 100);
    await db.sql.unsafe(`UPDATE crossfade.outbox_${id} SET attempts = 4, not_before = NULL`);
    await plane.settle(id, 2);
    return (await plane.quarantined(id, { limit: 10 })).keys;
  }

  it('rows that both hold go back, finer ones are put aside with the column, verification agrees, and the old table holds none of them', async () => {
    const cutover = accountsOf('accounts', undefined);
    await promoted(cutover);
    const kept = await written('accounts', [...Object.values(TOO_FINE), FITS]);
    expect(kept.map(({ key, sqlstate, reason }) => [key, sqlstate, reason])).toEqual(
      Object.keys(TOO_FINE).map((column, index) => [
        `{"id": ${index + 2}}`,
        '22003',
        expect.stringContaining(`column ${column} of the old table would round its value`),
      ]),
    );
    expect((await db.sql.unsafe('SELECT id FROM accounts_old ORDER BY id')).map(({ id }) => id)).toEqual([1, 5]);
    for (const tier of ['fast', 'proof'] as const)
      expect(await plane.verify('accounts', 2, 1, { tier })).toMatchObject({ result: { divergences: 0 } });
    const { wayBack } = await plane.preview(cutover, { scanMs: 10_000 });
    expect(wayBack).toMatchObject({ cannotReturn: 3, complete: true });

    await db.sql.unsafe("UPDATE accounts SET balance = round(balance), rates = '{1}', opened = opened::date");
    await plane.settle('accounts', 2);
    expect((await plane.quarantined('accounts', { limit: 10 })).keys).toEqual([]);
    const by = { fromEpoch: 2, toEpoch: 3, stage: 'rolled_back', version: 3 };
    expect(await plane.revert(cutover, by)).toMatchObject({ kind: 'swapped' });
    expect(await db.sql.unsafe('SELECT id, balance FROM accounts ORDER BY id')).toEqual([
      { id: 1, balance: 7 },
      { id: 2, balance: 8 },
      { id: 3, balance: 7 },
      { id: 4, balance: 7 },
      { id: 5, balance: 7 },
    ]);
  });

  it('negative control: with a bare cast, which a person can declare, the old table holds other values without a word', async () => {
    const reverse = Object.fromEntries(
      Object.entries({ balance: 'integer', rates: 'integer[]', opened: 'date' }).map(([name, type]) => [
        name,
        { sql: `${name}::${type}` },
      ]),
    );
    await promoted(accountsOf('ledger', reverse));
    expect(await written('ledger', Object.values(TOO_FINE))).toEqual([]);
    expect(await db.sql.unsafe('SELECT balance FROM ledger_old ORDER BY id')).toMatchObject(
      [7, 8, 7, 7].map((balance) => ({ balance })),
    );
  });
});

describe('a key that would be rounded', () => {
  it.each([
    ['integer', 'numeric'],
    ['integer', 'numeric(10,2)'],
    ['numeric(10,2)', 'bigint'],
    ['bigint', 'double precision'],
    ['date', 'timestamp'],
    ['timestamp', 'timestamp(0)'],
  ])('is refused: %s and %s', async (one, other) => {
    await db.sql.unsafe(
      `DROP TABLE IF EXISTS keyed, keyed_v2; CREATE TABLE keyed (id ${one} PRIMARY KEY); CREATE TABLE keyed_v2 (id ${other} PRIMARY KEY)`,
    );
    const keyed: TableCutover = {
      id: 'keyed',
      validation: 'strict',
      table: { primary: 'public.keyed', shadow: 'public.keyed_v2' },
    };
    await expect(plane.preview(keyed)).rejects.toMatchObject({
      code: 'refused_table',
      message: expect.stringContaining('two rows could become one'),
    });
    await db.sql.unsafe(
      'ALTER TABLE keyed_v2 DROP COLUMN id; ALTER TABLE keyed_v2 ADD COLUMN id numeric(30,0) PRIMARY KEY',
    );
    if (one === 'integer' || one === 'bigint')
      expect(await plane.preview(keyed)).toMatchObject({ columns: [{ shadow: 'id' }] });
  });
});
