/** Reading side of the state table: fetches items and believes them only when the schema does. */

import {
  BatchGetCommand,
  ExecuteStatementCommand,
  GetCommand,
  QueryCommand,
  type QueryCommandInput,
} from '@aws-sdk/lib-dynamodb';
import type * as z from 'zod';
import { CrossfadeError } from '../../core/base/errors.ts';
import { problemsOf } from '../../schemas/state.ts';
import { attempt, storeError, type Target } from './failures.ts';
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

/** Calls for what was left out of an answer. */
const TRIES = 5;

/** Consistent read of up to 100 items, in no order; those that are not there are left out. `pause` before each repetition. */
export async function readItems(
  target: Target,
  what: string,
  keys: readonly ItemKey[],
  pause: (tries: number) => Promise<void>,
): Promise<Item[]> {
  const items: Item[] = [];
  let left: Item[] = [...keys];
  for (let tries = 0; left.length > 0; tries += 1) {
    if (tries === TRIES) throw await storeError(target, what, new Error(`${left.length} items are throttled`));
    if (tries > 0) await pause(tries);
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
const PAGE_ITEMS = 400;

export type Selection = {
  /** Name of the partition key, and up to 50 values of it. */
  key: 'pk' | 'id';
  partitions: readonly string[];
  /** A range of the sort key, both ends included; everything without. */
  between?: readonly [from: string, to: string];
  /** All without. */
  fields?: readonly string[];
  /** Where to stop, or a page later. */
  most?: number;
};

/**
 * Consistent read of what lies under many partition keys, in no order, over all its pages. One statement: a query takes
 * one partition key only. `more`: it stopped before the end.
 */
export async function selectItems(
  target: Target,
  what: string,
  { key, partitions, between, fields, most = Number.POSITIVE_INFINITY }: Selection,
): Promise<{ items: Item[]; more: boolean }> {
  const items: Item[] = [];
  const shown = fields?.map((name) => `"${name}"`).join(', ') ?? '*';
  const range = between ? ' AND sk BETWEEN ? AND ?' : '';
  let next: string | undefined;
  do {
    const command = new ExecuteStatementCommand({
      Statement: `SELECT ${shown} FROM "${target.tableName}" WHERE ${key} IN [${partitions.map(() => '?').join(', ')}]${range}`,
      Parameters: [...partitions, ...(between ?? [])],
      ConsistentRead: true,
      Limit: PAGE_ITEMS,
      NextToken: next,
    });
    const page = await attempt(target, what, (options) => target.client.send(command, options));
    items.push(...(page.Items ?? []));
    next = page.NextToken;
  } while (next && items.length < most);
  return { items, more: next !== undefined };
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
