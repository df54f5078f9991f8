/**
 * Requests for the publisher and its answers, as items of the state table: the stream of the table brings a request there, and its caller
 * looks for the answer. What is asked and answered is packed JSON.
 */

import { PutCommand } from '@aws-sdk/lib-dynamodb';
import type { Clock, Ids } from '../../ports/machine.ts';
import { DEFAULT_CALL_DEADLINE_MS } from './client.ts';
import { attempt, type Target } from './failures.ts';
import { ANSWERED, ASKED, askedPlace } from './keys.ts';
import { packed, unpacked } from './packed-json.ts';
import { queryItems, readItem } from './state-items.ts';

export type PublisherRequestOptions = Pick<Target, 'client' | 'tableName'> & {
  /** Real epoch milliseconds. */
  realNow(): number;
  requestTimeoutMs?: number;
};

type Kind = 'flags' | 'alarms' | 'check';

/** No caller waits longer. */
const WAITED_FOR_MS = 60_000;
const LIFE_SECONDS = 3_600;
const POLL_MS = 100;

const targetOf = (options: PublisherRequestOptions): Target => ({
  requestTimeoutMs: DEFAULT_CALL_DEADLINE_MS,
  ...options,
});
const expiry = (realMs: number): number => Math.floor(realMs / 1_000) + LIFE_SECONDS;

/** The end of functions beside the database: leaves a request and waits for its answer, as JSON text; null without one. */
export function askPublisher(
  options: PublisherRequestOptions & { ids: Ids; clock: Pick<Clock, 'monotonicMs' | 'sleep'> },
) {
  const target = targetOf(options);
  const { clock, ids, realNow } = options;
  return async (kind: Kind, what: object, times: { deadlineMs: number; waitMs?: number }): Promise<unknown> => {
    const { deadlineMs, waitMs = deadlineMs } = times;
    const sk = `${askedPlace(realNow())}#${ids.next()}`;
    const Item = {
      pk: ASKED,
      sk,
      kind,
      body: packed(what),
      untilMs: realNow() + deadlineMs,
      expires_at: expiry(realNow()),
    };
    const command = new PutCommand({ TableName: target.tableName, Item });
    await attempt(target, 'ask the publisher', (call) => target.client.send(command, call));
    const untilMs = clock.monotonicMs() + waitMs;
    while (clock.monotonicMs() < untilMs) {
      await clock.sleep(POLL_MS);
      const item = await readItem(target, 'read the answer of the publisher', { pk: ANSWERED, sk });
      if (item) return unpacked(item.body);
    }
    return null;
  };
}

export type OpenRequest = { id: string; kind: unknown; body: unknown; untilMs: number };

/** The publisher's end. */
export function publisherRequests(options: PublisherRequestOptions) {
  const target = targetOf(options);
  const { realNow } = options;

  const since = (partition: string) =>
    queryItems(target, 'read the requests for the publisher', {
      KeyConditionExpression: 'pk = :pk AND sk >= :from',
      ExpressionAttributeValues: { ':pk': partition, ':from': askedPlace(realNow() - WAITED_FOR_MS) },
    });

  return {
    /** Of some kinds: not answered, and still waited for; oldest first. `body` is JSON text, where it is one of ours. */
    async open(...kinds: Kind[]): Promise<OpenRequest[]> {
      const asked = (await since(ASKED)).filter(({ kind }) => kinds.includes(kind as Kind));
      if (asked.length === 0) return [];
      const answered = new Set((await since(ANSWERED)).map(({ sk }) => sk));
      return asked.flatMap(({ sk, kind, body, untilMs }) =>
        answered.has(sk) || !(Number(untilMs) > realNow())
          ? []
          : [{ id: String(sk), kind, body: unpacked(body), untilMs: Number(untilMs) }],
      );
    },
    async answer(id: string, answer: object): Promise<void> {
      const Item = { pk: ANSWERED, sk: id, body: packed(answer), expires_at: expiry(realNow()) };
      const command = new PutCommand({ TableName: target.tableName, Item });
      await attempt(target, `answer request '${id}'`, (call) => target.client.send(command, call));
    },
  };
}
