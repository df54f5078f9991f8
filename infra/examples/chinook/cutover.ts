/** Chinook's `customer` moves to a new shape: a rename, two type changes, a computed, an added and a dropped column. */

import type { CutoverInput } from '../../../lib/define/cutovers.ts';

export const customerCutover = {
  id: 'customer',
  kind: 'table',
  primary: 'public.customer',
  shadow: 'public.customer_v2',
  columns: {
    // customer_id integer → bigint and postal_code varchar(10) → text follow from the tables themselves.
    company_name: { from: 'company' },
    full_name: { sql: "first_name || ' ' || last_name" },
    loyalty_tier: { added: true },
  },
} satisfies CutoverInput;
