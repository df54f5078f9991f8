/** partitioning: a plain table of orders becomes one that is partitioned by month. */

import { type CutoverInput, defineCutovers } from '../../../lib/define/cutovers.ts';

export const partitioningCutovers = [
  { id: 'orders', kind: 'table', primary: 'public.orders', shadow: 'public.orders_by_month' },
] satisfies CutoverInput[];

export default defineCutovers(partitioningCutovers);
