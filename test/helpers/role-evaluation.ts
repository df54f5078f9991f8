/**
 * Requests that a function makes of DynamoDB, against its role in the packaged template: as IAM decides, by action, table and leading
 * keys. What is not understood here is not allowed.
 */

import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { parse } from 'yaml';
import type { TableNames } from '../../infra/local/tables.ts';
import { type Packaged, type Resource, ROOT } from './packaged-template.ts';
import { at, functionOf, type Json, type Statement, statements } from './template-access.ts';

/** One thing that a request does. `keys`: values of the partition key, all that it touches; `by`: the function, where more than one is recorded. */
export type Deed = { action: string; table: string; keys: readonly string[]; by?: string };

type Value = { S?: string };
type Body = {
  TableName?: string;
  Key?: Record<string, Value>;
  Item?: Record<string, Value>;
  KeyConditionExpression?: string;
  ExpressionAttributeValues?: Record<string, Value>;
  ExpressionAttributeNames?: Record<string, string>;
  RequestItems?: Record<string, { Keys?: Record<string, Value>[] }>;
  TransactItems?: Record<string, Body>[];
  Statement?: string;
  Parameters?: Value[];
};

const PARTITION = ['pk', 'id'];
const keyOf = (item: Record<string, Value> = {}): string[] =>
  PARTITION.flatMap((name) => (item[name]?.S === undefined ? [] : [item[name].S])).slice(0, 1);

const TRANSACTED: Readonly<Record<string, string>> = {
  Put: 'PutItem',
  Update: 'UpdateItem',
  Delete: 'DeleteItem',
  ConditionCheck: 'ConditionCheckItem',
  Get: 'GetItem',
};

/** @param operation as in the header `x-amz-target` */
function deedsOf(operation: string, body: Body): Deed[] {
  const one = (action: string, { TableName = '', Key, Item }: Body): Deed => ({
    action,
    table: TableName,
    keys: keyOf(Key ?? Item),
  });
  if (body.TransactItems)
    return body.TransactItems.flatMap((item) =>
      Object.entries(item).map(([kind, inner]) => one(TRANSACTED[kind] ?? kind, inner)),
    );
  if (body.RequestItems)
    return Object.entries(body.RequestItems).map(([table, { Keys = [] }]) => ({
      action: operation,
      table,
      keys: Keys.flatMap(keyOf),
    }));
  if (operation === 'ExecuteStatement') {
    const partitions = /WHERE "?(?:pk|id)"? (?:IN \[([?, ]+)\]|= (\?))/.exec(body.Statement ?? '');
    const count = (partitions?.[1] ?? partitions?.[2] ?? '').split('?').length - 1;
    const table = /FROM "([^"]+)"/.exec(body.Statement ?? '')?.[1] ?? '';
    return [{ action: 'PartiQLSelect', table, keys: (body.Parameters ?? []).slice(0, count).map(({ S = '' }) => S) }];
  }
  if (operation === 'Query') {
    const [, name = '', value = ''] = /(#?\w+) = (:\w+)/.exec(body.KeyConditionExpression ?? '') ?? [];
    const attribute = body.ExpressionAttributeNames?.[name] ?? name;
    const key = PARTITION.includes(attribute) ? body.ExpressionAttributeValues?.[value]?.S : undefined;
    return [{ action: operation, table: body.TableName ?? '', keys: key === undefined ? [] : [key] }];
  }
  return [one(operation, body)];
}

/** Statements of the function's role, for it alone. */
export function grantsOf(packaged: Packaged, name: string): Statement[] {
  const role = at(functionOf(packaged, name), 'Role.Fn::GetAtt.0');
  return statements(packaged).filter((statement) => statement.role === role && statement.Effect === 'Allow');
}

/** The roles as infra/roles.yml writes them, for whoever has no packaged template at hand. */
export const ROLES: readonly Statement[] = (() => {
  const text = readFileSync(join(ROOT, 'infra/roles.yml'), 'utf8');
  const tag = (name: string, resolve: (it: never) => unknown) => ({ tag: name, resolve });
  const customTags = [
    tag('!GetAtt', (it: string) => ({ 'Fn::GetAtt': it.split('.') })),
    tag('!Sub', (it: string) => ({ 'Fn::Sub': it })),
    tag('!Ref', (it: string) => ({ Ref: it })),
    ...['!If', '!Not', '!Equals'].map((name) => ({ ...tag(name, () => null), collection: 'seq' })),
  ];
  const { Resources } = parse(text, { customTags: customTags as never }) as { Resources: Record<string, Resource> };
  return statements({ resources: Resources } as Packaged).filter(({ Effect }) => Effect === 'Allow');
})();

