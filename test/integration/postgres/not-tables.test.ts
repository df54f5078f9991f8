/**
 * What looks like a table and is none that rows can be captured from, or mirrored to, without losing some: refused by `preview`, by
 * `start` and once more where it is armed, with the reason, its name and what to do. Nothing is changed.
 */

import { afterAll, beforeAll, expect, it } from 'vitest';
import { type PgConnection, postgresConnection } from '../../../lib/adapters/postgres/connection/connection.ts';
import { random, systemClock } from '../../../lib/adapters/system.ts';
import { initialState } from '../../../lib/core/cutover/cutover.ts';
import { defineCutovers } from '../../../lib/define/cutovers.ts';
import { prepare } from '../../../lib/flows/control/prepare-command.ts';
import type { Ports } from '../../../lib/ports/ports.ts';
import type { TableCutover } from '../../../lib/ports/tables.ts';
import { type OwnDatabase, ownDatabase } from '../../helpers/postgres.ts';
import { postgresCalls } from '../../helpers/postgres-tables.ts';
import type { TableCalls } from '../../helpers/table-ports.ts';

let db: OwnDatabase;
let role: string;
let owner: PgConnection;
let plane: TableCalls;

beforeAll(async () => {
  db = await ownDatabase();
  role = `owner_${db.name}`;
  // No superuser: row security does not bind those.
  await db.sql.unsafe(`CREATE ROLE ${role} LOGIN PASSWORD 'secret'; GRANT USAGE, CREATE ON SCHEMA crossfade, public TO ${role};
    GRANT ALL ON ALL TABLES IN SCHEMA crossfade TO ${role}; GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA crossfade TO ${role};
    CREATE EXTENSION postgres_fdw; CREATE SERVER elsewhere FOREIGN DATA WRAPPER postgres_fdw; GRANT USAGE ON FOREIGN SERVER elsewhere TO ${role};
    SET ROLE ${role}`);
  const url = new URL(db.url);
  url.username = role;
  url.password = 'secret';
  owner = postgresConnection({ url: url.href, clock: systemClock(), random });
  plane = postgresCalls({ owner, runtime: owner });
});
afterAll(async () => {
  await owner.close();
  await db.sql.unsafe(`RESET ROLE; DROP OWNED BY ${role} CASCADE; DROP ROLE ${role}`);
  await db.drop();
});

const shape = (name: string) => `TABLE ${name} (id integer PRIMARY KEY, v text)`;

type Case = {
  what: string;
  /** Of the tables `NAME` and `NAME_v2`; the one that is not made here is an ordinary one. */
  ddl: (name: string) => string;
  /** The one that is refused. */
  side?: 'shadow';
  says: (name: string) => string[];
  remedy: RegExp;
};

