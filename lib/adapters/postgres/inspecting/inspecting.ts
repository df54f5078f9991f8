/** What the database says of table cutovers. Reads only. */

import type { Inspecting } from '../../../ports/inspecting.ts';
import { shapeHash } from '../capture/shape.ts';
import type { Roles } from '../connection/roles.ts';
import { tableHealth } from './health.ts';
import { tableProgress } from './inspection.ts';
import { tableStatuses } from './statuses.ts';

export function postgresInspecting({ runtime, owner }: Roles): Inspecting {
  return {
    status: async (id) => (await tableStatuses(runtime, [id])).get(id) ?? null,
    statuses: (ids) => tableStatuses(runtime, ids),
    health: (cutover) => tableHealth(runtime, owner, cutover),
    shapeHash: (cutover) => shapeHash(owner, cutover),
    progress: (ids) => tableProgress(runtime, ids),
  };
}
