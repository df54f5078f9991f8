/** What became of a replay in a sentence, and what other limits would have changed. Pure. */

import type { ReplayedMinute } from '../core/replay/replay.ts';
import type { ReplayOutcome, Trial, VerdictSpan } from '../core/replay/trial.ts';
import { count, counted, field, MAX_WIDTH, printable, wrap } from './text.ts';

/** More of them say no more: all are in `--json`. */
const MOST_SPANS = 12;
const LABEL_WIDTH = 18;

/** One line: what became of it, and why. */
export const renderReplay = (name: string, outcome: ReplayOutcome): string =>
  printable(`${name}: ${becameOf(outcome)}.`);

/** A line for each criterion of its phase: since when it holds, or what it wants. */
export function renderCriteria(name: string, phase: string, minutes: readonly ReplayedMinute[]): string[] {
  return (minutes.at(-1)?.phase ?? []).map(({ name: criterion, ok, says }) => {
    const isOpen = ({ phase: seen = [] }: ReplayedMinute) => seen.some((one) => one.name === criterion && !one.ok);
    const since = minutes[minutes.findLastIndex(isOpen) + 1]?.minute;
    const text = ok ? `holds from minute ${since} on` : 'does not hold at the end';
    return printable(`${name}, phase ${phase}, ${criterion}: ${text}. ${says}`);
  });
}

function becameOf({ advance, rollback, lastMinute, codes }: ReplayOutcome): string {
  const could = advance === null ? 'never to advance' : `to advance from minute ${advance} on`;
  const end =
    rollback !== null
      ? `rolled back in minute ${rollback} (${codes.join(', ')})`
      : `not rolled back in ${lastMinute} minutes${codes.length > 0 ? `, held at the end by ${codes.join(', ')}` : ''}`;
  return `${end}; ${could}`;
}

export function renderTrial(name: string, { set, before, after, differences }: Trial, width = MAX_WIDTH): string {
  const limits = Object.entries(set).map(([key, value]) => `${key} ${value ?? 'none'}`);
  const beside = (label: string, text: string) => field(label, printable(text), width, LABEL_WIDTH);
  const rest = differences.length - MOST_SPANS;
  return [
    ...wrap(printable(`${name}, with ${limits.join(', ')}:`), width),
    ...beside('before', `${becameOf(before)}.`),
    ...beside('with the change', `${becameOf(after)}.`),
    ...differences.slice(0, MOST_SPANS).flatMap((span) => beside(minutesOf(span), `${span.before} → ${span.after}`)),
    ...(rest > 0 ? beside('', `and ${counted(rest, 'change')} more, with --json`) : []),
    ...beside('', costs(before, after, differences).join(' ')),
  ].join('\n');
}

const minutesOf = ({ fromMinute, toMinute }: VerdictSpan) =>
  fromMinute === toMinute ? `minute ${fromMinute}` : `minutes ${fromMinute}–${toMinute}`;

/** What the limits would have cost or spared, in sentences. */
function costs(before: ReplayOutcome, after: ReplayOutcome, differences: readonly VerdictSpan[]): string[] {
  if (differences.length === 0) return ['No verdict would have been another one.'];
  const moved = [...rollbackMoved(before, after), ...advanceMoved(before, after)];
  if (moved.length === 0) return ['Neither a rollback nor the first advance would have moved.'];
  return [...moved, ...servedMeanwhile(before, after)];
}

function rollbackMoved({ rollback: was }: ReplayOutcome, { rollback: is, lastMinute }: ReplayOutcome): string[] {
  if (was === is) return [];
  if (was === null) return [`It would have been rolled back in minute ${is}.`];
  if (is === null) return [`It would not have been rolled back in the ${lastMinute} minutes on record.`];
  return [`It would have been rolled back ${shifted(was, is)}.`];
}

function advanceMoved({ advance: was }: ReplayOutcome, { advance: is }: ReplayOutcome): string[] {
  if (was === is) return [];
  if (was === null) return [`It could have advanced in minute ${is}.`];
  if (is === null) return ['It could never have advanced.'];
  return [`It could have advanced ${shifted(was, is)}.`];
}

function servedMeanwhile(before: ReplayOutcome, after: ReplayOutcome): string[] {
  const [served, failed] = [after.shadow.count - before.shadow.count, after.shadow.errors - before.shadow.errors];
  if (before.lastMinute === after.lastMinute || served === 0) return [];
  return served > 0
    ? [`By then the shadow had served ${counted(served, 'operation')} more, and ${count(failed)} of them failed.`]
    : [`That would have spared the shadow ${counted(-served, 'operation')}, of which ${count(-failed)} failed.`];
}

const shifted = (was: number, is: number) =>
  `${counted(Math.abs(is - was), 'minute')} ${is > was ? 'later' : 'earlier'}, in minute ${is}`;