const CASES: readonly Case[] = [
  {
    what: 'a partitioned table without a partition',
    ddl: (t) => `CREATE ${shape(t)} PARTITION BY RANGE (id)`,
    says: (t) => [`public.${t}: It is partitioned by RANGE (id) and has no partition`],
    remedy: /CREATE TABLE … PARTITION OF "public"\."\w+" FOR VALUES/,
  },
  {
    what: 'a partition',
    ddl: (t) => `CREATE ${shape(`${t}_all`)} PARTITION BY RANGE (id); CREATE TABLE ${t} PARTITION OF ${t}_all DEFAULT`,
    says: (t) => [`public.${t}_all`, `and public.${t} are a partitioned table and its partition`],
    remedy: /DETACH PARTITION/,
  },
  {
    what: 'a parent of others',
    ddl: (t) => `CREATE ${shape(t)}; CREATE TABLE ${t}_child () INHERITS (${t})`,
    says: (t) => [`public.${t}_child`, `and public.${t} are parent and child`, 'triggers do not see them change'],
    remedy: /ALTER TABLE child NO INHERIT parent/,
  },
  {
    what: 'a child of another',
    ddl: (t) => `CREATE ${shape(`${t}_parent`)}; CREATE TABLE ${t} (PRIMARY KEY (id)) INHERITS (${t}_parent)`,
    says: (t) => [`public.${t}_parent`, `and public.${t} are parent and child`],
    remedy: /ALTER TABLE child NO INHERIT parent/,
  },
  {
    what: 'a foreign table',
    ddl: (t) => `CREATE FOREIGN TABLE ${t} (id integer NOT NULL, v text) SERVER elsewhere`,
    says: (t) => [`public.${t} is a foreign table`, 'no trigger of this one sees them change'],
    remedy: /move it there/,
  },
  {
    what: 'a view',
    ddl: (t) => `CREATE ${shape(`${t}_under`)}; CREATE VIEW ${t} AS TABLE ${t}_under`,
    says: (t) => [`public.${t} is a view`, 'Only tables'],
    remedy: /name the table under it/,
  },
  {
    what: 'a materialized view',
    ddl: (t) => `CREATE MATERIALIZED VIEW ${t} AS SELECT 1 AS id, ''::text AS v; CREATE UNIQUE INDEX ON ${t} (id)`,
    says: (t) => [`public.${t} is a materialized view`],
    remedy: /name the tables that it reads/,
  },
  {
    what: 'an unlogged table',
    ddl: (t) => `CREATE UNLOGGED ${shape(t)}`,
    says: (t) => [`public.${t}`, 'lost in a crash'],
    remedy: /ALTER TABLE public\.\w+ SET LOGGED/,
  },
  {
    what: 'a table whose row security binds its owner',
    ddl: (t) => `CREATE ${shape(t)}; ALTER TABLE ${t} ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY`,
    says: (t) => [`public.${t}`, 'FORCE ROW LEVEL SECURITY binds the owner'],
    remedy: /ALTER TABLE public\.\w+ NO FORCE ROW LEVEL SECURITY, or give the owner role of Crossfade BYPASSRLS/,
  },
  {
    what: 'a table without a key',
    ddl: (t) => `CREATE TABLE ${t} (id integer, v text)`,
    says: (t) => [`public.${t} has no key`],
    remedy: /it needs a primary key, or a unique index over NOT NULL columns/,
  },
  {
    what: 'a shadow that is a view',
    side: 'shadow',
    ddl: (t) => `CREATE ${shape(`${t}_under`)}; CREATE VIEW ${t}_v2 AS TABLE ${t}_under`,
    says: (t) => [`public.${t}_v2 is a view`],
    remedy: /name the table under it/,
  },
  {
    what: 'a partitioned shadow in which no key can be found',
    side: 'shadow',
    ddl: (t) =>
      `CREATE TABLE ${t}_v2 (id integer, v text NOT NULL, PRIMARY KEY (v, id)) PARTITION BY LIST (v); CREATE TABLE ${t}_p PARTITION OF ${t}_v2 DEFAULT`,
    says: (t) => [`public.${t}_v2: Rows are found by (id), and no index of its partitions begins with that`],
    remedy: /CREATE INDEX ON "public"\."\w+" \("id"\)/,
  },
  {
    what: 'a shadow whose wider key the primary knows nothing of',
    side: 'shadow',
    ddl: (t) =>
      `CREATE TABLE ${t}_v2 (id integer, v text, region text NOT NULL DEFAULT 'eu', PRIMARY KEY (id, region)) PARTITION BY LIST (region); CREATE TABLE ${t}_p PARTITION OF ${t}_v2 DEFAULT`,
    says: (t) => [`column 'region' is part of the key of public.${t}_v2`],
    remedy: /declare it with \{ from \} or \{ sql \}/,
  },
  {
    what: 'an unlogged partition',
    side: 'shadow',
    ddl: (t) =>
      `CREATE ${shape(`${t}_v2`)} PARTITION BY RANGE (id); CREATE UNLOGGED TABLE ${t}_p PARTITION OF ${t}_v2 DEFAULT`,
    says: (t) => [`public.${t}_p`, 'lost in a crash'],
    remedy: /SET LOGGED/,
  },
  {
    what: 'a shadow that is a partition',
    side: 'shadow',
    ddl: (t) =>
      `CREATE ${shape(`${t}_all`)} PARTITION BY RANGE (id); CREATE TABLE ${t}_v2 PARTITION OF ${t}_all DEFAULT`,
    says: (t) => [`public.${t}_all`, `and public.${t}_v2 are a partitioned table and its partition`],
    remedy: /DETACH PARTITION/,
  },
  {
    what: 'an unlogged shadow',
    side: 'shadow',
    ddl: (t) => `CREATE UNLOGGED ${shape(`${t}_v2`)}`,
    says: (t) => [`public.${t}_v2`, 'lost in a crash'],
    remedy: /SET LOGGED/,
  },
  {
    what: 'a shadow without a key',
    side: 'shadow',
    ddl: (t) => `CREATE TABLE ${t}_v2 (id integer, v text)`,
    says: (t) => [`public.${t}_v2 must have the key (id)`, 'it has none'],
    remedy: /must have the key/,
  },
];

