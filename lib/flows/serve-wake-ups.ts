/**
 * One batch of stream records, in order. Stops at the first record that could not be served and reports exactly that
 * one, so that Lambda starts again there. Malformed records are counted and done with: they name nothing to serve.
 */

import type { CutoverDeclaration } from '../core/cutover.ts';
import type { Ports, WakeUp } from '../ports.ts';
import { converge } from './converge.ts';

export type ServedBatch = { served: number; malformed: number; firstFailure: string | null };

type Needs = Parameters<typeof converge>[0];

export async function serveWakeUps(
  ports: Needs & Pick<Ports, 'log'>,
  declarations: readonly CutoverDeclaration[],
  wakeUps: readonly WakeUp[],
  deadlineMs: number,
): Promise<ServedBatch> {
  const tables = new Set(declarations.filter((d) => d.kind === 'table').map((d) => d.id));
  const emptied = new Set<string>();
  let served = 0;
  let malformed = 0;
  for (const { sequenceNumber, cutover } of wakeUps) {
    if (cutover === null || !tables.has(cutover)) {
      malformed += 1;
      ports.log.event('wakeup_malformed', { sequenceNumber });
      continue;
    }
    try {
      // Later wake-ups of the batch for the same cutover were written before this call: it has seen their hints.
      const result = emptied.has(cutover) ? null : await converge(ports, cutover, deadlineMs);
      if (result?.outOfTime) return { served, malformed, firstFailure: sequenceNumber };
      emptied.add(cutover);
      served += 1;
    } catch (error) {
      ports.log.failure('converge_failed', error, { cutover });
      return { served, malformed, firstFailure: sequenceNumber };
    }
  }
  return { served, malformed, firstFailure: null };
}
