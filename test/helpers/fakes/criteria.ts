/** Alarms and HTTP checks in memory. An alarm that was never set is not there; a check that was never set is not reached. */

import { CrossfadeError } from '../../../lib/core/base/errors.ts';
import type { AlarmReading } from '../../../lib/core/cutover/criterion.ts';
import type { CheckQuestion, CriteriaSources } from '../../../lib/ports/criteria.ts';

export type InMemoryCriteria = CriteriaSources & {
  setAlarm(arn: string, reading: AlarmReading | null): void;
  /** A status, or null: nothing answers in time. */
  setCheck(url: string, status: number | null): void;
  /** What checks were asked, oldest first. */
  asked: CheckQuestion[];
};

export function inMemoryCriteria(): InMemoryCriteria {
  const alarms = new Map<string, AlarmReading>();
  const checks = new Map<string, number | null>();
  const asked: CheckQuestion[] = [];
  return {
    asked,
    setAlarm(arn, reading) {
      if (reading) alarms.set(arn, reading);
      else alarms.delete(arn);
    },
    setCheck: (url, status) => void checks.set(url, status),
    async alarms(arns) {
      return new Map(arns.flatMap((arn) => (alarms.has(arn) ? [[arn, alarms.get(arn)!] as const] : [])));
    },
    async httpCheck({ url, timeoutMs }, question) {
      asked.push(question);
      const status = checks.get(url);
      if (status === null)
        throw new CrossfadeError(
          'upstream_timeout',
          `The check ${new URL(url).host} did not answer within ${timeoutMs} ms.`,
        );
      if (status === undefined)
        throw new CrossfadeError(
          'upstream_unavailable',
          `The check ${new URL(url).host} could not be reached or broke off.`,
        );
      return status;
    },
  };
}
