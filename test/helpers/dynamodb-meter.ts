/**
 * Counts what a client asks of DynamoDB, in requests and in units.
 *
 * The engine does not count what a selection costs. It is taken as one query for each of its partition keys, of a unit at
 * least, although the engine takes none for a query that finds nothing: AWS never asks for more than that.
 */

import type { DynamoDBDocumentClient } from '@aws-sdk/lib-dynamodb';

/** What the engine was asked since the last look. */
export type Asked = { requests: number; readUnits: number; writeUnits: number; windows: Map<string, number> };

/** Keeps what is sent from now on and what comes back; it is counted when it is asked for, which no tick pays for. */
export function meter(client: DynamoDBDocumentClient): () => Asked {
  let answers: { commandName: string; input: Input; output: Output }[] = [];
  client.middlewareStack.add(
    (next, { commandName = '' }) =>
      async (args) => {
        const input = args.input as Input;
        const result = await next({ ...args, input: { ...input, ReturnConsumedCapacity: 'TOTAL' } });
        answers.push({ commandName, input, output: result.output as Output });
        return result;
      },
    { step: 'initialize', name: 'meter', priority: 'high' },
  );
  return () => {
    const asked: Asked = { requests: answers.length, readUnits: 0, writeUnits: 0, windows: new Map() };
    for (const { commandName, input, output } of answers) {
      const items = output.Items ?? [];
      const units = [output.ConsumedCapacity ?? []].flat().reduce((sum, one) => sum + (one.CapacityUnits ?? 0), 0);
      if (/Put|Update|Write|Delete/.test(commandName)) asked.writeUnits += units;
      else asked.readUnits += input.Statement ? unitsOfSelection(input, items) : units;
      for (const { pk, sk } of items)
        if (String(pk).startsWith('window#'))
          asked.windows.set(`${pk} ${sk}`, (asked.windows.get(`${pk} ${sk}`) ?? 0) + 1);
    }
    answers = [];
    return asked;
  };
}

/** Every partition key on the first page, those with items on the next ones. */
function unitsOfSelection(
  { Statement = '', Parameters = [], NextToken }: Input,
  items: readonly Record<string, unknown>[],
): number {
  const partitions = Statement.includes('BETWEEN') ? Parameters.slice(0, -2) : Parameters;
  const bytes = new Map<unknown, number>(NextToken ? [] : partitions.map((pk) => [pk, 0]));
  for (const item of items) bytes.set(item.pk, (bytes.get(item.pk) ?? 0) + bytesOf(item));
  return [...bytes.values()].reduce((sum, each) => sum + Math.max(1, Math.ceil(each / 4_096)), 0);
}

/** As DynamoDB counts them: names and texts by their bytes, a number by half its digits. */
function bytesOf(value: unknown): number {
  if (typeof value === 'number') return 1 + Math.ceil(String(value).length / 2);
  if (typeof value === 'string') return Buffer.byteLength(value);
  if (value instanceof Set) return [...value].reduce((sum: number, one) => sum + bytesOf(one), 3);
  return Object.entries(value as object).reduce((sum, [name, one]) => sum + name.length + bytesOf(one), 0);
}

type Input = Record<string, unknown> & { Statement?: string; Parameters?: unknown[]; NextToken?: string };
type Output = { ConsumedCapacity?: Units | Units[]; Items?: Record<string, unknown>[] };
type Units = { CapacityUnits?: number };
