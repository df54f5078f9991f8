/** What the server answers the page, and the page shows. Pure; every figure is computed here. */

import { HOUR_MS } from '../core/base/units.ts';
import type { SideFigures } from '../core/conditions/verdict.ts';
import { isUnderWay } from '../core/cutover/stage-kinds.ts';
import { type CopyProgress, copyProgress } from '../core/gates/copy-progress.ts';
import type { TableStatus } from '../core/gates/table-status.ts';
import { type Gate, isNormal } from '../core/look/gate-table.ts';
import type { AuditEntry } from '../core/stage/audit.ts';
import type { Event } from '../core/stage/events.ts';
import type { AlertList } from '../flows/alerts/alerts.ts';
import type { StopResult } from '../flows/control/stop.ts';
import type { ExperimentView } from '../flows/report/experiments.ts';
import type { CutoverReport, Health, SystemReport } from '../flows/report/report.ts';
import { type Action, actionsOf, discardAction, repairAction, retryAction, retryAllAction } from './actions.ts';
import { type AlertGroup, type AlertLine, alertGroups, alertLines } from './alerts.ts';
import { summaryOf } from './card-words.ts';
import { type ConditionLine, conditionLine, THIN_SPACE } from './condition-lines.ts';
import { evidenceBefore, flagsAfter } from './entry-evidence.ts';
import { type PhaseLine, phaseLine } from './phases.ts';
import { type Plots, plotsOf } from './plots.ts';
import { type CutoverRow, cutoverRow, gatesOf, type InvalidView, invalidView } from './row.ts';
import { type AuditLine, auditLine, type Badge, type Tone } from './sentences.ts';
import { commandsOf, type Step, stepsOf } from './steps.ts';

/** What `GET /dashboard/data` answers: everything that concerns all cutovers, and a row for each. */
export type DashboardData = {
  atMs: number;
  system: {
    /** One line that says how things are, and how it is to be taken. */
    headline: Badge;
    emergencyStop: boolean;
    flags: { text: string; ok: boolean };
  };
  phases: readonly PhaseLine[];
  cutovers: readonly (CutoverRow | InvalidView)[];
  audit: readonly AuditLine[];
  alerts: readonly AlertGroup[];
  experiments: readonly ExperimentView[];
};

/** What `GET /dashboard/data?cutover=ID` answers. */
export type CutoverData = {
  atMs: number;
  cutover: CutoverView | InvalidView;
  audit: readonly AuditLine[];
  alerts: readonly AlertLine[];
};

/** What `POST /v1/system/emergency-stop` answers. */
export type StopAnswer = StopResult;

export type TableView = Omit<TableStatus, 'backfill' | 'verification' | 'mirror' | 'quarantine'> & {
  backfill: TableStatus['backfill'] & CopyProgress;
  verification: (NonNullable<TableStatus['verification']> & { ageMs: number; actions: readonly Action[] }) | null;
  quarantine: readonly (TableStatus['quarantine'][number] & { actions: readonly Action[] })[];
  /** About all keys in quarantine. */
  quarantineActions: readonly Action[];
};

export type CutoverView = CutoverRow & {
  summary: string;
  version: number;
  epoch: number;
  minutesInStage: number;
  dwellMinutes: number;
  minutesToEligibility: number;
  flagsDeployed: boolean;
  rollback: (NonNullable<CutoverReport['rollback']> & { agoMs: number }) | null;
  /** What holds it, or the guards that fired. */
  reasons: readonly ConditionLine[];
  gates: readonly Gate[];
  steps: readonly Step[];
  commands: readonly string[];
  actions: readonly Action[];
  figures: { primary: SideFigures; shadow: SideFigures; checks: number; mismatches: number };
  plots: Plots;
  /** Changes of stage within the last hour. */
  marks: readonly { atMs: number; label: string }[];
  table: TableView | null;
};

const NEWEST = 30;

/** `audit` in any order; the newest thirty are kept. */
export function dashboardData(
  report: SystemReport,
  audit: readonly AuditEntry<Event>[],
  alerts: AlertList = noAlerts(report),
  experiments: readonly ExperimentView[] = [],
): DashboardData {
  return {
    atMs: report.atMs,
    system: { headline: headline(report), emergencyStop: report.emergencyStop, flags: flagsView(report) },
    phases: report.phases.map((view) => phaseLine(view, report.atMs)),
    cutovers: report.cutovers.map((cutover) =>
      'why' in cutover ? invalidView(cutover) : cutoverRow(cutover, report, alerts),
    ),
    audit: newestOf(audit).map((entry) => auditLine(entry)),
    alerts: alertGroups(alerts),
    experiments,
  };
}

/** @param report with this cutover alone. The same of one cutover, with everything that is known of it. */
export function cutoverData(
  report: SystemReport,
  audit: readonly AuditEntry<Event>[],
  alerts: AlertList = noAlerts(report),
): CutoverData {
  const [cutover] = report.cutovers;
  const newest = newestOf(audit);
  const { windows, flagsSeen } = 'windows' in cutover! ? cutover : { windows: [], flagsSeen: [] };
  const about = (entry: AuditEntry<Event>, index: number) =>
    [evidenceBefore(index, newest, windows), flagsAfter(entry, flagsSeen)].filter((text) => text !== '').join(' ');
  const own = { ...alerts, alerts: alerts.alerts.filter((alert) => alert.cutover === cutover!.id) };
  return {
    atMs: report.atMs,
    cutover: 'why' in cutover! ? invalidView(cutover) : cutoverView(cutover!, report, { audit: newest, alerts: own }),
    audit: newest.map((entry, index) => auditLine(entry, about(entry, index))),
    alerts: alertLines(own),
  };
}

const noAlerts = ({ atMs }: SystemReport): AlertList => ({ atMs, firing: 0, alerts: [] });