/** Everything that could have been made or changed. */
async function catalog(): Promise<unknown> {
  const [row] = await db.sql.unsafe(`SELECT
    (SELECT jsonb_agg(t.tgname || ' on ' || t.tgrelid::regclass ORDER BY 1) FROM pg_trigger t) AS triggers,
    (SELECT jsonb_agg(c.relname ORDER BY 1) FROM pg_class c) AS relations,
    (SELECT jsonb_agg(p.proname ORDER BY 1) FROM pg_proc p) AS functions, (SELECT count(*) FROM crossfade.cutover) AS cutovers`);
  return { ...row! };
}

it.each(CASES.map((one, index) => ({ ...one, name: `n${index}` })))(
  '$what is refused',
  async ({ name, ddl, side, says, remedy }) => {
    await db.sql.unsafe(`${ddl(name)}; CREATE ${shape(side ? name : `${name}_v2`)}`);
    const [declared] = defineCutovers([
      { id: name, kind: 'table', primary: `public.${name}`, shadow: `public.${name}_v2` },
    ]);
    const declaration = declared as typeof declared & { kind: 'table'; table: TableCutover['table'] };
    const cutover: TableCutover = { id: name, validation: 'strict', table: declaration.table };
    const ports = { swapping: plane, inspecting: plane } as unknown as Ports;
    const asked = { system: { emergencyStop: false }, declarations: [declaration] };
    const before = await catalog();

    const previewed = await plane.preview(cutover).then(
      ({ ok, items }) => {
        expect(ok).toBe(false);
        return items
          .flatMap(({ action, object, text }) => (action === 'refuse' ? [`${object}: ${text}`] : []))
          .join(' ');
      },
      ({ code, message }) => {
        expect(code).toBe('refused_table');
        return message as string;
      },
    );
    const started = prepare(ports, { ...asked, declaration, state: initialState(declaration) }, { type: 'start' });
    const refused = (call: Promise<unknown>) =>
      call.then(
        () => 'nothing was refused',
        ({ code, message }) => (code === 'refused_table' ? (message as string) : `${code}: ${message}`),
      );
    const said = {
      previewed,
      started: await refused(started),
      armed: await refused(plane.arm(cutover, { epoch: 1, version: 1 })),
    };
    for (const [by, message] of Object.entries(said)) {
      for (const word of says(name)) expect(message, by).toContain(word);
      expect(message, by).toMatch(remedy);
    }
    expect(said.started).toContain(`'${name}'`);
    expect(await catalog()).toEqual(before);
  },
);

it('a temporary table is not known under a name that can be declared', async () => {
  await db.sql.unsafe(`CREATE TEMPORARY ${shape('fleeting')}; CREATE ${shape('fleeting_v2')}`);
  const declare = (primary: string) =>
    defineCutovers([{ id: 'fleeting', kind: 'table', primary, shadow: 'public.fleeting_v2' }]);
  expect(() => declare('pg_temp.fleeting')).toThrow('tables of the system');
  const [{ table }] = declare('public.fleeting') as unknown as [TableCutover];
  const cutover: TableCutover = { id: 'fleeting', validation: 'strict', table };
  for (const call of [() => plane.preview(cutover), () => plane.arm(cutover, { epoch: 1, version: 1 })])
    await expect(call()).rejects.toMatchObject({
      code: 'refused_table',
      message: expect.stringMatching(/Table public\.fleeting .*does not exist\. Create it first/),
    });
});

it('would lose the rows of a child that nobody refused (negative control)', async () => {
  await db.sql.unsafe(`CREATE ${shape('kin')}; CREATE ${shape('kin_v2')}`);
  const cutover: TableCutover = {
    id: 'kin',
    validation: 'strict',
    table: { primary: 'public.kin', shadow: 'public.kin_v2' },
  };
  expect(await plane.arm(cutover, { epoch: 1, version: 1 })).toEqual({ kind: 'armed' });
  const row = { id: 'kin', epoch: 1, version: 1, stage: 'dual_write', shadowWrites: true, readPpm: 0, salt: 'kin' };
  expect(await plane.mirror(row)).toEqual({ kind: 'written' });
  while ((await plane.backfill('kin', 1, 10)).kind === 'copied');
  await db.sql.unsafe(
    "CREATE TABLE kin_child () INHERITS (kin); INSERT INTO kin_child VALUES (1, 'read with kin, written past its triggers')",
  );
  expect((await plane.status('kin'))!.outboxRows).toBe(0);
  expect(await plane.verify('kin', 1, 1)).toMatchObject({
    kind: 'verified',
    result: { rowsCompared: 1, divergences: 1 },
  });
});
