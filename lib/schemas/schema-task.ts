/** What the function `schema` is asked for. Deployers call it, and no route leads to it. */

import * as z from 'zod';

/** `look`: which migration is there, and where the API is. `uninstall`: drops the schema unless a cutover stands; with `dryRun` it says what stands. */
export const schemaTask = z.discriminatedUnion('task', [
  z.strictObject({ task: z.literal('migrate') }),
  z.strictObject({ task: z.literal('look') }),
  z.strictObject({ task: z.literal('uninstall'), dryRun: z.boolean().default(false) }),
]);
export type SchemaTask = z.input<typeof schemaTask>;
