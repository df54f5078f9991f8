/** new-cluster: a table of orders goes to another cluster, of another major version. */

import { type CutoverInput, defineCutovers } from '../../../lib/define/cutovers.ts';

export const newClusterCutovers = [
  {
    id: 'orders',
    kind: 'table',
    primary: 'public.orders',
    shadow: { connection: 'new', table: 'public.orders' },
  },
] satisfies CutoverInput[];

export default defineCutovers(newClusterCutovers);
