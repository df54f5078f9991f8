/** Looks at alarms and asks HTTP checks for the tick, which has no way to them. */

import { CrossfadeError } from '../../core/base/errors.ts';
import type { CriteriaAnswer, CriteriaRequest, CriteriaRequests } from '../../ports/criteria.ts';
import type { Ports } from '../../ports/ports.ts';
import { withConcurrencyLimit } from '../calls/concurrency-limit.ts';

export type AnswerPorts = Pick<Ports, 'criteria' | 'log' | 'realNow'> & { criteriaRequests: CriteriaRequests };

const AT_ONCE = 10;

/** Does not reject: what fails is asked again by the next tick. */
export async function answerCriteria(ports: AnswerPorts): Promise<void> {
  try {
    await withConcurrencyLimit(await ports.criteriaRequests.open(), AT_ONCE, async (request) =>
      ports.criteriaRequests.answer(request.id, await answerTo(ports, request)),
    );
  } catch (error) {
    ports.log.failure('criteria_not_answered', error);
  }
}

async function answerTo({ criteria, realNow }: AnswerPorts, request: CriteriaRequest): Promise<CriteriaAnswer> {
  if (request.kind === 'alarms') return { readings: [...(await criteria.alarms(request.arns))] };
  const timeoutMs = Math.min(request.check.timeoutMs, request.untilMs - realNow());
  try {
    return { status: await criteria.httpCheck({ ...request.check, timeoutMs }, request.question) };
  } catch (error) {
    if (!(error instanceof CrossfadeError)) throw error;
    return { code: error.code, message: error.message };
  }
}
