/** What the server answers the page, and the page shows. Pure; every figure is computed here. */

import { HOUR_MS } from '../core/base/units.ts';
import type { SideFigures } from '../core/conditions/verdict.ts';
import { type StageKind, servedPpm } from '../core/cutover/plan.ts';
import { isUnderWay } from '../core/cutover/stage-kinds.ts';
import type { TableStatus } from '../core/gates/table-status.ts';
import type { AuditEntry } from '../core/stage/audit.ts';
import type { Event } from '../core/stage/events.ts';
import type { AlertList } from '../flows/alerts/alerts.ts';
import type { StopResult } from '../flows/control/stop.ts';
import type { ExperimentView } from '../flows/report/experiments.ts';
import type { CutoverReport, Health, SystemReport } from '../flows/report/report.ts';
import { type AlertLine, alertLines } from './alerts.ts';
import { badgeOf, type CardHealth, cardHealth, HEALTH_WORDS, summaryOf } from './card-words.ts';
import { type ConditionLine, conditionLine } from './condition-lines.ts';
import { type PhaseLine, phaseLine } from './phases.ts';
import { type AuditLine, auditLine, type Badge, type Tone } from './sentences.ts';
import { type Series, seriesOf } from './series.ts';
import { commandsOf, type Step, stepsOf } from './steps.ts';

/** What `GET /dashboard/data` answers. */
export type DashboardData = {
  atMs: number;
  system: {
    /** One line that says how things are, and how it is to be taken. */
    headline: Badge;
    emergencyStop: boolean;
    flags: { text: string; ok: boolean };
  };
  phases: readonly PhaseLine[];
  cutovers: readonly (CutoverView | InvalidView)[];
  audit: readonly AuditLine[];
  alerts: readonly AlertLine[];
  experiments: readonly ExperimentView[];
};

/** What `POST /v1/system/emergency-stop` answers. */
export type StopAnswer = StopResult;

export type InvalidView = { id: string; health: 'invalid'; badge: Badge; why: string };

export type StageView = {
  name: string;
  kind: StageKind;
  sharePpm: number;
  dwellMinutes: number;
  /** `undone`: where a rollback left from. */
  progress: 'passed' | 'current' | 'ahead' | 'undone';
};

export type TableView = Omit<TableStatus, 'backfill' | 'verification' | 'mirror'> & {
  backfill: TableStatus['backfill'] & { etaSeconds: number | null };
  verification: (NonNullable<TableStatus['verification']> & { ageMs: number }) | null;
};

export type CutoverView = {
  id: string;
  kind: CutoverReport['kind'];
  health: CardHealth;
  badge: Badge;
  summary: string;
  stage: string;
  stageKind: StageKind;
  plan: string;
  stages: readonly StageView[];
  sharePpm: number;
  version: number;
  epoch: number;
  minutesInStage: number;
  dwellMinutes: number;
  minutesToEligibility: number;
  flagsDeployed: boolean;
  rollback: (NonNullable<CutoverReport['rollback']> & { agoMs: number }) | null;
  /** What holds it, or the guards that fired. */
  reasons: readonly ConditionLine[];
  gates: readonly ConditionLine[];
  steps: readonly Step[];
  commands: readonly string[];
  figures: { primary: SideFigures; shadow: SideFigures; checks: number; mismatches: number };
  series: Series;
  /** Changes of stage within the last hour. */
  marks: readonly { atMs: number; label: string }[];
  table: TableView | null;
};

/** `audit` in any order; the newest thirty are kept. */
export function dashboardData(
  report: SystemReport,
  audit: readonly AuditEntry<Event>[],
  alerts: AlertList = { atMs: report.atMs, firing: 0, alerts: [] },
  experiments: readonly ExperimentView[] = [],
): DashboardData {
  const newest = [...audit].sort((a, b) => b.atMs - a.atMs || b.seq - a.seq).slice(0, 30);
  const cutovers = report.cutovers.map((cutover) =>
    'why' in cutover ? invalidView(cutover) : cutoverView(cutover, report, newest),
  );
  return {
    atMs: report.atMs,
    system: { headline: headline(report), emergencyStop: report.emergencyStop, flags: flagsView(report) },
    phases: report.phases.map((view) => phaseLine(view, report.atMs)),
    cutovers,
    audit: newest.map(auditLine),
    alerts: alertLines(alerts),
    experiments,
  };
}

const invalidView = ({ id, why }: { id: string; why: string }): InvalidView => ({
  id,
  health: 'invalid',
  badge: HEALTH_WORDS.invalid,
  why,
});

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
  const running = report.cutovers.some((cutover) => cutover.health !== 'idle');
  return running ? { text: 'All healthy', tone: 'good' } : { text: 'Nothing has been started', tone: 'idle' };
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
  audit: readonly AuditEntry<Event>[],
): CutoverView {
  const { id, kind, stage, stageKind, version, epoch, minutesInStage, flagsDeployed, verdict } = report;
  const { atMs } = system;
  const serving = isUnderWay(report);
  const health = cardHealth(report, system);
  const stopped = health === 'stopped';
  const lines = verdict.conditions.map(conditionLine);
  return {
    id,
    kind,
    health,
    badge: badgeOf(report, health),
    summary: summaryOf(report, health),
    stage,
    stageKind,
    plan: report.plan.name,
    stages: stagesOf(report),
    // What the flags say while everything is stopped, whatever the stage.
    sharePpm: stopped ? 0 : report.sharePpm,
    version,
    epoch,
    minutesInStage,
    dwellMinutes: report.plan.stages.find(({ name }) => name === stage)?.dwellMinutes ?? 0,
    minutesToEligibility: verdict.evidence.minutesToEligibility,
    flagsDeployed,
    rollback: report.rollback && { ...report.rollback, agoMs: Math.max(0, atMs - report.rollback.atMs) },
    reasons: serving && !stopped ? verdict.reasons.map(conditionLine) : [],
    gates: serving ? lines : [],
    steps: stepsOf({ ...report, health }),
    commands: commandsOf(report, system.emergencyStop),
    figures: pickFigures(verdict.evidence),
    series: seriesOf(report.windows, atMs),
    marks: marksOf(id, audit, atMs),
    table: report.table && tableView(report.table, atMs),
  };
}

const pickFigures = ({ primary, shadow, checks, mismatches }: CutoverReport['verdict']['evidence']) => ({
  primary,
  shadow,
  checks,
  mismatches,
});

function stagesOf({ plan, stage, stageKind, rollback }: CutoverReport): StageView[] {
  const left = stageKind === 'rolled_back' ? rollback?.fromStage : undefined;
  const at = plan.stages.findIndex(({ name }) => name === (left ?? stage));
  return plan.stages.map((planned, index) => ({
    ...planned,
    sharePpm: servedPpm(planned, plan),
    progress: progressOf(index),
  }));

  function progressOf(index: number): StageView['progress'] {
    if (stageKind === 'cleaned' || index < at) return 'passed';
    if (index > at || at < 0) return 'ahead';
    return left === undefined ? 'current' : 'undone';
  }
}

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

function tableView({ mirror: _, ...table }: TableStatus, atMs: number): TableView {
  const { backfill, verification } = table;
  const left = Math.max(0, backfill.rowsTotal - backfill.rowsDone);
  const moving = backfill.state === 'running' && backfill.rowsPerSecond > 0;
  return {
    ...table,
    backfill: { ...backfill, etaSeconds: moving ? Math.ceil(left / backfill.rowsPerSecond) : null },
    verification: verification && { ...verification, ageMs: Math.max(0, atMs - verification.atMs) },
  };
}
