/**
 * Which base addresses a service may declare, which resolved addresses they may lead to, and what the gateway does with
 * a `service` cutover by default.
 */

import { type AddressKind, kindOfHost } from './address.ts';
import type { CorsRules } from './cors.ts';

/** How requests of one `service` cutover are treated. Every field has a default. */
export type GatewayRules = {
  /** Names of the header that carries the correlation id, the first that is present counts. */
  correlationHeaders: readonly string[];
  /**
   * The header that says which groups the caller belongs to, separated by commas; null when nothing tells. Name one that
   * your own edge sets and takes away from callers: who may write it chooses a side.
   */
  groupsHeader: string | null;
  /** What `environment:NAME` in the lists is compared with. */
  environment: string | null;
  /** Hosts, spelled exactly as in `upstreams`, that may resolve to private addresses. */
  privateHosts: readonly string[];
  /**
   * Whose the header Authorization of a request is: with `upstream` it is passed on, and Crossfade's own token comes in
   * X-Crossfade-Authorization.
   */
  authorization: 'crossfade' | 'upstream';
  /** Browsers of other origins: refused, what these rules allow, or as the upstream says. */
  cors: CorsRules | 'upstream' | null;
  /** What of ours an answer carries: which side and why, the correlation id alone, or nothing. */
  headers: 'all' | 'correlation' | 'none';
  /** True when `%2F` and `%5C` may be parts of a segment, for upstreams that tell them from a slash. */
  encodedSlashes: boolean;
  /** Longest wait for one upstream, in milliseconds. */
  timeoutMs: number;
  /** Reads that fail on the shadow are answered by the primary, until completion. */
  fallback: boolean;
  /** Requests per second that one caller may send to one instance; a burst of twice as many is taken. */
  requestsPerSecond: number;
  /** True when both upstreams answer a repeated `Idempotency-Key` like the first time, so that anything may be repeated. */
  idempotencyKeys: boolean;
  /** Leading path segments that name a resource: its writes are forwarded in the order they came. */
  orderSegments: number;
  compare: {
    /** Share of reads that are sent to both sides, 0–1. */
    sampleRate: number;
    /** What may differ in JSON, as for `runCutover`: `items[*].fetched_at`, `{ path: 'tags', unordered: true }`. */
    ignore: readonly (string | { path: string; tolerance: number } | { path: string; unordered: true })[];
    /** Longest wait for the other side's answer, in milliseconds. */
    timeoutMs: number;
  };
};

export const DEFAULT_GATEWAY: GatewayRules = {
  correlationHeaders: ['x-correlation-id'],
  groupsHeader: null,
  environment: null,
  privateHosts: [],
  authorization: 'crossfade',
  cors: null,
  headers: 'all',
  encodedSlashes: false,
  timeoutMs: 10_000,
  fallback: true,
  requestsPerSecond: 200,
  idempotencyKeys: false,
  orderSegments: 2,
  compare: { sampleRate: 0.01, ignore: [], timeoutMs: 1_000 },
};

/** Where each side of a `component` takes a write that the other one has: POST, JSON, with the write's idempotency key. */
export type WriteTargets = {
  primary: string;
  shadow: string;
  /** Hosts of the two that may resolve to private addresses. */
  privateHosts: readonly string[];
};

/** Where the functions run: on a developer's machine upstreams are on it, too. */
export type NetworkProfile = 'local' | 'aws';

/** What is wrong with a declared base address whatever the profile is, or null. */
export function malformedUpstream(text: string, privateHosts: readonly string[]): string | null {
  const scheme = /^[a-z][a-z0-9+.-]*:/i.exec(text)?.[0].toLowerCase();
  if (scheme !== 'http:' && scheme !== 'https:') return 'only http and https can be proxied';
  if (!URL.canParse(text)) return 'it is no URL';
  const url = new URL(text);
  const written = /^https?:\/\/([^/?#]*)/i.exec(text)?.[1] ?? '';
  if (written.includes('@')) return 'it carries a user or password';
  if (url.search !== '' || url.hash !== '' || /[?#]/.test(text)) return 'it carries a query or fragment';
  const host = written.replace(/:\d*$/, '').toLowerCase();
  // Numbers in other bases, missing parts, other alphabets: written one way, read another.
  if (host !== url.hostname) return `it is written '${host}' and means '${url.hostname}'`;
  if (host.endsWith('.')) return 'its host ends with a dot';
  if (host.split('.').some((label) => label.startsWith('xn--'))) return 'its host is punycode';
  if (kindOfHost(host) === 'forbidden') return `${host} is no address for an upstream`;
  const plain = url.protocol === 'http:' && !isOwnMachine(host) && !privateHosts.includes(host);
  return plain ? 'it is http: write https, or name the host in privateHosts' : null;
}

/** What a profile does not allow of a well-formed one, or null. Names are looked at again when they are resolved. */
export function refusedUpstream(text: string, privateHosts: readonly string[], profile: NetworkProfile): string | null {
  const host = new URL(text).hostname;
  if (isOwnMachine(host))
    return profile === 'local' ? null : `${host} is this machine, and nothing of yours runs beside a function`;
  const kind = kindOfHost(host);
  if (kind === null || mayReach(kind, host, { privateHosts, profile })) return null;
  return `${host} is private: name it in privateHosts if it is meant`;
}

/** What a caller may reach beside public addresses. */
export type Reach = {
  /** Hosts that may resolve to private addresses. */
  privateHosts: readonly string[];
  profile: NetworkProfile;
};

/** May a request for this host be sent to an address of this kind? */
export function mayReach(kind: AddressKind, host: string, { privateHosts, profile }: Reach): boolean {
  if (kind === 'public') return true;
  if (kind === 'loopback') return profile === 'local';
  return kind === 'private' && privateHosts.includes(host);
}

const isOwnMachine = (host: string) =>
  host === 'localhost' || host.endsWith('.localhost') || kindOfHost(host) === 'loopback';
