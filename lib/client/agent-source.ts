/**
 * Flags from the AppConfig agent, which keeps them on a local port: one plain GET. The whole content comes every time;
 * the same text as before is reported as unchanged.
 */

import { CrossfadeError } from '../core/errors.ts';
import type { FlagDocument } from '../core/flags.ts';
import type { FlagSource } from './flag-cache.ts';
import { checkFlagText } from './flag-check.ts';

export type AgentOptions = {
  /** Base of the agent: `http://127.0.0.1:2772`. */
  url: string;
  /** Names or ids. */
  application: string;
  environment: string;
  profile: string;
  fetch?: typeof globalThis.fetch;
  /** Turns the served text into flags. @throws CrossfadeError `flags_invalid` */
  parse?: (text: string) => FlagDocument;
};

/** @example agentSource({ url: 'http://127.0.0.1:2772', application: 'crossfade', environment: 'prod', profile: 'flags' }) */
export function agentSource(options: AgentOptions): FlagSource {
  const parse = options.parse ?? checkFlagText;
  const path = ['applications', options.application, 'environments', options.environment, 'configurations'];
  const address = [options.url.replace(/\/$/, ''), ...path.map(encodeURIComponent)].join('/');
  const url = `${address}/${encodeURIComponent(options.profile)}`;
  let lastGood: string | null = null;
  return {
    async fetch(signal) {
      const text = await served(options.fetch ?? globalThis.fetch, url, signal);
      if (text === lastGood) return { unchanged: true };
      const document = parse(text);
      lastGood = text;
      return { document };
    },
  };
}

async function served(fetch: typeof globalThis.fetch, url: string, signal: AbortSignal): Promise<string> {
  try {
    const response = await fetch(url, { signal, redirect: 'error' });
    const text = await response.text();
    if (response.status === 200) return text;
    throw unavailable(url, `status ${response.status}: ${text.slice(0, 200)}`);
  } catch (error) {
    if (error instanceof CrossfadeError) throw error;
    const cause = error instanceof Error && error.cause instanceof Error ? error.cause.message : undefined;
    throw unavailable(url, cause ?? (error instanceof Error ? error.message : String(error)), error);
  }
}

function unavailable(url: string, seen: string, cause?: unknown): CrossfadeError {
  return new CrossfadeError(
    'flags_unavailable',
    `The flags could not be read from the agent at ${url}: ${seen}. The last good ones stay in use; check that the agent runs and its names are right.`,
    { retryable: true, cause },
  );
}
