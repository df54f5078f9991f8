/**
 * Which side serves a request: a pure function of flags and request. Rules in order, the first that applies decides:
 * kill switch → environment override → write operations → deny / allow lists → read share → local circuit breaker.
 */

import type { Side } from './cutover.ts';
import type { CutoverFlag, SystemFlag } from './flags.ts';
import { murmur3 } from './murmur3.ts';

export type RouteReason =
  | 'unknown_cutover'
  | 'no_flags'
  | 'emergency_stop'
  | 'override'
  | 'write'
  | 'denied'
  | 'allowed'
  | 'no_key'
  | 'share'
  | 'circuit_open';

export type RouteRequest = {
  /** What the buckets are made of: user id, correlation id, row key. Without one, reads stay on the primary. */
  key?: string | null;
  operation?: string;
  groups?: readonly string[];
  environment?: string;
};

export type Route = { side: Side; reason: RouteReason };

const WRITES = new Set(['write', 'insert', 'update', 'delete', 'upsert']);
const BUCKETS = 4_294_967_296;

/** Bucket of a key under a salt: murmur3_x86_32 of utf8(salt + ":" + key), 0 … 2³²−1. */
export function bucketOf(salt: string, key: string): number {
  return murmur3(`${salt}:${key}`);
}

/** Buckets below this go to the shadow: floor(ppm · 2³² / 1 000 000). Exact, since ppm · 2³² < 2⁵³. */
export function shareThreshold(ppm: number): number {
  return Math.floor((ppm * BUCKETS) / 1_000_000);
}

/** True when this key's reads go to the shadow at the given share. More ppm never moves a key back. */
export function inShare(salt: string, key: string, ppm: number): boolean {
  return bucketOf(salt, key) < shareThreshold(ppm);
}

/**
 * The side of one request. Never throws.
 * @param override value of `CROSSFADE_<CUTOVER>`; anything but `primary` and `shadow` is ignored
 * @param circuitOpen true when this process saw the shadow fail and leaves it for a while
 */
export function route(
  flag: CutoverFlag | undefined,
  system: SystemFlag | undefined,
  request: RouteRequest,
  override?: string,
  circuitOpen = false,
): Route {
  // Also what a plain object holds under the name 'constructor', which is a well-formed cutover id.
  if (!flag?.enabled) return { side: 'primary', reason: 'unknown_cutover' };
  // After promotion the shadow is the table: stopping must not send readers to the old one.
  if (system?.emergency_stop && !flag.shadow_is_primary) return { side: 'primary', reason: 'emergency_stop' };
  if (override === 'primary' || override === 'shadow') return { side: override, reason: 'override' };
  if (request.operation !== undefined && WRITES.has(request.operation)) {
    return { side: flag.shadow_is_primary ? 'shadow' : 'primary', reason: 'write' };
  }
  if (flag.shadow_is_primary) return { side: 'shadow', reason: 'share' };
  if (flag.deny.length > 0 && listed(flag.deny, request)) return { side: 'primary', reason: 'denied' };
  const side = bySharing(flag, request);
  return side.side === 'shadow' && circuitOpen ? { side: 'primary', reason: 'circuit_open' } : side;
}

function bySharing(flag: CutoverFlag, request: RouteRequest): Route {
  // An allow list opens the shadow early, but only while its rows are kept equal and reads may reach it at all.
  if (flag.allow.length > 0 && flag.read_ppm > 0 && listed(flag.allow, request))
    return { side: 'shadow', reason: 'allowed' };
  if (flag.read_ppm >= 1_000_000) return { side: 'shadow', reason: 'share' };
  if (request.key === undefined || request.key === null || request.key === '')
    return { side: 'primary', reason: 'no_key' };
  return { side: inShare(flag.salt, request.key, flag.read_ppm) ? 'shadow' : 'primary', reason: 'share' };
}

/** List entries are keys, `group:NAME` or `environment:NAME`. */
function listed(list: readonly string[], request: RouteRequest): boolean {
  return list.some(
    (entry) =>
      entry === request.key ||
      (entry.startsWith('group:') && (request.groups?.includes(entry.slice(6)) ?? false)) ||
      (entry.startsWith('environment:') && request.environment === entry.slice(12)),
  );
}
