/**
 * Flags from the AppConfig agent, which keeps them on a local port: one plain GET. The whole content comes every time;
 * the same text as before is reported as unchanged. The agent polls by itself and does not say when it did: its answer
 * counts as old as it may be, so that a change is seen in the client's own age and not in the sum of both.
 */

import { CrossfadeError } from '../core/base/errors.ts';
import type { ServedFlags } from '../core/routing/flags.ts';
import type { FlagSource } from './flag-cache.ts';
import { checkFlagText } from './flag-check.ts';
import { demandAddress, demandTexts } from './given.ts';
import { host } from './host.ts';

export type AgentOptions = {
  /** Base of the agent: `http://127.0.0.1:2772`. */
  url: string;
  /** Names or ids. */
  application: string;
  environment: string;
  profile: string;
  /**
   * Between two looks of the agent itself, by which its answer may be old. Default: what the Lambda extension reads from
   * AWS_APPCONFIG_EXTENSION_POLL_INTERVAL_SECONDS, else the 45 s of an agent without a setting.
   */
  pollMs?: number | undefined;
  fetch?: typeof globalThis.fetch | undefined;
  /** Turns the served text into flags. @throws CrossfadeError `flags_invalid` */
  parse?: ((text: string) => ServedFlags) | undefined;
};

/** @throws CrossfadeError `invalid_config` for an address or name that is none. @example agentSource({ url: 'http://127.0.0.1:2772', application: 'crossfade', environment: 'prod', profile: 'flags' }) */
export function agentSource(options: AgentOptions): FlagSource {
  const { application, environment, profile } = options;
  demandAddress('agentSource', options.url);
  demandTexts('agentSource', { application, environment, profile });
  const parse = options.parse ?? checkFlagText;
  const path = ['applications', application, 'environments', environment, 'configurations'];
  const address = [options.url.replace(/\/$/, ''), ...path.map(encodeURIComponent)].join('/');
  const url = `${address}/${encodeURIComponent(profile)}`;
  const ageMs = options.pollMs ?? Number(host().env?.AWS_APPCONFIG_EXTENSION_POLL_INTERVAL_SECONDS ?? 45) * 1_000;
  const age = ageMs > 0 ? { ageMs } : {};
  let lastGood: string | null = null;
  return {
    async fetch(signal) {
      const text = await served(options.fetch ?? globalThis.fetch, url, signal);
      if (text === lastGood) return { unchanged: true, ...age };
      const document = parse(text);
      lastGood = text;
      return { document, ...age };
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
