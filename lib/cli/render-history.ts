/** The audit timeline as text: what happened, who did it, whether the chain of hashes is whole. Pure. */

import { duration } from '../core/conditions/figures.ts';
import { phaseChangeText } from '../core/cutover/phase.ts';
import type { AuditEntry, ChainVerdict } from '../core/stage/audit.ts';
import { changeText, type Event, stepsText } from '../core/stage/events.ts';
import { cut, MAX_WIDTH, moment, type Paint, pad, plain, printable, widthOf, wrap } from './text.ts';

export function renderHistory(
  entries: readonly AuditEntry<Event>[],
  chain: ChainVerdict | null,
  width = MAX_WIDTH,
  paint: Paint = plain,
): string {
  const several = new Set(entries.map((entry) => entry.subject)).size > 1;
  const lines = entries.flatMap((entry) => entryLines(entry, width, several));
  if (lines.length === 0) lines.push('Nothing happened yet.');
  if (chain === null) return lines.join('\n');
  const verdict = chain.intact
    ? paint('good', `The chain is whole: ${chain.entries} entries, each carries the hash of the one before.`)
    : paint(
        'bad',
        `The chain is broken at entry ${chain.seq}: ${printable(chain.why)}. Compare with a backup of the state table before you trust it.`,
      );
  return [...lines, verdict].join('\n');
}

function entryLines(entry: AuditEntry<Event>, width: number, several: boolean): string[] {
  const subject = several ? `${column(entry.subject, 14)}  ` : '';
  const head = `${String(entry.seq).padStart(5)}  ${moment(entry.atMs)}  ${subject}${column(entry.actor, 16)}  `;
  const [first, ...rest] = wrap(printable(eventText(entry.event)), Math.max(20, width - widthOf(head)));
  return [head + first, ...rest.map((line) => ' '.repeat(widthOf(head)) + line)];
}

const column = (text: string, width: number) => pad(cut(printable(text), width), width);

/** One event in a few words. An event of a newer version is shown by its name. */
function eventText(event: Event): string {
  switch (event.type) {
    case 'started':
      return `started with plan ${event.plan.name}`;
    case 'advanced':
      return `advanced ${event.from} → ${event.to}${event.forced ? ', forced' : ''}${because(event.reason)}`;
    case 'policy_changed':
      return `policy ${event.stage ?? 'of all stages'}: ${changeText(event)}${because(event.reason)}`;
    case 'reads_switched':
      return `reads sent to the ${event.to}${because(event.reason)}`;
    case 'shadow_writes_switched':
      return `writes to the shadow ${event.enabled ? 'on' : 'off'}${because(event.reason)}`;
    case 'rolled_back':
      return `rolled back from ${event.from} by ${event.cause}${because(event.reason)}`;
    case 'intent_recorded':
      return `${event.action} asked for, epoch ${event.epoch}${because(event.reason)}`;
    case 'intent_abandoned':
      return `${event.action} given up${because(event.why)}`;
    case 'intent_withdrawn':
      return `${event.action} withdrawn by ${event.cause}, rollback follows${because(event.reason)}`;
    case 'completed':
      return `completed from ${event.from}${lock(event.lockHeldMs)}`;
    case 'reverted':
      return `reverted from ${event.from}${lock(event.lockHeldMs)}${because(event.reason)}`;
    case 'rows_handled':
      return `${event.action.replace('_', ' ')}${event.key ? ` of ${event.key}` : ''}${because(event.reason)}`;
    case 'denied':
      return `denied ${event.command} (${event.code})${because(event.why)}`;
    case 'system_changed':
      return `switches ${Object.entries(event.change)
        .map(([name, value]) => `${name}=${value}`)
        .join(' ')}${because(event.reason)}`;
    case 'system_rolled_back':
      return `everything was asked to go back${because(event.reason)}`;
    case 'evidence_restarted':
      return `evidence of ${event.stage} starts again: an earlier version of the program had folded it`;
    case 'rollback_seen':
      return `rollback seen: ${stepsText(event.steps)}`;
    case 'phase_changed':
      return `phase ${event.phase} ${phaseChangeText(event.change)}${because(event.reason)}`;
    default:
      return (event as { type: string }).type;
  }
}

const because = (reason: string | undefined) => (reason ? `: ${reason}` : '');
const lock = (heldMs: number | undefined) => (heldMs === undefined ? '' : `, lock held ${duration(heldMs)}`);
