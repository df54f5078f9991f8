import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { installSchema } from '../../../infra/local/install-schema.ts';
import { type PgConnection, postgresConnection } from '../../../lib/adapters/postgres/connection/connection.ts';
import { migrate } from '../../../lib/adapters/postgres/migrations/migrate.ts';
import { readMigrations } from '../../../lib/adapters/postgres/migrations/migration-files.ts';
import { type OwnDatabase, ownDatabase } from '../../helpers/postgres.ts';

const ROOT = new URL('../../..', import.meta.url).pathname;
const FIRST = { name: '0001_people.sql', text: 'CREATE TABLE public.people (id int PRIMARY KEY);' };
const SECOND = { name: '0002_names.sql', text: 'ALTER TABLE public.people ADD name text;' };
const clock = { monotonicMs: () => performance.now(), sleep: (ms: number) => pause(ms) };

let database: OwnDatabase;
const open: PgConnection[] = [];

beforeEach(async () => {
  database = await ownDatabase({ empty: true });
});
afterEach(async () => {
  await Promise.all(open.splice(0).map((connection) => connection.close()));
  await database.drop();
});

function owner(): PgConnection {
  const connection = postgresConnection({ url: database.url, clock, random: () => 0.5 });
  open.push(connection);
  return connection;
}

async function recorded(): Promise<string[]> {
  const rows = await database.sql<{ name: string }[]>`SELECT name FROM crossfade.migration ORDER BY number`;
  return rows.map(({ name }) => name);
}

describe('migrating', () => {
  it('applies the files in order, once, and later only what is new', async () => {
    expect(await migrate(owner(), [FIRST])).toEqual({ applied: [FIRST.name], present: [] });
    expect(await migrate(owner(), [FIRST])).toEqual({ applied: [], present: [FIRST.name] });
    expect(await migrate(owner(), [SECOND, FIRST])).toEqual({ applied: [SECOND.name], present: [FIRST.name] });
    expect(await recorded()).toEqual([FIRST.name, SECOND.name]);
    await database.sql`INSERT INTO people (id, name) VALUES (1, 'Ada')`;
  });

  it.each(['LATIN1', 'SQL_ASCII', 'EUC_JP'])(
    'refuses a database in %s by name, and changes nothing',
    async (encoding) => {
      const name = `${database.name}_e`;
      await database.sql.unsafe(`CREATE DATABASE ${name} ENCODING '${encoding}' LOCALE 'C' TEMPLATE template0`);
      const url = new URL(database.url);
      url.pathname = `/${name}`;
      const connection = postgresConnection({ url: url.href, clock, random: () => 0.5 });
      try {
        await expect(migrate(connection, [FIRST])).rejects.toMatchObject({
          code: 'refused_table',
          message: expect.stringContaining(`encoding UTF8, this one has ${encoding}`),
        });
        expect(await connection.call("SELECT FROM pg_namespace WHERE nspname = 'crossfade'")).toEqual([]);
      } finally {
        await connection.close();
        await database.sql.unsafe(`DROP DATABASE ${name} WITH (FORCE)`);
      }
    },
  );

  it('installs the product’s own schema twice without a change', async () => {
    await installSchema(ROOT, database.url);
    const once = await database.sql`SELECT * FROM crossfade.migration ORDER BY number`;
    expect(once.length).toBeGreaterThan(0);
    await installSchema(ROOT, database.url);
    expect(await database.sql`SELECT * FROM crossfade.migration ORDER BY number`).toEqual(once);
  });

  it('by several runners at once applies each file once', async () => {
    const slow = { name: SECOND.name, text: `${SECOND.text} SELECT pg_sleep(0.1);` };
    const results = await Promise.all(Array.from({ length: 4 }, () => migrate(owner(), [FIRST, slow])));
    expect(results.flatMap(({ applied }) => applied).sort()).toEqual([FIRST.name, SECOND.name]);
    expect(await recorded()).toEqual([FIRST.name, SECOND.name]);
  });

  it('that is ended in the middle of a file is repeated, and the file is applied once', async () => {
    const slow = { name: SECOND.name, text: `${SECOND.text} SELECT pg_sleep(0.3);` };
    const running = migrate(owner(), [FIRST, slow]);
    await expect
      .poll(
        () => database.sql`SELECT pg_terminate_backend(pid) FROM pg_stat_activity
          WHERE datname = current_database() AND application_name = 'crossfade' AND wait_event = 'PgSleep'`,
        { interval: 10, timeout: 5_000 },
      )
      .toHaveLength(1);
    expect((await running).applied).toEqual([FIRST.name, SECOND.name]);
    expect(await recorded()).toEqual([FIRST.name, SECOND.name]);
  });

  it('leaves nothing of a file that fails, and names it', async () => {
    const failing = { name: SECOND.name, text: `${SECOND.text} ALTER TABLE nobody ADD x int;` };
    await expect(migrate(owner(), [FIRST, failing])).rejects.toMatchObject({
      code: 'schema_changed',
      details: { sqlstate: '42P01' },
      message: expect.stringContaining('Migration 0002_names.sql was not applied'),
    });
    expect(await recorded()).toEqual([FIRST.name]);
    expect((await migrate(owner(), [FIRST, SECOND])).applied).toEqual([SECOND.name]);
  });
});

