/** Calls of the HTTP API. Every failure becomes a CrossfadeError with the API's own code where it gave one. */

import type { SignedRequest } from '../adapters/http/sign-request.ts';
import { CrossfadeError, ERROR_CODES, type ErrorCode, type ErrorDetails } from '../core/base/errors.ts';
import type { Connection } from './connection.ts';
import { HOW_TO_START } from './package-root.ts';

export type Api = {
  get<T>(path: string, call?: { deadlineMs?: number }): Promise<T>;
  post<T>(path: string, body: object, call: PostCall): Promise<T>;
};

export type PostCall = {
  idempotencyKey: string;
  /** The version the command is based on; not for commands that concern everything. */
  ifVersion?: number;
  deadlineMs?: number;
};

export const DEADLINE_MS = 10_000;
/** For work in the database: previews, verification, the swap, cleanup. */
export const LONG_DEADLINE_MS = 60_000;

type Call = {
  method: 'GET' | 'POST';
  path: string;
  headers: Record<string, string>;
  body?: string;
  deadlineMs: number;
};

export function apiClient(connection: Connection, signal?: AbortSignal): Api {
  return {
    get: <T>(path: string, { deadlineMs = DEADLINE_MS } = {}) =>
      send<T>(connection, { method: 'GET', path, headers: {}, deadlineMs }, signal),
    post: <T>(path: string, body: object, call: PostCall) =>
      send<T>(
        connection,
        {
          method: 'POST',
          path,
          headers: {
            'content-type': 'application/json',
            'idempotency-key': call.idempotencyKey,
            ...(call.ifVersion === undefined ? {} : { 'if-match': `"${call.ifVersion}"` }),
          },
          body: JSON.stringify(body),
          deadlineMs: call.deadlineMs ?? DEADLINE_MS,
        },
        signal,
      ),
  };
}

async function send<T>(connection: Connection, call: Call, signal?: AbortSignal): Promise<T> {
  const { method, body, path } = call;
  const url = connection.url + path;
  const plain = { accept: 'application/json', ...call.headers };
  const headers = path === '/v1/health' ? plain : await authorized(connection, { method, url, headers: plain, body });
  const deadline = AbortSignal.timeout(call.deadlineMs);
  try {
    const response = await fetch(url, {
      method,
      headers,
      body,
      // A redirect would carry the token to another place.
      redirect: 'manual',
      signal: signal ? AbortSignal.any([deadline, signal]) : deadline,
    });
    return accept<T>(connection.url, response.status, await response.text());
  } catch (error) {
    if (error instanceof CrossfadeError) throw error;
    throw lost(connection.url, call, error);
  }
}

function authorized({ sign, token }: Connection, request: SignedRequest): Promise<Record<string, string>> {
  if (sign) return sign(request);
  return Promise.resolve({ ...request.headers, authorization: `Bearer ${token()}` });
}

function accept<T>(url: string, status: number, text: string): T {
  const body = parsed(text);
  const problem = (body ?? {}) as Record<string, unknown>;
  // Of a function that ran out of time or memory the gateway tells nothing else, with whatever status.
  const died = typeof problem.errorMessage === 'string' ? problem.errorMessage.slice(0, 200) : null;
  if (died !== null)
    throw new CrossfadeError(
      /time-?out|timed out/i.test(died) ? 'upstream_timeout' : 'upstream_unavailable',
      `The function behind ${url} ended without an answer: '${died}'. What it had begun may have been done or not: look with 'crossfade status', and repeat it.`,
      { retryable: true, details: { status } },
    );
  if (status >= 200 && status < 300 && body !== null && typeof body === 'object') return body as T;
  if (typeof problem.code === 'string' && Object.hasOwn(ERROR_CODES, problem.code)) {
    throw new CrossfadeError(problem.code as ErrorCode, String(problem.detail ?? problem.code), {
      details: (problem.details ?? {}) as ErrorDetails,
    });
  }
  const said = typeof problem.message === 'string' ? ` and said '${problem.message.slice(0, 200)}'` : '';
  throw new CrossfadeError(codeOf(status), `${url} answered with status ${status}${said}. ${hintOf(status)}`, {
    details: { status },
  });
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** What stands in front of the functions answers in its own way. */
function codeOf(status: number): ErrorCode {
  if (status === 401) return 'unauthenticated';
  if (status === 403) return 'forbidden';
  return status === 504 ? 'upstream_timeout' : 'upstream_unavailable';
}

function hintOf(status: number): string {
  if (status === 401) return 'The token was not accepted: get a new one and put it into CROSSFADE_TOKEN.';
  if (status === 403) return 'The token lacks the scope of this command; ask for one that has it.';
  if (status === 429) return 'It is throttled: wait a little and repeat.';
  if (status >= 500) return "It is up, but failed: try again in a minute, then look at the function's log.";
  return 'That is not an answer of Crossfade: is the address right (CROSSFADE_URL, --url)?';
}

/** No answer came. A command may have been carried out all the same; its key makes repeating it harmless. */
function lost(url: string, call: Call, error: unknown): CrossfadeError {
  const cause = error instanceof Error ? error : new Error(String(error));
  const code = (cause.cause as { code?: unknown } | undefined)?.code;
  if (code === 'ECONNREFUSED') {
    return new CrossfadeError(
      'upstream_unavailable',
      `Nothing listens at ${url}. Is Crossfade running? ${HOW_TO_START}`,
      { retryable: true, cause },
    );
  }
  const timedOut = cause.name === 'TimeoutError';
  const seen = timedOut ? `no answer within ${call.deadlineMs / 1_000} s` : innermost(cause).message || cause.message;
  return new CrossfadeError(
    timedOut ? 'upstream_timeout' : 'upstream_unavailable',
    `${call.method} ${url}${call.path}: ${seen}.${call.method === 'POST' ? repeatHint(call) : ''}`,
    { retryable: true, cause },
  );
}

function repeatHint(call: Call): string {
  const version = call.headers['if-match']?.replaceAll('"', '');
  const options = `--idempotency-key ${call.headers['idempotency-key']}${version === undefined ? '' : ` --if-version ${version}`}`;
  return ` It may have been carried out or not. Look with 'crossfade status'; repeating it with ${options} does nothing twice.`;
}

function innermost(error: Error): Error {
  return error.cause instanceof Error ? innermost(error.cause) : error;
}
