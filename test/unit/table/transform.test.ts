/** Column maps: what is written and compared in both directions, and every problem at once. */

import { describe, expect, it } from 'vitest';
import type { TableDeclaration } from '../../../lib/core/cutover/table-declaration.ts';
import type { Mapping } from '../../../lib/core/table/mapping.ts';
import type { ColumnShape, TableShape } from '../../../lib/core/table/shape.ts';
import { compileTransform } from '../../../lib/core/table/transform.ts';

function column(name: string, type: string, more: Partial<ColumnShape> = {}): ColumnShape {
  return {
    name,
    type,
    notNull: false,
    defaultSql: null,
    generated: false,
    identity: null,
    deterministic: true,
    ...more,
  };
}

function table(name: string, columns: readonly ColumnShape[], key: readonly string[] | null = ['id']): TableShape {
  return { oid: 1, schema: 'public', name, relkind: 'r', columns, key, estimatedRows: 0 };
}

const ID = column('id', 'integer', { notNull: true });
const PRIMARY = table('person', [
  ID,
  column('name', 'character varying(40)', { notNull: true }),
  column('company', 'text'),
  column('fax', 'text'),
]);
const SHADOW = table('person_v2', [
  column('id', 'bigint', { notNull: true }),
  column('name', 'character varying(40)', { notNull: true }),
  column('organisation', 'text'),
  column('shout', 'text', { generated: true }),
  column('tier', 'text', { notNull: true, defaultSql: "'standard'" }),
]);
const DECLARATION: TableDeclaration = {
  primary: 'public.person',
  shadow: 'public.person_v2',
  columns: { organisation: { from: 'company' }, shout: { sql: 'upper(name)' }, tier: { added: true } },
};

function compiled(primary = PRIMARY, shadow = SHADOW, declaration: Partial<TableDeclaration> = DECLARATION) {
  const result = compileTransform(primary, shadow, { ...DECLARATION, ...declaration });
  if (!result.ok) throw new Error(result.problems.join('; '));
  return result;
}

function problems(
  primary: TableShape,
  shadow: TableShape,
  declaration: Partial<TableDeclaration> = { columns: undefined },
): string {
  const result = compileTransform(primary, shadow, {
    primary: 'public.person',
    shadow: 'public.person_v2',
    ...declaration,
  });
  return result.ok ? '' : result.problems.join('\n');
}

const written = (mapping: Mapping) => Object.fromEntries(mapping.written.map(({ target, sql }) => [target, sql]));
const compared = (mapping: Mapping) => mapping.compared.map(({ target }) => target);

describe('tracking columns', () => {
  const tracked = (more: Partial<TableDeclaration> = {}, type = 'integer') =>
    compiled(
      PRIMARY,
      table('person_v2', [
        ...SHADOW.columns,
        column('_shadow_version', type),
        column('_shadow_source_table', 'text', { notNull: true }),
        column('_shadow_sync_status', 'text'),
      ]),
      more,
    );

  it('are written and not compared, whatever they are there for', () => {
    const { forward, columns } = tracked();
    expect(forward.written.slice(-3)).toEqual([
      { target: '_shadow_version', sql: '(1)::integer', insertOnly: false, follows: 'counts' },
      { target: '_shadow_source_table', sql: "('public.person')::text", insertOnly: true, follows: 'stays' },
      { target: '_shadow_sync_status', sql: "('synced')::text", insertOnly: false, follows: 'tells' },
    ]);
    expect(compared(forward).filter((name) => name.startsWith('_'))).toEqual([]);
    expect(columns.at(-1)!.text).toBe('tracking, written by Crossfade');
  });

  it('are ordinary ones when they are declared, or of another type', () => {
    const own = { columns: { ...DECLARATION.columns, _shadow_version: { added: true as const } } };
    expect(written(tracked(own).forward)).not.toHaveProperty('_shadow_version');
    expect(written(tracked({}, 'date').forward)).not.toHaveProperty('_shadow_version');
  });
});

