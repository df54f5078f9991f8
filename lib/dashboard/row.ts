/** One cutover as a row of the overview: where it stands, how it is, what comes next. Pure. */

import { type StageKind, servedPpm } from '../core/cutover/plan.ts';
import { isUnderWay } from '../core/cutover/stage-kinds.ts';
import { type Gate, gateTable } from '../core/look/gate-table.ts';
import type { Health } from '../core/look/health.ts';
import type { AlertList } from '../flows/alerts/alerts.ts';
import type { CutoverReport, SystemReport } from '../flows/report/report.ts';
import { badgeOf, UNREADABLE } from './card-words.ts';
import { THIN_SPACE } from './condition-lines.ts';
import type { Badge } from './sentences.ts';

export type StageView = {
  name: string;
  kind: StageKind;
  sharePpm: number;
  dwellMinutes: number;
  /** `undone`: where a rollback left from. */
  progress: 'passed' | 'current' | 'ahead' | 'undone';
};

export type CutoverRow = {
  id: string;
  kind: CutoverReport['kind'];
  health: Health;
  badge: Badge;
  stage: string;
  stageKind: StageKind;
  plan: string;
  stages: readonly StageView[];
  sharePpm: number;
  next: CutoverReport['next'];
  /** The first of the gate table; null where no gate is asked. */
  worst: Gate | null;
  /** Firing ones. */
  alerts: number;
};

export type InvalidView = { id: string; health: 'invalid'; badge: Badge; why: string };

type System = Pick<SystemReport, 'atMs' | 'emergencyStop'>;

export function cutoverRow(report: CutoverReport, system: System, alerts: AlertList): CutoverRow {
  const { id, kind, health, stage, stageKind, plan, next } = report;
  return {
    id,
    kind,
    health,
    badge: badgeOf(report),
    stage,
    stageKind,
    plan: plan.name,
    stages: stagesOf(report),
    // What the flags say while everything is stopped, whatever the stage.
    sharePpm: health === 'stopped' ? 0 : report.sharePpm,
    next,
    worst: gatesOf(report, system)[0] ?? null,
    alerts: alerts.alerts.filter((alert) => alert.cutover === id && alert.status === 'firing').length,
  };
}

export const invalidView = ({ id, why }: { id: string; why: string }): InvalidView => ({
  id,
  health: 'invalid',
  badge: UNREADABLE,
  why,
});

/** None before the start and after the end. */
export const gatesOf = (report: CutoverReport, { atMs }: System): Gate[] =>
  isUnderWay(report) ? gateTable(report, atMs, THIN_SPACE) : [];

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
