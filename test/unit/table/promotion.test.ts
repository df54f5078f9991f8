/** I12 a prepared promotion: names, foreign keys, sequences, privileges, and every reason to refuse. Without a database. */

import { describe, expect, it } from 'vitest';
import type { TableDeclaration } from '../../../lib/core/cutover/table-declaration.ts';
import type { Mapping } from '../../../lib/core/table/mapping.ts';
import type {
  DependentColumn,
  DependentIndex,
  DependentSequence,
  Dependents,
  ForeignKey,
  TableDependents,
} from '../../../lib/core/table/promotion/dependents.ts';
import type { ForeignKeyAside } from '../../../lib/core/table/promotion/foreign-keys-aside.ts';
import { promotionOf } from '../../../lib/core/table/promotion/prepare.ts';
import { revertOf } from '../../../lib/core/table/promotion/prepare-back.ts';
import type { ColumnShape } from '../../../lib/core/table/shape.ts';

const column = (name: string, type = 'text', more: Partial<DependentColumn> = {}): DependentColumn => ({
  name,
  type,
  notNull: false,
  default: null,
  identity: '',
  generated: '',
  comment: null,
  grants: [],
  ...more,
});

const index = (name: string, more: Partial<DependentIndex> = {}): DependentIndex => ({
  name,
  unique: false,
  valid: true,
  constraint: false,
  immediate: true,
  identifies: false,
  clustered: false,
  columns: ['name'],
  ...more,
});

const table = (oid: number, name: string, more: Partial<TableDependents> = {}): TableDependents => ({
  oid,
  schema: 'public',
  name,
  relkind: 'r',
  persistence: 'p',
  owner: 'app',
  ours: true,
  mayCreate: true,
  rowSecurity: false,
  forced: false,
  bypassed: false,
  replicaIdentity: 'd',
  options: [],
  comment: null,
  grants: [],
  columns: [column('id', 'integer', { notNull: true }), column('name')],
  indexes: [index(`${name}_pkey`, { unique: true, constraint: true, columns: ['id'] })],
  constraints: [{ name: `${name}_pkey`, type: 'p', columns: ['id'] }],
  outgoing: [],
  inbound: [],
  sequences: [],
  views: [],
  rules: [],
  triggers: [],
  policies: [],
  publications: [],
  subscriptions: [],
  statistics: [],
  functions: [],
  partitionedBy: null,
  partitionColumns: [],
  partitions: [],
  others: [],
  ...more,
});

const foreignKey = (more: Partial<ForeignKey> = {}): ForeignKey => ({
  name: 'order_customer_fkey',
  table: { oid: 300, schema: 'sales', name: 'order', relkind: 'r', ours: true },
  columns: ['customer_id'],
  types: ['integer'],
  references: { oid: 100, schema: 'public', name: 'customer', ours: true },
  referencedColumns: ['id'],
  match: 's',
  onUpdate: 'a',
  onDelete: 'a',
  setColumns: null,
  enforced: true,
  period: false,
  inherited: false,
  deferrable: false,
  deferred: false,
  validated: true,
  comment: null,
  ...more,
});

const sequence = (name: string, more: Partial<DependentSequence> = {}): DependentSequence => ({
  schema: 'public',
  name,
  column: 'id',
  increment: 1,
  source: 'identity',
  type: 'bigint',
  min: '1',
  max: '9223372036854775807',
  cycle: false,
  columnType: 'bigint',
  ours: true,
  ownedBy: { table: 100, column: 'id' },
  owner: 'app',
  grants: [],
  ...more,
});

type Change = Partial<TableDependents>;
const both = (primary: Change = {}, shadow: Change = {}, taken: string[] = []): Dependents => ({
  primary: table(100, 'customer', primary),
  shadow: table(200, 'customer_v2', shadow),
  taken: ['customer', 'customer_pkey', 'customer_v2', 'customer_v2_pkey', ...taken],
});

