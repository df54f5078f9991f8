/** What cannot cross over into another database is refused by name, beside what cannot cross over at all. */

import { describe, expect, it } from 'vitest';
import type { ColumnShape, TableShape } from '../../../lib/core/table/shape.ts';
import { remoteRefusals } from '../../../lib/core/table/sql/remote/refusals.ts';
import { compileTransform } from '../../../lib/core/table/transform.ts';

const column = (name: string, type: string, over: Partial<ColumnShape> = {}): ColumnShape => ({
  name,
  type,
  notNull: true,
  defaultSql: null,
  generated: false,
  identity: null,
  deterministic: true,
  ...over,
});
const shape = (name: string, columns: ColumnShape[]): TableShape => {
  const key = [columns[0]!.name];
  return { oid: 1, schema: 'public', name, relkind: 'r', columns, key, keys: [key], estimatedRows: 0 };
};

function refusals(source: ColumnShape[], target: ColumnShape[]): string[] {
  const [primary, shadow] = [shape('a', source), shape('b', target)];
  const compiled = compileTransform(primary, shadow, { primary: 'public.a', shadow: 'public.b', connection: 'new' });
  if (!compiled.ok) throw new Error(compiled.problems.join('; '));
  return remoteRefusals(primary, shadow, compiled.forward);
}

const BYTES = { collation: 'pg_catalog."C"' };

describe('a shadow in another database', () => {
  it.each([
    ['integer', 'bigint', {}],
    ['uuid', 'uuid', {}],
    ['timestamp with time zone', 'timestamp with time zone', {}],
    ['text', 'text', BYTES],
    ['character varying(40)', 'character varying(40)', { collation: '"C"' }],
  ])('takes a key of %s that becomes %s', (from, to, over) => {
    expect(refusals([column('id', from, over)], [column('id', to, over)])).toEqual([]);
  });

  it.each([
    ['text', 'text', {}, 'both databases must sort them alike'],
    ['text', 'text', { collation: '"de_DE"' }, 'both databases must sort them alike'],
    ['bigint', 'integer', {}, "key column 'id' is bigint and becomes integer"],
  ])('refuses a key of %s that becomes %s', (from, to, over, said) => {
    expect(refusals([column('id', from, over)], [column('id', to, over)])).toEqual([expect.stringContaining(said)]);
  });

  it.each(['money', 'regclass', 'oid'])('refuses a column of %s, whose text is local', (type) => {
    const both = [column('id', 'integer'), column('v', type)];
    expect(refusals(both, both)).toEqual([`column 'v' is ${type}, whose text means another value on another server`]);
  });
});
