/**
 * Which side serves a request: a pure function of flags and request. Rules in order, the first that applies decides:
 * kill switch → environment override → write operations → deny / allow lists → read share → local circuit breaker.
 */

import type { Side } from '../cutover/cutover.ts';
import type { CutoverFlag, SystemFlag } from './flags.ts';
import { type HashedPrefix, murmur3, murmur3After, murmur3Prefix } from './murmur3.ts';
import { placeAmong, shareThreshold } from './slices.ts';

export type RouteReason =
  | 'unknown_cutover'
  | 'no_flags'
  | 'default'
  | 'switched_off'
  | 'emergency_stop'
  | 'override'
  | 'override_invalid'
  | 'write'
  | 'denied'
  | 'allowed'
  | 'no_key'
  | 'share'
  | 'circuit_open';

export type RouteRequest = {
  /**
   * What the buckets are made of: user id, correlation id, row key. A number is its text. Without one, and with one of
   * another type, reads stay on the primary.
   */
  key?: string | number | bigint | null | undefined;
  operation?: string | undefined;
  groups?: readonly string[] | undefined;
  environment?: string | undefined;
};

export type Route = { side: Side; reason: RouteReason };

const WRITES = new Set(['write', 'insert', 'update', 'delete', 'upsert']);

/** The text of a key; null for what cannot be one, such as an object, whose text would be everybody's. */
export function keyOf(key: unknown): string | null {
  if (typeof key === 'string') return key === '' ? null : key;
  return typeof key === 'bigint' || (typeof key === 'number' && Number.isFinite(key)) ? String(key) : null;
}

/** Bucket of a key under a salt: murmur3_x86_32 of utf8(salt + ":" + key), 0 … 2³²−1. */
export function bucketOf(salt: string, key: string): number {
  return murmur3(`${salt}:${key}`);
}

/** True when this key's reads go to the shadow at the given share. More ppm never moves a key back. */
export function inShare(salt: string, key: string, ppm: number): boolean {
  return bucketOf(salt, key) < shareThreshold(ppm);
}

/** What can be known of a cutover's routes before any request, so that a decision is a hash and a comparison. */
export type PreparedRoute = {
  readonly flag: CutoverFlag | undefined;
  /** The same for every request: unknown, stopped, overridden. */
  readonly fixed: Route | null;
  /** An override that is none of the two words is ignored, and said with every answer. */
  readonly isOverrideInvalid: boolean;
  readonly isPromoted: boolean;
  readonly threshold: number;
  /** Where the slices of its plan end, but for the last one; null where there is one slice, or the flag tells none. */
  readonly slices: readonly number[] | null;
  readonly prefix: HashedPrefix | null;
};

/** Nothing is made for an answer: each is one of these. */
const primary = (reason: RouteReason): Route => ({ side: 'primary', reason });
const shadow = (reason: RouteReason): Route => ({ side: 'shadow', reason });
const UNKNOWN_CUTOVER = primary('unknown_cutover');
const SWITCHED_OFF = primary('switched_off');
const EMERGENCY_STOP = primary('emergency_stop');
const OVERRIDE_PRIMARY = primary('override');
const OVERRIDE_SHADOW = shadow('override');
const INVALID_PRIMARY = primary('override_invalid');
const INVALID_SHADOW = shadow('override_invalid');
const WRITE_PRIMARY = primary('write');
const WRITE_SHADOW = shadow('write');
const DENIED = primary('denied');
const ALLOWED = shadow('allowed');
const NO_KEY = primary('no_key');
const SHARE_PRIMARY = primary('share');
const SHARE_SHADOW = shadow('share');
export const CIRCUIT_OPEN = primary('circuit_open');

/** @param override value of `CROSSFADE_<CUTOVER>`; anything but `primary` and `shadow` is ignored and reported */
export function prepareRoute(
  flag: CutoverFlag | undefined,
  system: SystemFlag | undefined,
  override?: string,
): PreparedRoute {
  return {
    flag,
    fixed: fixedRoute(flag, system, override),
    isOverrideInvalid: Boolean(override) && override !== 'primary' && override !== 'shadow',
    isPromoted: flag?.shadow_is_primary === true,
    threshold: shareThreshold(flag?.read_ppm ?? 0),
    slices: flag?.enabled && flag.slices?.length ? flag.slices.map(shareThreshold) : null,
    prefix: flag?.enabled ? murmur3Prefix(`${flag.salt}:`) : null,
  };
}

