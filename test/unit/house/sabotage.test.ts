/** What tests may break: not a byte of it is in what is deployed, and no switch is dead. */

import { describe, expect, it } from 'vitest';
import type { ColumnShape, TableShape } from '../../../lib/core/table/shape.ts';
import { BREAKPOINTS, type Sabotage } from '../../../lib/core/table/sql/sabotage.ts';
import { tableObjects } from '../../../lib/core/table/sql/table.ts';
import { compileTransform } from '../../../lib/core/table/transform.ts';

const column = (name: string, type: string): ColumnShape => ({
  name,
  type,
  notNull: name === 'id',
  defaultSql: null,
  generated: false,
  identity: null,
  deterministic: true,
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
const PRIMARY = table('seat', [column('id', 'integer'), column('place', 'text'), column('price', 'numeric')]);
const SHADOW = table('seat_v2', [
  column('id', 'bigint'),
  column('place', 'text'),
  column('price', 'numeric'),
  column('tier', 'text'),
]);

function generated(sabotage?: Sabotage): string {
  const declaration = { primary: 'public.seat', shadow: 'public.seat_v2', columns: { tier: { added: true as const } } };
  const compiled = compileTransform(PRIMARY, SHADOW, declaration);
  if (!compiled.ok) throw new Error(compiled.problems.join('; '));
  return tableObjects('seat', PRIMARY, SHADOW, compiled.forward, 'strict', sabotage).create.join(';\n');
}

/** Every switch there is: a new one does not compile before it is here. */
const OMITTED = {
  'key-lock': true,
  fence: true,
  quarantine: true,
  'pending-hints': true,
  'ghost-sweep': true,
  reset: true,
  exchange: true,
  image: true,
  remix: true,
  fits: true,
  'old-key': true,
  truncate: true,
} satisfies Record<NonNullable<Sabotage['omit']>, true>;

describe('the SQL that is deployed', () => {
  it('holds no trace of a breakpoint or of dawdling', () => {
    expect(generated()).not.toMatch(/test\.|pg_sleep|\bnap\b/);
    expect(generated({})).toBe(generated());
  });

  it('is what is left when every breakpoint is taken out again, to the byte', () => {
    const halted = generated({ breakpoints: true });
    const without = halted
      .replaceAll(/ PERFORM test\.breakpoint\('[^']+'\);/g, '')
      .replace("nap AS MATERIALIZED (SELECT test.breakpoint('apply: read') FROM (SELECT count(*) FROM src) s),", '')
      .replaceAll('FROM src, nap', 'FROM src')
      .replaceAll('USING src, nap', 'USING src');
    expect(without).toBe(generated());
  });

  it('has every named breakpoint exactly once', () => {
    const named = [...generated({ breakpoints: true }).matchAll(/test\.breakpoint\('([^']+)'\)/g)].map(
      ([, name]) => name,
    );
    expect(named.sort()).toEqual([...BREAKPOINTS].sort());
  });

  it.each(Object.keys(OMITTED) as (keyof typeof OMITTED)[])('differs without %s: the switch is live', (omit) => {
    expect(generated({ omit })).not.toBe(generated());
  });
});
