/**
 * One batch of stream records, in order. Stops at the first record that could not be served and reports exactly that
 * one, so that Lambda starts again there. Malformed records are counted and done with: they name nothing to serve.
 */

import type { CutoverDeclaration } from '../core/cutover.ts';
import type { Ports, WakeUp } from '../ports.ts';
import { applyCopies, type CopyPorts } from './apply-copies.ts';
import { converge } from './converge.ts';

export type ServedBatch = { served: number; malformed: number; firstFailure: string | null };

type Needs = Parameters<typeof converge>[0] & CopyPorts;

/** Copies call servers of other people: no batch waits longer for them. What is left is woken again by the relay. */
const COPIES_MS = 20_000;

export async function serveWakeUps(
  ports: Needs & Pick<Ports, 'log'>,
  declarations: readonly CutoverDeclaration[],
  wakeUps: readonly WakeUp[],
  deadlineMs: number,
): Promise<ServedBatch> {
  const declared = new Map(declarations.map((declaration) => [declaration.id, declaration]));
  const emptied = new Set<string>();
  let served = 0;
  let malformed = 0;
  for (const { sequenceNumber, cutover } of wakeUps) {
    const declaration = cutover === null ? undefined : declared.get(cutover);
    if (!declaration) {
      malformed += 1;
      ports.log.event('wakeup_malformed', { sequenceNumber });
      continue;
    }
    try {
      // Later wake-ups of the batch for the same cutover were written before this call: it has seen what they mean.
      const outOfTime = emptied.has(declaration.id) ? false : await serve(ports, declaration, deadlineMs);
      if (outOfTime) return { served, malformed, firstFailure: sequenceNumber };
      emptied.add(declaration.id);
      served += 1;
    } catch (error) {
      ports.log.failure('converge_failed', error, { cutover: declaration.id });
      return { served, malformed, firstFailure: sequenceNumber };
    }
  }
  return { served, malformed, firstFailure: null };
}

/** True when the time was up before everything was done. */
async function serve(ports: Needs, declaration: CutoverDeclaration, deadlineMs: number): Promise<boolean> {
  if (declaration.kind === 'table') return (await converge(ports, declaration.id, deadlineMs)).outOfTime;
  await applyCopies(ports, declaration, Math.min(deadlineMs, ports.clock.monotonicMs() + COPIES_MS));
  return false;
}
