/** What a person can do next, as sentences and exact commands of the CLI. */

import { LEGAL_COMMANDS } from '../core/stage/decide.ts';
import { FORWARD } from '../core/stage/obstacles.ts';
import type { CutoverReport } from '../flows/report/report.ts';

export type Step = { text: string; command: string | null };

/**
 * The report's next steps, without what they repeat: reasons for a hold and the cause of a rollback are shown in full
 * elsewhere, and only their commands are kept.
 */
export function stepsOf(report: Pick<CutoverReport, 'steps'>): Step[] {
  return report.steps.flatMap(({ text, commands, brief }): Step[] => {
    const shown = brief ?? text;
    if (commands.length > 0) return commands.map((command) => ({ text: shown, command }));
    return shown === '' ? [] : [{ text: shown, command: null }];
  });
}

type Standing = Pick<CutoverReport, 'id' | 'stageKind' | 'pending' | 'paused' | 'switches'>;

/** Every command that is legal now; while everything is stopped none that leads forward. */
export function legalNow({ stageKind, pending, paused, switches }: Standing, emergencyStop: boolean) {
  if (pending) return [];
  return LEGAL_COMMANDS[stageKind]
    .filter((command) => command !== (paused ? 'pause' : 'resume'))
    .filter(
      (command) => !emergencyStop || !(FORWARD.includes(command) || (command === 'reads' && !switches.shadowReads)),
    );
}

/** The same, spelled out. */
export function commandsOf(report: Standing, emergencyStop: boolean): string[] {
  const { id, switches } = report;
  const spelled = {
    start: `crossfade start ${id}`,
    advance: `crossfade advance ${id}`,
    approve: `crossfade approve ${id}`,
    pause: `crossfade pause ${id}`,
    resume: `crossfade resume ${id}`,
    policy: `crossfade policy ${id}`,
    reads: `crossfade reads ${switches.shadowReads ? 'primary' : 'shadow'} ${id} --reason '…'`,
    'shadow-writes': `crossfade writes ${switches.shadowWrites ? 'off' : 'on'} ${id} --reason '…'`,
    rollback: `crossfade rollback ${id} --reason '…'`,
    complete: `crossfade complete ${id} --confirm ${id}`,
    cleanup: `crossfade cleanup ${id} --confirm ${id}`,
    reset: `crossfade reset ${id} --confirm ${id}`,
  } as const;
  return legalNow(report, emergencyStop).map((command) => spelled[command]);
}
