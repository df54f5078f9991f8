/** Takes aggregated outcomes from the SDK into the minute windows. Impossible figures are refused before anything is counted. */

import { MINUTE_MS } from '../../core/base/units.ts';
import type { CutoverDeclaration } from '../../core/cutover/cutover.ts';
import { lastClosedMinute } from '../../core/gates/fold.ts';
import { histogramCount } from '../../core/gates/histogram.ts';
import { impossiblePairs, lateWindow, type MinuteWindow, withTold } from '../../core/gates/minute-window.ts';
import { metricsOf } from '../../core/holds/metric-finding.ts';
import type { MetricAddition } from '../../ports/custom-metrics.ts';
import type { Ports } from '../../ports/ports.ts';
import type { WindowAddition } from '../../ports/windows.ts';

export type OutcomeReport = {
  /** The same flush sent twice is counted once. */
  flushId: string;
  /** Who aggregated: an instance id. Spreads the writers over the shards of a minute. */
  source: string;
  windows: readonly ({ cutover: string; operation: string; slice?: number | undefined } & MinuteWindow)[];
  /** What the application recorded besides. */
  metrics?: readonly MetricAddition[] | undefined;
  /** Age of the flags the sender acts on: an alarm watches the oldest. */
  flagAgeMs?: number;
  /** Share of its memory that the sender uses. */
  memory?: number;
};

export type RecordedOutcomes = {
  /** Windows of the report, late ones included. */
  accepted: number;
  refused: readonly { index: number; code: 'not_found' | 'invalid_input'; why: string }[];
};

/** How far a sender's minute may lie from ours. */
const PAST_MINUTES = 10;
const FUTURE_MINUTES = 1;
/** Every name is an item of its own in each minute: names made of ids would fill the windows. */
const MAX_OPERATIONS = 64;

export async function recordOutcomes(
  ports: Pick<Ports, 'clock' | 'windows' | 'customMetrics' | 'metrics'>,
  declarations: readonly CutoverDeclaration[],
  report: OutcomeReport,
): Promise<RecordedOutcomes> {
  const nowMs = ports.clock.now();
  const nowMinute = Math.floor(nowMs / MINUTE_MS);
  if (report.flagAgeMs !== undefined) ports.metrics.record('FlagAgeMs', report.flagAgeMs);
  const known = new Set(declarations.map((declaration) => declaration.id));
  const nameOf = boundedNames();
  const accepted: WindowAddition[] = [];
  const refused: RecordedOutcomes['refused'][number][] = [];
  for (const [index, { cutover, operation, slice, ...window }] of report.windows.entries()) {
    const why = known.has(cutover) ? impossible(window, nowMs) : `no cutover '${cutover}' is declared`;
    if (why) refused.push({ index, code: known.has(cutover) ? 'invalid_input' : 'not_found', why });
    else {
      const own = { cutover, operation: nameOf(cutover, operation) };
      accepted.push({ ...own, slice, window: withTold(window, report.memory) });
      // A look may have closed it by now: then what comes counts nowhere, and how much that is must be known.
      if (window.minute <= lastClosedMinute(nowMinute))
        accepted.push({ ...own, window: lateWindow(nowMinute, window) });
    }
  }
  if (accepted.length > 0) await ports.windows.add(report.flushId, report.source, accepted, nowMs);
  const metrics = (report.metrics ?? []).filter(
    (one) => wantedBy(declarations, one) && isNearMinute(one.minute, nowMs) && one.n > 0,
  );
  if (metrics.length > 0) await ports.customMetrics.add(report.flushId, report.source, metrics);
  return { accepted: report.windows.length - refused.length, refused };
}

/** Only what a criterion asks for is kept: names made of ids would fill the table. */
const wantedBy = (declarations: readonly CutoverDeclaration[], { cutover, metric }: MetricAddition): boolean =>
  declarations.some(
    ({ id, criteria = [] }) =>
      id === cutover && criteria.some((one) => ('value' in one || 'flag' in one) && metricsOf(one).includes(metric)),
  );

const isNearMinute = (minute: number, nowMs: number): boolean => {
  const nowMinute = Math.floor(nowMs / MINUTE_MS);
  return minute >= nowMinute - PAST_MINUTES && minute <= nowMinute + FUTURE_MINUTES;
};

/** After 64 names of a cutover in one report the rest is counted as `other`. */
function boundedNames(): (cutover: string, operation: string) => string {
  const seen = new Map<string, Set<string>>();
  return (cutover, operation) => {
    const names = seen.get(cutover) ?? new Set();
    seen.set(cutover, names);
    if (!names.has(operation) && names.size >= MAX_OPERATIONS) return 'other';
    names.add(operation);
    return operation;
  };
}

/** Why a window cannot be true, or null. */
function impossible(window: MinuteWindow, nowMs: number): string | null {
  const nowMinute = Math.floor(nowMs / MINUTE_MS);
  if (!isNearMinute(window.minute, nowMs)) {
    return `minute ${window.minute} is not within −${PAST_MINUTES} … +${FUTURE_MINUTES} minutes of ${nowMinute}`;
  }
  if (window.errors > window.count) return `${window.errors} errors of ${window.count} operations`;
  if (window.keyless > window.count) return `${window.keyless} keyless of ${window.count} operations`;
  if ((window.drops ?? 0) > window.errors) return `${window.drops} lost connections of ${window.errors} errors`;
  if ((window.left ?? 0) > window.count) return `${window.left} of ${window.count} operations left the shadow`;
  if (window.mismatches > window.checks) return `${window.mismatches} mismatches of ${window.checks} checks`;
  const latencies = histogramCount(window.latency);
  if (latencies !== window.count) return `the histogram counts ${latencies} operations, the window ${window.count}`;
  return impossiblePairs(window);
}