const shape = (name: string, type: string): ColumnShape => ({
  name,
  type,
  notNull: true,
  defaultSql: null,
  generated: false,
  identity: null,
  deterministic: true,
});
const mapping = (source = 'id', target = 'id', targetType = 'bigint'): Mapping => ({
  key: [{ source: shape(source, 'integer'), target: shape(target, targetType), sql: '' }],
  unique: [target],
  written: [],
  compared: [],
});
const DECLARATION: TableDeclaration = { primary: 'public.customer', shadow: 'public.customer_v2' };
const prepare = (dependents: Dependents, declaration = DECLARATION, map = mapping()) =>
  promotionOf({ dependents, declaration, mapping: map });
const refused = (dependents: Dependents) =>
  prepare(dependents)
    .items.filter(({ action }) => action === 'refuse')
    .map(({ kind, object }) => `${kind} ${object}`);

describe('names', () => {
  it('move to the new table with everything that is named after it, the primary first', () => {
    const { statements, names, ok } = prepare(
      both({
        indexes: [index('customer_name_idx'), index('elsewhere')],
      }),
    );
    expect(ok).toBe(true);
    expect(names).toEqual({ primary: 'customer_old', shadow: 'customer' });
    expect(statements.filter((text) => text.includes('RENAME'))).toEqual([
      'ALTER TABLE "public"."customer" RENAME TO "customer_old"',
      'ALTER TABLE "public"."customer_old" RENAME CONSTRAINT "customer_pkey" TO "customer_old_pkey"',
      'ALTER INDEX "public"."customer_name_idx" RENAME TO "customer_old_name_idx"',
      'ALTER TABLE "public"."customer_v2" RENAME TO "customer"',
      'ALTER TABLE "public"."customer" RENAME CONSTRAINT "customer_v2_pkey" TO "customer_pkey"',
    ]);
  });

  it('come back in the opposite order, every one', () => {
    const { record, names } = prepare(both());
    const now: Dependents = {
      primary: table(100, names.primary),
      shadow: table(200, names.shadow),
      taken: ['customer', 'customer_old', 'customer_pkey', 'customer_old_pkey', 'customer_v2'],
    };
    const back = revertOf({ dependents: now, declaration: DECLARATION, mapping: mapping() }, record);
    expect(back.ok).toBe(true);
    expect(back.names).toEqual({ primary: 'customer', shadow: 'customer_v2' });
    expect(back.statements).toEqual([
      'DROP VIEW IF EXISTS "public"."customer_v2"',
      'ALTER TABLE "public"."customer" RENAME CONSTRAINT "customer_pkey" TO "customer_v2_pkey"',
      'ALTER TABLE "public"."customer" RENAME TO "customer_v2"',
      'ALTER TABLE "public"."customer_old" RENAME CONSTRAINT "customer_old_pkey" TO "customer_pkey"',
      'ALTER TABLE "public"."customer_old" RENAME TO "customer"',
    ]);
  });

  it('that somebody took or changed after promotion stop the way back', () => {
    const { record } = prepare(both());
    const revert = (dependents: Dependents) =>
      revertOf({ dependents, declaration: DECLARATION, mapping: mapping() }, record).items.filter(
        ({ action }) => action === 'refuse',
      );
    const promoted = table(200, 'customer');
    const taken = ['customer', 'customer_old', 'customer_pkey', 'customer_old_pkey', 'customer_v2', 'customer_v2_pkey'];
    expect(revert({ primary: table(100, 'customer_old'), shadow: promoted, taken })).toMatchObject([
      { kind: 'constraint', object: 'public.customer_pkey' },
    ]);
    expect(revert({ primary: table(100, 'archive'), shadow: promoted, taken: [] })).toMatchObject([
      { kind: 'table', object: 'public.archive' },
    ]);
  });

  it('keep the name of the shadow alive as a view with the same owner and privileges', () => {
    const grant = { grantee: 'web', privilege: 'SELECT', grantable: false };
    const { statements } = prepare(both({ grants: [grant, { ...grant, privilege: 'TRIGGER' }] }));
    expect(statements).toEqual(
      expect.arrayContaining([
        'GRANT SELECT, TRIGGER ON TABLE "public"."customer" TO web',
        'CREATE VIEW "public"."customer_v2" AS SELECT "id", "name" FROM "public"."customer"',
        'ALTER VIEW "public"."customer_v2" OWNER TO app',
        'GRANT SELECT ON TABLE "public"."customer_v2" TO web',
      ]),
    );
  });

  it.each([
    ['a table of that name', both({}, {}, ['customer_old']), 'table public.customer'],
    ['an index of that name', both({}, {}, ['customer_old_pkey']), 'constraint public.customer_pkey'],
    ['another name in another schema', both({}, { schema: 'other' }), 'schema other.customer_v2'],
  ])('are refused for %s', (_, dependents, what) => {
    expect(refused(dependents)).toContain(what);
  });

  it('are cut where they would have more than 63 bytes, never in the middle of a character', () => {
    const name = 'é'.repeat(30);
    const { names, statements } = prepare(both({ name }));
    expect(names.primary).toMatch(/^é{25}_[0-9a-f]{8}_old$/);
    expect(statements).toContain(`ALTER TABLE "public"."${name}" RENAME TO "${names.primary}"`);
  });
});

