/** `--set key=value` of `crossfade policy`, as the API takes it. */

import { checkedKey, limitsIn } from '../schemas/limits.ts';
import { POLICY_KEYS } from '../schemas/policy.ts';
import type { Options } from './context.ts';

const WHAT = 'key of a policy';

/** @throws CrossfadeError `invalid_input` for a key that is not one, or no value */
export function policyBody({ set = [], unset = [], stage, reason }: Options): object {
  return {
    stage,
    set: limitsIn(set, POLICY_KEYS, WHAT),
    ...(unset.length > 0 ? { unset: unset.map((key) => checkedKey(key, POLICY_KEYS, WHAT)) } : {}),
    reason,
  };
}
