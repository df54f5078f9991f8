/**
 * Turns what the driver threw into a `CrossfadeError`. Says which server, what was attempted, what it answered and what to
 * do; never the password, never a row's values: DETAIL and CONTEXT are dropped, quoted input is masked, and what a foreign
 * function raised is not repeated. The driver's error is not kept as cause, since it carries the parameters.
 */

import { CrossfadeError } from '../../../core/base/errors.ts';
import { adviceOf, classOfCode, codeOf, FAILURES, type FailureClass, isSqlstate } from './sqlstate.ts';

/** Thrown by the race against the clock. */
export const DEADLINE = Symbol('deadline');

export type Attempted = { target: string; statement: string; attempts: number; deadlineMs: number };

/** A TypeError comes out of the driver's torn protocol state, and after a passed deadline an answer is still under way. */
export function classify(error: unknown): FailureClass {
  return error === DEADLINE || error instanceof TypeError ? 'connection' : classOfCode(codeOf(error));
}

/** The server closes the connection after such an error, whatever its class. */
export function isFatal(error: unknown): boolean {
  const severity = field(error, 'severity');
  return severity === 'FATAL' || severity === 'PANIC';
}

export function translated(error: unknown, attempted: Attempted): CrossfadeError {
  const failure = classify(error);
  const { code, retryable } = FAILURES[failure];
  const said = seenOf(error, attempted.deadlineMs);
  const advice = adviceOf(codeOf(error), failure, isFatal(error), said);
  const sqlstate = isSqlstate(codeOf(error)) ? codeOf(error) : undefined;
  const details = {
    sqlstate,
    /** What the server answered, without the statement and the advice. */
    said,
    constraint: field(error, 'constraint_name'),
    table: field(error, 'table_name'),
    column: field(error, 'column_name'),
    attempts: attempted.attempts,
  };
  const seen = `${said}${sqlstate ? ` [${sqlstate}]` : ''}`;
  const tries = attempted.attempts === 1 ? '' : ` (${attempted.attempts} attempts)`;
  const message = `Postgres at ${attempted.target} did not carry out ${gist(attempted.statement)}${tries}: ${seen}. ${advice}`;
  return new CrossfadeError(code, message, { retryable, details });
}

function seenOf(error: unknown, deadlineMs: number): string {
  if (error === DEADLINE) return `no answer within ${deadlineMs} ms`;
  const code = codeOf(error);
  if (error instanceof Error && error.message.includes('before secure TLS connection'))
    return `${code} while TLS was being set up, as a server without TLS does it`;
  // The driver's and the system's own messages repeat the address; the code alone says it.
  if (!isSqlstate(code)) return code || (error instanceof Error ? `${error.name} in the driver` : 'an unknown failure');
  const message = error instanceof Error ? error.message : '';
  if (field(error, 'routine') === 'exec_stmt_raise' && !isRaisedByUs(error))
    return `${raiser(error)} raised an exception`;
  return code.startsWith('22') ? message.replace(QUOTED, '"…"') : message;
}

/** All from the first sign to the last, since a value may hold some itself; the server may speak any language. */
const QUOTED = /["»«„“”「『].*["»«“”」』]/s;

/** The first line of CONTEXT names the function: `PL/pgSQL function crossfade.x(bigint) line 3 at RAISE`. */
function isRaisedByUs(error: unknown): boolean {
  return /^PL\/pgSQL function (crossfade\.|inline_code_block)/.test(field(error, 'where') ?? '');
}

function raiser(error: unknown): string {
  return /^(PL\/pgSQL function [\w."]+)/.exec(field(error, 'where') ?? '')?.[1] ?? 'a function of the database';
}

/** The beginning of a statement, up to its first literal. */
function gist(statement: string): string {
  const text = statement.replace(/\s+/g, ' ').trim().split("'")[0]!;
  return text.length > 70 ? `${text.slice(0, 70)}…` : text;
}

function field(error: unknown, name: string): string | undefined {
  const value = error !== null && typeof error === 'object' ? (error as Record<string, unknown>)[name] : undefined;
  return typeof value === 'string' && value !== '' ? value : undefined;
}
