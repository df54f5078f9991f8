/** The report at the end of the demonstration, and what in it would mean that something was lost. */

import type { AppStats, Fault } from '../examples/chinook/app-protocol.ts';

export type DemoReport = {
  plan: string;
  fault: Fault | null;
  startedMs: number;
  endedMs: number;
  stages: { stage: string; atMs: number }[];
  verifications: number;
  lastVerificationMs: number;
  rowsCompared: number;
  divergences: number;
  worstLagMs: number;
  lockHeldMs: number;
  auditIntact: boolean | null;
  proofs: { what: string; differences: number; rows: number }[];
  rollback: {
    fromStage: string;
    cause: string;
    faultToDecisionMs: number | null;
    decisionToLastReadMs: number | null;
  } | null;
  application: AppStats | null;
};

/** Everything that would mean a loss, in words; empty when nothing was lost. */
export function problemsOf(report: DemoReport): string[] {
  const problems = report.proofs
    .filter((proof) => proof.differences > 0)
    .map((proof) => `${proof.differences} rows differ ${proof.what}`);
  if (report.proofs.length === 0) problems.push('nothing was proven');
  if (report.divergences > 0 && report.fault !== 'divergence')
    problems.push(`${report.divergences} divergences were found`);
  if (report.application === null) problems.push('the application never reported');
  if (report.application && report.application.failed > 0) {
    problems.push(
      `${report.application.failed} operations of the application failed, the last with: ${report.application.lastFailure}`,
    );
  }
  if (report.auditIntact === false) problems.push('the audit chain is broken');
  return problems;
}

export function renderReport(report: DemoReport, problems: readonly string[]): string {
  const { application } = report;
  const seconds = (ms: number) => `${(ms / 1000).toFixed(1)} s`;
  const lines = [
    '',
    '── Report ─────────────────────────────────────────────────────────────────────────',
    `  stages                    ${report.stages.map(({ stage }) => stage).join(' → ')}`,
    `  took                      ${seconds(report.endedMs - report.startedMs)}`,
    `  rows compared             ${report.rowsCompared} in ${report.verifications} complete verifications`,
    `  divergences               ${report.divergences}`,
    ...report.proofs.map(
      (proof) =>
        `  ${`${proof.differences} differences`.padEnd(25)} ${proof.what} (${proof.rows} rows, EXCEPT both ways)`,
    ),
    `  application               ${application?.reads ?? 0} reads, ${application?.writes ?? 0} writes, ${application?.failed ?? 0} failed, slowest write ${Math.round(application?.slowestWriteMs ?? 0)} ms`,
    ...(application && application.fallbacks > 0
      ? [`  answered by the old path  ${application.fallbacks} reads that the new one failed`]
      : []),
    ...(report.lockHeldMs > 0 ? [`  longest lock held         ${report.lockHeldMs.toFixed(1)} ms`] : []),
    `  worst lag                 ${Math.round(report.worstLagMs)} ms`,
    ...(report.auditIntact === null ? [] : [`  audit chain               ${report.auditIntact ? 'intact' : 'BROKEN'}`]),
    ...rollbackLines(report, seconds),
    '',
    problems.length === 0 ? '  Nothing was lost.' : `  LOST OR FAILED: ${problems.join('; ')}.`,
  ];
  return lines.join('\n');
}

function rollbackLines(report: DemoReport, seconds: (ms: number) => string): string[] {
  const { rollback } = report;
  if (!rollback) return [];
  return [
    `  rolled back               automatically, from ${rollback.fromStage}`,
    `  cause                     ${rollback.cause}`,
    ...(rollback.faultToDecisionMs === null
      ? []
      : [`  first fault to decision   ${seconds(rollback.faultToDecisionMs)}`]),
    ...(rollback.decisionToLastReadMs === null
      ? []
      : [
          `  decision to last read     ${seconds(rollback.decisionToLastReadMs)} until no read went to the new shape any more`,
        ]),
  ];
}
