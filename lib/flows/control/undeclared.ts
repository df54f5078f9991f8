/**
 * Cutovers that were taken out of the configuration while they are under way, or completed and not cleaned up. Nothing carries
 * them on: they are held as they are, and readers keep the flags that they have, until they are declared again and ended.
 */

import type { CutoverDeclaration, CutoverState } from '../../core/cutover/cutover.ts';
import { syncsShadow } from '../../core/cutover/stage-kinds.ts';
import type { FlagDocument } from '../../core/routing/flags.ts';
import type { Ports } from '../../ports/ports.ts';

/** @param states as stored, all of them */
export function undeclaredIn(
  states: Iterable<CutoverState | { id: string; invalid: string }>,
  declarations: readonly CutoverDeclaration[],
): CutoverState[] {
  const declared = new Set(declarations.map(({ id }) => id));
  return [...states].filter(
    (state): state is CutoverState => !declared.has(state.id) && !('invalid' in state) && syncsShadow(state),
  );
}

/** Of the status: only when there are any. */
export type UndeclaredReport = { undeclared?: readonly { id: string; stage: string }[] };

export function reportUndeclared(...given: Parameters<typeof undeclaredIn>): UndeclaredReport {
  const found = undeclaredIn(...given).map(({ id, stage }) => ({ id, stage }));
  return found.length > 0 ? { undeclared: found } : {};
}

/** Says them, and returns their flags as they are deployed. */
export function holdUndeclared(
  ports: Pick<Ports, 'log' | 'metrics'>,
  undeclared: readonly CutoverState[],
  deployed: FlagDocument | null | undefined,
): FlagDocument['cutovers'] {
  ports.metrics.record('Undeclared', undeclared.length);
  for (const { id, stage } of undeclared) ports.log.event('cutover_undeclared', { cutover: id, stage });
  const flags = undeclared.flatMap(({ id }) => {
    const flag = deployed?.cutovers[id];
    return flag ? [[id, flag] as const] : [];
  });
  return Object.fromEntries(flags);
}
