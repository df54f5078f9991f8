/**
 * Alarms of CloudWatch by ARN. A question names at most 100 alarms of one region. An answer is an alarm only under the very ARN
 * that was asked for: an alarm of the same name in another account is another alarm.
 */

import { type CloudWatchClient, DescribeAlarmsCommand } from '@aws-sdk/client-cloudwatch';
import { inBatches } from '../../core/base/in-batches.ts';
import type { AlarmReading } from '../../core/cutover/criterion.ts';
import type { CriteriaSources } from '../../ports/criteria.ts';

const AT_ONCE = 100;
const TIMEOUT_MS = 4_000;

export type AlarmOptions = {
  /** One client a region. */
  client: (region: string) => CloudWatchClient;
  timeoutMs?: number;
};

type Place = { region: string; name: string };

/** `arn:aws:cloudwatch:REGION:ACCOUNT:alarm:NAME`; a name may have colons. */
function placeOf(arn: string): Place {
  const [, , , region = '', , , ...name] = arn.split(':');
  return { region, name: name.join(':') };
}

export function cloudWatchAlarms({ client, timeoutMs = TIMEOUT_MS }: AlarmOptions): CriteriaSources['alarms'] {
  return async (arns) => {
    const regions = [...new Set(arns.map((arn) => placeOf(arn).region))];
    const asked = regions.flatMap((region) =>
      inBatches(
        arns.filter((arn) => placeOf(arn).region === region),
        AT_ONCE,
      ).map((batch) => [region, batch] as const),
    );
    const answers = await Promise.all(asked.map(([region, batch]) => read(client, region, batch, timeoutMs)));
    return new Map(answers.flat());
  };
}

async function read(
  client: AlarmOptions['client'],
  region: string,
  arns: readonly string[],
  timeoutMs: number,
): Promise<[string, AlarmReading][]> {
  const command = new DescribeAlarmsCommand({
    AlarmNames: arns.map((arn) => placeOf(arn).name),
    AlarmTypes: ['MetricAlarm', 'CompositeAlarm'],
    MaxRecords: AT_ONCE,
  });
  try {
    const found = await client(region).send(command, { abortSignal: AbortSignal.timeout(timeoutMs) });
    const alarms = [...(found.MetricAlarms ?? []), ...(found.CompositeAlarms ?? [])];
    return alarms.flatMap((alarm): [string, AlarmReading][] => {
      const { AlarmArn, StateValue, StateReason = '' } = alarm;
      const since = alarm.StateTransitionedTimestamp ?? alarm.StateUpdatedTimestamp;
      if (!AlarmArn || !arns.includes(AlarmArn)) return [];
      if (!StateValue || !since) return [[AlarmArn, { problem: 'the answer has no state' }]];
      return [[AlarmArn, { state: StateValue, sinceMs: since.getTime(), reason: StateReason }]];
    });
  } catch (error) {
    const problem = error instanceof Error ? `${error.name}: ${error.message}` : String(error);
    return arns.map((arn) => [arn, { problem }]);
  }
}
