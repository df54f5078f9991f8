/** The flag document: what is deployed, and its next version. */

import type { FlagDocument } from '../core/routing/flags.ts';

export type FlagPublisher = {
  /** What is deployed now, and the number of the newest stored version (0 when none). */
  deployed(): Promise<{ document: FlagDocument | null; latestVersion: number }>;
  /**
   * Stores a version fenced on `latestVersion` and deploys it, 0 minutes, 100 %, 0 bake. `urgent` stops a running
   * deployment first. Waits for completion until the deadline.
   */
  publish(request: {
    document: FlagDocument;
    latestVersion: number;
    urgent: boolean;
    deadlineMs: number;
  }): Promise<
    { kind: 'published'; version: number } | { kind: 'conflict'; why: string } | { kind: 'unavailable'; why: string }
  >;
};

/** What was deployed when the publisher last looked, however long ago; null before its first look, and when nothing was deployed. */
export type FlagSightings = {
  /** Consistent. @throws CrossfadeError `store_unavailable`, `state_invalid` */
  last(): Promise<FlagDocument | null>;
};
