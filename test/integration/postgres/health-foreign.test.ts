/**
 * Health beside other people's objects, and beside its own: what others set up is found with a remedy that works when typed, what is
 * Crossfade's own is no finding at any moment of a life, and an owner who is no superuser gets findings in place of errors.
 */

import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type postgres from 'postgres';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { installSchema } from '../../../infra/local/install-schema.ts';
import { postgresConnection } from '../../../lib/adapters/postgres/connection/connection.ts';
import { random, systemClock } from '../../../lib/adapters/system.ts';
import type { HealthFinding } from '../../../lib/core/table/reading.ts';
import type { TableCutover } from '../../../lib/ports/tables.ts';
import { type OwnDatabase, ownDatabase } from '../../helpers/postgres.ts';
import { eventually, postgresCalls, type TestPlane, testPlane } from '../../helpers/postgres-tables.ts';

const ROOT = join(dirname(fileURLToPath(import.meta.url)), '..', '..', '..');
const NOTE: TableCutover = {
  id: 'note',
  validation: 'strict',
  table: { primary: 'public.note', shadow: 'public.note_v2', indexesAfterCopy: true },
};
/** Of the server that the tests run on, and of the tests beside this one. */
const OF_THE_SERVER = /old transactions|prepared transactions|connections|runtime role|settings of role|event triggers/;
const TABLES = `
  CREATE TABLE author (id integer PRIMARY KEY);
  CREATE TABLE note (id serial PRIMARY KEY, author integer REFERENCES author, text text);
  CREATE TABLE note_v2 (id bigserial PRIMARY KEY, author integer REFERENCES author, text text);
  CREATE INDEX ON note (author); CREATE INDEX ON note_v2 (author); CREATE INDEX ON note (text); CREATE INDEX note_v2_text ON note_v2 (text);
  CREATE FUNCTION quiet() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
  CREATE TRIGGER mine BEFORE UPDATE ON note FOR EACH ROW EXECUTE FUNCTION quiet();
  INSERT INTO author VALUES (1); INSERT INTO note (author, text) SELECT 1, 'n' || i FROM generate_series(1, 300) i; ANALYZE note`;
const QUESTION = `SELECT "check", status, value, "limit", remedy FROM crossfade.pre_migration_health_check('note', 'public.note', 'public.note_v2')`;

let db: OwnDatabase;
let plane: TestPlane;

beforeAll(async () => {
  db = await ownDatabase();
  plane = testPlane(db);
  await db.sql.unsafe(TABLES);
});
afterAll(async () => {
  await plane.close();
  await db.drop();
});

const worse = (findings: readonly HealthFinding[]) =>
  findings.filter(({ status, check }) => status !== 'pass' && !OF_THE_SERVER.test(check));

/** Statements, and the answer of the checks after them, in one transaction that leaves nothing behind. */
async function within(statements: string, sql: postgres.Sql = db.sql): Promise<HealthFinding[]> {
  const undone = new Error('undone');
  let rows: HealthFinding[] = [];
  await sql
    .begin(async (tx) => {
      await tx.unsafe(statements);
      rows = [...(await tx.unsafe(QUESTION))] as unknown as HealthFinding[];
      throw undone;
    })
    .catch((error) => {
      if (error !== undone) throw error;
    });
  return rows;
}

