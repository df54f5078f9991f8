/**
 * Flags for functions that have no way to AppConfig. What is deployed is what the publisher wrote down last; to publish is to leave a
 * request in the state table, whose stream wakes the publisher, and to wait for the answer. No answer means nothing: the request may
 * still be carried out, and the next tick compares again.
 */

import { CrossfadeError } from '../../core/base/errors.ts';
import { MINUTE_MS } from '../../core/base/units.ts';
import { servedForm } from '../../core/routing/flags.ts';
import type { FlagSighting } from '../../ports/flag-requests.ts';
import type { FlagPublisher, FlagSightings } from '../../ports/flags.ts';
import type { Clock, Ids } from '../../ports/machine.ts';
import { flagAnswer, flagSighting } from '../../schemas/publisher-requests.ts';
import { DEFAULT_CALL_DEADLINE_MS } from './client.ts';
import type { Target } from './failures.ts';
import { sightingKey } from './keys.ts';
import { unpacked } from './packed-json.ts';
import { askPublisher, type PublisherRequestOptions } from './publisher-requests.ts';
import { mustBelieve, readItem } from './state-items.ts';

/** It looks every minute, and one look may be missed. */
const AWAY_AFTER_MS = 2.5 * MINUTE_MS;
/** One look for an answer. */
const NO_WAIT_MS = 1;

export function askedFlags(
  options: PublisherRequestOptions & { ids: Ids; clock: Pick<Clock, 'monotonicMs' | 'sleep'> },
): FlagPublisher {
  const target: Target = { requestTimeoutMs: DEFAULT_CALL_DEADLINE_MS, ...options };
  const ask = askPublisher(options);
  /** The sighting after which a request went unanswered: until there is another, no further one is waited for. */
  let silentAfterMs: number | null = null;

  async function sighting(): Promise<FlagSighting> {
    const seen = await lastSighting(target);
    if (!seen) throw away('yet');
    const ageMs = options.realNow() - seen.atMs;
    if (ageMs > AWAY_AFTER_MS) throw away(`for ${Math.floor(ageMs / MINUTE_MS)} minutes`);
    return seen;
  }

  return {
    async deployed() {
      const { document, latestVersion } = await sighting();
      return { document, latestVersion };
    },

    async publish({ document, urgent, deadlineMs }) {
      const seenMs = (await sighting().catch(() => null))?.atMs ?? 0;
      const waitMs = silentAfterMs === seenMs ? NO_WAIT_MS : deadlineMs;
      const body = await ask('flags', { document: servedForm(document), urgent }, { deadlineMs, waitMs });
      silentAfterMs = body === null ? seenMs : null;
      if (body === null)
        return {
          kind: 'unavailable',
          why: `It waits for the publisher, which has not answered within ${waitMs} ms.`,
        };
      const answer = flagAnswer.parse(body);
      if (answer.kind !== 'too_large') return answer;
      throw new CrossfadeError('flags_too_large', answer.why);
    },
  };
}

export function flagSightings(options: Omit<Target, 'requestTimeoutMs'> & Partial<Target>): FlagSightings {
  const target: Target = { requestTimeoutMs: DEFAULT_CALL_DEADLINE_MS, ...options };
  return { last: async () => (await lastSighting(target))?.document ?? null };
}

async function lastSighting(target: Target): Promise<FlagSighting | null> {
  const item = await readItem(target, 'read the deployed flags', sightingKey());
  if (!item) return null;
  return mustBelieve(flagSighting, { ...item, document: unpacked(item.document) }, target, 'deployed flags');
}

function away(since: string): CrossfadeError {
  return new CrossfadeError(
    'flags_unavailable',
    `Which flags are deployed is not known: it waits for the publisher, which writes that down every minute, and has not done so ${since}. Look into the log of the function 'publisher'.`,
    { retryable: true },
  );
}
