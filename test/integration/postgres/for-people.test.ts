/** The functions and views for people in psql: as the runtime role, and each check with the fault that it is there for. */

import { readdirSync, readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { HealthFinding } from '../../../lib/core/table/reading.ts';
import { type OwnDatabase, ownDatabase } from '../../helpers/postgres.ts';
import { type TestPlane, testPlane } from '../../helpers/postgres-tables.ts';

const PARCEL = {
  id: 'parcel',
  validation: 'strict',
  table: { primary: 'public.parcel', shadow: 'public.parcel_v2' },
} as const;
const CHECK = `SELECT "check", status, value, "limit", remedy FROM crossfade.pre_migration_health_check('parcel', 'public.parcel', 'public.parcel_v2')`;
const MIGRATIONS = new URL('../../../migrations/', import.meta.url);

let db: OwnDatabase;
let plane: TestPlane;

beforeAll(async () => {
  db = await ownDatabase();
  plane = testPlane(db);
  await db.sql.unsafe(`
    CREATE TABLE depot (id integer PRIMARY KEY);
    CREATE TABLE parcel (id bigserial PRIMARY KEY, depot_id integer REFERENCES depot ON DELETE CASCADE, label text, weight numeric);
    CREATE TABLE parcel_v2 (id bigserial PRIMARY KEY, depot_id integer REFERENCES depot ON DELETE CASCADE, label text, weight numeric);
    CREATE INDEX ON parcel_v2 (depot_id);
    INSERT INTO depot VALUES (1);
    INSERT INTO parcel (depot_id, label, weight) SELECT 1, 'l' || n, n FROM generate_series(1, 100) n; ANALYZE parcel`);
});
afterAll(async () => {
  await plane.close();
  await db.drop();
});

/** Statements and a question in one transaction that leaves nothing behind. */
async function within<Row>(statements: string, question: string): Promise<Row[]> {
  const undone = new Error('undone');
  let rows: Row[] = [];
  await db.sql
    .begin(async (sql) => {
      await sql.unsafe(statements);
      rows = [...(await sql.unsafe(question))] as unknown as Row[];
      throw undone;
    })
    .catch((error) => {
      if (error !== undone) throw error;
    });
  return rows;
}

const notPassed = (findings: readonly HealthFinding[]) =>
  findings.filter(({ status }) => status !== 'pass').map(({ check }) => check);

/** By check: what makes it fire, and as what. */
const FAULTS: readonly (readonly [check: string, status: 'warn' | 'fail', fault: string])[] = [
  ['primary exists', 'fail', 'ALTER TABLE parcel RENAME TO other'],
  ['shadow exists', 'fail', 'DROP TABLE parcel_v2'],
  ['ordinary tables', 'fail', 'ALTER TABLE parcel_v2 RENAME TO x; CREATE VIEW parcel_v2 AS SELECT * FROM x'],
  ['partitioning and inheritance', 'fail', 'CREATE TABLE child () INHERITS (parcel)'],
  ['permanent tables', 'fail', 'ALTER TABLE parcel_v2 SET UNLOGGED'],
  ['key of the primary', 'fail', 'ALTER TABLE parcel DROP CONSTRAINT parcel_pkey'],
  ['key of the primary', 'warn', 'ALTER TABLE parcel DROP CONSTRAINT parcel_pkey; CREATE UNIQUE INDEX ON parcel (id)'],
  ['key of the shadow', 'fail', 'ALTER TABLE parcel_v2 DROP CONSTRAINT parcel_v2_pkey'],
  ['types without equality', 'warn', 'ALTER TABLE parcel_v2 ADD extra json'],
  ['columns', 'warn', 'ALTER TABLE parcel_v2 ADD zone text NOT NULL'],
  ['columns that are dropped', 'warn', 'ALTER TABLE parcel_v2 DROP label'],
  ['stricter columns', 'warn', 'ALTER TABLE parcel_v2 ALTER label SET NOT NULL'],
  ['constraints', 'warn', 'ALTER TABLE parcel_v2 ADD CHECK (weight > 0)'],
  ['constraints that are not valid', 'warn', 'ALTER TABLE parcel ADD CHECK (weight > 0) NOT VALID'],
  ['indexes', 'warn', 'CREATE INDEX ON parcel (label)'],
  [
    'invalid indexes',
    'warn',
    "UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'parcel_v2_depot_id_idx'::regclass",
  ],
  ['room for keys', 'warn', "ALTER SEQUENCE parcel_id_seq MAXVALUE 1000; SELECT setval('parcel_id_seq', 900)"],
  ['empty shadow', 'warn', 'INSERT INTO parcel_v2 (label) VALUES (NULL)'],
  [
    'triggers of the primary',
    'warn',
    'CREATE TRIGGER t BEFORE UPDATE ON parcel FOR EACH ROW EXECUTE FUNCTION suppress_redundant_updates_trigger()',
  ],
  [
    'triggers of the shadow',
    'fail',
    'CREATE TRIGGER t BEFORE UPDATE ON parcel_v2 FOR EACH ROW EXECUTE FUNCTION suppress_redundant_updates_trigger()',
  ],
  ['rules', 'fail', 'CREATE RULE r AS ON DELETE TO parcel DO INSTEAD NOTHING'],
  ['foreign keys that go out', 'warn', 'ALTER TABLE parcel_v2 DROP CONSTRAINT parcel_v2_depot_id_fkey'],
  [
    'deletes that the shadow would forbid',
    'warn',
    'ALTER TABLE parcel_v2 DROP CONSTRAINT parcel_v2_depot_id_fkey, ADD FOREIGN KEY (depot_id) REFERENCES depot',
  ],
  ['foreign keys without an index', 'warn', 'DROP INDEX parcel_v2_depot_id_idx'],
  ['row-level security', 'warn', 'ALTER TABLE parcel ENABLE ROW LEVEL SECURITY'],
  ['replica identity', 'warn', 'ALTER TABLE parcel REPLICA IDENTITY FULL'],
  ['publications', 'warn', 'CREATE PUBLICATION p FOR TABLE parcel'],
  ['views', 'warn', 'CREATE VIEW heavy AS SELECT * FROM parcel'],
  [
    'statistics',
    'warn',
    'DROP TABLE parcel; CREATE TABLE parcel (id bigint PRIMARY KEY, depot_id integer, label text, weight numeric)',
  ],
  ['autovacuum', 'warn', 'ALTER TABLE parcel SET (autovacuum_enabled = false)'],
  [
    'right to rename',
    'fail',
    "SELECT set_config('x.role', format('loner_%s', pg_backend_pid()), true); DO $$ BEGIN EXECUTE format('CREATE ROLE %I', current_setting('x.role')); EXECUTE format('ALTER TABLE parcel OWNER TO %I', current_setting('x.role')); END $$",
  ],
  ['writable server', 'fail', 'SET LOCAL default_transaction_read_only = on'],
];

describe('the health check before a migration', () => {
  it('has a few dozen checks, each with a value and a limit, and passes a sound pair of tables', async () => {
    const findings = await plane.health(PARCEL);
    expect(findings.length).toBeGreaterThanOrEqual(30);
    expect(new Set(findings.map(({ check }) => check)).size).toBe(findings.length);
    for (const { value, limit } of findings) expect([value, limit]).not.toContain('');
    // No runtime role exists in a test's server; another test's transaction may be old.
    expect(notPassed(findings).filter((check) => !/runtime role|old transactions|connections/.test(check))).toEqual([]);
  });

  it.each(FAULTS)('%s: %s when it should', async (check, status, fault) => {
    const findings = await within<HealthFinding>(fault, CHECK);
    const found = findings.find((finding) => finding.check === check);
    expect(found).toMatchObject({ status });
    expect(found!.remedy).not.toBe('');
  });

  it('says how old the oldest transaction is, and what is allowed', async () => {
    const other = db.connect();
    await other.unsafe('BEGIN; SELECT 1');
    const seen = await within<HealthFinding>(
      "SELECT set_config('x.now', '1', true)",
      `${CHECK} WHERE "check" = 'old transactions'`,
    );
    expect(seen).toMatchObject([{ status: 'pass', value: '0 s', limit: '60 s' }]);
    await other.unsafe('ROLLBACK');
  });

  it('of a cutover that nobody knows names those that are known', async () => {
    await expect(db.sql.unsafe("SELECT * FROM crossfade.pre_migration_health_check('parcle')")).rejects.toMatchObject({
      code: 'CF010',
      message: expect.stringContaining("'parcle'"),
      hint: expect.stringContaining('Known: none'),
    });
  });
});

describe('in psql, as the role of the functions', () => {
  /** What the migrations grant when the role is there. */
  const grants = readdirSync(MIGRATIONS)
    .filter((name) => name.endsWith('.sql'))
    .flatMap(
      (name) =>
        readFileSync(new URL(name, MIGRATIONS), 'utf8').match(
          /^DO \$\$\nBEGIN\n {2}IF EXISTS \(SELECT FROM pg_roles[\s\S]*?^END \$\$;/gm,
        ) ?? [],
    )
    .join('\n')
    // Dropped since.
    .replaceAll(/, crossfade\.(health_alerts|success_verdict)\b/g, '');
  const asRuntime = <Row>(question: string) =>
    within<Row>(`CREATE ROLE crossfade_runtime; ${grants} SET LOCAL ROLE crossfade_runtime`, question);

  it('judges nothing: of rows that differ there are figures', async () => {
    await plane.start(PARCEL);
    await plane.copy('parcel', 1);
    await db.sql`UPDATE parcel_v2 SET label = 'wrong' WHERE id <= 20`;
    await plane.verify('parcel', 1, Date.now());
    expect(await db.sql`SELECT divergences::int, score FROM crossfade.progress`).toMatchObject([
      { divergences: 20, score: 0.8 },
    ]);
    const said =
      await db.sql`SELECT obj_description(c.oid) AS text FROM pg_class c WHERE c.relnamespace = 'crossfade'::regnamespace
      AND c.relkind = 'v' UNION ALL SELECT prosrc FROM pg_proc WHERE pronamespace = 'crossfade'::regnamespace`;
    expect(said.map(({ text }) => text).join('\n')).not.toMatch(/READY_FOR|_RECOMMENDED|MONITORING_|health_alerts/i);
    await db.sql`UPDATE parcel_v2 SET label = 'l' || id WHERE id <= 20`;
    await plane.settle('parcel', 1);
    await plane.verify('parcel', 1, Date.now());
  });

  it.each([
    [
      "SELECT * FROM crossfade.validate_table_consistency('parcel')",
      {
        cutover: 'parcel',
        primary_rows: '100',
        shadow_rows: '100',
        consistent: '100',
        diverged: '0',
        errors: '{}',
        score: 1,
      },
    ],
    [
      `SELECT * FROM crossfade.validate_record_hash('parcel', '{"id": 7}')`,
      { key: '{"id": 7}', equal: true, differing_columns: '{}' },
    ],
    ['SELECT * FROM crossfade.progress', { cutover: 'parcel', backfill: 'done', sync_percent: '100.00', hints: '0' }],
    [`${CHECK} WHERE "check" = 'runtime role'`, { status: 'pass', value: 'crossfade_runtime' }],
  ])('%s', async (question, expected) => {
    if ((await plane.status('parcel')) === null) {
      await plane.start(PARCEL);
      await plane.copy('parcel', 1);
      await plane.verify('parcel', 1, Date.now());
    }
    expect(await asRuntime(question)).toMatchObject([expected]);
  });

  it('tells null from empty, scales, signs and the order of columns apart', async () => {
    const hashes =
      await db.sql.unsafe(`SELECT crossfade.record_hash(r) AS h FROM (VALUES (ROW(NULL, 1)), (ROW('', 1)), (ROW('1', NULL)), (ROW('a,b', NULL)), (ROW('a', 'b')),
      (ROW(1.0)), (ROW(1.00)), (ROW(float8 '0')), (ROW(float8 '-0'))) v (r)`);
    expect(new Set(hashes.map(({ h }) => h)).size).toBe(9);
    const elsewhere = await within<{ h: string }>(
      "SET LOCAL timezone = 'Asia/Tokyo'; SET LOCAL datestyle = 'German'; SET LOCAL extra_float_digits = 0",
      "SELECT crossfade.record_hash(ROW(timestamptz '2025-01-01 00:00+00', 0.1::float8, interval '1 day')) AS h",
    );
    const here = await db.sql.unsafe(
      "SELECT crossfade.record_hash(ROW(timestamptz '2025-01-01 00:00+00', 0.1::float8, interval '1 day')) AS h",
    );
    expect(elsewhere[0]!.h).toBe(here[0]!.h);
  });

  it('every function that people call and every view says what it gives', async () => {
    const silent =
      await db.sql.unsafe(`SELECT p.oid::regprocedure::text AS name FROM pg_proc p WHERE p.pronamespace = 'crossfade'::regnamespace
        AND p.proname ~ '^(validate_|check_|pre_migration|success_|record_hash|known_|finding)' AND obj_description(p.oid, 'pg_proc') IS NULL
      UNION ALL SELECT c.relname FROM pg_class c WHERE c.relnamespace = 'crossfade'::regnamespace AND c.relkind = 'v' AND obj_description(c.oid, 'pg_class') IS NULL`);
    expect([...silent]).toEqual([]);
  });
});
