/**
 * Asks for the criteria of the user's own, in the tick and nowhere else: status and commands go by what the last tick stored. Alarms
 * of all cutovers are one question. The time for everything together is bounded; what has no turn left keeps its last
 * observation, and holds once that is too old.
 */

import { messageOf } from '../../core/base/errors.ts';
import { MINUTE_MS } from '../../core/base/units.ts';
import type { AlarmReading, Criterion, Finding, MetricSum } from '../../core/cutover/criterion.ts';
import type { CutoverDeclaration } from '../../core/cutover/cutover.ts';
import { evidenceSinceMs } from '../../core/cutover/switches.ts';
import { criteriaOf, isDue, withFindings } from '../../core/holds/criteria.ts';
import { alarmFinding, invariantFinding, problemFinding, statusFinding } from '../../core/holds/findings.ts';
import { metricFinding } from '../../core/holds/metric-finding.ts';
import type { Snapshot } from '../../core/look/snapshot.ts';
import { sharePpmOf } from '../../core/routing/flags.ts';
import type { Ports } from '../../ports/ports.ts';
import { tableCutover, tableOf } from '../rows/table-of.ts';
import type { Around } from './collect.ts';

export type ObservePorts = Pick<Ports, 'criteria' | 'customMetrics' | 'verifying' | 'clock' | 'ids' | 'log'>;

/** For the criteria of all cutovers in one tick. */
const OBSERVING_MS = 8_000;

/** What the cutovers of one tick share. */
export type Observing = {
  alarms: ReadonlyMap<string, AlarmReading>;
  /** Is there time left? Nothing more is asked without. */
  leftMs(): number;
  /** Invariants are evaluated one after the other: the database has other things to do. */
  inTurn<T>(work: () => Promise<T>): Promise<T>;
};

/** Does not reject. */
export async function beginObserving(
  ports: ObservePorts,
  declarations: readonly CutoverDeclaration[],
  around: Around,
): Promise<Observing> {
  const arns = declarations.flatMap((declaration) => {
    const stored = around.states.get(declaration.id);
    if (!declaration.criteria || !stored || 'invalid' in stored) return [];
    return criteriaOf({ declaration, state: stored }).flatMap((one) => ('alarm' in one ? [one.alarm] : []));
  });
  const alarms = await readAlarms(ports, [...new Set(arns)]);
  const untilMs = ports.clock.monotonicMs() + OBSERVING_MS;
  let tail: Promise<unknown> = Promise.resolve();
  return {
    alarms,
    leftMs: () => Math.floor(untilMs - ports.clock.monotonicMs()),
    inTurn(work) {
      const result = tail.then(work);
      tail = result.catch(() => {});
      return result;
    },
  };
}

/** Whatever becomes of the question, the tick goes on. */
async function readAlarms(ports: ObservePorts, arns: readonly string[]): Promise<Observing['alarms']> {
  if (arns.length === 0) return new Map();
  try {
    return await ports.criteria.alarms(arns);
  } catch (error) {
    ports.log.failure('alarms_not_read', error);
    const problem = messageOf(error);
    return new Map(arns.map((arn) => [arn, { problem }]));
  }
}

/** The snapshot with what its criteria say now. Does not reject. */
export async function observe(ports: ObservePorts, snapshot: Snapshot, observing: Observing): Promise<Snapshot> {
  const due = criteriaOf(snapshot).filter((criterion) => isDue(criterion, snapshot));
  const findings: Record<string, Finding> = {};
  const sums = metricsRead(ports, snapshot, due);
  const ask = async (criterion: Criterion) => {
    const finding = await find(ports, snapshot, criterion, { ...observing, sums });
    if (finding) findings[criterion.name] = finding;
  };
  await Promise.all(due.map(ask));
  return { ...snapshot, observations: withFindings(snapshot, findings) };
}

/** Null when there was no time left. */
async function find(
  ports: ObservePorts,
  snapshot: Snapshot,
  criterion: Criterion,
  { sums, ...observing }: Observing & { sums: () => Promise<readonly MetricSum[]> },
): Promise<Finding | null> {
  try {
    if ('alarm' in criterion) return alarmFinding(criterion.alarm, observing.alarms.get(criterion.alarm));
    if ('http' in criterion) return await askHttp(ports, snapshot, criterion, observing);
    if (isMetric(criterion)) return metricFinding(criterion, inWindow(snapshot, criterion, await sums()));
    return await evaluateInvariant(ports, snapshot, criterion, observing);
  } catch (error) {
    ports.log.failure('criterion_not_observed', error, { cutover: snapshot.id });
    return problemFinding(criterion.name, messageOf(error));
  }
}

async function askHttp(
  ports: ObservePorts,
  { id, state, nowMs }: Snapshot,
  { name, http: url, privateHosts, timeoutMs }: Extract<Criterion, { http: string }>,
  observing: Observing,
): Promise<Finding | null> {
  const leftMs = observing.leftMs();
  if (leftMs <= 0) return null;
  const status = await ports.criteria.httpCheck(
    { url, privateHosts, timeoutMs: Math.min(timeoutMs, leftMs) },
    {
      id: ports.ids.next(),
      atMs: nowMs,
      cutover: id,
      criterion: name,
      stage: state.stage,
      sharePercent: sharePpmOf(state) / 10_000,
    },
  );
  return statusFinding(url, status);
}

type MetricCriterion = Extract<Criterion, { value: string } | { flag: string }>;

const isMetric = (criterion: Criterion): criterion is MetricCriterion => 'value' in criterion || 'flag' in criterion;

/** Of the minutes that a metric looks at, the first: none from before the stage was entered. */
const firstMinute = ({ state, nowMs }: Snapshot, { windowMinutes }: MetricCriterion): number =>
  Math.max(Math.floor(nowMs / MINUTE_MS) - windowMinutes, Math.floor(evidenceSinceMs(state) / MINUTE_MS));

const inWindow = (snapshot: Snapshot, criterion: MetricCriterion, sums: readonly MetricSum[]) =>
  sums.filter(({ minute }) => minute >= firstMinute(snapshot, criterion));

/** One reading for all metrics of a cutover, made when the first of them asks. */
function metricsRead(ports: ObservePorts, snapshot: Snapshot, due: readonly Criterion[]) {
  const from = Math.min(...due.filter(isMetric).map((criterion) => firstMinute(snapshot, criterion)));
  let read: Promise<readonly MetricSum[]> | undefined;
  return () => (read ??= ports.customMetrics.read(snapshot.id, from, Math.floor(snapshot.nowMs / MINUTE_MS)));
}

async function evaluateInvariant(
  ports: ObservePorts,
  { declaration, state, table }: Snapshot,
  criterion: Extract<Criterion, { equal: object } | { empty: string }>,
  observing: Observing,
): Promise<Finding | null> {
  const cutover = tableCutover(tableOf(declaration));
  const queries = 'equal' in criterion ? { equal: criterion.equal } : { empty: criterion.empty };
  const reading = await observing.inTurn(async () =>
    observing.leftMs() > 0 ? ports.verifying.invariant(cutover, state.epoch, queries) : null,
  );
  return reading && invariantFinding(criterion.name, reading, table?.quarantined ?? 0);
}
