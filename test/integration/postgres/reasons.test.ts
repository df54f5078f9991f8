/** I38 a reason that people, logs and programs see shows nothing of a row, in whatever words the server or a trigger tells it. */

import { afterAll, beforeAll, describe, expect, it } from 'vitest';
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

/** SQLSTATE, what Postgres says in some language, what is left of it. */
const MESSAGES: readonly (readonly [string, string, string])[] = [
  ['22P02', 'invalid input syntax for type numeric: "s3cret"', 'invalid input syntax for type numeric'],
  ['22P02', 'invalid input value for enum mood: "s3c"ret"', 'invalid input value for enum mood'],
  ['22P02', 'invalid input syntax for type numeric: "s3\ncret"', 'invalid input syntax for type numeric'],
  ['22003', 'value "s3cret" is out of range for type integer', 'value "…" is out of range for type integer'],
  ['22007', 'invalid value "s3" for "cret"', 'invalid value "…"'],
  ['22P02', 'ungültige Eingabesyntax für Typ numeric: »s3cret«', 'ungültige Eingabesyntax für Typ numeric'],
  ['22P02', 'ungültige Eingabesyntax für Typ numeric: „s3cret“', 'ungültige Eingabesyntax für Typ numeric'],
  [
    '22P02',
    'syntaxe en entrée invalide pour le type numeric : « s3cret »',
    'syntaxe en entrée invalide pour le type numeric',
  ],
  [
    '22P02',
    'nieprawidłowa składnia wejścia dla typu numeric: „s3cret”',
    'nieprawidłowa składnia wejścia dla typu numeric',
  ],
  ['22003', '值 “s3cret” 超出类型 integer 的范围', '值 "…" 超出类型 integer 的范围'],
  ['P0001', 'the customer s3cret is unknown', 'code that runs when a row is written raised an exception'],
  ['22012', 'column "half" was not computed: division by zero', 'column "half" was not computed: division by zero'],
  ['22P02', 'column "half" was not computed: bad: "s3cret"', 'column "half" was not computed: bad'],
  [
    '23505',
    'duplicate key value violates unique constraint "mail"',
    'duplicate key value violates unique constraint "mail"',
  ],
];

describe('I38 a message without its values', () => {
  it.each(MESSAGES)('%s %j', async (sqlstate, message, left) => {
    const told = async (text: string) =>
      (await db.sql`SELECT crossfade.without_values(${sqlstate}, ${text}) AS told`)[0]!.told;
    expect(await told(message)).toBe(left);
    expect(await told(left)).toBe(left);
  });
});

describe('I38 rows that do not fit', () => {
  it('show nothing of themselves in quarantine, whatever refuses them', async () => {
    await db.sql.unsafe(`CREATE TABLE ledger (id integer PRIMARY KEY, note text);
      CREATE TABLE ledger_v2 (id bigint PRIMARY KEY, note integer);
      CREATE FUNCTION complain() RETURNS trigger LANGUAGE plpgsql AS
        $$ BEGIN IF NEW.note = 555123 THEN RAISE EXCEPTION 'no place for %', NEW.note; END IF; RETURN NEW; END $$;
      CREATE TRIGGER complain BEFORE INSERT OR UPDATE ON ledger_v2 FOR EACH ROW EXECUTE FUNCTION complain()`);
    const ledger: TableCutover = {
      id: 'ledger',
      validation: 'strict',
      table: {
        primary: 'public.ledger',
        shadow: 'public.ledger_v2',
        columns: { note: { sql: 'note::integer', after: 'application' } },
      },
    };
    await plane.start(ledger);
    await db.sql.unsafe(`INSERT INTO ledger VALUES (1, '555123'), (2, '99999555123'), (3, 'a "555123" b')`);
    await plane.converge('ledger', 1, 100);
    await db.sql.unsafe('UPDATE crossfade.outbox_ledger SET attempts = 4, not_before = NULL');
    await plane.settle('ledger', 1);
    const { keys } = await plane.quarantined('ledger', { limit: 10 });
    expect(keys.map(({ key, sqlstate }) => [key, sqlstate])).toEqual([
      ['{"id": 1}', 'P0001'],
      ['{"id": 2}', '22003'],
      ['{"id": 3}', '22P02'],
    ]);
    expect(JSON.stringify(keys)).not.toContain('555123');
    // The check can fail: this is what the server says.
    await expect(db.sql`SELECT '99999555123'::integer`).rejects.toThrow('99999555123');
  });
});