function fixedRoute(
  flag: CutoverFlag | undefined,
  system: SystemFlag | undefined,
  override: string | undefined,
): Route | null {
  // Also what a plain object holds under the name 'constructor', which is a well-formed cutover id.
  if (flag?.salt === undefined) return UNKNOWN_CUTOVER;
  if (!flag.enabled) return SWITCHED_OFF;
  // After promotion the shadow is the table: stopping must not send readers to the old one.
  const isStopped = system?.emergency_stop || system?.enabled === false;
  if (isStopped && !flag.shadow_is_primary) return EMERGENCY_STOP;
  if (override === 'primary') return OVERRIDE_PRIMARY;
  return override === 'shadow' ? OVERRIDE_SHADOW : null;
}

/** The slice that a bucket lies in; null where there is one slice, or no key. */
export const sliceIn = ({ slices }: PreparedRoute, bucket: number | null): number | null =>
  slices === null || bucket === null ? null : placeAmong(bucket, slices);

/** The bucket of a request's key; null without a key. */
export function bucketIn({ prefix, flag }: PreparedRoute, request: RouteRequest): number | null {
  const key = keyOf(request.key);
  if (key === null) return null;
  return prefix === null ? bucketOf(flag!.salt, key) : murmur3After(prefix, key);
}

/**
 * The side of one request, but for the local circuit breaker, which a side may be left by (`mayBeLeft`). Never throws.
 * @param bucket of its key, where it is known already
 */
export function decideRoute(prepared: PreparedRoute, request: RouteRequest, bucket?: number | null): Route {
  if (prepared.fixed !== null) return prepared.fixed;
  const decided = decideByRequest(prepared, prepared.flag!, request, bucket);
  if (!prepared.isOverrideInvalid) return decided;
  return decided.side === 'primary' ? INVALID_PRIMARY : INVALID_SHADOW;
}

function decideByRequest(
  prepared: PreparedRoute,
  flag: CutoverFlag,
  request: RouteRequest,
  known: number | null | undefined,
): Route {
  const { operation } = request;
  if (operation !== undefined && WRITES.has(operation)) {
    return prepared.isPromoted ? WRITE_SHADOW : WRITE_PRIMARY;
  }
  if (prepared.isPromoted) return SHARE_SHADOW;
  if (flag.deny.length > 0 && listed(flag.deny, request)) return DENIED;
  // An allow list opens the shadow early, but only while its rows are kept equal and reads may reach it at all.
  if (flag.allow.length > 0 && flag.read_ppm > 0 && listed(flag.allow, request)) return ALLOWED;
  if (flag.read_ppm >= 1_000_000) return SHARE_SHADOW;
  const bucket = known === undefined ? bucketIn(prepared, request) : known;
  // Nothing can be held back without a key: where only what is held back is left, the rest is served by the shadow.
  if (bucket === null) return isRest(flag) ? SHARE_SHADOW : NO_KEY;
  return bucket < prepared.threshold ? SHARE_SHADOW : SHARE_PRIMARY;
}

const isRest = ({ read_ppm, hold_back_ppm = 0 }: CutoverFlag) => read_ppm > 0 && read_ppm + hold_back_ppm >= 1_000_000;

/** True when a process that sees the shadow fail may leave it: not after promotion, and not against an override. */
export function mayBeLeft(prepared: PreparedRoute, decided: Route): boolean {
  return decided.side === 'shadow' && !prepared.isPromoted && prepared.fixed === null;
}

/** List entries are keys, `group:NAME` or `environment:NAME`. */
function listed(list: readonly string[], request: RouteRequest): boolean {
  const key = keyOf(request.key);
  return list.some(
    (entry) =>
      entry === key ||
      (entry.startsWith('group:') && (request.groups?.includes(entry.slice(6)) ?? false)) ||
      (entry.startsWith('environment:') && request.environment === entry.slice(12)),
  );
}
