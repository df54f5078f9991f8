/** A failure as the person and as a program sees it: what was attempted, what was seen, what to do, which exit code. */

import { CommanderError } from 'commander';
import {
  CrossfadeError,
  ERROR_CODES,
  type ErrorCode,
  type ErrorDetails,
  isCrossfadeError,
} from '../core/base/errors.ts';
import type { ShownCondition } from '../core/conditions/show.ts';
import { shownCondition } from '../schemas/condition.ts';
import { EXIT } from './context.ts';
import { seenAndLimit } from './render.ts';
import { MAX_WIDTH, printable, wrap } from './text.ts';

export type Failure = {
  code: ErrorCode;
  detail: string;
  details: ErrorDetails;
  /** What to do next, where the detail does not say it. */
  next: string | null;
  exit: number;
};

const NEXT: Partial<Record<ErrorCode, (cutover: string) => string>> = {
  held: (cutover) => `crossfade explain ${cutover} shows every condition; --force --reason '…' goes on without them`,
  conflict: (cutover) => `crossfade status ${cutover}`,
  stale_version: (cutover) => `crossfade status ${cutover}`,
  illegal_transition: (cutover) => `crossfade status ${cutover}`,
  refused_table: (cutover) => `correct the table or its declaration, then crossfade preview ${cutover}`,
  rollback_not_ready: (cutover) => `crossfade status ${cutover} names the keys in quarantine`,
  not_found: () => 'crossfade status lists the cutovers that are declared',
  stopped: () => 'crossfade reset system --confirm system lifts the emergency stop',
  database_unavailable: () => 'crossfade doctor',
  store_unavailable: () => 'crossfade doctor',
  flags_unavailable: () => 'crossfade doctor',
  internal: () => "look into the function's log, then crossfade doctor",
};

/** @param attempted the command as far as it was understood */
export function failureOf(error: unknown, attempted: string, cutover: string | undefined): Failure {
  if (error instanceof CommanderError) {
    const detail = error.message.replace(/^error: /, '').replace(/\n/g, ' ');
    return { code: 'invalid_input', detail, details: {}, next: `${attempted} --help`, exit: EXIT.usage };
  }
  const known = isCrossfadeError(error) ? error : unexpected(error);
  const next = NEXT[known.code]?.(cutover ?? '').trim() ?? null;
  return { code: known.code, detail: known.message, details: known.details, next, exit: ERROR_CODES[known.code].exit };
}

function unexpected(error: unknown): CrossfadeError {
  const message = error instanceof Error ? error.message : String(error);
  return new CrossfadeError('internal', `An error inside the crossfade command: ${message}`, { cause: error });
}

export function failureDocument({ code, detail, details, next, exit }: Failure): object {
  return {
    error: { code, detail, ...(Object.keys(details).length > 0 ? { details } : {}), ...(next ? { next } : {}), exit },
  };
}

export function failureText(attempted: string, failure: Failure, width = MAX_WIDTH): string {
  const detail = wrap(printable(failure.detail), width - 2);
  const reasons = reasonsOf(failure.details).map((reason) => `    ${reason.code}${seenAndLimit(reason)}`);
  return [
    `${printable(attempted)}: ${failure.code.replaceAll('_', ' ')}`,
    ...detail.map((line) => `  ${line}`),
    ...reasons.map((line) => printable(line)),
    ...(failure.next ? [`  Next: ${failure.next}`] : []),
  ].join('\n');
}

/** What a server of another version says otherwise is in the detail. */
function reasonsOf({ reasons }: ErrorDetails): ShownCondition[] {
  if (!Array.isArray(reasons)) return [];
  return reasons.flatMap((reason) => shownCondition.safeParse(reason).data ?? []);
}
