/**
 * Forwarded writes on DynamoDB. Every change is one conditional update, so two instances never carry out one at once:
 *
 *   intend      place is free (and no receipt of a day ago)        settle     still intended, or settled so before
 *   claim       not claimed by another, due, not in quarantine     the rest   claimed by the caller
 *
 * The SDK may repeat a call whose answer was lost: then the condition sees its own effect. Conditions allow for that.
 */

import type { ForwardStore } from '../../../ports/forwards.ts';
import { DEFAULT_CALL_DEADLINE_MS } from '../client.ts';
import type { Target } from '../failures.ts';
import { dynamoForwardAttempts } from './attempts.ts';
import { dynamoForwardIntents } from './intents.ts';
import { dynamoForwards } from './list.ts';

export type DynamoForwardStoreOptions = Pick<Target, 'client' | 'tableName'> & {
  realNow(): number;
  requestTimeoutMs?: number;
};

export function dynamoForwardStore(options: DynamoForwardStoreOptions): ForwardStore {
  const target: Target = { requestTimeoutMs: DEFAULT_CALL_DEADLINE_MS, ...options };
  return {
    intents: dynamoForwardIntents(target),
    forwards: dynamoForwards(target, options.realNow),
    attempts: dynamoForwardAttempts(target),
  };
}
