/**
 * Calls a configured upstream. Redirects are handed to the caller, never followed; hop-by-hop headers and everything of
 * ours stay behind; bodies pass as they are, compressed or not; the answer is bounded in time and size.
 *
 * Errors carry `details.sent`: false when nothing of the request can have reached the upstream.
 */

import { promisify } from 'node:util';
import { brotliDecompress, gunzip, inflate, inflateRaw, type ZlibOptions } from 'node:zlib';
import { CrossfadeError } from '../../core/base/errors.ts';
import { staysBelow } from '../../core/net/path.ts';
import { MAX_BODY_BYTES } from '../../core/net/proxied-request.ts';
import type { Upstream, UpstreamRequest, UpstreamResponse, UpstreamTarget } from '../../ports/upstream.ts';
import { type NetworkOptions, network } from '../net/call.ts';
import type { RawAnswer } from '../net/exchange.ts';
import { HOP_BY_HOP } from './hop-by-hop.ts';

/** The connection's own, and what the sender writes itself. */
const LEFT_BEHIND = new Set<string>([...HOP_BY_HOP, 'expect', 'host', 'content-length']);
/**
 * Headers of ours are not for the upstream; identity headers from outside prove nothing; and a server that takes its path
 * from a header would answer for another one than was looked at.
 */
const OURS = /^(x-crossfade-.*|x-amzn-.*|x-forwarded-user|forwarded|x-original-url|x-rewrite-url)$/;
/** Of decompressed answers: beyond it, a compressed one is taken for a bomb. */
const MAX_DECODED_BYTES = 64 * 1024 * 1024;
/** What is shorter is looked at whole before the caller gets any of it. */
const STREAMED_BEYOND_BYTES = 256 * 1024;
const [inflated, inflatedRaw] = [promisify(inflate), promisify(inflateRaw)];
const DECODERS = {
  gzip: promisify(gunzip),
  'x-gzip': promisify(gunzip),
  // Many servers leave out the frame that RFC 9110 wants around it, and clients take both.
  deflate: (body: Uint8Array, options: ZlibOptions) => inflated(body, options).catch(() => inflatedRaw(body, options)),
  br: promisify(brotliDecompress),
};

export function httpUpstream(options: NetworkOptions): Upstream {
  const { clock } = options;
  const { call, reaches } = network(options);
  return async (target, request) => {
    const url = targetUrl(target.url, request.path, request.query, target.encodedSlashes);
    const wanted = {
      called: 'upstream' as const,
      url,
      method: request.method,
      headers: forwarded(request.headers),
      body: request.body,
      timeoutMs: Math.max(1, Math.floor(request.deadlineMs - clock.monotonicMs())),
      maxBytes: request.streamed ? STREAMED_BEYOND_BYTES : MAX_BODY_BYTES,
      streamed: request.streamed,
    };
    const answer = await call(wanted, target.privateHosts);
    const decoded = answer.rest ? answer.body : await refuseBroken(answer, request, url);
    const body = request.decoded ? decoded : answer.body;
    return { ...answer, ...returned(answer, { target, request, url, reaches }), body };
  };
}

/** The address below the base; a path is refused that would leave it as any server reads it. */
export function targetUrl(baseUrl: string, path: string, query: string, encodedSlashes = false): URL {
  const base = new URL(baseUrl.endsWith('/') ? baseUrl : `${baseUrl}/`);
  const target = new URL(base);
  // Assigning to pathname cannot change the host; dots and backslashes are resolved here and checked below.
  target.pathname = `${base.pathname}${path}`;
  target.search = query;
  const isBelow = target.origin === base.origin && target.pathname.startsWith(base.pathname);
  if (!isBelow || !staysBelow(target.pathname.slice(base.pathname.length))) {
    throw new CrossfadeError(
      'invalid_input',
      "The path leaves the upstream that it was meant for, as some servers read it: it has '..', '.' or %00 in a plain, encoded or overlong form.",
    );
  }
  if (/%2f|%5c/i.test(path) && !encodedSlashes) {
    throw new CrossfadeError(
      'invalid_input',
      'The path has %2F or %5C in it, which not every server tells from a slash. A service whose upstreams do says gateway.encodedSlashes.',
    );
  }
  return target;
}

