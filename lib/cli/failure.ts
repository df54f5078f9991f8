/** A failure as the person and as a program sees it: what was attempted, what was seen, what to do, which exit code. */

import { CommanderError } from 'commander';
import {
  CrossfadeError,
  ERROR_CODES,
  type ErrorCode,
  type ErrorDetails,
  isCrossfadeError,
  messageOf,
} from '../core/base/errors.ts';
import type { ShownCondition } from '../core/conditions/show.ts';
import { shownCondition } from '../schemas/condition.ts';
import type { Advise } from './advice.ts';
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

/** Also of a command that is none. */
const NPX = 'npx --no-install ';

type Attempt = {
  /** As far as it was understood: `crossfade advance orders`. */
  attempted: string;
  /** Null where it was of none. */
  cutover: string | null;
};

const FORCED = /^crossfade (advance|complete) /;

const look = ({ cutover }: Attempt) => (cutover === null ? 'crossfade status' : `crossfade status ${cutover}`);

const NEXT: Partial<Record<ErrorCode, (attempt: Attempt) => string>> = {
  held: ({ attempted, cutover }) =>
    cutover === null
      ? 'crossfade phases, which shows what each waits for'
      : `crossfade explain ${cutover}, which shows every condition${FORCED.test(attempted) ? `; ${attempted} --force --reason '…' goes on without them` : ''}`,
  conflict: look,
  stale_version: look,
  illegal_transition: look,
  refused_table: ({ cutover }) =>
    `correct the table or its declaration${cutover === null ? '' : `, then crossfade preview ${cutover}`}`,
  rollback_not_ready: (attempt) => `${look(attempt)}, which names the keys in quarantine`,
  not_found: () => 'crossfade status, which lists the cutovers that are declared',
  stopped: () => 'crossfade reset system --confirm system, which lifts the emergency stop',
  database_unavailable: () => 'crossfade doctor',
  store_unavailable: () => 'crossfade doctor',
  flags_unavailable: () => 'crossfade doctor',
  internal: () => "look into the function's log, then crossfade doctor",
};

/** @param attempted the command as far as it was understood */
export function failureOf(error: unknown, attempted: string, cutover: string | undefined, advise: Advise): Failure {
  if (error instanceof CommanderError) {
    const detail = error.message.replace(/^error: /, '').replace(/\n/g, ' ');
    return { code: 'invalid_input', detail, details: {}, next: `${NPX}${attempted} --help`, exit: EXIT.usage };
  }
  const { code, message, details } = isCrossfadeError(error) ? error : unexpected(error);
  const next = NEXT[code]?.({ attempted, cutover: cutover ?? null });
  return {
    code,
    detail: advise(message),
    details,
    next: next === undefined ? null : advise(next),
    exit: ERROR_CODES[code].exit,
  };
}

function unexpected(error: unknown): CrossfadeError {
  const message = messageOf(error);
  return new CrossfadeError('internal', `An error inside the crossfade command: ${message}`, { cause: error });
}

export function failureDocument({ code, detail, details, next, exit }: Failure): object {
  return {
    error: { code, detail, ...(Object.keys(details).length > 0 ? { details } : {}), ...(next ? { next } : {}), exit },
  };
}

export function failureText(attempted: string, failure: Failure, width = MAX_WIDTH): string {
  const detail = failure.detail.split('\n').flatMap((line) => wrap(printable(line), width - 2));
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
