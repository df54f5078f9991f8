/** Comparison of both tables: a pass over all rows, the tables as they are now, one key, invariants. */

import type { VerificationResult } from '../../../core/gates/table-status.ts';
import { quoteText } from '../../../core/table/shape.ts';
import type { PassTimes, Verifying, VerifyStep } from '../../../ports/verifying.ts';
import { functionName, whole } from '../capture/arming.ts';
import { longJson } from '../connection/calls.ts';
import type { Roles } from '../connection/roles.ts';
import { unlessUnknown } from '../connection/unless-unknown.ts';
import { compareRow, consistency } from '../inspecting/inspection.ts';
import { evaluateInvariant } from './invariant.ts';
import { rowValues } from './row-values.ts';

type Answer = ({ kind: 'verified'; pass?: PassTimes } & VerificationResult) | Exclude<VerifyStep, { kind: 'verified' }>;

export function postgresVerifying({ runtime, owner }: Roles): Verifying {
  return {
    async verify(id, epoch, nowMs, { tier = 'fast', scope = 'full' } = {}) {
      const call = `SELECT crossfade.${functionName('verify', id)}(${whole(epoch)}, ${whole(nowMs)}, ${quoteText(tier)}, ${quoteText(scope)}) AS result`;
      const compared = () => longJson<Answer>(runtime, call);
      const unarmed: Answer = { kind: 'unready', why: 'capture is not armed' };
      const answer = await unlessUnknown(runtime, `verify_${id}`, compared, unarmed);
      if (answer.kind !== 'verified') return answer;
      const { kind, pass, ...result } = answer;
      return { kind, result, ...(pass ? { pass } : {}) };
    },
    repair: (id) => longJson(runtime, `SELECT crossfade.${functionName('repair', id)}() AS result`),
    consistency: (id) => consistency(runtime, id),
    compareRow: (id, key) => compareRow(runtime, id, key),
    rowValues: (cutover, key) => rowValues(owner, cutover, key),
    invariant: (cutover, epoch, queries) => evaluateInvariant(owner, cutover, epoch, queries),
  };
}
