/** One small cutover for tests of generated SQL: a key that grows, two columns that stay, and one that only the shadow has. */

import type { ColumnShape, TableShape } from '../../lib/core/table/shape.ts';
import type { Flow } from '../../lib/core/table/sql/names.ts';
import { compileTransform } from '../../lib/core/table/transform.ts';

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

/** Both directions: `forward` before promotion, `reverse` after it. */
export function seatDirections(): { forward: Flow; reverse: Flow } {
  const declaration = { primary: 'public.seat', shadow: 'public.seat_v2', columns: { tier: { added: true as const } } };
  const compiled = compileTransform(PRIMARY, SHADOW, declaration);
  if (!compiled.ok) throw new Error(compiled.problems.join('; '));
  return {
    forward: { id: 'seat', source: PRIMARY, target: SHADOW, mapping: compiled.forward },
    // As they are called then.
    reverse: {
      id: 'seat',
      source: { ...SHADOW, name: 'seat' },
      target: { ...PRIMARY, name: 'seat_old' },
      mapping: compiled.reverse,
    },
  };
}
