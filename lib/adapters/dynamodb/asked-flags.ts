/**
 * Flags for functions that have no way to AppConfig. What is deployed is what the publisher wrote down last; to publish is to leave a
 * request in the state table, whose stream wakes the publisher, and to wait for the answer. No answer means nothing: the request may
 * still be carried out, and the next tick compares again.
 */

import { PutCommand } from '@aws-sdk/lib-dynamodb';
import { CrossfadeError } from '../../core/base/errors.ts';
import { MINUTE_MS } from '../../core/base/units.ts';
import { servedForm } from '../../core/routing/flags.ts';
import type { FlagAnswer, FlagSighting } from '../../ports/flag-requests.ts';
import type { FlagPublisher } from '../../ports/flags.ts';
import type { Clock, Ids } from '../../ports/machine.ts';
import { flagAnswer, flagSighting } from '../../schemas/flag-requests.ts';
import { DEFAULT_CALL_DEADLINE_MS } from './client.ts';
import { attempt, type Target } from './failures.ts';
import { expiry, type FlagRequestOptions } from './flag-requests.ts';
import { ANSWERED, ASKED, askedPlace, sightingKey } from './keys.ts';
import { packed, unpacked } from './packed-json.ts';
import { mustBelieve, readItem } from './state-items.ts';

/** It looks every minute, and one look may be missed. */
const AWAY_AFTER_MS = 2.5 * MINUTE_MS;
const POLL_MS = 100;

export function askedFlags(
  options: FlagRequestOptions & { ids: Ids; clock: Pick<Clock, 'monotonicMs' | 'sleep'> },
): FlagPublisher {
  const target: Target = { requestTimeoutMs: DEFAULT_CALL_DEADLINE_MS, ...options };
  const { clock, ids, realNow } = options;
  /** The sighting after which a request went unanswered: until there is another, no further one is waited for. */
  let silentAfterMs: number | null = null;

  async function sighting(): Promise<FlagSighting> {
    const item = await readItem(target, 'read the deployed flags', sightingKey());
    if (!item) throw away('yet');
    const whole = { ...item, document: unpacked(item.document) };
    const seen = mustBelieve(flagSighting, whole, target, 'deployed flags');
    const ageMs = realNow() - seen.atMs;
    if (ageMs > AWAY_AFTER_MS) throw away(`for ${Math.floor(ageMs / MINUTE_MS)} minutes`);
    return seen;
  }

  async function answerTo(id: string): Promise<FlagAnswer | null> {
    const item = await readItem(target, 'read the answer of the publisher', { pk: ANSWERED, sk: id });
    return item ? mustBelieve(flagAnswer, item, target, `answer '${id}' of the publisher`) : null;
  }

  return {
    async deployed() {
      const { document, latestVersion } = await sighting();
      return { document, latestVersion };
    },

    async publish({ document, urgent, deadlineMs }) {
      const seenMs = (await sighting().catch(() => null))?.atMs ?? 0;
      const id = `${askedPlace(realNow())}#${ids.next()}`;
      const Item = {
        pk: ASKED,
        sk: id,
        document: packed(servedForm(document)),
        urgent,
        untilMs: realNow() + deadlineMs,
        expires_at: expiry(realNow()),
      };
      const command = new PutCommand({ TableName: target.tableName, Item });
      await attempt(target, 'ask the publisher for flags', (call) => target.client.send(command, call));
      const untilMs = clock.monotonicMs() + (silentAfterMs === seenMs ? POLL_MS : deadlineMs);
      while (clock.monotonicMs() < untilMs) {
        await clock.sleep(POLL_MS);
        const answer = await answerTo(id);
        if (!answer) continue;
        silentAfterMs = null;
        if (answer.kind !== 'too_large') return answer;
        throw new CrossfadeError('flags_too_large', answer.why);
      }
      silentAfterMs = seenMs;
      return {
        kind: 'unavailable',
        why: `It waits for the publisher, which has not answered within ${deadlineMs} ms.`,
      };
    },
  };
}

function away(since: string): CrossfadeError {
  return new CrossfadeError(
    'flags_unavailable',
    `Which flags are deployed is not known: it waits for the publisher, which writes that down every minute, and has not done so ${since}. Look into the log of the function 'publisher'.`,
    { retryable: true },
  );
}
