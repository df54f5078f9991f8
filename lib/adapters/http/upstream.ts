/**
 * Calls a configured upstream over fetch. Redirects are handed to the caller, never followed; hop-by-hop headers and
 * everything of ours stay behind; the answer is bounded in time and size.
 */

import { CrossfadeError } from '../../core/errors.ts';
import type { Clock, Upstream } from '../../ports.ts';
import { HOP_BY_HOP } from './hop-by-hop.ts';

/** fetch writes the last three itself. */
const LEFT_BEHIND = new Set<string>([...HOP_BY_HOP, 'expect', 'host', 'content-length']);
/** The caller's token is for us, not for the upstream; identity headers from outside prove nothing. */
const OURS = /^(authorization|x-crossfade-.*|x-amzn-.*|x-forwarded-user|forwarded)$/;
/** fetch has already undone these. */
const UNDONE = new Set(['content-encoding', 'content-length']);
const MAX_ANSWER_BYTES = 5 * 1024 * 1024;

export function fetchUpstream(clock: Pick<Clock, 'monotonicMs'>): Upstream {
  return async (baseUrl, request) => {
    const target = targetUrl(baseUrl, request.path, request.query);
    const timeoutMs = Math.max(1, Math.floor(request.deadlineMs - clock.monotonicMs()));
    try {
      const response = await fetch(target, {
        method: request.method,
        headers: forwarded(request.headers),
        body: request.body as Uint8Array<ArrayBuffer> | null,
        redirect: 'manual',
        signal: AbortSignal.timeout(timeoutMs),
      });
      return { status: response.status, headers: returned(response.headers), body: await bounded(response) };
    } catch (cause) {
      if (cause instanceof CrossfadeError) throw cause;
      if ((cause as Error).name === 'TimeoutError') {
        throw new CrossfadeError(
          'upstream_timeout',
          `The upstream ${target.host} did not answer within ${timeoutMs} ms.`,
          { cause },
        );
      }
      throw new CrossfadeError(
        'upstream_unavailable',
        `The upstream ${target.host} could not be reached or broke off.`,
        { cause },
      );
    }
  };
}

/** The address below the base; a path that would leave it is refused. */
export function targetUrl(baseUrl: string, path: string, query: string): URL {
  const base = new URL(baseUrl.endsWith('/') ? baseUrl : `${baseUrl}/`);
  const target = new URL(base);
  // Assigning to pathname cannot change the host; dots and backslashes are resolved here and checked below.
  target.pathname = `${base.pathname}${path}`;
  target.search = query;
  if (target.origin !== base.origin || !target.pathname.startsWith(base.pathname) || /%2f|%5c|%00/i.test(path)) {
    throw new CrossfadeError('invalid_input', 'The path leaves the upstream it was meant for.');
  }
  return target;
}

function forwarded(headers: Readonly<Record<string, string>>): Record<string, string> {
  const named = new Set((headers.connection ?? '').split(',').map((name) => name.trim().toLowerCase()));
  return Object.fromEntries(
    Object.entries(headers).filter(([name]) => !LEFT_BEHIND.has(name) && !named.has(name) && !OURS.test(name)),
  );
}

function returned(headers: Headers): Record<string, string> {
  return Object.fromEntries(
    [...headers].filter(([name]) => !LEFT_BEHIND.has(name) && !UNDONE.has(name) && !name.startsWith('x-crossfade-')),
  );
}

async function bounded(response: Response): Promise<Uint8Array> {
  const parts: Uint8Array[] = [];
  let size = 0;
  for await (const part of response.body ?? []) {
    size += part.length;
    if (size > MAX_ANSWER_BYTES)
      throw new CrossfadeError(
        'upstream_unavailable',
        `The upstream answered with more than ${MAX_ANSWER_BYTES} bytes.`,
      );
    parts.push(part);
  }
  return Buffer.concat(parts);
}