describe('forward', () => {
  const { forward, columns, dropped } = compiled();

  it('writes what has a source, and never a generated or an added column', () => {
    expect(Object.keys(written(forward))).toEqual(['id', 'name', 'organisation']);
    expect(written(forward).organisation).toContain('"company"');
  });

  it.each(['constructor', 'toString', '__proto__'])('takes a column called %s from its own name', (name) => {
    const [primary, shadow] = [PRIMARY, SHADOW].map((one) => table(one.name, [...one.columns, column(name, 'text')]));
    const { forward, reverse } = compiled(primary, shadow, { reverse: {} });
    for (const mapping of [forward, reverse])
      expect(mapping.written).toContainEqual({ target: name, sql: `p."${name}"`, insertOnly: false });
  });

  it('compares generated columns that have an expression, and no added one', () => {
    expect(compared(forward)).toEqual(['name', 'organisation', 'shout']);
  });

  it('casts the key to the type of the other side', () => {
    expect(forward.key).toMatchObject([
      { source: { name: 'id', type: 'integer' }, target: { name: 'id', type: 'bigint' } },
    ]);
    expect(written(forward).id).toBe('(p."id")::bigint');
  });

  it('says in words where each column comes from, and which are dropped', () => {
    expect(columns.find(({ shadow }) => shadow === 'organisation')).toMatchObject({
      source: 'company',
      text: 'renamed from company',
    });
    expect(columns.find(({ shadow }) => shadow === 'id')).toMatchObject({ text: 'integer → bigint' });
    expect(columns.find(({ shadow }) => shadow === 'tier')).toMatchObject({ text: expect.stringMatching(/default/) });
    expect(dropped).toEqual(['fax']);
  });
});

describe('what the way back asks of each value', () => {
  const domain = (base: string) => ({ base });
  it.each([
    ['money', {}, 'numeric(19,4)', 'rounds'],
    ['qty', domain('integer'), 'numeric(10,2)', 'rounds'],
    ['qty', domain('integer'), 'bigint', undefined],
    ['uuid', {}, 'text', 'changes'],
    ['integer', {}, 'text', 'changes'],
    ['timestamp without time zone', {}, 'timestamp with time zone', 'changes'],
    ['tag', domain('character varying(4)'), 'text', undefined],
    ['jsonb', {}, 'json', undefined],
    ['integer', {}, 'bigint', undefined],
  ] as const)('%s %j from %s: it %s, and the SQL says the same', (old, more, fresh, asked) => {
    const of = (type: string, shape: Partial<ColumnShape> = {}) => table('t', [ID, column('v', type, shape)]);
    const { reverse } = compiled(of(old, more), of(fresh), { columns: {} });
    const back = reverse.written.find(({ target }) => target === 'v')!;
    expect(back.asked).toBe(asked);
    expect(/crossfade\.refuse_/.test(back.sql)).toBe(asked !== undefined);
    const declared = compiled(of(old, more), of(fresh), { columns: {}, reverse: { v: { sql: 'v' } } }).reverse;
    expect(declared.written.every((one) => one.asked === undefined)).toBe(true);
  });
});

describe('reverse', () => {
  it('is derived from renames and casts, and leaves dropped columns alone', () => {
    const { reverse } = compiled();
    expect(Object.keys(written(reverse))).toEqual(['id', 'name', 'company']);
    expect(written(reverse).company).toContain('"organisation"');
    expect(written(reverse).id).toBe('(p."id")::integer');
    expect(compared(reverse)).toEqual(['name', 'company']);
  });

  it('is written by hand where it cannot be derived', () => {
    const { reverse } = compiled(PRIMARY, SHADOW, { reverse: { fax: { sql: "'fax of ' || name" } } });
    expect(written(reverse).fax).toContain("'fax of ' || name");
    expect(compared(reverse)).toContain('fax');
  });

  it('gives rows that are born in the new table a value, and never touches those that were there', () => {
    const primary = table('person', [...PRIMARY.columns.slice(0, 3), column('fax', 'text', { notNull: true })]);
    const { reverse } = compiled(primary, SHADOW, { reverse: { fax: { insertOnly: "''" } } });
    expect(reverse.written.find(({ target }) => target === 'fax')).toMatchObject({ insertOnly: true });
    expect(compared(reverse)).not.toContain('fax');
  });
});

