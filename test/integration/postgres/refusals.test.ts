/** I12 what promotion cannot carry is named with its kind before any lock is taken, and nothing is changed. */

import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { TableCutover } from '../../../lib/ports.ts';
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

const LONG = `l${'o'.repeat(54)}ng`;

const REFUSALS: readonly Refusal[] = [
  {
    what: 'a view',
    table: 'r1',
    ddl: `${pair('r1')} CREATE VIEW r1_view AS SELECT id FROM r1`,
    kind: 'view',
    object: 'public.r1_view',
    says: /go on reading the old rows/,
  },
  {
    what: 'a view of the row type',
    table: 'r1b',
    ddl: `${pair('r1b')} CREATE VIEW r1b_view AS SELECT NULL::r1b AS x`,
    kind: 'view',
    object: 'public.r1b_view',
    says: /Drop it before/,
  },
  {
    what: 'a materialized view',
    table: 'r2',
    ddl: `${pair('r2')} CREATE MATERIALIZED VIEW r2_mat AS SELECT id FROM r2`,
    kind: 'materialized view',
    object: 'public.r2_mat',
    says: /go on reading the old rows/,
  },
  {
    what: 'a rule',
    table: 'r3',
    ddl: `${pair('r3')} CREATE RULE r3_rule AS ON DELETE TO r3 DO INSTEAD NOTHING`,
    kind: 'rule',
    object: 'r3_rule on public.r3',
    says: /would stay with the old one/,
  },
  {
    what: 'a rule of another table that writes this one',
    table: 'r3b',
    ddl: `${pair('r3b')} CREATE TABLE r3b_other (id integer); CREATE RULE r3b_rule AS ON INSERT TO r3b_other DO ALSO INSERT INTO r3b VALUES (NEW.id)`,
    kind: 'rule',
    object: 'r3b_rule on public.r3b_other',
    says: /stay with the old one/,
  },
  {
    what: 'a trigger',
    table: 'r4',
    ddl: `${pair('r4')} CREATE FUNCTION r4_f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'; CREATE TRIGGER r4_trigger BEFORE UPDATE ON r4 FOR EACH ROW EXECUTE FUNCTION r4_f()`,
    kind: 'trigger',
    object: 'r4_trigger',
    says: /would stay on the old table/,
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
    what: 'a function whose body is parsed',
    table: 'r6b',
    ddl: `${pair('r6b')} CREATE FUNCTION r6b_f() RETURNS bigint LANGUAGE sql BEGIN ATOMIC SELECT count(*) FROM r6b; END`,
    kind: 'function',
    object: 'r6b_f',
    says: /reads it in its body/,
  },
  {
    what: 'row security',
    table: 'r7',
    ddl: `${pair('r7')} ALTER TABLE r7 ENABLE ROW LEVEL SECURITY`,
    kind: 'row security',
    object: 'public.r7',
    says: /DISABLE ROW LEVEL SECURITY/,
  },
  {
    what: 'a policy',
    table: 'r8',
    ddl: `${pair('r8')} CREATE POLICY r8_policy ON r8 USING (id > 0)`,
    kind: 'policy',
    object: 'r8_policy',
    says: /drop the policy/,
  },
  {
    what: 'a policy of another table that reads this one',
    table: 'r8b',
    ddl: `${pair('r8b')} CREATE TABLE r8b_other (id integer); CREATE POLICY r8b_policy ON r8b_other USING (EXISTS (SELECT FROM r8b))`,
    kind: 'policy',
    object: 'r8b_policy',
    says: /drop the policy/,
  },
  {
    what: 'a publication',
    table: 'r9',
    ddl: `${pair('r9')} CREATE PUBLICATION r9_publication FOR TABLE r9`,
    kind: 'publication',
    object: 'r9_publication',
    says: /out of the publication/,
  },
  {
    what: 'a partition',
    table: 'r10_p',
    ddl: `CREATE TABLE r10 (id integer PRIMARY KEY, v text) PARTITION BY RANGE (id); CREATE TABLE r10_p PARTITION OF r10 FOR VALUES FROM (0) TO (9); CREATE TABLE r10_p_v2 (id bigint PRIMARY KEY, v text)`,
    kind: 'partition',
    object: 'public.r10',
    says: /Partitioned tables and partitions/,
  },
  {
    what: 'a partitioned table',
    table: 'r11',
    ddl: `CREATE TABLE r11 (id integer PRIMARY KEY, v text) PARTITION BY RANGE (id); CREATE TABLE r11_v2 (id bigint PRIMARY KEY, v text)`,
    kind: 'partitioned table',
    object: 'public.r11',
    says: /Only ordinary tables/,
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
    what: 'privileges on a column',
    table: 'r13',
    ddl: `${pair('r13')} GRANT UPDATE (v) ON r13 TO PUBLIC`,
    kind: 'column privileges',
    object: 'public.r13.v',
    says: /Grant them on the table/,
  },
  {
    what: 'another replica identity',
    table: 'r14',
    ddl: `${pair('r14')} ALTER TABLE r14 REPLICA IDENTITY FULL`,
    kind: 'replica identity',
    object: 'public.r14',
    says: /REPLICA IDENTITY DEFAULT/,
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
    what: 'a table that references itself',
    table: 'r16',
    ddl: `${pair('r16')} ALTER TABLE r16 ADD parent integer CONSTRAINT r16_self REFERENCES r16; ALTER TABLE r16_v2 ADD parent bigint`,
    kind: 'foreign key',
    object: 'public.r16.r16_self',
    says: /references itself/,
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
    what: 'a name that would be too long',
    table: LONG,
    shadow: 'r27_v2',
    ddl: `CREATE TABLE ${LONG} (id integer PRIMARY KEY, v text); CREATE TABLE r27_v2 (id bigint PRIMARY KEY, v text)`,
    kind: 'constraint',
    object: `public.${LONG}_pkey`,
    says: /longer than the 63 bytes/,
  },
  {
    what: 'another schema',
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

describe('I12 a plan refuses', () => {
  it.each(REFUSALS)('$what', async (refusal) => {
    await db.sql.unsafe(refusal.ddl);
    const plan = await plane.plan(cutoverOf(refusal));
    const refused = plan.items.filter(({ action }) => action === 'refuse');
    const named = refused.find(({ kind, object }) => kind === refusal.kind && object.includes(refusal.object));
    expect(named, JSON.stringify(refused)).toBeDefined();
    expect(named!.text).toMatch(refusal.says);
    expect(plan.ok).toBe(false);
  });

  it('a publication of all tables, which subscribers follow by name', async () => {
    await db.sql.unsafe(`${pair('everywhere')} CREATE PUBLICATION everything FOR ALL TABLES`);
    const plan = await plane.plan(cutoverOf({ table: 'everywhere' }));
    await db.sql.unsafe('DROP PUBLICATION everything');
    expect(plan.items).toContainEqual(
      expect.objectContaining({ action: 'refuse', kind: 'publication', object: 'everything' }),
    );
    expect((await plane.plan(cutoverOf({ table: 'everywhere' }))).ok).toBe(true);
  });

  it('nothing of a plain pair: the same tables without the object go', async () => {
    await db.sql.unsafe(pair('plain'));
    const plan = await plane.plan(cutoverOf({ table: 'plain' }));
    expect(plan.items.filter(({ action }) => action === 'refuse')).toEqual([]);
    expect(plan.ok).toBe(true);
  });
});

describe('I12 a swap', () => {
  const step = { fromEpoch: 1, toEpoch: 2, stage: 'completed', version: 2 };

  it('of tables that got a view after the start is refused, and nothing is changed', async () => {
    const cutover = { ...cutoverOf({ table: 'late' }), id: 'late' };
    await db.sql.unsafe(`${pair('late')} INSERT INTO late VALUES (1, 'a')`);
    await plane.start(cutover);
    await plane.copy('late', 1);
    await db.sql.unsafe('CREATE VIEW late_view AS SELECT * FROM late');
    const print = async () =>
      (await db.sql.unsafe("SELECT crossfade.catalog_fingerprint('late'::regclass, 'late_v2'::regclass) AS print"))[0];
    const before = await print();
    const result = await plane.promote(cutover, step);
    expect(result).toMatchObject({ kind: 'refused', items: [{ kind: 'view', object: 'public.late_view' }] });
    expect(await print()).toEqual(before);
    expect(await plane.status('late')).toMatchObject({ armed: 'forward', mirror: { epoch: 1 } });
  });

  it('goes once the view is gone, and back only while nothing new hangs on the promoted table', async () => {
    const cutover = { ...cutoverOf({ table: 'late' }), id: 'late' };
    await db.sql.unsafe('DROP VIEW late_view');
    expect(await plane.promote(cutover, step)).toMatchObject({ kind: 'swapped' });
    await db.sql.unsafe('CREATE VIEW late_view AS SELECT id FROM late');
    const back = { fromEpoch: 2, toEpoch: 3, stage: 'rolled_back', version: 3 };
    expect(await plane.revert(cutover, back)).toMatchObject({
      kind: 'refused',
      items: [{ kind: 'view', object: 'public.late_view' }],
    });
    await db.sql.unsafe('DROP VIEW late_view');
    expect(await plane.revert(cutover, back)).toMatchObject({ kind: 'swapped' });
  });
});
