/**
 * A fuzz that is guided by what it reaches. An input that takes a branch which none before it has taken is kept, and is broken further:
 * what lies behind several conditions is found one condition at a time.
 */

import fc from 'fast-check';
import { type Fault, sourceMutant } from '../helpers/source-mutant.ts';
import { type Branches, noteBranches } from './branches.ts';
import { breaking, broken } from './broken.ts';
import type { Reader } from './readers.ts';

const FILE = 'test/fuzz/readers.ts';
/** Inputs that are drawn at once. */
const BATCH = 256;

export type Fuzzed = {
  inputs: number;
  /** The seeds among them. */
  kept: number;
  /** The first input for which the reader does not hold. */
  finding: { input: string; error: string } | null;
};

type Readers = Readonly<Record<string, Reader>>;

/** The readers, compiled so that they note their branches. */
export async function guidedReaders(faults: readonly Fault[]): Promise<{ readers: Readers; branches: Branches }> {
  const branches = noteBranches();
  const { READERS } = await sourceMutant<{ READERS: Readers }>([FILE], faults, branches.note);
  return { readers: READERS, branches };
}

/**
 * Tries so many inputs, or fewer when one does not hold. The same seed tries the same ones.
 * @param branches null: only the seeds are broken
 */
export function fuzz(
  { seeds, readsText, holds }: Reader,
  { seed, inputs }: { seed: number; inputs: number },
  branches: Branches | null,
): Fuzzed {
  const kept = [...seeds];
  for (const text of seeds) holds(text);
  const reached = new Set(branches?.taken());
  let tried = 0;
  for (const { parent, how } of drawn(readsText, seed, inputs)) {
    const input = broken(kept[parent % kept.length]!, how);
    tried += 1;
    try {
      holds(input);
    } catch (error) {
      return { inputs: tried, kept: kept.length, finding: { input, error: String((error as Error)?.stack ?? error) } };
    }
    const more = branches?.taken().filter((branch) => !reached.has(branch)) ?? [];
    if (more.length > 0) kept.push(input);
    for (const branch of more) reached.add(branch);
  }
  return { inputs: tried, kept: kept.length, finding: null };
}

/** Which of the kept inputs is broken, and how. */
function* drawn(cut: boolean, seed: number, inputs: number) {
  const one = fc.record({ parent: fc.nat(), how: breaking(cut) });
  for (let from = 0; from < inputs; from += BATCH)
    yield* fc.sample(one, { seed: seed + from, numRuns: Math.min(BATCH, inputs - from) });
}