describe('foreign keys to the primary', () => {
  it('are made again with every option, and validated later', () => {
    const { statements, validateLater, lockTables } = prepare(
      both({
        inbound: [
          foreignKey({
            match: 'f',
            onUpdate: 'c',
            onDelete: 'n',
            setColumns: ['customer_id'],
            deferrable: true,
            deferred: true,
            comment: "it's",
          }),
        ],
      }),
    );
    expect(statements[0]).toBe('ALTER TABLE "sales"."order" DROP CONSTRAINT "order_customer_fkey"');
    expect(statements.slice(-2)).toEqual([
      'ALTER TABLE "sales"."order" ADD CONSTRAINT "order_customer_fkey" FOREIGN KEY ("customer_id") REFERENCES "public"."customer" ("id") MATCH FULL ON UPDATE CASCADE ON DELETE SET NULL ("customer_id") DEFERRABLE INITIALLY DEFERRED NOT VALID',
      `COMMENT ON CONSTRAINT "order_customer_fkey" ON "sales"."order" IS 'it''s'`,
    ]);
    expect(validateLater).toEqual(['ALTER TABLE "sales"."order" VALIDATE CONSTRAINT "order_customer_fkey"']);
    expect(lockTables).toEqual([100, 200, 300]);
  });

  it('go to the column that the key becomes', () => {
    const shadow = { columns: [column('number', 'bigint'), column('name')] };
    const declaration: TableDeclaration = { ...DECLARATION, columns: { number: { from: 'id' } } };
    const { statements } = prepare(both({ inbound: [foreignKey()] }, shadow), declaration, mapping('id', 'number'));
    expect(statements.at(-1)).toContain('REFERENCES "public"."customer" ("number") MATCH SIMPLE');
  });

  it('that were never validated are not validated now', () => {
    expect(prepare(both({ inbound: [foreignKey({ validated: false })] })).validateLater).toEqual([]);
  });

  it('that hung on the shadow before go back with it; new ones go to the table that has the name', () => {
    const kept = foreignKey({
      name: 'kept',
      references: { oid: 200, schema: 'public', name: 'customer_v2', ours: true },
    });
    const { record } = prepare(both({}, { inbound: [kept] }));
    const now: Dependents = {
      primary: table(100, 'customer_old'),
      shadow: table(200, 'customer', { inbound: [kept, foreignKey({ name: 'later' })] }),
      taken: [],
    };
    const back = revertOf({ dependents: now, declaration: DECLARATION, mapping: mapping() }, record);
    expect(back.statements.filter((text) => text.includes('DROP CONSTRAINT'))).toEqual([
      'ALTER TABLE "sales"."order" DROP CONSTRAINT "later"',
    ]);
    expect(back.validateLater).toHaveLength(1);
  });

  it.each<[string, Partial<ForeignKey>, RegExp]>([
    ['of the shadow', { table: { ...foreignKey().table, oid: 200 } }, /references the old one/],
    ['of a partitioned table', { table: { ...foreignKey().table, relkind: 'p' } }, /partitioned/],
    ['of a partition', { inherited: true }, /partitioned/],
    ['with PERIOD', { period: true }, /PERIOD/],
    ['not enforced', { enforced: false }, /NOT ENFORCED/],
    ['of a table of somebody else', { table: { ...foreignKey().table, ours: false } }, /must own sales.order/],
    ['to another column', { referencedColumns: ['name'] }, /only foreign keys to the key \(id\)/],
    ['of another type', { types: ['uuid'] }, /order.customer_id is uuid, and public.customer_v2.id is bigint/],
  ])('are refused %s', (_, change, says) => {
    const { items, ok } = prepare(both({ inbound: [foreignKey(change)] }));
    expect(ok).toBe(false);
    expect(items.find(({ action }) => action === 'refuse')).toMatchObject({
      kind: 'foreign key',
      text: expect.stringMatching(says),
    });
  });

  it('that the primary has move to the new table, and come back', () => {
    const own = foreignKey({
      name: 'customer_rep_fkey',
      table: { oid: 100, schema: 'public', name: 'customer', relkind: 'r', ours: true },
      columns: ['name'],
      types: ['text'],
      references: { oid: 9, schema: 'public', name: 'rep', ours: true },
    });
    const dependents = both({ outgoing: [own] });
    const { statements, record, lockTables, validateLater } = prepare(dependents);
    expect(statements[0]).toBe('ALTER TABLE "public"."customer" DROP CONSTRAINT "customer_rep_fkey"');
    expect(statements.at(-1)).toMatch(
      /^ALTER TABLE "public"."customer" ADD CONSTRAINT "customer_rep_fkey" .* NOT VALID$/,
    );
    expect(validateLater).toHaveLength(1);
    expect(lockTables).toEqual([9, 100, 200]);
    const now: Dependents = {
      primary: table(100, 'customer_old'),
      shadow: table(200, 'customer', {
        constraints: [{ name: 'customer_rep_fkey', type: 'f', columns: ['name'] }],
        outgoing: [own],
      }),
      taken: [],
    };
    const back = revertOf({ dependents: now, declaration: DECLARATION, mapping: mapping() }, record);
    expect(back.statements[0]).toBe('ALTER TABLE "public"."customer" DROP CONSTRAINT "customer_rep_fkey"');
    expect(back.statements.at(-1)).toMatch(/^ALTER TABLE "public"."customer" ADD CONSTRAINT "customer_rep_fkey"/);
  });

  it('of a table to itself follow it to the column and type of the new key', () => {
    const self = foreignKey({
      name: 'customer_parent_fkey',
      table: { oid: 100, schema: 'public', name: 'customer', relkind: 'r', ours: true },
      columns: ['name'],
    });
    const to = (type: string) =>
      both({ outgoing: [self], inbound: [self] }, { columns: [column('id', 'bigint'), column('name', type)] });
    expect(prepare(to('bigint')).statements.at(-1)).toContain('("name") REFERENCES "public"."customer" ("id")');
    expect(refused(to('uuid'))).toEqual(['foreign key public.customer.customer_parent_fkey']);
  });
});

