/** One attempt at a forwarded write: claimed by one caller at a time, and changed by its claimer only. */

import type { ForwardAttempts } from '../../../ports/forwards.ts';
import type { Target } from '../failures.ts';
import { bodyPartition } from '../keys.ts';
import { queryItems } from '../state-items.ts';
import { forwardChanges } from './changes.ts';
import { forwardOf, withBody } from './item.ts';

export function dynamoForwardAttempts(target: Target): ForwardAttempts {
  const { update, updated, remove } = forwardChanges(target);

  async function bodyOf(cutover: string, id: string, parts: number): Promise<Uint8Array | null> {
    if (parts === 0) return null;
    const items = await queryItems(target, `read the body of a forwarded write of cutover '${cutover}'`, {
      KeyConditionExpression: 'id = :id',
      ExpressionAttributeValues: { ':id': bodyPartition(cutover, id) },
    });
    return Buffer.concat(items.map((item) => item.body as Uint8Array));
  }

  return {
    async claim(cutover, id, { by, nowMs, untilMs }) {
      const item = await updated(cutover, id, 'claim', {
        UpdateExpression: 'SET claimedBy = :by, claimedUntilMs = :until, attempts = attempts + :one',
        // Its own claim: the call came twice.
        ConditionExpression:
          'attribute_exists(id) AND #status <> :quarantined AND nextAttemptAtMs <= :now AND (claimedUntilMs <= :now OR claimedBy = :by)',
        ExpressionAttributeValues: {
          ':by': by,
          ':until': untilMs,
          ':now': nowMs,
          ':one': 1,
          ':quarantined': 'quarantined',
        },
      });
      if (!item) return null;
      const { head, parts, inline } = forwardOf(item);
      return withBody(head, inline ?? (await bodyOf(cutover, id, parts)));
    },

    async known(cutover, id, by) {
      return update(cutover, id, 'settle', {
        UpdateExpression: 'SET #status = :ready, known = :true',
        ConditionExpression: 'claimedBy = :by',
        ExpressionAttributeValues: { ':ready': 'ready', ':true': true, ':by': by },
      });
    },

    async postpone(cutover, id, by, untilMs) {
      return update(cutover, id, 'postpone', {
        UpdateExpression: 'SET nextAttemptAtMs = :until, claimedUntilMs = :none, claimedBy = :free',
        ConditionExpression: 'claimedBy = :by',
        ExpressionAttributeValues: { ':until': untilMs, ':none': 0, ':free': '', ':by': by },
      });
    },

    async quarantine(cutover, id, by, problem) {
      return update(cutover, id, 'put into quarantine', {
        UpdateExpression: 'SET #status = :quarantined, problem = :problem, claimedUntilMs = :none, claimedBy = :free',
        ConditionExpression: 'claimedBy = :by',
        ExpressionAttributeValues: {
          ':quarantined': 'quarantined',
          ':problem': problem,
          ':none': 0,
          ':free': '',
          ':by': by,
        },
      });
    },

    finish: (cutover, id, by) =>
      remove(cutover, id, 'finish', {
        ConditionExpression: 'claimedBy = :by',
        ExpressionAttributeValues: { ':by': by },
      }),
  };
}
