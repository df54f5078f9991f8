/** Which values of a row may be shown, and keys as people give them. */

import { describe, expect, it } from 'vitest';
import type { TableDeclaration } from '../../../lib/core/cutover/table-declaration.ts';
import { parsedKey } from '../../../lib/core/table/given-key.ts';
import type { ColumnShape, TableShape } from '../../../lib/core/table/shape.ts';
import { columnNames } from '../../../lib/core/table/shown-columns.ts';
import { compileTransform } from '../../../lib/core/table/transform.ts';

const column = (name: string, more: Partial<ColumnShape> = {}): ColumnShape => ({
  name,
  type: 'text',
  notNull: false,
  defaultSql: null,
  generated: false,
  identity: null,
  deterministic: true,
  ...more,
});
const table = (name: string, columns: readonly ColumnShape[]): TableShape => ({
  oid: 1,
  schema: 'public',
  name,
  relkind: 'r',
  columns,
  key: ['id'],
  estimatedRows: 0,
});

const ID = column('id', { type: 'integer', notNull: true });
const GENERATED = { generated: true };
const primary = table('person', [
  ID,
  ...['first', 'last', 'mail', 'fax'].map((name) => column(name)),
  column('domain', GENERATED),
]);
const shadow = table('person_v2', [
  ID,
  ...['full_name', 'email', 'tier'].map((name) => column(name)),
  column('shout', GENERATED),
]);
const DECLARED: TableDeclaration = {
  primary: 'public.person',
  shadow: 'public.person_v2',
  columns: {
    full_name: { sql: "first || ' ' || last" },
    email: { from: 'mail' },
    tier: { added: true },
    shout: { sql: 'upper(mail)' },
  },
  reverse: { first: { sql: "split_part(full_name, ' ', 1)" }, last: { sql: "split_part(full_name, ' ', 2)" } },
};

const redacted = (...redact: string[]) =>
  columnNames({ primary, shadow, declaration: { ...DECLARED, redact } })
    .filter((pair) => pair.redacted)
    .map((pair) => `${pair.primary ?? ''}→${pair.shadow ?? ''}`);
const COMPUTED = ['→full_name', '→shout', 'first→', 'last→', 'domain→'];

describe('the columns of a row', () => {
  it('are pairs where one is a copy of the other, and all are there once', () => {
    const pairs = columnNames({ primary, shadow, declaration: DECLARED });
    expect(pairs.filter((pair) => pair.primary && pair.shadow)).toEqual([
      { primary: 'id', shadow: 'id', redacted: false },
      { primary: 'mail', shadow: 'email', redacted: false },
    ]);
    expect(pairs.flatMap((pair) => pair.primary ?? []).sort()).toEqual(primary.columns.map(({ name }) => name).sort());
    expect(pairs.flatMap((pair) => pair.shadow ?? []).sort()).toEqual(shadow.columns.map(({ name }) => name).sort());
  });

  it.each([
    ['under its old name', 'mail', 'mail→email'],
    ['under its new name', 'email', 'mail→email'],
    ['where nothing is a copy of it', 'fax', 'fax→'],
  ])('are redacted with what is computed: %s', (_, name, pair) => {
    expect(redacted(name).sort()).toEqual([pair, ...COMPUTED].sort());
  });

  it('are not redacted where nothing is', () => {
    expect(redacted()).toEqual([]);
  });

  it('are refused where they are redacted by a name that neither table has', () => {
    expect(compileTransform(primary, shadow, { ...DECLARED, redact: ['emial'] })).toMatchObject({
      ok: false,
      problems: ["redact: neither table has a column 'emial'. Did you mean 'email'?"],
    });
  });
});

describe('a key', () => {
  it.each([
    ['5', ['id'], ['5']],
    ['{"id": 9007199254740993}', ['id'], ['9007199254740993']],
    ['{"id": -8.50}', ['id'], ['-8.50']],
    ['{"id": "a 5 \\" b"}', ['id'], ['a 5 " b']],
    ['{"b": "x", "a": true}', ['a', 'b'], ['true', 'x']],
    ['{"id": null}', ['id'], null],
    ['{"id": {"a": 1}}', ['id'], null],
    ['{"ID": 5}', ['id'], null],
    ['{"constructor": 5}', ['toString'], null],
    ['{', ['id'], null],
    ['5', ['a', 'b'], null],
  ])('%s of %j', (text, names, parts) => {
    expect(parsedKey(text, names)).toEqual(parts);
  });
});