describe('foreign keys that were set aside', () => {
  const aside = foreignKey({
    name: 'customer_v2_rep_fkey',
    table: { oid: 200, schema: 'public', name: 'customer_v2', relkind: 'r', ours: true },
    columns: ['name'],
    types: ['text'],
    references: { oid: 9, schema: 'public', name: 'rep', ours: true },
    onDelete: 'c',
  });
  const own = foreignKey({
    ...aside,
    name: 'customer_rep_fkey',
    table: { ...aside.table, oid: 100, name: 'customer' },
  });
  const given = (dependents: Dependents, key: ForeignKeyAside) =>
    promotionOf({ dependents, declaration: DECLARATION, mapping: mapping(), aside: [key] });

  it('come back under the new name, with the table they refer to locked from the beginning', () => {
    const { statements, lockTables, validateLater, unproven, record } = given(both(), aside);
    expect(statements.at(-1)).toMatch(/ADD CONSTRAINT "customer_rep_fkey" .* ON DELETE CASCADE NOT VALID$/);
    expect(lockTables).toContain(9);
    expect(validateLater).toEqual(['ALTER TABLE "public"."customer" VALIDATE CONSTRAINT "customer_rep_fkey"']);
    expect(unproven.map(({ name }) => name)).toEqual(['customer_rep_fkey']);
    expect(record.keys.made).toEqual(['customer_rep_fkey']);
  });

  it('need no proof when the primary has them, and are made once', () => {
    const { statements, unproven } = given(both({ outgoing: [own] }), aside);
    expect(unproven).toEqual([]);
    expect(statements.filter((text) => text.includes('ADD CONSTRAINT'))).toHaveLength(1);
  });

  it.each([
    ['whose columns nobody knows', { ...aside, referencedColumns: null }, /no column any more/],
    [
      'to a table of somebody else',
      { ...aside, references: { ...aside.references, ours: false } },
      /must own public.rep/,
    ],
    ['on a column that is gone', { ...aside, columns: ['gone'] }, /its column gone is gone/],
    ['with a name that is taken', { ...aside, name: 'customer_pkey' }, /another constraint is called/],
  ] as const)('%s are refused, not lost', (_, key, says) => {
    const { items, ok } = given(both(), key);
    expect(ok).toBe(false);
    expect(items.find(({ action }) => action === 'refuse')?.text).toMatch(says);
  });
});

