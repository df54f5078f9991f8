/** CloudWatch metrics as log lines in the embedded metric format, through Powertools. */

import { MetricUnit, Metrics as Powertools } from '@aws-lambda-powertools/metrics';
import type { MetricName, Metrics } from '../../ports/machine.ts';

const NAMESPACE = 'Crossfade';

/** The alarms of infra/alarms.yml watch these by namespace and service; the service is POWERTOOLS_SERVICE_NAME, as they name it. */
export function cloudWatchMetrics(): Metrics {
  const metrics = new Powertools({ namespace: NAMESPACE });
  return {
    record: (name, value) => void metrics.addMetric(name, unitOf(name), value),
    flush: () => {
      try {
        metrics.publishStoredMetrics();
      } catch {
        // Figures that cannot be written must not fail the work they describe.
      }
    },
  };
}

function unitOf(name: MetricName) {
  return name.endsWith('Ms') ? MetricUnit.Milliseconds : MetricUnit.Count;
}

/** For the local profile: no alarm watches. */
export function noMetrics(): Metrics {
  return { record: () => {}, flush: () => {} };
}