describe('lengths', () => {
  const LONG = ['character varying(40)', 'character(9)', 'bit(8)', 'bit varying(8)', 'character varying(40)[]'];
  for (const type of LONG) {
    it(`a value is never cut to ${type}: it is written without the length, so that the table judges it`, () => {
      const { forward, reverse } = compiled(
        table('person', [ID, column('v', 'text')]),
        table('person_v2', [ID, column('v', type)]),
        { columns: undefined },
      );
      expect(written(forward).v).not.toMatch(/\(\d+\)/);
      expect(written(forward).v).not.toMatch(/::(character|bit)(\[\])?$/);
      expect(written(reverse).v).toContain('::text');
    });
  }

  it('keys are looked up without the length on both sides', () => {
    const key = (type: string) => column('id', type, { notNull: true });
    const { forward } = compiled(table('a', [key('text')]), table('b', [key('character varying(5)')]), {
      columns: undefined,
    });
    expect(forward.key[0]).toMatchObject({ target: { type: 'character varying' } });
  });

  it('the scale of a number belongs to its value and stays', () => {
    const { forward } = compiled(
      table('a', [ID, column('v', 'numeric(12,4)')]),
      table('b', [ID, column('v', 'numeric(10,2)')]),
      { columns: undefined },
    );
    expect(written(forward).v).toContain('numeric(10,2)');
  });
});

describe('names', () => {
  it('are quoted, whatever they contain', () => {
    const { forward } = compiled(
      table('a', [ID, column('we"ird .Name', 'text')]),
      table('b', [ID, column('Plain', 'text')]),
      { columns: { Plain: { from: 'we"ird .Name' } } },
    );
    expect(written(forward).Plain).toContain('"we""ird .Name"');
  });
});

describe('refused', () => {
  it('names every unknown column at once, with the nearest name', () => {
    const found = problems(PRIMARY, SHADOW, {
      columns: { organisatoin: { added: true }, organisation: { from: 'compnay' } },
      reverse: { fxa: { insertOnly: "''" } },
    });
    expect(found).toMatch(/'organisatoin'.*'organisation'/);
    expect(found).toMatch(/'compnay'.*'company'/);
    expect(found).toMatch(/'fxa'.*'fax'/);
  });

  it('a table without a key, or with one under a nondeterministic collation', () => {
    expect(problems(table('person', PRIMARY.columns, null), SHADOW, DECLARATION)).toMatch(/has no key/);
    const loose = table('person', [{ ...ID, deterministic: false }]);
    expect(problems(loose, table('person_v2', [ID]))).toMatch(/nondeterministic/);
  });

  it('a shadow without the key, or with another one', () => {
    expect(problems(table('a', [ID]), table('b', [column('other', 'integer')], null))).toMatch(/key column 'id'/);
    expect(problems(table('a', [ID, column('n', 'integer')]), table('b', [ID, column('n', 'integer')], ['n']))).toMatch(
      /must have the key \(id\)/,
    );
  });

  it('a NOT NULL column that nothing fills, in either direction', () => {
    const strict = column('extra', 'text', { notNull: true });
    expect(problems(table('a', [ID]), table('b', [ID, strict]))).toMatch(/'extra'.*nothing says where it comes from/);
    expect(problems(table('a', [ID]), table('b', [ID, strict]), { columns: { extra: { added: true } } })).toMatch(
      /'extra'.*no default/,
    );
    expect(problems(table('a', [ID, strict]), table('b', [ID]))).toMatch(/'extra'.*insertOnly/);
  });

  it('nothing, when a default, an identity or NULL fills it', () => {
    for (const more of [{}, { notNull: true, defaultSql: '1' }, { notNull: true, identity: 'default' as const }]) {
      expect(problems(table('a', [ID]), table('b', [ID, column('extra', 'integer', more)]))).toBe('');
      expect(problems(table('a', [ID, column('extra', 'integer', more)]), table('b', [ID]))).toBe('');
    }
  });
});
