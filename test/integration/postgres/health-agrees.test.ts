/**
 * Where the preview or the start refuses, health has failed and names the same object: over every table of the zoo that cannot cross
 * over, and over declarations that do not fit. And where neither refuses, health fails for nothing.
 */

import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { HealthFinding } from '../../../lib/core/table/reading.ts';
import type { TableCutover } from '../../../lib/ports/tables.ts';
import { databaseCpuMs } from '../../helpers/cpu-time.ts';
import { type OwnDatabase, ownDatabase } from '../../helpers/postgres.ts';
import { type TestPlane, testPlane } from '../../helpers/postgres-tables.ts';
import { PAIR } from './zoo/animal.ts';
import { REFUSED } from './zoo/refused.ts';

/** Of the server that the tests run on, and of the tests beside this one: nothing that a table or a declaration could mend. */
const OF_THE_SERVER = /old transactions|prepared transactions|connections|runtime role/;

type Misfit = { what: string; ddl: string; table?: Partial<TableCutover['table']>; names: string; says: RegExp };

const MISFITS: readonly Misfit[] = [
  {
    what: 'a declared column that is not there',
    ddl: PAIR,
    table: { columns: { w: { from: 'v' } } },
    names: "no column 'w'",
    says: /Correct the declaration/,
  },
  {
    what: 'an expression that Postgres cannot compile',
    ddl: PAIR,
    table: { columns: { v: { sql: 'nonsense(v)' } }, reverse: { v: { sql: 'v' } } },
    names: "column 'v'",
    says: /Correct the declaration/,
  },
  {
    what: 'a cast that there is none of',
    ddl: 'CREATE TABLE t (id integer PRIMARY KEY, v point); CREATE TABLE t_v2 (id bigint PRIMARY KEY, v integer)',
    names: "'v'",
    says: /crossfade preview/,
  },
  {
    what: 'a declared key that has no index',
    ddl: PAIR,
    table: { key: ['v'] },
    names: '(v)',
    says: /crossfade preview/,
  },
  {
    what: 'a shadow with another key',
    ddl: 'CREATE TABLE t (id integer PRIMARY KEY, v text); CREATE TABLE t_v2 (id bigint, v text PRIMARY KEY)',
    names: 'must have the key (id)',
    says: /crossfade preview/,
  },
  {
    what: 'a new column without a source',
    ddl: 'CREATE TABLE t (id integer PRIMARY KEY); CREATE TABLE t_v2 (id bigint PRIMARY KEY, zone text NOT NULL)',
    names: "'zone'",
    says: /crossfade preview/,
  },
  {
    what: 'a constraint that is checked at commit, inline',
    ddl: 'CREATE TABLE t (id integer PRIMARY KEY, v text); CREATE TABLE t_v2 (id bigint PRIMARY KEY, v text UNIQUE DEFERRABLE)',
    table: { mode: 'inline' },
    names: 't_v2_v_key',
    says: /crossfade preview/,
  },
  {
    what: 'a table that is not there',
    ddl: 'CREATE TABLE t (id integer PRIMARY KEY)',
    names: 't_v2',
    says: /Create it|crossfade preview/,
  },
];

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

async function pair(schema: string, ddl: string, table: Partial<TableCutover['table']> = {}, name = 't') {
  await db.sql.unsafe(`CREATE SCHEMA ${schema}; SET search_path = ${schema}; ${ddl.replaceAll(':schema', schema)}`);
  const cutover: TableCutover = {
    id: schema,
    validation: 'strict',
    table: { primary: `${schema}.${name}`, shadow: `${schema}.${name}_v2`, ...table },
  };
  return cutover;
}

/** What each of the three says of the same tables at the same time; a start that was not refused is undone. */
async function asked(cutover: TableCutover) {
  const since = await databaseCpuMs(db.sql);
  const findings = await plane.health(cutover);
  const cpuMs = await since();
  const preview = await plane.preview(cutover).then(
    ({ ok }) => ok,
    () => false,
  );
  const start = await plane.arm(cutover).then(
    () => true,
    () => false,
  );
  await plane.forget(cutover.id);
  return { findings, preview, start, cpuMs };
}

const failures = (findings: readonly HealthFinding[]) =>
  findings.filter(({ status, check }) => status === 'fail' && !OF_THE_SERVER.test(check));
const names = (object: string) => (found: HealthFinding) => `${found.check} ${found.value}`.includes(object);

describe('health fails where the preview or the start refuses', () => {
  it.each(REFUSED.map((animal, index) => ({ ...animal, index })))('$what', async ({ index, ...animal }) => {
    const { columns, reverse } = animal;
    const table = { ...(columns ? { columns } : {}), ...(reverse ? { reverse } : {}) };
    const cutover = await pair(`a${index}`, animal.ddl, table, animal.name);
    const { findings, preview, start } = await asked(cutover);
    expect(preview && start).toBe(false);
    const found = failures(findings).filter(names(animal.object));
    expect(found, JSON.stringify(failures(findings))).not.toEqual([]);
    expect(found.map(({ value, remedy }) => `${value} ${remedy}`).join(' ')).toMatch(animal.says);
    for (const { value, limit, remedy } of found) expect([value, limit, remedy]).not.toContain('');
  });

  it.each(MISFITS.map((misfit, index) => ({ ...misfit, index })))(
    '$what',
    async ({ index, ddl, table, names: object, says }) => {
      const { findings, preview, start } = await asked(await pair(`m${index}`, ddl, table));
      expect([preview, start]).toEqual([false, false]);
      const found = failures(findings).filter(names(object));
      expect(found, JSON.stringify(failures(findings))).not.toEqual([]);
      expect(found.map(({ remedy }) => remedy).join(' ')).toMatch(says);
      expect(new Set(findings.map(({ check }) => check)).size).toBe(findings.length);
    },
  );
});

describe('health fails for nothing where neither refuses', () => {
  it.each([
    ['a plain pair', PAIR, {}],
    ['a pair inline', PAIR, { mode: 'inline' as const }],
    [
      'a pair with views, grants and keys that come in',
      `${PAIR} CREATE VIEW seen AS SELECT id FROM t; CREATE TABLE child (of integer REFERENCES t); GRANT SELECT ON t TO PUBLIC`,
      {},
    ],
    [
      'a shadow with a foreign key that the start takes off',
      `CREATE TABLE owner (id integer PRIMARY KEY); CREATE TABLE t (id integer PRIMARY KEY, of integer REFERENCES owner ON DELETE CASCADE);
       CREATE TABLE t_v2 (id bigint PRIMARY KEY, of integer REFERENCES owner); CREATE INDEX ON t_v2 (of)`,
      {},
    ],
  ])('%s', async (what, ddl, table) => {
    const cutover = await pair(`s${what.length}`, ddl, table);
    const { findings, preview, start, cpuMs } = await asked(cutover);
    expect([preview, start]).toEqual([true, true]);
    expect(failures(findings)).toEqual([]);
    if (process.platform === 'linux') expect(cpuMs).toBeGreaterThan(0);
    expect(cpuMs).toBeLessThan(1_000);
  });
});
