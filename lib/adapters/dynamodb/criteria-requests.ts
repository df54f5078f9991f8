/** Questions of the tick about criteria that lie outside of the database's network: the tick's end, and the publisher's. */

import { CrossfadeError } from '../../core/base/errors.ts';
import type { CriteriaRequest, CriteriaRequests, CriteriaSources } from '../../ports/criteria.ts';
import type { Clock, Ids } from '../../ports/machine.ts';
import { alarmsAnswer, alarmsRequest, checkAnswer, checkRequest } from '../../schemas/publisher-requests.ts';
import { askPublisher, type PublisherRequestOptions, publisherRequests } from './publisher-requests.ts';

/** For all alarms of a tick. */
const ALARMS_MS = 5_000;
/** Beside the time that the check itself may take: the way there and back. */
const WAY_MS = 2_000;

export function askedCriteria(
  options: PublisherRequestOptions & { ids: Ids; clock: Pick<Clock, 'monotonicMs' | 'sleep'> },
): CriteriaSources {
  const ask = askPublisher(options);
  return {
    async alarms(arns) {
      const body = await ask('alarms', { arns }, { deadlineMs: ALARMS_MS });
      if (body === null) throw unanswered(ALARMS_MS);
      return new Map(alarmsAnswer.parse(body).readings);
    },
    async httpCheck(check, question) {
      const deadlineMs = check.timeoutMs + WAY_MS;
      const body = await ask('check', { check, question }, { deadlineMs });
      if (body === null) throw unanswered(deadlineMs);
      const answer = checkAnswer.parse(body);
      if ('status' in answer) return answer.status;
      throw new CrossfadeError(answer.code, answer.message);
    },
  };
}

const unanswered = (ms: number) =>
  new CrossfadeError('upstream_timeout', `It waits for the publisher, which has not answered within ${ms} ms.`, {
    retryable: true,
  });

export function dynamoCriteriaRequests(options: PublisherRequestOptions): CriteriaRequests {
  const { open, answer } = publisherRequests(options);
  return {
    answer,
    async open() {
      // One that cannot be read is not answered, and keeps no other waiting.
      return (await open('alarms', 'check')).flatMap(({ id, kind, body, untilMs }): CriteriaRequest[] => {
        if (kind === 'alarms') {
          const read = alarmsRequest.safeParse(body);
          return read.success ? [{ id, untilMs, kind, ...read.data }] : [];
        }
        const read = checkRequest.safeParse(body);
        return read.success ? [{ id, untilMs, kind: 'check', ...read.data }] : [];
      });
    },
  };
}