describe('migrating is refused', () => {
  it.each([
    ['a released file that was changed', [{ ...FIRST, text: `${FIRST.text} -- more` }, SECOND], 'was changed after'],
    [
      'a released file under another name',
      [{ ...FIRST, name: '0001_persons.sql' }, SECOND],
      'in place of 0001_persons',
    ],
    ['files of an older version', [FIRST], 'not among the files'],
  ])('for %s', async (_, files, why) => {
    await migrate(owner(), [FIRST, SECOND]);
    await expect(migrate(owner(), files)).rejects.toMatchObject({
      code: 'schema_changed',
      message: expect.stringContaining(why),
    });
    expect(await recorded()).toEqual([FIRST.name, SECOND.name]);
  });

  it.each([
    ['a gap in the numbers', [FIRST, { ...SECOND, name: '0003_names.sql' }], 'Migration 0002 is missing'],
    ['a number twice', [FIRST, { ...SECOND, name: '0001_names.sql' }], 'the same number'],
    ['a name without a number', [{ ...FIRST, name: 'people.sql' }], 'Rename people.sql'],
    ['a transaction inside', [{ ...FIRST, text: `BEGIN;\n${FIRST.text}\nCOMMIT;` }], 'Take BEGIN and COMMIT out'],
  ])('before anything is touched for %s', async (_, files, why) => {
    await expect(migrate(owner(), files)).rejects.toMatchObject({
      code: 'invalid_config',
      message: expect.stringContaining(why),
    });
    const [schema] = await database.sql`SELECT to_regnamespace('crossfade') IS NULL AS absent`;
    expect(schema).toEqual({ absent: true });
  });

  it('not for other line ends of the same file', async () => {
    const text = 'CREATE TABLE public.lines (id int);\n-- end\n';
    await migrate(owner(), [{ name: '0001_lines.sql', text }]);
    const windows = { name: '0001_lines.sql', text: text.replaceAll('\n', '\r\n') };
    expect((await migrate(owner(), [windows])).present).toEqual(['0001_lines.sql']);
  });
});

describe('the files', () => {
  it('are read by their numbers, and nothing else of the directory is', () => {
    const directory = mkdtempSync(join(tmpdir(), 'crossfade-migrations-'));
    try {
      for (const { name, text } of [SECOND, FIRST]) writeFileSync(join(directory, name), text);
      writeFileSync(join(directory, 'NOTES.md'), 'why');
      expect(readMigrations(directory)).toEqual([FIRST, SECOND]);
      expect(() => readMigrations(join(directory, 'missing'))).toThrow(/cannot be read/);
    } finally {
      rmSync(directory, { recursive: true });
    }
  });
});
