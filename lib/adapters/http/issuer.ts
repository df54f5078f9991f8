/** Asks the issuer of tokens for the keys that it publishes. */

/** A document of a hundred keys. More is no JWKS document, and no item of a table either. */
const MAX_CHARACTERS = 200_000;
const DEADLINE_MS = 2_000;

/**
 * @returns the document, which holds keys
 * @throws Error without an answer, for an answer that is none, and for an address without TLS outside of this machine
 */
export async function askIssuer(url: URL, signal: AbortSignal = AbortSignal.timeout(DEADLINE_MS)): Promise<string> {
  if (url.protocol !== 'https:' && url.hostname !== '127.0.0.1')
    throw new Error(`${url.href} has no TLS: anybody on the way could publish keys`);
  const response = await fetch(url, { signal, redirect: 'error', headers: { accept: 'application/json' } });
  if (!response.ok) throw new Error(`the issuer answered ${response.status}`);
  const text = await response.text();
  if (text.length > MAX_CHARACTERS || !Array.isArray((JSON.parse(text) as { keys?: unknown } | null)?.keys))
    throw new Error(`${url.href} holds no JWKS document: { "keys": [ … ] } is one`);
  return text;
}
