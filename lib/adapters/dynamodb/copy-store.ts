/**
 * Copies of writes on DynamoDB. Every change is one conditional update, so two instances never carry out one copy at once:
 *
 *   intend      place is free (and no receipt of a day ago)        settle     still intended, or settled so before
 *   claim       not claimed by another, due, not in quarantine     the rest   claimed by whoever asks
 *
 * The SDK may repeat a call whose answer was lost: then the condition sees its own effect. Conditions allow for that.
 */

import {
  DeleteCommand,
  GetCommand,
  PutCommand,
  QueryCommand,
  TransactWriteCommand,
  UpdateCommand,
  type UpdateCommandInput,
} from '@aws-sdk/lib-dynamodb';
import { COPY_SHARDS, type CopyHead } from '../../core/forwards/forward.ts';
import { murmur3 } from '../../core/routing/murmur3.ts';
import type { CopyStore, NewCopy } from '../../ports.ts';
import { DEFAULT_CALL_DEADLINE_MS } from './client.ts';
import { copiesSummary, LISTED, type Listed } from './copies-summary.ts';
import { copyOf, itemsOf, withBody } from './copy-item.ts';
import { attempt, isConditionFailure, type Target } from './failures.ts';
import { bodyKey, bodyPartition, copyKey, copyPartition, receiptKey } from './keys.ts';
import type { Item } from './state-items.ts';

export type DynamoCopyStoreOptions = Pick<Target, 'client' | 'tableName'> & {
  realNow(): number;
  requestTimeoutMs?: number;
};

const RECEIPT_SECONDS = 86_400;
/** Everything but the body. Each under an alias: some are words that DynamoDB keeps for itself. */
const HEAD_FIELDS = [
  'place',
  'cutover',
  'side',
  'orderKey',
  'status',
  'known',
  'idempotencyKey',
  'attempts',
  'nextAttemptAtMs',
  'claimedUntilMs',
  'problem',
  'request',
  'bodyBytes',
  'parts',
];
const HEAD_PROJECTION = {
  ProjectionExpression: HEAD_FIELDS.map((name) => `#${name}`).join(', '),
  ExpressionAttributeNames: Object.fromEntries(HEAD_FIELDS.map((name) => [`#${name}`, name])),
};

type Change = Pick<UpdateCommandInput, 'UpdateExpression' | 'ConditionExpression' | 'ExpressionAttributeValues'>;

