/** I12 what promotion cannot carry is named with its kind before any lock is taken, and nothing is changed. */

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

type Refusal = {
  what: string;
  /** Name of the primary; the shadow is called the same with _v2, or as given. */
  table: string;
  shadow?: string;
  ddl: string;
  kind: string;
  object: string;
  says: RegExp;
  columns?: TableCutover['table']['columns'];
};

const pair = (name: string) =>
  `CREATE TABLE ${name} (id integer PRIMARY KEY, v text); CREATE TABLE ${name}_v2 (id bigint PRIMARY KEY, v text);`;

const REFUSALS: readonly Refusal[] = [
  {
    what: 'a view that names a column which the new shape has not',
    table: 'r1',
    ddl: `${pair('r1')} ALTER TABLE r1 ADD fax text; CREATE VIEW r1_view AS SELECT id, fax FROM r1`,
    kind: 'view',
    object: 'public.r1_view',
    says: /names column 'fax', which public.r1_v2 has not, and would go on reading the old rows/,
  },
  {
    what: 'a view of the row type',
    table: 'r1b',
    ddl: `${pair('r1b')} CREATE VIEW r1b_view AS SELECT NULL::r1b AS x`,
    kind: 'column',
    object: 'column x of view public.r1b_view',
    says: /Drop it before/,
  },
  {
    what: 'a trigger on the shadow',
    table: 'r5',
    ddl: `${pair('r5')} CREATE FUNCTION r5_f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'; CREATE TRIGGER r5_trigger BEFORE UPDATE ON r5_v2 FOR EACH ROW EXECUTE FUNCTION r5_f()`,
    kind: 'trigger',
    object: 'r5_trigger',
    says: /every row that is mirrored/,
  },
  {
    what: 'a function over the row type',
    table: 'r6',
    ddl: `${pair('r6')} CREATE FUNCTION r6_f(x r6) RETURNS integer LANGUAGE sql AS 'SELECT x.id'`,
    kind: 'function',
    object: 'r6_f',
    says: /row type of this very table/,
  },
  {
    what: 'a partition',
    table: 'r10_p',
    ddl: `CREATE TABLE r10 (id integer PRIMARY KEY, v text) PARTITION BY RANGE (id); CREATE TABLE r10_p PARTITION OF r10 FOR VALUES FROM (0) TO (9); CREATE TABLE r10_p_v2 (id bigint PRIMARY KEY, v text)`,
    kind: 'partition',
    object: 'public.r10',
    says: /A partition cannot cross over by itself: name the partitioned table/,
  },
  {
    what: 'inheritance',
    table: 'r12',
    ddl: `${pair('r12')} CREATE TABLE r12_child () INHERITS (r12)`,
    kind: 'inheritance',
    object: 'public.r12_child',
    says: /NO INHERIT/,
  },
  {
    what: 'an unlogged shadow',
    table: 'r15',
    ddl: `${pair('r15')} ALTER TABLE r15_v2 SET UNLOGGED`,
    kind: 'unlogged table',
    object: 'public.r15_v2',
    says: /lost in a crash/,
  },
  {
    what: 'a foreign key to something else than the key',
    table: 'r17',
    ddl: `${pair('r17')} ALTER TABLE r17 ADD UNIQUE (v); CREATE TABLE r17_child (v text CONSTRAINT r17_fk REFERENCES r17 (v))`,
    kind: 'foreign key',
    object: 'public.r17_child.r17_fk',
    says: /only foreign keys to the key \(id\)/,
  },
  {
    what: 'a foreign key of a partitioned table',
    table: 'r18',
    ddl: `${pair('r18')} CREATE TABLE r18_child (id integer CONSTRAINT r18_fk REFERENCES r18) PARTITION BY RANGE (id); CREATE TABLE r18_child_p PARTITION OF r18_child FOR VALUES FROM (0) TO (9)`,
    kind: 'foreign key',
    object: 'public.r18_child.r18_fk',
    says: /is partitioned/,
  },
  {
    what: 'a foreign key over types that cannot be compared',
    table: 'r19',
    ddl: `CREATE TABLE r19 (id integer PRIMARY KEY, v text); CREATE TABLE r19_v2 (id text PRIMARY KEY, v text); CREATE TABLE r19_child (r integer CONSTRAINT r19_fk REFERENCES r19)`,
    kind: 'foreign key',
    object: 'public.r19_child.r19_fk',
    says: /r19_child.r is integer, and public.r19_v2.id is text/,
  },
  {
    what: 'a shadow that references its primary',
    table: 'r20',
    ddl: `${pair('r20')} ALTER TABLE r20_v2 ADD CONSTRAINT r20_fk FOREIGN KEY (id) REFERENCES r20`,
    kind: 'foreign key',
    object: 'public.r20_v2.r20_fk',
    says: /references the old one/,
  },
  {
    what: 'a primary that references its shadow',
    table: 'r21',
    ddl: `${pair('r21')} ALTER TABLE r21 ADD CONSTRAINT r21_fk FOREIGN KEY (id) REFERENCES r21_v2`,
    kind: 'foreign key',
    object: 'public.r21.r21_fk',
    says: /that is to replace its own/,
  },
  {
    what: 'numbers that the shadow could not make',
    table: 'r22',
    ddl: `CREATE TABLE r22 (id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY, v text); CREATE TABLE r22_v2 (id bigint PRIMARY KEY, v text)`,
    kind: 'sequence',
    object: 'public.r22.id',
    says: /give column id of public.r22_v2 a default from a sequence/,
  },
  {
    what: 'a default that the shadow needs and has not',
    table: 'r23',
    ddl: `CREATE TABLE r23 (id integer PRIMARY KEY, v text NOT NULL DEFAULT 'x'); CREATE TABLE r23_v2 (id bigint PRIMARY KEY, v text NOT NULL)`,
    kind: 'default',
    object: 'public.r23.v',
    says: /the default 'x'::text/,
  },
  {
    what: 'a name that is taken',
    table: 'r24',
    ddl: `${pair('r24')} CREATE TABLE r24_old (id integer)`,
    kind: 'table',
    object: 'public.r24',
    says: /'r24_old', and that name is taken/,
  },
  {
    what: 'a type that has the name',
    table: 'r25',
    ddl: `${pair('r25')} CREATE TYPE r25_old AS ENUM ('a')`,
    kind: 'table',
    object: 'public.r25',
    says: /'r25_old', and that name is taken/,
  },
  {
    what: 'two constraints that would get one name',
    table: 'r26',
    ddl: `${pair('r26')} ALTER TABLE r26_v2 ADD CONSTRAINT r26_v2_check CHECK (id > 0), ADD CONSTRAINT r26_check CHECK (id > 1)`,
    kind: 'constraint',
    object: 'public.r26_v2_check',
    says: /'r26_check', and that name is taken/,
  },
  {
    what: 'another name in another schema',
    table: 'r28',
    shadow: 'elsewhere.r28_v2',
    ddl: `CREATE SCHEMA elsewhere; CREATE TABLE r28 (id integer PRIMARY KEY, v text); CREATE TABLE elsewhere.r28_v2 (id bigint PRIMARY KEY, v text)`,
    kind: 'schema',
    object: 'elsewhere.r28_v2',
    says: /SET SCHEMA public/,
  },
  {
    what: 'a column of the row type',
    table: 'r29',
    ddl: `${pair('r29')} CREATE TABLE r29_user (x r29)`,
    kind: 'column',
    object: 'column x of table public.r29_user',
    says: /not known here/,
  },
  {
    what: 'a domain over the row type',
    table: 'r30',
    ddl: `${pair('r30')} CREATE DOMAIN r30_domain AS r30`,
    kind: 'type',
    object: 'r30_domain',
    says: /not known here/,
  },
  {
    what: 'an index of the shadow that is not valid',
    table: 'r31',
    ddl: `${pair('r31')} CREATE INDEX r31_v2_i ON r31_v2 (v); UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'r31_v2_i'::regclass`,
    kind: 'index',
    object: 'public.r31_v2.r31_v2_i',
    says: /REINDEX or drop it/,
  },
];

