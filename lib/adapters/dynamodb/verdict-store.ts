/** The last verdict on each cutover, with the evidence that the next one goes on from. Read for many cutovers together. */

import { PutCommand } from '@aws-sdk/lib-dynamodb';
import { storedVerdict as toStored } from '../../core/conditions/stored.ts';
import { CLOCKS_APART_MS } from '../../core/conditions/verdict.ts';
import type { CutoverId } from '../../core/cutover/cutover.ts';
import { storedEvidence } from '../../core/gates/stored-evidence.ts';
import type { StoredVerdict } from '../../core/gates/stored-verdict.ts';
import type { VerdictStore } from '../../ports/state.ts';
import { storedVerdict } from '../../schemas/state.ts';
import { batchingLoader, named } from './batching-loader.ts';
import { DEFAULT_CALL_DEADLINE_MS } from './client.ts';
import { attempt, isConditionFailure, type Target } from './failures.ts';
import { verdictKey } from './keys.ts';
import { packed, unpacked } from './packed-json.ts';
import { pausesOf } from './pauses.ts';
import { mustBelieve, readItems } from './state-items.ts';
import type { DynamoStateStoreOptions } from './state-store.ts';

/** At some 5 KB each far from the 16 MB of an answer. */
const VERDICTS_AT_ONCE = 25;

export function dynamoVerdictStore(options: Omit<DynamoStateStoreOptions, 'ids'>): VerdictStore {
  const target: Target = { requestTimeoutMs: DEFAULT_CALL_DEADLINE_MS, ...options };
  const { client, tableName } = target;
  const { clock } = options;
  const pause = pausesOf(options);
  return {
    async write(id, { atMs, verdict, evidence, observations = {}, flagsSeen = [] }) {
      const command = new PutCommand({
        TableName: tableName,
        Item: {
          ...verdictKey(id),
          atMs,
          verdict: packed(toStored(verdict)),
          evidence: packed(evidence && storedEvidence(evidence)),
          ...(Object.keys(observations).length > 0 ? { observations: packed(observations) } : {}),
          ...(flagsSeen.length > 0 ? { flagsSeen } : {}),
        },
        // A tick that was frozen must not cover the verdict of a later one. One from the future is no later one: the clock
        // of its writer was wrong, and would keep everybody's verdicts out until it comes true.
        ConditionExpression: 'attribute_not_exists(pk) OR atMs <= :at OR atMs > :future',
        ExpressionAttributeValues: { ':at': atMs, ':future': clock.now() + CLOCKS_APART_MS },
      });
      await attempt(target, `write the verdict on cutover '${id}'`, (call) =>
        client.send(command, call).catch((error: unknown) => {
          if (!isConditionFailure(error)) throw error;
        }),
      );
    },

    read: batchingLoader(VERDICTS_AT_ONCE, async (ids: readonly CutoverId[]) => {
      const keys = [...new Set(ids)].map(verdictKey);
      const items = await readItems(target, `read the verdict on ${named(ids)}`, keys, pause);
      const found = new Map(items.map((item) => [item.sk, item]));
      return (id): StoredVerdict | null => {
        const item = found.get(id);
        if (!item) return null;
        const [verdict, evidence, observations] = [item.verdict, item.evidence, item.observations].map(unpacked);
        const whole = { ...item, verdict, evidence, observations };
        return mustBelieve(storedVerdict, whole, target, `verdict on cutover '${id}'`);
      };
    }),
  };
}
