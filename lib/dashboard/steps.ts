/** What a person can do next, as sentences and exact commands of the CLI. */

import { LEGAL_COMMANDS } from '../core/stage.ts';
import type { CutoverReport } from '../flows/report.ts';

export type Step = { text: string; command: string | null };

/** A command at the start of a step: verb, id, options with their values; what follows is explanation. */
const LEADING = /^(crossfade [a-z-]+ [a-z0-9_]+(?: --[a-z-]+ (?:'[^']*'|[^\s';]+))*)(?: +(.+))?$/s;
const QUOTED = /'(crossfade [^']+)'/g;

/**
 * The report's next steps, without those that only repeat a reason: reasons are shown in full elsewhere, and only the
 * commands they name are kept.
 */
export function stepsOf(report: Pick<CutoverReport, 'nextSteps' | 'verdict'>): Step[] {
  const reasons = new Set(report.verdict.reasons.map((reason) => reason.text));
  return report.nextSteps.flatMap((step): Step[] => {
    const leading = LEADING.exec(step);
    if (leading) return [{ text: leading[2] ?? '', command: leading[1]! }];
    if (!reasons.has(step)) return [{ text: step, command: null }];
    return [...step.matchAll(QUOTED)].map((match) => ({ text: '', command: match[1]! }));
  });
}

/** Every command that is legal now, spelled out. */
export function commandsOf(report: Pick<CutoverReport, 'id' | 'stageKind' | 'pending' | 'paused'>): string[] {
  if (report.pending) return [];
  const { id } = report;
  const spelled = {
    start: `crossfade start ${id}`,
    advance: `crossfade advance ${id}`,
    approve: `crossfade approve ${id}`,
    pause: `crossfade pause ${id}`,
    resume: `crossfade resume ${id}`,
    rollback: `crossfade rollback ${id} --reason '…'`,
    complete: `crossfade complete ${id} --confirm ${id}`,
    cleanup: `crossfade cleanup ${id} --confirm ${id}`,
    reset: `crossfade reset ${id} --confirm ${id}`,
  } as const;
  return LEGAL_COMMANDS[report.stageKind]
    .filter((command) => command !== (report.paused ? 'pause' : 'resume'))
    .map((command) => spelled[command]);
}
