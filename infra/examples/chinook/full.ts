/** Eight tables of Chinook that refer to each other, one of them to itself. shadow.sql and shadow-full.sql make their new shapes. */

import type { CutoverInput } from '../../../lib/define/cutovers.ts';
import { customerCutover } from './cutover.ts';

type Columns = Extract<CutoverInput, { kind: 'table' }>['columns'];

const table = (id: string, columns: NonNullable<Columns>): CutoverInput => ({
  id,
  kind: 'table',
  primary: `public.${id}`,
  shadow: `public.${id}_v2`,
  columns,
});

/** In no particular order: each moves on its own, whatever the others are doing. */
export const chinookCutovers: CutoverInput[] = [
  customerCutover,
  table('employee', { active: { added: true } }),
  table('artist', { sort_name: { sql: 'lower(name)', after: 'application' } }),
  table('album', { released: { added: true } }),
  table('track', { seconds: { sql: 'milliseconds / 1000.0', after: 'application' } }),
  table('invoice', { currency: { added: true } }),
  table('invoice_line', { amount: { sql: 'unit_price * quantity', after: 'application' } }),
  // Its shadow begins with the other key column: the application names its columns.
  { ...table('playlist_track', { added_at: { added: true } }), columnOrder: 'notice' } as CutoverInput,
];