export function dynamoCopyStore(options: DynamoCopyStoreOptions): CopyStore {
  const target: Target = { requestTimeoutMs: DEFAULT_CALL_DEADLINE_MS, ...options };
  const { client, tableName: TableName } = target;

  /** The item after the change, or null when the condition does not hold. */
  async function update(cutover: string, id: string, what: string, change: Change): Promise<Item | null> {
    const Key = copyKey(cutover, id);
    if (!Key) return null;
    const command = new UpdateCommand({
      TableName,
      Key,
      ...change,
      ...namesIn(`${change.UpdateExpression} ${change.ConditionExpression}`),
      ReturnValues: 'ALL_NEW',
    });
    return attempt(target, `${what} a copy of cutover '${cutover}'`, (call) =>
      client.send(command, call).then(
        ({ Attributes }) => Attributes ?? null,
        (error: unknown) => {
          if (isConditionFailure(error)) return null;
          throw error;
        },
      ),
    );
  }

  /** Removes a copy under a condition, and the parts of its body. Gone already counts as done. */
  async function remove(
    cutover: string,
    id: string,
    what: string,
    condition: Omit<Change, 'UpdateExpression'>,
  ): Promise<boolean> {
    const Key = copyKey(cutover, id);
    if (!Key) return false;
    const command = new DeleteCommand({
      TableName,
      Key,
      ConditionExpression: `attribute_not_exists(id) OR (${condition.ConditionExpression})`,
      ...namesIn(condition.ConditionExpression),
      ExpressionAttributeValues: condition.ExpressionAttributeValues,
      ReturnValues: 'ALL_OLD',
    });
    return attempt(target, `${what} a copy of cutover '${cutover}'`, async (call) => {
      try {
        const { Attributes } = await client.send(command, call);
        const parts = Number(Attributes?.parts ?? 0);
        for (let part = 0; part < parts; part += 1)
          await client.send(new DeleteCommand({ TableName, Key: bodyKey(cutover, id, part) }), call);
        return true;
      } catch (error) {
        if (isConditionFailure(error)) return false;
        throw error;
      }
    });
  }

  async function listShard(cutover: string, shard: number): Promise<Listed> {
    const heads: CopyHead[] = [];
    let next: Item | undefined;
    do {
      const command = new QueryCommand({
        TableName,
        ConsistentRead: true,
        KeyConditionExpression: 'id = :id',
        ...HEAD_PROJECTION,
        ExpressionAttributeValues: { ':id': copyPartition(cutover, shard) },
        Limit: LISTED,
        ExclusiveStartKey: next,
      });
      const page = await attempt(target, `list the copies of cutover '${cutover}'`, (call) =>
        client.send(command, call),
      );
      heads.push(...(page.Items ?? []).map((item) => copyOf(item).head));
      next = page.LastEvaluatedKey;
    } while (next && heads.length < LISTED);
    return { heads, more: next !== undefined };
  }

  const listAll = async (cutover: string) =>
    Promise.all(Array.from({ length: COPY_SHARDS }, (_, shard) => listShard(cutover, shard)));

  async function bodyOf(cutover: string, id: string, parts: number): Promise<Uint8Array | null> {
    if (parts === 0) return null;
    const found: Uint8Array[] = [];
    let next: Item | undefined;
    do {
      const command = new QueryCommand({
        TableName,
        ConsistentRead: true,
        KeyConditionExpression: 'id = :id',
        ExpressionAttributeValues: { ':id': bodyPartition(cutover, id) },
        ExclusiveStartKey: next,
      });
      const page = await attempt(target, `read the body of a copy of cutover '${cutover}'`, (call) =>
        client.send(command, call),
      );
      found.push(...(page.Items ?? []).map((item) => item.body as Uint8Array));
      next = page.LastEvaluatedKey;
    } while (next);
    return Buffer.concat(found);
  }

  /** What a receipt says of the copy that was recorded under its name. */
  async function firstOf(cutover: string, receipt: string): Promise<Pick<CopyHead, 'id' | 'side'> | null> {
    const command = new GetCommand({ TableName, Key: receiptKey(cutover, receipt), ConsistentRead: true });
    const what = `read the receipt of a write of cutover '${cutover}'`;
    const { Item } = await attempt(target, what, (call) => client.send(command, call));
    return Item ? { id: String(Item.copy), side: Item.side === 'primary' ? 'primary' : 'shadow' } : null;
  }

  return {
    now: async () => options.realNow(),

    async intend(copy, options) {
      const { id, side, cutover } = copy;
      const { item, parts } = itemsOf(copy);
      const what = `record a write of cutover '${cutover}' that is to be copied`;
      // The parts first: a copy that is there is whole.
      for (const Item of parts)
        await attempt(target, what, (call) => client.send(new PutCommand({ TableName, Item }), call));
      const Put = { TableName, Item: item, ConditionExpression: 'attribute_not_exists(id)' };
      const recorded = await attempt(target, what, async (call) => {
        try {
          if (options) {
            const receipt = { ...Put, Item: receiptOf(copy, options.receipt) };
            await client.send(new TransactWriteCommand({ TransactItems: [{ Put: receipt }, { Put }] }), call);
          } else await client.send(new PutCommand(Put), call);
          return true;
        } catch (error) {
          if (isConditionFailure(error) || cancelledByCondition(error)) return false;
          throw error;
        }
      });
      if (recorded) return { kind: 'recorded', id, side };
      const first = options ? await firstOf(cutover, options.receipt) : null;
      return { kind: 'repeated', ...(first ?? { id, side }) };
    },

    async settle(cutover, id, status) {
      const settled = await update(cutover, id, 'settle', {
        UpdateExpression: 'SET #status = :status, known = :known',
        ConditionExpression: '#status IN (:intended, :status)',
        ExpressionAttributeValues: { ':status': status, ':known': status === 'ready', ':intended': 'intended' },
      });
      return settled !== null;
    },

    withdraw: (cutover, id) =>
      remove(cutover, id, 'withdraw', {
        ConditionExpression: '#status = :intended',
        ExpressionAttributeValues: { ':intended': 'intended' },
      }),

    async open(cutover, orderKey) {
      if (orderKey !== undefined) {
        const { heads } = await listShard(cutover, murmur3(orderKey) % COPY_SHARDS);
        return heads.filter((head) => head.orderKey === orderKey);
      }
      const shards = await listAll(cutover);
      return shards.flatMap(({ heads }) => heads).sort((a, b) => (a.id < b.id ? -1 : 1));
    },

    async claim(cutover, id, { by, nowMs, untilMs }) {
      const item = await update(cutover, id, 'claim', {
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
      const { head, parts, inline } = copyOf(item);
      return withBody(head, inline ?? (await bodyOf(cutover, id, parts)));
    },

    async known(cutover, id, by) {
      const changed = await update(cutover, id, 'settle', {
        UpdateExpression: 'SET #status = :ready, known = :true',
        ConditionExpression: 'claimedBy = :by',
        ExpressionAttributeValues: { ':ready': 'ready', ':true': true, ':by': by },
      });
      return changed !== null;
    },

    async postpone(cutover, id, by, untilMs) {
      const changed = await update(cutover, id, 'postpone', {
        UpdateExpression: 'SET nextAttemptAtMs = :until, claimedUntilMs = :none, claimedBy = :nobody',
        ConditionExpression: 'claimedBy = :by',
        ExpressionAttributeValues: { ':until': untilMs, ':none': 0, ':nobody': '', ':by': by },
      });
      return changed !== null;
    },

    async quarantine(cutover, id, by, problem) {
      const changed = await update(cutover, id, 'put into quarantine', {
        UpdateExpression: 'SET #status = :quarantined, problem = :problem, claimedUntilMs = :none, claimedBy = :nobody',
        ConditionExpression: 'claimedBy = :by',
        ExpressionAttributeValues: {
          ':quarantined': 'quarantined',
          ':problem': problem,
          ':none': 0,
          ':nobody': '',
          ':by': by,
        },
      });
      return changed !== null;
    },

    finish: (cutover, id, by) =>
      remove(cutover, id, 'finish', {
        ConditionExpression: 'claimedBy = :by',
        ExpressionAttributeValues: { ':by': by },
      }),

    async retry(cutover, id) {
      const changed = await update(cutover, id, 'retry', {
        UpdateExpression:
          'SET #status = :ready, known = :true, attempts = :none, nextAttemptAtMs = :none, problem = :null',
        ConditionExpression: '#status = :quarantined',
        ExpressionAttributeValues: {
          ':ready': 'ready',
          ':true': true,
          ':none': 0,
          ':null': null,
          ':quarantined': 'quarantined',
        },
      });
      return changed !== null;
    },

    discard: (cutover, id) =>
      remove(cutover, id, 'discard', {
        ConditionExpression: '#status = :quarantined',
        ExpressionAttributeValues: { ':quarantined': 'quarantined' },
      }),

    summary: copiesSummary(target, HEAD_FIELDS, listAll, options.realNow),
  };
}

const receiptOf = ({ id, side, cutover, createdAtMs }: NewCopy, receipt: string): Item => ({
  ...receiptKey(cutover, receipt),
  copy: id,
  side,
  expires_at: Math.floor(createdAtMs / 1_000) + RECEIPT_SECONDS,
});

/** A name that is not used is refused. */
const namesIn = (expression: string | undefined) =>
  expression?.includes('#status') ? { ExpressionAttributeNames: { '#status': 'status' } } : {};

/** A transaction whose only complaint is that something is there already. */
function cancelledByCondition(error: unknown): boolean {
  const reasons = (error as { CancellationReasons?: { Code?: string }[] })?.CancellationReasons ?? [];
  return reasons.some(({ Code }) => Code === 'ConditionalCheckFailed');
}
