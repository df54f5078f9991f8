/** What status, alerts and tables say at this moment, as families of figures for a scraper. Reads only. */

import { SEVERITIES } from '../../core/cutover/alert-rule.ts';
import { STAGE_KINDS } from '../../core/cutover/plan.ts';
import { HEALTHS } from '../../core/look/health.ts';
import { type Family, type Sample, stateSamples } from '../../core/report/open-metrics.ts';
import type { AlertList } from '../alerts/alerts.ts';
import type { CutoverReport, SystemReport } from './report.ts';

const SIDES = ['primary', 'shadow'] as const;

type Described = Pick<Family, 'name' | 'unit' | 'help'>;
/** Null: there is no such figure now. */
type Figure<T> = Described & { of(one: T): number | null };

const SYSTEM: readonly Figure<SystemReport>[] = [
  {
    name: 'crossfade_emergency_stop',
    help: '1 while everything is stopped.',
    of: ({ emergencyStop }) => Number(emergencyStop),
  },
  {
    name: 'crossfade_flags_reachable',
    help: '1 while the deployed flags are known.',
    of: ({ flags }) => Number(flags.reachable),
  },
];

const CUTOVER: readonly Figure<CutoverReport>[] = [
  {
    name: 'crossfade_cutover_share_ratio',
    unit: 'ratio',
    help: 'Share of the keys whose reads go to the shadow.',
    of: ({ sharePpm }) => sharePpm / 1_000_000,
  },
  {
    name: 'crossfade_cutover_stage_age_seconds',
    unit: 'seconds',
    help: 'For how long it has been in its stage.',
    of: ({ minutesInStage }) => minutesInStage * 60,
  },
  {
    name: 'crossfade_cutover_unmet_conditions',
    help: 'Conditions that keep it from its next stage.',
    of: ({ verdict }) => verdict.conditions.filter(({ ok }) => !ok).length,
  },
  {
    name: 'crossfade_cutover_validation_ratio',
    unit: 'ratio',
    help: 'Rows that agreed when they were last compared.',
    of: ({ validationScore }) => validationScore,
  },
  {
    name: 'crossfade_table_lag_seconds',
    unit: 'seconds',
    help: 'Age of the oldest change that the shadow has not got yet.',
    of: ({ table }) => (table ? table.lagMs / 1_000 : null),
  },
  {
    name: 'crossfade_table_waiting_changes',
    help: 'Changes that the shadow has not got yet.',
    of: ({ table }) => table?.outboxRows ?? null,
  },
  {
    name: 'crossfade_table_quarantined_keys',
    help: 'Keys that cannot be applied.',
    of: ({ table }) => table?.quarantined ?? null,
  },
  {
    name: 'crossfade_table_copied_rows',
    help: 'Rows that the copy has done.',
    of: ({ table }) => table?.backfill.rowsDone ?? null,
  },
  {
    name: 'crossfade_table_divergent_keys',
    help: 'Keys that differed when the rows were last compared.',
    of: ({ table }) => table?.verification?.divergences ?? null,
  },
];

type SideFigures = CutoverReport['verdict']['evidence']['primary'];
const inSeconds = (ms: number | null) => (ms === null ? null : ms / 1_000);

const SIDE: readonly Figure<SideFigures>[] = [
  {
    name: 'crossfade_side_operations',
    help: 'Operations of a side that count as evidence in this stage.',
    of: ({ count }) => count,
  },
  {
    name: 'crossfade_side_errors_ratio',
    unit: 'ratio',
    help: 'Share of them that failed.',
    of: ({ count, errorRate }) => (count === 0 ? null : errorRate),
  },
  {
    name: 'crossfade_side_latency_p50_seconds',
    unit: 'seconds',
    help: 'Latency that half of them stayed below.',
    of: ({ count, p50Ms }) => (count === 0 ? null : inSeconds(p50Ms)),
  },
  {
    name: 'crossfade_side_latency_p95_seconds',
    unit: 'seconds',
    help: 'Latency that 95 % of them stayed below.',
    of: ({ count, p95Ms }) => (count === 0 ? null : inSeconds(p95Ms)),
  },
];

const STAGE = 'crossfade_cutover_stage';
const HEALTH = 'crossfade_cutover_health';
const FIRING = 'crossfade_alerts_firing';

/** Every family that can be there. */
export const METRIC_NAMES: readonly string[] = [
  ...[...SYSTEM, ...CUTOVER, ...SIDE].map(({ name }) => name),
  STAGE,
  HEALTH,
  FIRING,
];

export function metricFamilies(report: SystemReport, { alerts }: Pick<AlertList, 'alerts'>): Family[] {
  const readable = report.cutovers.filter((one): one is CutoverReport => 'stage' in one);
  const cutovers = readable.map((one) => ({ labels: { cutover: one.id }, one }));
  const sides = readable.flatMap(({ id, verdict }) =>
    SIDES.map((side) => ({ labels: { cutover: id, side }, one: verdict.evidence[side] })),
  );
  const firing = (severity: string) => alerts.filter((one) => one.status === 'firing' && one.severity === severity);
  return [
    ...gauges(SYSTEM, [{ labels: {}, one: report }]),
    ...gauges(CUTOVER, cutovers),
    ...gauges(SIDE, sides),
    {
      name: STAGE,
      type: 'stateset',
      help: 'The kind of stage that it is in.',
      samples: readable.flatMap(({ id, stageKind }) =>
        stateSamples(STAGE, STAGE_KINDS, { labels: { cutover: id }, is: stageKind }),
      ),
    },
    {
      name: HEALTH,
      type: 'stateset',
      help: 'How it is; invalid: its state cannot be read.',
      samples: report.cutovers.flatMap(({ id, health }) =>
        stateSamples(HEALTH, HEALTHS, { labels: { cutover: id }, is: health }),
      ),
    },
    {
      name: FIRING,
      type: 'gauge',
      help: 'Alerts that fire.',
      samples: SEVERITIES.map((severity) => ({ labels: { severity }, value: firing(severity).length })),
    },
  ];
}

function gauges<T>(figures: readonly Figure<T>[], of: readonly { labels: Sample['labels']; one: T }[]): Family[] {
  return figures.map(({ of: read, ...described }) => ({
    ...described,
    type: 'gauge',
    samples: of.flatMap(({ labels, one }) => {
      const value = read(one);
      return value === null ? [] : [{ labels, value }];
    }),
  }));
}