const newestOf = (audit: readonly AuditEntry<Event>[]) =>
  [...audit].sort((a, b) => b.atMs - a.atMs || b.seq - a.seq).slice(0, NEWEST);

/** Everything that is not well, the worst first; how it is to be taken follows the worst. */
function headline(report: SystemReport): Badge {
  if (report.emergencyStop) return { text: 'Everything is stopped', tone: 'bad' };
  if (report.cutovers.length === 0) return { text: 'No cutover is declared', tone: 'idle' };
  const troubles = TROUBLES.map(([health, words, tone]) => {
    const many = report.cutovers.filter((cutover) => cutover.health === health).length;
    return { many, words, tone };
  }).filter(({ many }) => many > 0);
  const worst = troubles[0];
  if (worst) return { text: troubles.map(counted).join(', '), tone: worst.tone };
  const started = report.cutovers.filter(({ health }) => health !== 'idle');
  if (started.length === 0) return { text: 'Nothing has been started', tone: 'idle' };
  const unseen = started.filter((cutover) => 'blind' in cutover && cutover.blind).length;
  if (unseen > 0) return { text: `No trouble seen, ${unseen} without figures`, tone: 'idle' };
  return { text: 'All healthy', tone: 'good' };
}

/** "2 cutovers held", and after that only "1 rolled back". */
function counted({ many, words }: { many: number; words: string }, index: number): string {
  const noun = index > 0 ? '' : many === 1 ? 'cutover ' : 'cutovers ';
  return `${many} ${noun}${words}`;
}

const TROUBLES = [
  ['rolling_back', 'about to be rolled back', 'bad'],
  ['invalid', 'unreadable', 'bad'],
  ['rolled_back', 'rolled back', 'bad'],
  ['blind', 'without figures', 'wait'],
  ['held', 'held', 'wait'],
] as const satisfies readonly [Health, string, Tone][];

function flagsView(report: SystemReport): { text: string; ok: boolean } {
  const { reachable, version } = report.flags;
  if (!reachable) return { text: 'Flags cannot be read; callers keep the last ones they had', ok: false };
  const waiting = report.cutovers.filter(
    (cutover) => 'stage' in cutover && cutover.version > 0 && !cutover.flagsDeployed,
  );
  if (waiting.length > 0)
    return { text: `Flags are being deployed for ${waiting.map(({ id }) => id).join(', ')}`, ok: false };
  return { text: version ? `Flags v${version} deployed` : 'No flags deployed yet', ok: true };
}

function cutoverView(
  report: CutoverReport,
  system: Pick<SystemReport, 'atMs' | 'emergencyStop'>,
  { audit, alerts }: { audit: readonly AuditEntry<Event>[]; alerts: AlertList },
): CutoverView {
  const { id, stage, version, epoch, minutesInStage, flagsDeployed, verdict } = report;
  const { atMs } = system;
  const row = cutoverRow(report, system, alerts);
  const { health } = row;
  const stopped = health === 'stopped';
  return {
    ...row,
    summary: summaryOf(report),
    version,
    epoch,
    minutesInStage,
    dwellMinutes: report.plan.stages.find(({ name }) => name === stage)?.dwellMinutes ?? 0,
    minutesToEligibility: verdict.evidence.minutesToEligibility,
    flagsDeployed,
    rollback: report.rollback && { ...report.rollback, agoMs: Math.max(0, atMs - report.rollback.atMs) },
    reasons: isUnderWay(report) && !stopped ? worstFirst(verdict.reasons).map(conditionLine) : [],
    gates: gatesOf(report, system),
    steps: stepsOf(report),
    commands: commandsOf(report, system.emergencyStop),
    actions: actionsOf(report, system.emergencyStop),
    figures: pickFigures(verdict.evidence),
    plots: plotsOf(report, { entries: audit, isWhole: audit.length < NEWEST }, atMs),
    marks: marksOf(id, audit, atMs),
    table: report.table && tableView(id, report.table, atMs),
  };
}

/** What is only a matter of time comes last. */
const worstFirst = (reasons: CutoverReport['verdict']['reasons']) =>
  reasons.toSorted((a, b) => Number(isNormal(a)) - Number(isNormal(b)));

const pickFigures = ({ primary, shadow, checks, mismatches }: CutoverReport['verdict']['evidence']) => ({
  primary,
  shadow,
  checks,
  mismatches,
});

function marksOf(id: string, audit: readonly AuditEntry<Event>[], atMs: number): CutoverView['marks'] {
  return audit
    .filter((entry) => entry.subject === id && entry.atMs > atMs - HOUR_MS)
    .flatMap(({ event, atMs }) => {
      const label = stageEntered(event);
      return label === null ? [] : [{ atMs, label }];
    });
}

function stageEntered(event: Event): string | null {
  switch (event.type) {
    case 'started':
      return event.plan.stages[1]?.name ?? null;
    case 'advanced':
      return event.to;
    case 'completed':
      return 'completed';
    case 'rolled_back':
    case 'reverted':
      return 'rolled back';
    default:
      return null;
  }
}

function tableView(id: string, { mirror: _, ...table }: TableStatus, atMs: number): TableView {
  const { backfill, verification, quarantine } = table;
  return {
    ...table,
    backfill: { ...backfill, ...copyProgress(backfill, THIN_SPACE) },
    verification: verification && {
      ...verification,
      ageMs: Math.max(0, atMs - verification.atMs),
      actions: verification.divergences > 0 ? [repairAction(id)] : [],
    },
    quarantine: quarantine.map((one) => ({ ...one, actions: [retryAction(id, one.key), discardAction(id, one.key)] })),
    quarantineActions: quarantine.length > 0 ? [retryAllAction(id)] : [],
  };
}
