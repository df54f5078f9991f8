/** CloudWatch metrics as log lines in the embedded metric format, through Powertools. */

import { type MetricUnit, Metrics as Powertools } from '@aws-lambda-powertools/metrics';
import TABLE from '../../../infra/metrics.json' with { type: 'json' };
import type { MetricName, Metrics } from '../../ports/machine.ts';

type Unit = (typeof MetricUnit)[keyof typeof MetricUnit];
const ROWS = TABLE.metrics as Readonly<Record<MetricName, { unit: string }>>;

/**
 * The alarms of the same table watch these by namespace and service; the service is POWERTOOLS_SERVICE_NAME, as they name it.
 * POWERTOOLS_METRICS_DISABLED is set where no alarm watches: in the local stack.
 */
export function cloudWatchMetrics(): Metrics {
  const metrics = new Powertools({ namespace: TABLE.namespace });
  return {
    record: (name, value) => void metrics.addMetric(name, ROWS[name].unit as Unit, value),
    flush: () => {
      // Powertools warns of a flush without metrics, and most requests have none.
      if (!metrics.hasStoredMetrics()) return;
      try {
        metrics.publishStoredMetrics();
      } catch {
        // Figures that cannot be written must not fail the work they describe.
      }
    },
  };
}