const FAULTS: readonly (readonly [
  check: string,
  status: 'warn' | 'fail',
  fault: string,
  seen: RegExp,
  remedy: RegExp,
])[] = [
  [
    'publications of all tables',
    'warn',
    'CREATE PUBLICATION everything FOR ALL TABLES',
    /everything/,
    /REFRESH PUBLICATION/,
  ],
  [
    'publications of the schema',
    'warn',
    'CREATE PUBLICATION whole FOR TABLES IN SCHEMA public',
    /whole/,
    /DROP TABLES IN SCHEMA/,
  ],
  [
    'event triggers',
    'warn',
    `CREATE FUNCTION refuse() RETURNS event_trigger LANGUAGE plpgsql AS 'BEGIN END'; CREATE EVENT TRIGGER no_ddl ON ddl_command_end EXECUTE FUNCTION refuse()`,
    /no_ddl at ddl_command_end/,
    /ALTER EVENT TRIGGER/,
  ],
  [
    'sequences that end before their column',
    'warn',
    'ALTER SEQUENCE note_v2_id_seq AS integer',
    /note_v2_id_seq ends at 2147483647/,
    /ALTER SEQUENCE … AS bigint/,
  ],
  [
    'sequences that end before their column',
    'warn',
    `DROP TABLE note_v2; CREATE TABLE note_v2 (LIKE note INCLUDING ALL); ALTER TABLE note_v2 ALTER id TYPE bigint`,
    /note_id_seq/,
    /crossfade plan/,
  ],
  [
    'other cutovers of these tables',
    'fail',
    `INSERT INTO crossfade.cutover (id, primary_oid, shadow_oid, primary_name, shadow_name, direction) VALUES ('other', 'note'::regclass, 'author'::regclass, 'note', 'author', 'forward')`,
    /other \(forward/,
    /crossfade rollback other/,
  ],
  [
    'remains on these tables',
    'fail',
    `CREATE FUNCTION crossfade.capture_gone() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END'; CREATE TRIGGER crossfade_capture AFTER INSERT ON note FOR EACH ROW EXECUTE FUNCTION crossfade.capture_gone()`,
    /crossfade_capture on public\.note/,
    /^DROP TRIGGER crossfade_capture ON public\.note/,
  ],
  [
    'remains on other tables',
    'warn',
    `CREATE FUNCTION crossfade.capture_gone() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END'; CREATE TRIGGER crossfade_capture AFTER INSERT ON author FOR EACH ROW EXECUTE FUNCTION crossfade.capture_gone()`,
    /crossfade_capture on public\.author/,
    /^DROP TRIGGER crossfade_capture ON public\.author/,
  ],
  [
    'database of the cutovers',
    'fail',
    `DROP TABLE IF EXISTS crossfade.shape CASCADE; CREATE TABLE crossfade.shape (cutover text, database oid); INSERT INTO crossfade.shape VALUES ('copied', 1);
     INSERT INTO crossfade.cutover (id, primary_oid, shadow_oid, primary_name, shadow_name, direction) VALUES ('copied', 1, 1, 'x', 'x_v2', 'forward')`,
    /copied: armed in another database/,
    /DROP SCHEMA crossfade CASCADE/,
  ],
  ['publications', 'warn', 'CREATE PUBLICATION one FOR TABLE note', /one/, /crossfade plan/],
  [
    'triggers of the shadow',
    'fail',
    'CREATE TRIGGER theirs BEFORE INSERT ON note_v2 FOR EACH ROW EXECUTE FUNCTION quiet()',
    /theirs/,
    /DISABLE TRIGGER/,
  ],
  [
    'writable server',
    'fail',
    'SET LOCAL default_transaction_read_only = on',
    /read only on/,
    /RESET default_transaction_read_only/,
  ],
];

describe('what others set up is found', () => {
  it.each(FAULTS)('%s: %s', async (check, status, fault, seen, remedy) => {
    const found = (await within(fault)).find((finding) => finding.check === check)!;
    expect(found).toMatchObject({ check, status });
    expect(found.value).toMatch(seen);
    expect(found.remedy).toMatch(remedy);
    expect((await within('SELECT 1')).find((finding) => finding.check === check)!.status).toBe('pass');
  });

  it('a session that holds a lock, by pid and by what it does, without its values', async () => {
    const other = db.connect();
    const [{ pid }] = (await other.unsafe('SELECT pg_backend_pid() AS pid')) as unknown as [{ pid: number }];
    const holding = other.begin(async (tx) => {
      await tx.unsafe("SELECT 'hunter2', 4711; LOCK TABLE note IN SHARE UPDATE EXCLUSIVE MODE");
      const found = (await within('SELECT 1')).find(({ check }) => check === 'locks held on the tables')!;
      expect(found).toMatchObject({ status: 'warn' });
      expect(found.value).toContain(`ShareUpdateExclusiveLock on public.note by pid ${pid}`);
      expect(found.value).not.toMatch(/hunter2|4711/);
      expect(found.remedy).toContain('pg_cancel_backend');
    });
    await holding;
    // One of ours that does the same is no finding.
    await other.unsafe("SET application_name = 'crossfade: shop'");
    await other.begin(async (tx) => {
      await tx.unsafe('LOCK TABLE note IN SHARE UPDATE EXCLUSIVE MODE');
      expect((await within('SELECT 1')).find(({ check }) => check === 'locks held on the tables')).toMatchObject({
        status: 'pass',
      });
    });
  });

  it('tables whose names have capitals, dots and spaces are found as the catalog spells them', async () => {
    const undone = new Error('undone');
    await db.sql
      .begin(async (tx) => {
        await tx.unsafe('CREATE TABLE "User" (id integer PRIMARY KEY); CREATE TABLE "a b.c" (id integer PRIMARY KEY)');
        const found = await tx.unsafe(
          `SELECT "check", status FROM crossfade.pre_migration_health_check('user', 'public.User', 'public.a b.c') WHERE "check" LIKE '% exists'`,
        );
        expect([...found]).toEqual([
          { check: 'primary exists', status: 'pass' },
          { check: 'shadow exists', status: 'pass' },
        ]);
        throw undone;
      })
      .catch((error) => {
        if (error !== undone) throw error;
      });
  });
});

describe('what is ours is no finding', () => {
  const swap = (fromEpoch: number, stage: string) => ({
    fromEpoch,
    toEpoch: fromEpoch + 1,
    stage,
    version: 10 * fromEpoch,
  });
  let before: string[];
  /** Nothing that was not found before the start, but for what the moment explains; and nothing names an object of ours. */
  async function quiet(moment: string, explained: RegExp = /^$/): Promise<void> {
    const found = worse(await plane.health(NOTE));
    const more = found.filter(({ check }) => !before.includes(check) && !explained.test(check));
    expect(more, moment).toEqual([]);
    expect(JSON.stringify(found.map(({ value }) => value)), moment).not.toMatch(/crossfade_|outbox_|segment_|touched_/);
  }

  it('over a whole life: armed, copying, in dual write, promoted, taken back, forgotten', async () => {
    const findings = await plane.health(NOTE);
    expect(worse(findings).filter(({ status }) => status === 'fail')).toEqual([]);
    before = worse(findings).map(({ check }) => check);
    await plane.start(NOTE);
    await quiet('armed');
    await plane.backfill('note', 1, 50);
    await quiet('copying');
    await plane.copy('note', 1);
    while ((await plane.buildIndex('note', 10_000)).left > 0) await quiet('building an index');
    await plane.settle('note', 1);
    await plane.verify('note', 1, Date.now());
    await quiet('in dual write');
    // Somebody's trigger on the shadow is found now, too.
    await db.sql.unsafe('CREATE TRIGGER theirs BEFORE INSERT ON note_v2 FOR EACH ROW EXECUTE FUNCTION quiet()');
    expect(worse(await plane.health(NOTE)).map(({ check }) => check)).toContain('triggers of the shadow');
    await db.sql.unsafe('DROP TRIGGER theirs ON note_v2');
    expect(await plane.promote(NOTE, swap(1, 'completed'))).toMatchObject({ kind: 'swapped' });
    await quiet('promoted');
    await plane.settle('note', 2);
    expect(await plane.revert(NOTE, swap(2, 'rolled_back'))).toMatchObject({ kind: 'swapped' });
    await quiet('taken back', /empty shadow/);
    await plane.forget('note');
    await quiet('forgotten', /empty shadow/);
  });

  it('and where our triggers were not known by their functions, they would be one: the checks above have teeth', async () => {
    await plane.start(NOTE, 5);
    const [row] = await db.sql.unsafe(
      "SELECT pg_get_functiondef('crossfade.check_dependents(oid, oid)'::regprocedure) AS text",
    );
    const planted = String(row!.text).replaceAll("f.pronamespace = 'crossfade'::regnamespace", 'false');
    expect(planted).not.toBe(row!.text);
    const found = await within(planted);
    expect(worse(found).map(({ check }) => check)).toEqual(expect.arrayContaining(['triggers of the shadow']));
    await plane.forget('note');
  });
});

describe('an owner who is no superuser', () => {
  it('gets findings, never an error, and is told what is hidden', async () => {
    const own = await ownDatabase({ empty: true });
    const role = `owner_${own.name}`;
    const url = new URL(own.url);
    url.username = role;
    url.password = 'secret';
    try {
      await own.sql.unsafe(`CREATE ROLE ${role} LOGIN PASSWORD 'secret'; ALTER DATABASE ${own.name} OWNER TO ${role}`);
      await installSchema(ROOT, url.href);
      await own.sql.unsafe(`SET ROLE ${role}; ${TABLES}; RESET ROLE`);
      const connection = postgresConnection({ url: url.href, clock: systemClock(), random });
      const theirs = postgresCalls({ runtime: connection, owner: connection });
      try {
        // The role that does not own the tables: each group of checks answers.
        await own.sql.unsafe(
          'CREATE TABLE alien (id serial PRIMARY KEY); CREATE TABLE alien_v2 (id bigserial PRIMARY KEY)',
        );
        const alien = await theirs.health({
          id: 'alien',
          validation: 'strict',
          table: { primary: 'public.alien', shadow: 'public.alien_v2' },
        });
        expect(alien.filter(({ status }) => status === 'fail').map(({ check }) => check)).toContain(
          'owner of the tables',
        );
        const findings = await theirs.health(NOTE);
        expect(findings.length).toBeGreaterThan(50);
        expect(findings.find(({ check }) => check === 'old transactions')).toMatchObject({
          status: 'warn',
          value: 'hidden from this role',
          remedy: `GRANT pg_read_all_stats TO ${role}, and look again.`,
        });
        expect(findings.find(({ check }) => check === 'connections')!.value).toMatch(/^\d+ of \d+$/);
        expect(worse(findings).filter(({ status }) => status === 'fail')).toEqual([]);
        // Forced row security hides rows from this role, and a superuser would not notice.
        await own.sql.unsafe('ALTER TABLE note ENABLE ROW LEVEL SECURITY; ALTER TABLE note FORCE ROW LEVEL SECURITY');
        const forced = (await theirs.health(NOTE)).filter(({ status }) => status === 'fail');
        expect(forced.map(({ check }) => check)).toContain('row-level security for the owner');
        await own.sql.unsafe(
          'ALTER TABLE note NO FORCE ROW LEVEL SECURITY; ALTER TABLE note DISABLE ROW LEVEL SECURITY',
        );
        // The remedy, as it is typed.
        await own.sql.unsafe(`GRANT pg_read_all_stats TO ${role}`);
        await eventually(async () => {
          const seen = (await theirs.health(NOTE)).find(({ check }) => check === 'old transactions')!;
          return seen.value !== 'hidden from this role';
        }, 'the role sees transactions');
      } finally {
        await connection.close();
      }
    } finally {
      await own.sql.unsafe(`REASSIGN OWNED BY ${role} TO CURRENT_USER; DROP OWNED BY ${role} CASCADE`);
      await own.drop();
      await db.sql.unsafe(`DROP ROLE ${role}`);
    }
  });
});