describe('sequences', () => {
  const own = sequence('customer_v2_id_seq', { ownedBy: { table: 200, column: 'id' } });

  it('go on from the further position, under their new names', () => {
    const { statements } = prepare(both({ sequences: [sequence('customer_id_seq')] }, { sequences: [own] }));
    expect(statements).toEqual(
      expect.arrayContaining([
        'ALTER SEQUENCE "public"."customer_id_seq" RENAME TO "customer_old_id_seq"',
        'ALTER SEQUENCE "public"."customer_v2_id_seq" RENAME TO "customer_id_seq"',
      ]),
    );
    const set = statements.find((text) => text.includes('setval'))!;
    expect(set).toMatch(/setval\('"public"."customer_id_seq"'::regclass/);
    expect(set).toMatch(
      /FROM "public"."customer_old_id_seq" UNION ALL .* FROM "public"."customer_id_seq"\) s ORDER BY last_value DESC/,
    );
  });

  it('that another role owns and that are too narrow are refused with what to run', () => {
    const narrow = { type: 'integer', max: '2147483647', ours: false, owner: 'other' };
    const shared = sequence('ids', { source: 'default', ownedBy: null, ...narrow });
    const { items } = prepare(both({ sequences: [shared] }, { sequences: [shared] }));
    expect(items.find(({ action }) => action === 'refuse')?.text).toMatch(
      /Have other run ALTER SEQUENCE "public"."ids" AS bigint MINVALUE 1 MAXVALUE 9223372036854775807/,
    );
  });

  it('that count down go on from the lower position', () => {
    const down = both({ sequences: [sequence('s', { increment: -1 })] }, { sequences: [{ ...own, increment: -1 }] });
    expect(prepare(down).statements.find((text) => text.includes('setval'))).toMatch(/ORDER BY last_value ASC/);
  });

  it('behind a default may be used by whoever inserts', () => {
    const insert = { grantee: 'web', privilege: 'INSERT', grantable: false };
    const { statements } = prepare(
      both(
        { sequences: [sequence('customer_id_seq')], grants: [insert] },
        { sequences: [{ ...own, source: 'default' }] },
      ),
    );
    expect(statements).toContain('GRANT USAGE ON SEQUENCE "public"."customer_id_seq" TO web');
  });

  it('that both use pass to the table that has the name, and back', () => {
    const shared = sequence('customer_id_seq', { source: 'default' });
    const { statements, record } = prepare(both({ sequences: [shared] }, { sequences: [shared] }));
    expect(statements).toContain('ALTER SEQUENCE "public"."customer_id_seq" OWNED BY "public"."customer"."id"');
    expect(statements.join()).not.toMatch(/SEQUENCE .* RENAME|setval/);
    const moved = { ...shared, ownedBy: { table: 200, column: 'id' } };
    const now: Dependents = {
      primary: table(100, 'customer_old', { sequences: [moved] }),
      shadow: table(200, 'customer', { sequences: [moved] }),
      taken: [],
    };
    const back = revertOf({ dependents: now, declaration: DECLARATION, mapping: mapping() }, record).statements;
    expect(back.at(-1)).toBe('ALTER SEQUENCE "public"."customer_id_seq" OWNED BY "public"."customer"."id"');
  });

  it('are refused when the new column could not make numbers', () => {
    expect(refused(both({ sequences: [sequence('customer_id_seq')] }))).toEqual(['sequence public.customer.id']);
  });
});