const cutoverOf = ({ table, shadow, columns }: Pick<Refusal, 'table' | 'shadow' | 'columns'>): TableCutover => ({
  id: 'refused',
  validation: 'strict',
  table: {
    primary: `public.${table}`,
    shadow: shadow?.includes('.') ? shadow : `public.${shadow ?? `${table}_v2`}`,
    ...(columns ? { columns } : {}),
  },
});

describe('I12 a preview refuses', () => {
  it.each(REFUSALS)('$what', async (refusal) => {
    await db.sql.unsafe(refusal.ddl);
    const preview = await plane.preview(cutoverOf(refusal));
    const refused = preview.items.filter(({ action }) => action === 'refuse');
    const named = refused.find(({ kind, object }) => kind === refusal.kind && object.includes(refusal.object));
    expect(named, JSON.stringify(refused)).toBeDefined();
    expect(named!.text).toMatch(refusal.says);
    expect(preview.ok).toBe(false);
  });

  it('nothing of a plain pair: the same tables without the object go', async () => {
    await db.sql.unsafe(pair('plain'));
    const preview = await plane.preview(cutoverOf({ table: 'plain' }));
    expect(preview.items.filter(({ action }) => action === 'refuse')).toEqual([]);
    expect(preview.ok).toBe(true);
  });
});

