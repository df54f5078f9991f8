/**
 * Which Crossfade the commands talk to, and as whom. Either an address and a token from the person, or the local stack
 * of this machine, whose settings file lets its owner sign operator tokens that live for five minutes.
 */

import { OPERATOR_SCOPES, type Scope } from '../adapters/http/scopes.ts';
import type { Signer } from '../adapters/http/sign-request.ts';
import { signToken } from '../adapters/http/sign-token.ts';
import type { Jwk } from '../adapters/http/token.ts';
import { CrossfadeError } from '../core/base/errors.ts';
import { didYouMean } from '../core/base/nearest.ts';
import { DEFAULT_PORT, type LocalSettings, localSettingsPath } from '../schemas/local-settings.ts';
import type { Io } from './io.ts';
import { HOW_TO_START } from './package-root.ts';

export type Connection = {
  /** Base address of the API, without a slash at the end. */
  url: string;
  /** The API runs on this machine. */
  loopback: boolean;
  /** Settings of the local stack, when it is the one that is talked to. */
  settings: LocalSettings | null;
  /** A token for one call. @throws CrossfadeError `unauthenticated` when there is none */
  token(): string;
  /** Signs a call in place of the token; null where a token is sent. */
  sign: Signer | null;
};

export type ConnectionOptions = { url?: string; port?: number; awsProfile?: string };

type Needs = Pick<Io, 'env' | 'nowMs' | 'user' | 'readSettings'>;

const TOKEN_SECONDS = 300;

/**
 * `--url`, else `--port`, else CROSSFADE_URL, else the local stack on CROSSFADE_PORT or 3000.
 * `--aws-profile`: requests to that address are signed with the credentials of this profile.
 * @throws CrossfadeError `invalid_input` for an address that cannot be used, `upstream_unavailable` without a local stack
 */
export function connect(options: ConnectionOptions, io: Needs): Connection {
  const address = options.url ?? (options.port === undefined ? io.env.CROSSFADE_URL : undefined);
  const port = options.port ?? portFrom(io.env.CROSSFADE_PORT);
  if (!address) return localConnection(port, io.readSettings(port), io);
  const url = checkedUrl(address);
  const { awsProfile } = options;
  if (awsProfile !== undefined) return signedConnection(url, awsProfile, regionOf(io));
  const token = io.env.CROSSFADE_TOKEN?.trim();
  // The address of its page is one of a local stack, too, on whatever port.
  for (const near of token || !isLoopback(url) ? [] : [port, Number(new URL(url).port)]) {
    const settings = io.readSettings(near);
    if (settings && [settings.url, settings.apiUrl].some((own) => sameOrigin(own, url)))
      return localConnection(near, settings, io);
  }
  return { url, loopback: isLoopback(url), settings: null, token: () => givenToken(token, url), sign: null };
}

/**
 * Of a deployment that is named by its stage: with CROSSFADE_TOKEN where there is one, else signed as the rest of the command is.
 * @throws CrossfadeError `invalid_input` for an address that cannot be used
 */
export function connectDeployed(
  address: string,
  { region, awsProfile }: { region: string; awsProfile?: string | undefined },
  io: Needs,
): Connection {
  if (io.env.CROSSFADE_TOKEN?.trim()) return connect({ url: address }, io);
  return signedConnection(checkedUrl(address), awsProfile, region);
}

const signedConnection = (url: string, profile: string | undefined, region: string | undefined): Connection => ({
  url,
  loopback: isLoopback(url),
  settings: null,
  token: () => givenToken(undefined, url),
  sign: signerOf(profile, region),
});

const regionOf = ({ env }: Pick<Io, 'env'>): string | undefined => env.AWS_REGION ?? env.AWS_DEFAULT_REGION;

function localConnection(port: number, settings: LocalSettings | null, io: Needs): Connection {
  const remedy = `Is Crossfade running? ${HOW_TO_START}`;
  if (!settings) {
    throw new CrossfadeError(
      'upstream_unavailable',
      `No local stack left its settings for port ${port} (${localSettingsPath(port)}). ${remedy}`,
    );
  }
  if (!isAlive(settings.pid)) {
    throw new CrossfadeError(
      'upstream_unavailable',
      `The local stack of port ${port} has ended: process ${settings.pid} is gone. ${remedy}`,
    );
  }
  const url = settings.apiUrl.replace(/\/+$/, '');
  return { url, loopback: true, settings, token: () => mintOperatorToken(settings, io), sign: null };
}

