/** Requests for flags in memory: both ends, checked by the same contract suite as those on DynamoDB. */

import { CrossfadeError } from '../../../lib/core/base/errors.ts';
import type { FlagAnswer, FlagRequest, FlagRequests, FlagSighting } from '../../../lib/ports/flag-requests.ts';
import type { FlagPublisher, FlagSightings } from '../../../lib/ports/flags.ts';

export type InMemoryRequests = {
  /** What functions beside the database have for flags. */
  asked: FlagPublisher;
  sightings: FlagSightings;
  /** The publisher's end. */
  requests: FlagRequests;
  /** How often an answer was waited for in vain. */
  waited(): number;
};

const AWAY_AFTER_MS = 150_000;

/** @param wake what the stream does: runs the publisher, or does nothing while it is away */
export function inMemoryRequests(realNow: () => number, wake: () => Promise<unknown>): InMemoryRequests {
  const open = new Map<string, FlagRequest>();
  const answers = new Map<string, FlagAnswer>();
  let sighting: FlagSighting | null = null;
  let silentAfterMs: number | null = null;
  let waited = 0;
  let last = 0;
  return {
    waited: () => waited,
    asked: {
      async deployed() {
        if (!sighting || realNow() - sighting.atMs > AWAY_AFTER_MS)
          throw new CrossfadeError(
            'flags_unavailable',
            'Which flags are deployed is not known: it waits for the publisher.',
            { retryable: true },
          );
        return { document: sighting.document, latestVersion: sighting.latestVersion };
      },
      async publish({ document, urgent, deadlineMs }) {
        const seenMs = sighting?.atMs ?? 0;
        last += 1;
        const id = String(last);
        open.set(id, structuredClone({ id, document, urgent, untilMs: realNow() + deadlineMs }));
        await wake();
        const answer = answers.get(id);
        if (!answer) {
          if (silentAfterMs !== seenMs) waited += 1;
          silentAfterMs = seenMs;
          return { kind: 'unavailable', why: 'It waits for the publisher, which has not answered.' };
        }
        silentAfterMs = null;
        if (answer.kind === 'too_large') throw new CrossfadeError('flags_too_large', answer.why);
        return answer;
      },
    },
    sightings: { last: async () => sighting?.document ?? null },
    requests: {
      open: async () => [...open.values()].filter(({ id, untilMs }) => untilMs > realNow() && !answers.has(id)),
      answer: async (id, answer) => void answers.set(id, answer),
      async note(one) {
        if (!sighting || sighting.atMs <= one.atMs) sighting = structuredClone(one);
      },
    },
  };
}