describe('I12 a swap', () => {
  const step = { fromEpoch: 1, toEpoch: 2, stage: 'completed', version: 2 };

  it('of tables that got a view after the start is refused, and nothing is changed', async () => {
    const cutover = { ...cutoverOf({ table: 'late' }), id: 'late' };
    await db.sql.unsafe(`${pair('late')} INSERT INTO late VALUES (1, 'a')`);
    await plane.start(cutover);
    await plane.copy('late', 1);
    await db.sql.unsafe('ALTER TABLE late ADD fax text; CREATE VIEW late_view AS SELECT * FROM late');
    await db.sql.unsafe("SELECT crossfade.record_shape('late')");
    const print = async () =>
      (await db.sql.unsafe("SELECT crossfade.catalog_fingerprint('late'::regclass, 'late_v2'::regclass) AS print"))[0];
    const before = await print();
    const result = await plane.promote(cutover, step);
    expect(result).toMatchObject({ kind: 'refused', items: [{ kind: 'view', object: 'public.late_view' }] });
    expect(await print()).toEqual(before);
    expect(await plane.status('late')).toMatchObject({ armed: 'forward', mirror: { epoch: 1 } });
  });

  it('goes once the view is gone, and back only while nothing hangs on the promoted table that the old shape cannot hold', async () => {
    const cutover = { ...cutoverOf({ table: 'late' }), id: 'late' };
    await db.sql.unsafe('DROP VIEW late_view');
    expect(await plane.promote(cutover, step)).toMatchObject({ kind: 'swapped' });
    await db.sql.unsafe('ALTER TABLE late ADD tier text; CREATE VIEW late_view AS SELECT id, tier FROM late');
    await db.sql.unsafe("SELECT crossfade.record_shape('late')");
    const back = { fromEpoch: 2, toEpoch: 3, stage: 'rolled_back', version: 3 };
    expect(await plane.revert(cutover, back)).toMatchObject({
      kind: 'refused',
      items: [{ kind: 'view', object: 'public.late_view' }],
    });
    await db.sql.unsafe('DROP VIEW late_view');
    expect(await plane.revert(cutover, back)).toMatchObject({ kind: 'swapped' });
  });
});