describe('what is refused', () => {
  const other = (kind: string) => ({ others: [{ kind, object: `some_${kind}` }] });
  it.each([
    ['partition'],
    ['inheritance'],
    ['function'],
    ['extension'],
    ['security label'],
    ['something that nobody has heard of'],
  ])('on the primary: %s', (kind) => {
    const { items } = prepare(both(other(kind)));
    const item = items.find(({ action }) => action === 'refuse');
    expect(item).toMatchObject({ kind, object: `some_${kind}` });
    expect(item!.text).toMatch(/^It .*\./);
    expect(item!.text).not.toMatch(/undefined/);
  });

  it.each([['partition'], ['inheritance'], ['extension']])('on the shadow: %s', (kind) => {
    expect(refused(both({}, other(kind)))).toEqual([`${kind} some_${kind}`]);
  });

  it('not on the shadow: a function over its row type', () => {
    const { items, ok } = prepare(both({}, other('function')));
    expect(ok).toBe(true);
    expect(items).toContainEqual(expect.objectContaining({ action: 'notice', kind: 'function' }));
  });

  it.each<[string, Change, string]>([
    ['a view in place of a table', { relkind: 'v' }, 'view public.customer'],
    ['an unlogged table', { persistence: 'u' }, 'unlogged table public.customer'],
    ['a temporary table', { persistence: 't' }, 'temporary table public.customer'],
    ['row security that binds the owner', { rowSecurity: true, forced: true }, 'row security public.customer'],
    ['the table of somebody else', { ours: false }, 'owner public.customer'],
    ['no CREATE in the schema', { mayCreate: false }, 'schema public.customer'],
  ])('%s', (_, change, what) => {
    expect(refused(both(change))).toEqual([what]);
  });

  it('on the way back: what is new on the promoted table and cannot be carried, but not what the shadow had', () => {
    const had = { kind: 'type', object: 'public.preview' };
    const { record } = prepare(both({}, { others: [had] }));
    const fresh = { kind: 'type', object: 'public.fresh' };
    const back = (others: (typeof had)[]) =>
      revertOf(
        {
          dependents: { primary: table(100, 'customer_old'), shadow: table(200, 'customer', { others }), taken: [] },
          declaration: DECLARATION,
          mapping: mapping(),
        },
        record,
      );
    expect(back([had]).ok).toBe(true);
    expect(back([had, fresh]).items).toContainEqual(expect.objectContaining({ action: 'refuse', ...fresh }));
  });
});