const roleOf = (name: string): string =>
  `${name
    .replace('-stream', '')
    .split('-')
    .map((part) => part[0]!.toUpperCase() + part.slice(1))
    .join('')}Role`;

/** A line for each kind of deed that the role of its function does not allow. */
export function deniedIn(
  deeds: readonly Deed[],
  { state, changes }: TableNames,
  roles: readonly Statement[] = ROLES,
): string[] {
  const tables = { [state]: 'StateTable', [changes]: 'ChangesTable' };
  const denied = deeds.filter(
    (deed) => !roles.some((one) => one.role === roleOf(deed.by ?? '') && allows(one, deed, tables)),
  );
  const said = denied.map(
    ({ by, action, table, keys }) => `${by}: ${action} of ${tables[table] ?? table}, keys ${keys.join(', ')}`,
  );
  return [...new Set(said)].sort();
}

/** Each grant that something was done by: role, statement and action. */
export function usedIn(deeds: readonly Deed[], { state, changes }: TableNames): string[] {
  const tables = { [state]: 'StateTable', [changes]: 'ChangesTable' };
  const used = ROLES.flatMap((one) =>
    deeds
      .filter((deed) => one.role === roleOf(deed.by ?? '') && allows(one, deed, tables))
      .map(({ action }) => `${one.role}.${one.Sid} ${action}`),
  );
  return [...new Set(used)].sort();
}

/** @param tables the logical name of each table of the run */
export function allows(
  { Action, Resource, Condition }: Statement,
  deed: Deed,
  tables: Readonly<Record<string, string>>,
) {
  if (!Action.includes(`dynamodb:${deed.action}`)) return false;
  const arn = JSON.stringify({ 'Fn::GetAtt': [tables[deed.table], 'Arn'] });
  if (!Resource.some((one) => JSON.stringify(one) === arn)) return false;
  if (!Condition) return true;
  const patterns = (Condition['ForAllValues:StringLike'] as Json | undefined)?.['dynamodb:LeadingKeys'] as string[];
  if (!patterns || Object.keys(Condition).length !== 1) return false;
  // A scan has no leading keys, and IAM would let it pass.
  return deed.keys.length > 0 && deed.keys.every((key) => patterns.some((pattern) => isLike(key, pattern)));
}

const isLike = (key: string, pattern: string): boolean =>
  pattern.endsWith('*') ? key.startsWith(pattern.slice(0, -1)) : key === pattern;

/** What functions have asked for, each under its name, as test/helpers/asked-requests.mjs tells of it. */
export type DeedBook = { deeds: readonly Deed[]; note(by: string, operation: string, body: string): void };

export function deedBook(): DeedBook {
  const deeds: Deed[] = [];
  const note: DeedBook['note'] = (by, operation, body) =>
    void deeds.push(...deedsOf(operation, JSON.parse(body) as Body).map((deed) => ({ ...deed, by })));
  return { deeds, note };
}

export type Recorder = { endpoint: string; deeds: readonly Deed[]; stop(): Promise<void> };

/** Passes everything on to DynamoDB and keeps what was asked. */
export async function recorder(upstream: string): Promise<Recorder> {
  const deeds: Deed[] = [];
  const server = createServer(async (request, response) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const body = Buffer.concat(chunks);
    const target = String(request.headers['x-amz-target']);
    deeds.push(...deedsOf(target.split('.')[1] ?? target, JSON.parse(body.toString()) as Body));
    const kept = ['content-type', 'x-amz-target', 'authorization', 'x-amz-date'] as const;
    const headers = Object.fromEntries(kept.map((name) => [name, String(request.headers[name])]));
    const answer = await fetch(upstream, { method: 'POST', headers, body });
    response
      .writeHead(answer.status, { 'content-type': 'application/x-amz-json-1.0' })
      .end(Buffer.from(await answer.arrayBuffer()));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    deeds,
    stop: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}
