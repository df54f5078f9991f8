import type { Verdict } from '../conditions/verdict.ts';
import type { Observations } from '../cutover/criterion.ts';
import type { Evidence } from './evidence.ts';

/** The flags that carried a state of the cutover, and when a tick first saw them deployed. */
export type FlagsSeen = {
  /** Of the state. */
  version: number;
  epoch: number;
  /** The number that the flags have where they are deployed. */
  flags: number;
  atMs: number;
};

/**
 * The verdict of a tick as it is stored, with the evidence that the next one goes on from; null when it cannot be used. And what
 * was seen of criteria, which are not all asked in every tick.
 */
export type StoredVerdict = {
  atMs: number;
  verdict: Verdict;
  evidence: Evidence | null;
  observations?: Observations | undefined;
  /** Of its last states, oldest first. */
  flagsSeen?: readonly FlagsSeen[] | undefined;
};