describe('defaults and columns', () => {
  it('that inserts need are refused when they are missing, others are noticed', () => {
    const primary = {
      columns: [column('id', 'integer'), column('name', 'text', { notNull: true, default: "'x'::text" })],
    };
    expect(
      refused(both(primary, { columns: [column('id', 'bigint'), column('name', 'text', { notNull: true })] })),
    ).toEqual(['default public.customer.name']);
    expect(prepare(both(primary)).items).toContainEqual(expect.objectContaining({ action: 'notice', kind: 'default' }));
  });

  it('whose type changes are noticed, since prepared statements that return them fail', () => {
    const { items } = prepare(both({}, { columns: [column('id', 'bigint'), column('name')] }));
    expect(items).toContainEqual(
      expect.objectContaining({
        action: 'notice',
        object: 'public.customer.id',
        text: expect.stringMatching(/integer becomes bigint/),
      }),
    );
  });

  it.each([
    ['integer', 'numeric(14,2)', 'rounds', /cannot hold every numeric/],
    ['integer', 'numeric(14,2)', undefined, null],
    ['uuid', 'text', 'changes', /text goes back to uuid by a cast/],
    ['timestamp without time zone', 'timestamp with time zone', undefined, /AT TIME ZONE/],
    ['timestamp with time zone', 'timestamp with time zone', undefined, null],
  ] as const)(
    '%s → %s, of which the way back is asked whether it %s: what a value becomes is noticed',
    (old, fresh, asked, expected) => {
      const columns = (type: string) => ({ columns: [column('id', 'integer'), column('name', type)] });
      const reverse: Mapping = {
        ...mapping(),
        written: [{ target: 'name', sql: 'name', insertOnly: false, ...(asked ? { asked } : {}) }],
      };
      const dependents = both(columns(old), columns(fresh));
      const { items } = promotionOf({ dependents, declaration: DECLARATION, mapping: mapping(), reverse });
      const texts = items.filter(({ object }) => object === 'public.customer.name').map(({ text }) => text);
      const found = texts.filter((text) => /does not go back by itself|AT TIME ZONE/.test(text));
      expect(found).toEqual(expected ? [expect.stringMatching(expected)] : []);
    },
  );
});

describe('privileges', () => {
  it('given for the swap are taken back, a mere right to pass on as such', () => {
    const select = { grantee: 'web', privilege: 'SELECT', grantable: true };
    const update = { grantee: 'web', privilege: 'UPDATE', grantable: false };
    const { record } = prepare(both({ grants: [select, update] }, { grants: [{ ...select, grantable: false }] }));
    const now: Dependents = {
      primary: table(100, 'customer_old'),
      shadow: table(200, 'customer', { grants: [select, update] }),
      taken: [],
    };
    const back = revertOf({ dependents: now, declaration: DECLARATION, mapping: mapping() }, record).statements;
    expect(back.filter((text) => text.startsWith('REVOKE'))).toEqual([
      'REVOKE GRANT OPTION FOR SELECT ON TABLE "public"."customer" FROM web CASCADE',
      'REVOKE UPDATE ON TABLE "public"."customer" FROM web CASCADE',
    ]);
    const gone = revertOf(
      { dependents: { ...now, shadow: table(200, 'customer') }, declaration: DECLARATION, mapping: mapping() },
      record,
    );
    expect(gone.statements.join()).not.toMatch(/REVOKE/);
  });

  it('pass with the owner, and come back with the one before', () => {
    const { statements, record } = prepare(both({}, { owner: 'builder' }));
    expect(statements).toContain('ALTER TABLE "public"."customer_v2" OWNER TO app');
    const now: Dependents = { primary: table(100, 'customer_old'), shadow: table(200, 'customer'), taken: [] };
    const back = revertOf({ dependents: now, declaration: DECLARATION, mapping: mapping() }, record).statements;
    expect(back.at(-1)).toBe('ALTER TABLE "public"."customer_v2" OWNER TO builder');
  });
});
