/** The reasons of OpenFeature for ours: the provider and OFREP say the same. */

import type { RouteReason } from './routing.ts';

/** Only where there is a value; the two without one are errors. */
export const OPENFEATURE_REASONS: Record<
  RouteReason,
  'ERROR' | 'DEFAULT' | 'DISABLED' | 'STATIC' | 'SPLIT' | 'TARGETING_MATCH'
> = {
  unknown_cutover: 'ERROR',
  no_flags: 'ERROR',
  default: 'DEFAULT',
  switched_off: 'DISABLED',
  emergency_stop: 'DISABLED',
  override: 'STATIC',
  override_invalid: 'SPLIT',
  write: 'TARGETING_MATCH',
  denied: 'TARGETING_MATCH',
  allowed: 'TARGETING_MATCH',
  no_key: 'DEFAULT',
  share: 'SPLIT',
  circuit_open: 'DISABLED',
};
