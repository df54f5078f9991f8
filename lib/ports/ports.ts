/**
 * What the flows need from the outside world, by subject. Types only; adapters implement them, tests have in-memory ones.
 * A flow names the ports that it uses: `Pick<Ports, 'state' | 'swapping'>`. A port has at most seven methods.
 */

import type { AlertStore } from './alerts.ts';
import type { Capture } from './capture.ts';
import type { Converging } from './converging.ts';
import type { Copying } from './copying.ts';
import type { CriteriaSources } from './criteria.ts';
import type { CustomMetricStore } from './custom-metrics.ts';
import type { ExperimentStore } from './experiments.ts';
import type { FlagPublisher, FlagSightings } from './flags.ts';
import type { ForwardPorts } from './forwards.ts';
import type { Inspecting } from './inspecting.ts';
import type { Clock, Ids, Log, Metrics } from './machine.ts';
import type { StateStore, VerdictStore } from './state.ts';
import type { Swapping } from './swapping.ts';
import type { TableSwitches } from './switches.ts';
import type { Verifying } from './verifying.ts';
import type { WakeUps } from './wake-ups.ts';
import type { WindowStore } from './windows.ts';

/** Live tables, in one database. */
export type TablePorts = {
  capture: Capture;
  switches: TableSwitches;
  copying: Copying;
  converging: Converging;
  verifying: Verifying;
  swapping: Swapping;
  inspecting: Inspecting;
};

export type Ports = TablePorts &
  ForwardPorts & {
    clock: Clock;
    ids: Ids;
    log: Log;
    metrics: Metrics;
    state: StateStore;
    verdicts: VerdictStore;
    windows: WindowStore;
    wakeUps: WakeUps;
    flags: FlagPublisher;
    sightings: FlagSightings;
    alerts: AlertStore;
    criteria: CriteriaSources;
    customMetrics: CustomMetricStore;
    experiments: ExperimentStore;
  };
