/**
 * The keys that tokens are signed with: those that came with the deployment, and those that the issuer publishes.
 *
 * An issuer replaces its keys. A token that names a key which is not known here makes the issuer be asked again, at most
 * every 30 s, and published keys are read again when they are ten minutes old, so that withdrawn ones go. While the issuer does not
 * answer, the keys that it published last go on: its outage locks no caller out. Functions beside the database have no way to the
 * issuer, and read what the publisher keeps of its keys.
 */

import {
  createLocalJWKSet,
  createRemoteJWKSet,
  customFetch,
  errors,
  type JSONWebKeySet,
  type JWTVerifyGetKey,
} from 'jose';
import { CrossfadeError } from '../../core/base/errors.ts';
import { keysUrl } from '../../core/net/keys-url.ts';

const FETCH_DEADLINE_MS = 2_000;
const COOLDOWN_MS = 30_000;
const MAX_AGE_MS = 600_000;

export type KeySource = {
  /** A JWKS document; null when the issuer's published keys are the only ones. */
  configured: string | null;
  /** Null when it cannot be asked: the local profile signs its own tokens. */
  issuer: string | null;
  /** Where it publishes its keys; default: `.well-known/jwks.json` below the issuer. */
  url?: string | undefined;
  nowMs: () => number;
  /** The document that is published there. */
  ask: (url: URL, signal: AbortSignal) => Promise<string>;
  /** After a question, for as long no other is asked. Default 30 s. */
  cooldownMs?: number;
};

/** @throws CrossfadeError `invalid_config` when the configured keys cannot be read */
export function signingKeys(source: KeySource): JWTVerifyGetKey {
  const { configured, issuer, url } = source;
  const published = issuer === null ? null : publishedKeys(keysUrl(issuer, url), source);
  if (configured === null) return published ?? createLocalJWKSet({ keys: [] });
  const deployed = configuredKeys(configured);
  return async (header, token) => {
    try {
      return await deployed(header, token);
    } catch (error) {
      if (!published || !(error instanceof errors.JWKSNoMatchingKey)) throw error;
      return published(header, token);
    }
  };
}

function configuredKeys(text: string): JWTVerifyGetKey {
  try {
    return createLocalJWKSet(JSON.parse(text) as JSONWebKeySet);
  } catch (cause) {
    throw new CrossfadeError('invalid_config', 'CROSSFADE_JWKS holds no JWKS document: { "keys": [ … ] } is one.', {
      cause,
    });
  }
}

function publishedKeys(url: URL, { nowMs, ask, cooldownMs = COOLDOWN_MS }: KeySource): JWTVerifyGetKey {
  let failedMs = Number.NEGATIVE_INFINITY;
  const published = createRemoteJWKSet(url, {
    timeoutDuration: FETCH_DEADLINE_MS,
    cooldownDuration: cooldownMs,
    cacheMaxAge: MAX_AGE_MS,
    // An issuer that does not answer is left alone for a while, too: each request would wait for it.
    async [customFetch](_: string, { signal }: { signal: AbortSignal }) {
      if (nowMs() - failedMs < cooldownMs) throw new Error('the issuer did not answer a moment ago');
      try {
        return new Response(await ask(url, signal));
      } catch (error) {
        failedMs = nowMs();
        throw error;
      }
    },
  });
  return async (header, token) => {
    try {
      return await published(header, token);
    } catch (cause) {
      if (cause instanceof errors.JWKSNoMatchingKey || cause instanceof errors.JWKSMultipleMatchingKeys) throw cause;
      const last = published.jwks();
      if (last) return createLocalJWKSet(last)(header, token);
      throw new CrossfadeError(
        'unauthenticated',
        `The signing keys at ${url.href} cannot be fetched, so no token can be verified. Try again in a moment.`,
        { cause, retryable: true },
      );
    }
  };
}
