/**
 * Verified tokens are remembered for a minute: checking a signature takes longer than all else that the gateway does with a
 * request, and a caller brings the same token again and again. A token that differs in one character is another one.
 * The key of one that is remembered may have been withdrawn for a minute; its end is looked at each time.
 */

import type { JWTVerifyGetKey } from 'jose';
import { MINUTE_MS } from '../../core/base/units.ts';
import { type Claims, SKEW_SECONDS, type TokenRules, verifyToken } from './token.ts';

/** Then the oldest is let go. At 8 KB, the longest that is taken, they are 4 MB. */
const REMEMBERED = 500;

export type Verifier = {
  rules: TokenRules;
  /** As `verifyToken`. @throws CrossfadeError `unauthenticated` */
  claimsOf(token: string, nowMs: number): Promise<Claims>;
};

/** Whose tokens are believed. */
export function verifier(keys: JWTVerifyGetKey, rules: TokenRules): Verifier {
  const remembered = new Map<string, { claims: Claims; untilMs: number }>();
  return {
    rules,
    async claimsOf(token, nowMs) {
      const known = remembered.get(token);
      if (known && nowMs < known.untilMs) return known.claims;
      remembered.delete(token);
      const claims = await verifyToken(token, keys, rules, nowMs);
      const untilMs = Math.min(nowMs + MINUTE_MS, (claims.exp + SKEW_SECONDS) * 1_000);
      for (const oldest of remembered.keys()) {
        if (remembered.size < REMEMBERED) break;
        remembered.delete(oldest);
      }
      remembered.set(token, { claims, untilMs });
      return claims;
    },
  };
}
