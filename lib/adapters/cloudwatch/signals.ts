/** What CloudWatch knows of a deployment: the alarms that it made, by their names, and whether one of its metrics arrives. */

import { type CloudWatchClient, DescribeAlarmsCommand, GetMetricStatisticsCommand } from '@aws-sdk/client-cloudwatch';
import { inBatches } from '../../core/base/in-batches.ts';

const AT_ONCE = 100;
const MINUTE_S = 60;

export type NamedAlarm = { name: string; state: string; reason: string };

/** Those of the names that there are. @throws the client's error */
export async function alarmsNamed(client: CloudWatchClient, names: readonly string[]): Promise<NamedAlarm[]> {
  const answers = await Promise.all(
    inBatches(names, AT_ONCE).map((batch) =>
      client.send(new DescribeAlarmsCommand({ AlarmNames: [...batch], MaxRecords: AT_ONCE })),
    ),
  );
  return answers.flatMap(({ MetricAlarms = [] }) =>
    MetricAlarms.map(({ AlarmName = '', StateValue = '', StateReason = '' }) => ({
      name: AlarmName,
      state: StateValue,
      reason: StateReason,
    })),
  );
}

/** One metric of ours, of one deployment. */
export type OwnMetric = { namespace: string; name: string; dimension: string; service: string };

/**
 * The last minute with a value, in epoch ms at its beginning; null when there is none in that time.
 * @throws the client's error
 */
export async function lastMinuteOf(
  client: CloudWatchClient,
  { namespace, name, dimension, service }: OwnMetric,
  { fromMs, toMs }: { fromMs: number; toMs: number },
): Promise<number | null> {
  const { Datapoints = [] } = await client.send(
    new GetMetricStatisticsCommand({
      Namespace: namespace,
      MetricName: name,
      Dimensions: [{ Name: dimension, Value: service }],
      StartTime: new Date(fromMs),
      EndTime: new Date(toMs),
      Period: MINUTE_S,
      Statistics: ['Sum'],
    }),
  );
  const seen = Datapoints.flatMap(({ Timestamp, Sum = 0 }) => (Timestamp && Sum > 0 ? [Timestamp.getTime()] : []));
  return seen.length === 0 ? null : Math.max(...seen);
}
