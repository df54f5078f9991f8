/**
 * Flags over HTTP, for programs that reach no AppConfig: `GET /v1/flags/served` of Crossfade's own API, or any address
 * that serves the same JSON. Conditional: an unchanged document costs a 304. The server's `age` header counts, so the
 * age that is reported is the one since the deployed content was seen.
 */

import { CrossfadeError } from '../core/base/errors.ts';
import type { ServedFlags } from '../core/routing/flags.ts';
import type { FlagSource } from './flag-cache.ts';
import { checkFlagText } from './flag-check.ts';
import { demandAddress } from './given.ts';

export type HttpSourceOptions = {
  /** `https://crossfade.example.com/v1/flags/served` */
  url: string;
  /** Called for every request, so that short-lived tokens stay fresh. */
  token?: (() => string | Promise<string>) | undefined;
  fetch?: typeof globalThis.fetch | undefined;
  parse?: ((text: string) => ServedFlags) | undefined;
};

const MAX_CHARACTERS = 1_048_576;

/** @example httpSource({ url: 'https://crossfade.example.com/v1/flags/served', token: () => accessToken() }) */
export function httpSource(options: HttpSourceOptions): FlagSource {
  const { url, token, parse = checkFlagText } = options;
  demandAddress('httpSource', url);
  let etag: string | null = null;
  return {
    async fetch(signal) {
      const headers: Record<string, string> = { accept: 'application/json' };
      if (token) headers.authorization = `Bearer ${await token()}`;
      if (etag !== null) headers['if-none-match'] = etag;
      const { status, text, response } = await ask(options.fetch ?? globalThis.fetch, url, { headers, signal });
      const ageMs = ageOf(response.headers.get('age'));
      if (status === 304 && etag !== null) return { unchanged: true, ageMs };
      if (status !== 200) throw unavailable(url, `status ${status}`);
      const document = parse(text);
      etag = response.headers.get('etag');
      return { document, ageMs };
    },
  };
}

async function ask(fetch: typeof globalThis.fetch, url: string, init: RequestInit) {
  try {
    const response = await fetch(url, { ...init, redirect: 'error' });
    const text = await response.text();
    if (text.length > MAX_CHARACTERS) throw unavailable(url, `${text.length} characters`);
    return { status: response.status, text, response };
  } catch (error) {
    if (error instanceof CrossfadeError) throw error;
    throw unavailable(url, error instanceof Error ? error.message : String(error), error);
  }
}

const ageOf = (header: string | null) => (header !== null && /^\d{1,9}$/.test(header) ? Number(header) * 1_000 : 0);

function unavailable(url: string, seen: string, cause?: unknown): CrossfadeError {
  return new CrossfadeError(
    'flags_unavailable',
    `The flags could not be read from ${url}: ${seen}. The last good ones stay in use; check the address and the token's scope route:read.`,
    { retryable: true, cause },
  );
}
