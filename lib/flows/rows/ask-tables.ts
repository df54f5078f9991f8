/**
 * The status of many tables, asked for once: a question for each would take longer than a tick or a command may. Who needs the
 * status of one takes it from the answer.
 */

import type { CutoverDeclaration, CutoverId } from '../../core/cutover/cutover.ts';
import type { TableStatus } from '../../core/gates/table-status.ts';
import type { Ports } from '../../ports/ports.ts';

/** `null` for a cutover that the database does not know. @throws for each one what the question failed with */
export type TablesAsked = (id: CutoverId) => TableStatus | null;

/** Asks for the tables among these cutovers. Does not reject. */
export async function askTables(
  ports: Pick<Ports, 'inspecting'>,
  cutovers: readonly Pick<CutoverDeclaration, 'id' | 'kind'>[],
): Promise<TablesAsked> {
  const ids = cutovers.filter(({ kind }) => kind === 'table').map(({ id }) => id);
  if (ids.length === 0) return () => null;
  try {
    const found = await ports.inspecting.statuses(ids);
    return (id) => found.get(id) ?? null;
  } catch (error) {
    return () => {
      throw error;
    };
  }
}
