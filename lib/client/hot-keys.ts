/**
 * A key with a large share of the traffic: all its reads change sides at once, so that a stage of 1 % is nearly nothing of the
 * traffic or a good part of it. Some of the reads are looked at, and what the most frequent key has of them is said.
 */

import { percent } from '../core/conditions/figures.ts';
import { bucketOf, keyOf, type PreparedRoute, type RouteRequest } from '../core/routing/routing.ts';
import type { Problem } from './problems.ts';

/** Odd, so that requests that come in turns are all met. */
const ONE_IN = 31;
const SAMPLES = 256;
/** Of 256 samples a key with a twentieth of the traffic has so many about once in a million looks. */
const HOT_SHARE = 0.2;

export type HotKeys = {
  /** After a decision; costs a count, but for one in thirty-one. */
  routed(cutover: string, request: RouteRequest): void;
};

export function hotKeys(
  prepared: (cutover: string) => PreparedRoute | undefined,
  problem: (problem: Problem) => boolean,
): HotKeys {
  const sampled = new Map<string, { samples: number; byKey: Map<string, number> }>();
  /** Cutover and bucket of what was said: its share is another one every time, and it is one thing to know. */
  const said = new Set<string>();
  let calls = 0;

  function sample(cutover: string, key: string): void {
    const seen = sampled.get(cutover) ?? { samples: 0, byKey: new Map<string, number>() };
    sampled.set(cutover, seen);
    seen.samples += 1;
    seen.byKey.set(key, (seen.byKey.get(key) ?? 0) + 1);
    if (seen.samples < SAMPLES) return;
    sampled.delete(cutover);
    const [hottest, count] = [...seen.byKey].reduce((most, one) => (one[1] > most[1] ? one : most));
    const salt = prepared(cutover)?.flag?.salt;
    if (count / SAMPLES < HOT_SHARE || salt === undefined) return;
    const bucket = bucketOf(salt, hottest);
    const known = `${cutover} ${bucket}`;
    if (said.has(known)) return;
    if (problem({ code: 'hot_key', message: hotKey(cutover, count / SAMPLES, bucket) })) said.add(known);
  }

  return {
    routed(cutover, request) {
      calls += 1;
      if (calls < ONE_IN) return;
      calls = 0;
      const text = keyOf(request.key);
      // Once it is promoted nothing is shared out any more.
      if (text !== null && prepared(cutover)?.isPromoted === false) sample(cutover, text);
    },
  };
}

/** Without the key, which may be a person's. */
const hotKey = (cutover: string, share: number, bucket: number): string =>
  `One key has ${percent(share)} of the requests of '${cutover}' in this process; its bucket is ${bucket}. They all change sides at once, whatever the share of a stage. Route by a key that more callers have to themselves, or list that one under allow or deny.`;
