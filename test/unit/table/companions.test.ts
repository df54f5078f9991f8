/** A new key with companion columns: what follows from what in each direction, and every declaration that cannot work. */

import { describe, expect, it } from 'vitest';
import type { TableDeclaration } from '../../../lib/core/cutover/table-declaration.ts';
import type { ColumnShape, TableShape } from '../../../lib/core/table/shape.ts';
import { compileTransform } from '../../../lib/core/table/transform.ts';
import { defineCutovers } from '../../../lib/define/cutovers.ts';

const column = (name: string, type: string, more: Partial<ColumnShape> = {}): ColumnShape => ({
  name,
  type,
  notNull: true,
  defaultSql: null,
  generated: false,
  identity: null,
  deterministic: true,
  ...more,
});
const table = (name: string, columns: readonly ColumnShape[], ...keys: readonly string[][]): TableShape => ({
  oid: 1,
  schema: 'public',
  name,
  relkind: 'r',
  columns,
  key: keys[0]!,
  keys,
  estimatedRows: 0,
});
const COLUMNS = [column('id', 'integer'), column('uuid', 'uuid'), column('name', 'text')];
const PRIMARY = table('customer', COLUMNS, ['id'], ['uuid']);
const WITHOUT = table('customer', [COLUMNS[0]!, COLUMNS[2]!], ['id']);
const SHADOW = table('customer_v2', COLUMNS, ['uuid'], ['id']);
const DECLARED: TableDeclaration = {
  primary: 'public.customer',
  shadow: 'public.customer_v2',
  companions: { 'sales.invoice': { customer_id: 'customer_uuid' } },
};
const compile = (more: Partial<TableDeclaration> = {}, primary = PRIMARY, shadow = SHADOW) =>
  compileTransform(primary, shadow, { ...DECLARED, ...more });

describe('companions', () => {
  it('follow the foreign key in each direction', () => {
    const compiled = compile();
    if (!compiled.ok) throw new Error(compiled.problems.join('; '));
    const invoice = { schema: 'sales', name: 'invoice' };
    expect(compiled.forward.companions).toEqual([
      {
        table: invoice,
        leading: 'customer_id',
        following: 'customer_uuid',
        references: 'id',
        becomes: 'uuid',
        from: 'uuid',
      },
    ]);
    expect(compiled.reverse.companions).toEqual([
      {
        table: invoice,
        leading: 'customer_uuid',
        following: 'customer_id',
        references: 'uuid',
        becomes: 'id',
        from: 'id',
      },
    ]);
  });

  it.each<[string, string, ReturnType<typeof compile>]>([
    [
      'the same key',
      'is the key of public.customer: foreign keys to it are carried without them',
      compile({}, PRIMARY, table('customer_v2', COLUMNS, ['id'])),
    ],
    [
      'a new key of its own',
      "the new key 'uuid' of public.customer_v2 must come from public.customer",
      compile(
        { columns: { uuid: { added: true } } },
        PRIMARY,
        table(
          'customer_v2',
          [COLUMNS[0]!, column('uuid', 'uuid', { defaultSql: 'gen_random_uuid()' }), COLUMNS[2]!],
          ['uuid'],
          ['id'],
        ),
      ),
    ],
    [
      'a column that is not unique',
      "comes from 'uuid' of public.customer, which has no unique index of its own",
      compile({}, table('customer', COLUMNS, ['id'])),
    ],
    [
      'more than the old key',
      "the new key 'uuid' is computed from 'name': compute it from 'id' alone",
      compile({ columns: { uuid: { sql: "md5('name' || id || name)::uuid" } } }),
    ],
    [
      'two columns',
      'companions are for keys of one column',
      compile({}, PRIMARY, table('customer_v2', COLUMNS, ['uuid', 'name'], ['id'])),
    ],
    [
      'a type of others',
      'companions of a key of type public.ulid are not built',
      compile(
        {},
        table('customer', [COLUMNS[0]!, column('uuid', 'public.ulid')], ['id'], ['uuid']),
        table('customer_v2', [COLUMNS[0]!, column('uuid', 'public.ulid')], ['uuid'], ['id']),
      ),
    ],
  ])('of %s are refused', (_, text, compiled) => {
    expect(compiled).toMatchObject({ ok: false, problems: expect.arrayContaining([expect.stringContaining(text)]) });
  });

  it('computed from the old key alone are not refused for a word in a text', () => {
    expect(compile({ columns: { uuid: { sql: "md5('name' || id)::uuid" } } }, WITHOUT)).toMatchObject({ ok: true });
  });

  it.each<[string, string, NonNullable<TableDeclaration['companions']>]>([
    [
      'the table itself',
      'customer.companions.public.customer: companions are columns of other tables that reference public.customer',
      { 'public.customer': { parent_id: 'parent_uuid' } },
    ],
    [
      'a column twice',
      "customer.companions.sales.invoice: 'x' is the companion of more than one column, or has one itself",
      { 'sales.invoice': { a: 'x', b: 'x' } },
    ],
    ['no column', 'customer.companions.sales.invoice: no column is named', { 'sales.invoice': {} }],
    ['a name that is none', 'companions', { 'sales.invoice': { 'a;b': 'x' } }],
  ])('for %s are refused by the configuration', (_, text, companions) => {
    const { primary, shadow } = DECLARED;
    expect(() => defineCutovers([{ id: 'customer', kind: 'table', primary, shadow, companions }])).toThrow(text);
  });
});