const namedIn = (connection: string | undefined) =>
  new Set((connection ?? '').split(',').map((name) => name.trim().toLowerCase()));

function forwarded(headers: Readonly<Record<string, string>>): Record<string, string> {
  const named = namedIn(headers.connection);
  return Object.fromEntries(
    Object.entries(headers).filter(([name]) => !LEFT_BEHIND.has(name) && !named.has(name) && !OURS.test(name)),
  );
}

/** What an answer is an answer to. */
type Asked = {
  target: UpstreamTarget;
  request: UpstreamRequest;
  url: URL;
  reaches: (host: string, privateHosts: readonly string[]) => boolean;
};

function returned(answer: RawAnswer, asked: Asked): Pick<UpstreamResponse, 'headers'> {
  const named = namedIn(answer.headers.connection);
  const headers = Object.fromEntries(
    Object.entries(answer.headers).filter(
      ([name]) => !LEFT_BEHIND.has(name) && !named.has(name) && !name.startsWith('x-crossfade-'),
    ),
  );
  // It says what a GET would bring; the length of any other answer is that of what arrived.
  const length = answer.headers['content-length'];
  if (asked.request.method === 'HEAD' && length !== undefined) headers['content-length'] = length;
  const { location, ...others } = headers;
  if (location === undefined) return { headers };
  const led = locationFor(location, asked);
  if (led !== null) return { headers: { ...others, location: led } };
  // What was made is there although the caller cannot reach it; a redirect to there would lead nowhere.
  if (answer.status < 300) return { headers: others };
  throw new CrossfadeError(
    'upstream_refused',
    `The upstream ${asked.url.host} answered ${asked.request.method} with a redirect to an address that is not for callers.`,
    { details: { sent: true } },
  );
}

/**
 * Where a redirect leads, or what was made is, in the caller's terms: the upstream's own addresses are reached through the
 * gateway. Null for an address that is not for callers.
 */
function locationFor(location: string, { target, request, url, reaches }: Asked): string | null {
  if (!URL.canParse(location, url.href)) return location;
  const wanted = new URL(location, url);
  const base = targetUrl(target.url, '', '');
  if (wanted.origin === base.origin && wanted.pathname.startsWith(base.pathname))
    return `${request.mount}${wanted.pathname.slice(base.pathname.length)}${wanted.search}${wanted.hash}`;
  const inside = wanted.hostname === 'localhost' || !reaches(wanted.hostname, target.privateHosts);
  return inside || !/^https?:$/.test(wanted.protocol) ? null : location;
}

/**
 * The body without its compression. An answer that says it is compressed and cannot be read would only fail later, at the
 * caller. A part of a compressed body (206) cannot be read alone.
 */
async function refuseBroken(answer: RawAnswer, request: UpstreamRequest, url: URL): Promise<Uint8Array> {
  const encoding = answer.headers['content-encoding']?.trim().toLowerCase();
  const isWhole = answer.status !== 206 && request.method !== 'HEAD' && answer.body.length > 0;
  if (!encoding || !isWhole) return answer.body;
  try {
    return await decodedBody(answer);
  } catch (cause) {
    throw new CrossfadeError(
      'upstream_unavailable',
      `The answer of the upstream ${url.host} says it is ${encoding.slice(0, 20)} and cannot be read as such.`,
      { cause, details: { sent: true } },
    );
  }
}

/** The body without its compression; as it is when the coding is not known here. */
async function decodedBody(answer: Pick<UpstreamResponse, 'headers' | 'body'>): Promise<Uint8Array> {
  const encoding = (answer.headers['content-encoding'] ?? '').trim().toLowerCase();
  if (!Object.hasOwn(DECODERS, encoding)) return answer.body;
  return DECODERS[encoding as keyof typeof DECODERS](answer.body, { maxOutputLength: MAX_DECODED_BYTES });
}
