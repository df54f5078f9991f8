/** The machine that runs the flows: its clock, its ids, its log and its figures. */

import type TABLE from '../../infra/metrics.json';

export type Clock = {
  /** Epoch milliseconds, accelerated in a local demonstration. One flow takes one "now" from here and passes it on. */
  now(): number;
  /** Real milliseconds since some moment, for durations, deadlines and ages; those in which a Lambda was frozen count. */
  monotonicMs(): number;
  /** Real time. */
  sleep(ms: number): Promise<void>;
};

export type Ids = { next(): string };

/** Structured log of the flows: named events with fields from an allow-list, never row values. */
export type Log = {
  event(name: string, fields?: Readonly<Record<string, string | number | boolean | null>>): void;
  failure(name: string, error: unknown, fields?: Readonly<Record<string, string | number | boolean | null>>): void;
};

/** Figures for alarms and dashboards of CloudWatch: the rows of infra/metrics.json, where each is explained. The gates never read them. */
export type MetricName = keyof typeof TABLE.metrics;

export type Metrics = {
  record(name: MetricName, value: number): void;
  /** Sends what was recorded; at the end of every invocation. Never throws. */
  flush(): void;
};