/** Loaded with the first call: other callers need none. */
function signerOf(profile: string | undefined, region: string | undefined): Signer {
  let signer: Promise<Signer> | undefined;
  return async (request) => {
    signer ??= import('../adapters/http/sign-request.ts').then(({ requestSigner }) =>
      requestSigner({ profile, region }),
    );
    return (await signer)(request);
  };
}

/** An operator's token of the local stack, valid for five minutes of real time. */
const mintOperatorToken = (settings: LocalSettings, io: Pick<Io, 'nowMs' | 'user'>): string =>
  mintToken(settings, {
    sub: `local:${io.user()}`,
    scopes: OPERATOR_SCOPES,
    nowMs: io.nowMs(),
    seconds: TOKEN_SECONDS,
  });

/** What an application does: it asks for sides, records outcomes and writes, and calls services. */
export const APPLICATION_SCOPES: readonly Scope[] = ['route:read', 'outcomes:write', 'copies:write', 'gateway:call'];

/**
 * A token of the local stack. `nowMs`, `seconds`: real time.
 * @throws CrossfadeError `invalid_input` for a scope that there is not
 */
export function mintToken(
  { issuer: iss, audience: aud, privateKey }: Pick<LocalSettings, 'issuer' | 'audience' | 'privateKey'>,
  { sub, scopes, nowMs, seconds }: { sub: string; scopes: readonly string[]; nowMs: number; seconds: number },
): string {
  const unknown = scopes.filter((scope) => !(OPERATOR_SCOPES as readonly string[]).includes(scope));
  if (unknown.length > 0) {
    throw new CrossfadeError(
      'invalid_input',
      `There is no scope '${unknown[0]}'.${didYouMean(unknown[0]!, OPERATOR_SCOPES)} Scopes: ${OPERATOR_SCOPES.join(', ')}.`,
    );
  }
  const iat = Math.floor(nowMs / 1_000);
  return signToken({ sub, iss, aud, iat, exp: iat + Math.floor(seconds), scope: scopes.join(' ') }, privateKey as Jwk);
}

export function portFrom(text: string | undefined): number {
  if (text === undefined || text === '') return DEFAULT_PORT;
  const port = Number(text);
  if (/^\d{1,5}$/.test(text) && port > 0 && port < 65_536) return port;
  throw new CrossfadeError('invalid_input', `CROSSFADE_PORT must be a port, 1–65535; it is '${text}'.`);
}

/** A token must not travel in the clear, and an address with a password in it would end up in logs. */
function checkedUrl(text: string): string {
  const url = URL.canParse(text) ? new URL(text) : null;
  if (!url || (url.protocol !== 'https:' && url.protocol !== 'http:')) {
    throw new CrossfadeError('invalid_input', `The address of Crossfade must be an http or https URL, got '${text}'.`);
  }
  if (url.username !== '' || url.password !== '' || url.search !== '' || url.hash !== '') {
    throw new CrossfadeError(
      'invalid_input',
      `The address of Crossfade must be bare, without user, query and fragment. The token belongs into CROSSFADE_TOKEN.`,
    );
  }
  const bare = url.origin + url.pathname.replace(/\/+$/, '');
  if (url.protocol === 'http:' && !isLoopback(bare)) {
    throw new CrossfadeError('invalid_input', `${bare} would carry the token in the clear. Use its https address.`);
  }
  return bare;
}

function givenToken(token: string | undefined, url: string): string {
  if (!token) {
    throw new CrossfadeError(
      'unauthenticated',
      `${url} wants a token, and CROSSFADE_TOKEN is not set. Put an access token of its issuer there; behind IAM, give --aws-profile NAME.`,
    );
  }
  if (/^[\x21-\x7e]+$/.test(token)) return token;
  throw new CrossfadeError('unauthenticated', 'CROSSFADE_TOKEN holds characters that no token has. Copy it again.');
}

export function isLoopback(url: string): boolean {
  const { hostname } = new URL(url);
  return /^127(\.\d+){3}$/.test(hostname) || hostname === '[::1]' || /^(.+\.)?localhost$/.test(hostname);
}

function sameOrigin(own: string, url: string): boolean {
  const a = new URL(own);
  const b = new URL(url);
  return a.port === b.port && a.protocol === b.protocol && isLoopback(own) && isLoopback(url);
}

export function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}
