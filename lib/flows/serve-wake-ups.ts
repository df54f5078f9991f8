/**
 * One batch of stream records, in order. Stops at the first record that could not be served and reports exactly that
 * one, so that Lambda starts again there. Malformed records are counted and done with: they name nothing to serve.
 */

import type { CutoverDeclaration } from '../core/cutover.ts';
import { CrossfadeError } from '../core/errors.ts';
import type { Ports, ReadToCompare, Upstream, WakeUp } from '../ports.ts';
import { applyCopies, type CopyPorts } from './apply-copies.ts';
import { compareRead } from './compare-reads.ts';
import { converge } from './converge.ts';

export type ServedBatch = { served: number; malformed: number; firstFailure: string | null };

type Needs = Parameters<typeof converge>[0] & CopyPorts;

/** Copies call servers of other people: no batch waits longer for them. What is left is woken again by the relay. */
const COPIES_MS = 20_000;
const COMPARED_PER_BATCH = 10;
/** Two looks of both sides. */
const COMPARE_MS = 5_000;

export async function serveWakeUps(
  ports: Needs & Pick<Ports, 'log'>,
  declarations: readonly CutoverDeclaration[],
  wakeUps: readonly WakeUp[],
  deadlineMs: number,
  upstream: () => Promise<Upstream> = async () => unreachable,
): Promise<ServedBatch> {
  const declared = new Map(declarations.map((declaration) => [declaration.id, declaration]));
  const emptied = new Set<string>();
  let served = 0;
  let malformed = 0;
  let compared = 0;
  for (const { sequenceNumber, cutover, read } of wakeUps) {
    const declaration = cutover === null ? undefined : declared.get(cutover);
    if (!declaration) {
      malformed += 1;
      ports.log.event('wakeup_malformed', { sequenceNumber });
      continue;
    }
    if (read) {
      served += 1;
      compared += 1;
      // A sample may be smaller, never late: what waits behind it are writes.
      if (compared <= COMPARED_PER_BATCH) await compareOne(ports, declaration, read, deadlineMs, upstream);
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

/** A comparison that does not come about is one less; it keeps nothing else from being served. */
async function compareOne(
  ports: Needs,
  declaration: CutoverDeclaration,
  read: ReadToCompare,
  deadlineMs: number,
  upstream: () => Promise<Upstream>,
): Promise<void> {
  if (declaration.kind !== 'service') return;
  try {
    const untilMs = Math.min(deadlineMs, ports.clock.monotonicMs() + COMPARE_MS);
    await compareRead({ ...ports, upstream: await upstream() }, declaration, read, untilMs);
  } catch (error) {
    ports.log.failure('not_compared', error, { cutover: declaration.id });
  }
}

const unreachable: Upstream = async () => {
  throw new CrossfadeError('upstream_unavailable', 'No upstream can be called from here.', {
    details: { sent: false },
  });
};
