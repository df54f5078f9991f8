/** Reading side of the state table: fetches items and believes them only when the schema does. */

import {
  BatchGetCommand,
  ExecuteStatementCommand,
  GetCommand,
  QueryCommand,
  type QueryCommandInput,
} from '@aws-sdk/lib-dynamodb';
import type * as z from 'zod';
import { CrossfadeError } from '../../core/errors.ts';
import { problemsOf } from '../../schemas/state.ts';
import { attempt, type Target } from './failures.ts';
import type { ItemKey } from './keys.ts';

export type Item = Record<string, unknown>;

/** Consistent read of one item. */
export async function readItem(target: Target, what: string, key: ItemKey): Promise<Item | undefined> {
  const command = new GetCommand({ TableName: target.tableName, Key: key, ConsistentRead: true });
  const { Item } = await attempt(target, what, (options) => target.client.send(command, options));
  return Item;
}

/** Consistent query over all its pages, or until `Limit` items are there. */
export async function queryItems(
  target: Target,
  what: string,
  query: Omit<QueryCommandInput, 'TableName' | 'ConsistentRead'>,
): Promise<Item[]> {
  const items: Item[] = [];
  let next: QueryCommandInput['ExclusiveStartKey'];
  do {
    const command = new QueryCommand({
      ...query,
      TableName: target.tableName,
      ConsistentRead: true,
      ExclusiveStartKey: next,
      ...(query.Limit === undefined ? {} : { Limit: query.Limit - items.length }),
    });
    const page = await attempt(target, what, (options) => target.client.send(command, options));
    items.push(...(page.Items ?? []));
    next = page.LastEvaluatedKey;
  } while (next && items.length < (query.Limit ?? Number.POSITIVE_INFINITY));
  return items;
}

/** Consistent read of up to 100 items, in no order; those that are not there are left out. */
export async function readItems(target: Target, what: string, keys: readonly ItemKey[]): Promise<Item[]> {
  const items: Item[] = [];
  let left: Item[] = [...keys];
  while (left.length > 0) {
    const RequestItems = { [target.tableName]: { Keys: left, ConsistentRead: true } };
    const command = new BatchGetCommand({ RequestItems });
    const answer = await attempt(target, what, (options) => target.client.send(command, options));
    items.push(...(answer.Responses?.[target.tableName] ?? []));
    // What did not fit into an answer of 16 MB, or was throttled.
    left = answer.UnprocessedKeys?.[target.tableName]?.Keys ?? [];
  }
  return items;
}

/** Items in one page of a selection: small enough for an answer within a second, from a busy local engine, too. */
const PAGE_ITEMS = 120;

/**
 * Consistent read of a range of sort keys under up to 50 partition keys, in no order, over all its pages. One statement:
 * a query takes one partition key only.
 */
export async function selectItems(
  target: Target,
  what: string,
  { partitions, from, to }: { partitions: readonly string[]; from: string; to: string },
): Promise<Item[]> {
  const items: Item[] = [];
  let next: string | undefined;
  do {
    const command = new ExecuteStatementCommand({
      Statement: `SELECT * FROM "${target.tableName}" WHERE pk IN [${partitions.map(() => '?').join(', ')}] AND sk BETWEEN ? AND ?`,
      Parameters: [...partitions, from, to],
      ConsistentRead: true,
      Limit: PAGE_ITEMS,
      NextToken: next,
    });
    const page = await attempt(target, what, (options) => target.client.send(command, options));
    items.push(...(page.Items ?? []));
    next = page.NextToken;
  } while (next);
  return items;
}

export type Believed<T> = { ok: true; value: T } | { ok: false; problems: string };

export function believe<T>(schema: z.ZodType<T>, item: Item): Believed<T> {
  const parsed = schema.safeParse(item);
  return parsed.success ? { ok: true, value: parsed.data } : { ok: false, problems: problemsOf(parsed.error) };
}

/** @throws CrossfadeError `state_invalid`. */
export function mustBelieve<T>(schema: z.ZodType<T>, item: Item, target: Target, what: string): T {
  const believed = believe(schema, item);
  if (believed.ok) return believed.value;
  throw stateInvalid(target, what, { pk: String(item.pk), sk: String(item.sk) }, believed.problems);
}

export function stateInvalid(target: Target, what: string, key: ItemKey, problems: string): CrossfadeError {
  return new CrossfadeError(
    'state_invalid',
    `The ${what} in table '${target.tableName}' (pk '${key.pk}', sk '${key.sk}') cannot be trusted: ${problems}. ` +
      'It was edited by hand, restored, or written by another version of the program. Nothing is done with it until the item is put right, from a backup or by replaying its audit log.',
    { details: { table: target.tableName, ...key, problems } },
  );
}
