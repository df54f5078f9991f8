/**
 * Requests that a function makes of DynamoDB and AppConfig, against its role in the packaged template: as IAM decides, by action, table and
 * leading keys, or by action and resource. What is not understood here is not allowed.
 */

import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { createRequire } from 'node:module';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { parse } from 'yaml';
import type { TableNames } from '../../infra/local/tables.ts';
import { type Deed, deedsOf } from './asked-deeds.ts';
import { CONNECTION, PARAMETERS, type Packaged, type Resource, ROOT } from './packaged-template.ts';
import { at, functionOf, type Statement, statements } from './template-access.ts';

/** Statements of the function's role, for it alone. */
export function grantsOf(packaged: Packaged, name: string): Statement[] {
  const role = at(functionOf(packaged, name), 'Role.Fn::GetAtt.0');
  return statements(packaged).filter((statement) => statement.role === role && statement.Effect === 'Allow');
}

/** What a second database brings. */
const SECOND_DATABASE: Readonly<Record<string, Resource>> = createRequire(import.meta.url)(
  '../../infra/connections.cjs',
).connectionsOf({
  ...PARAMETERS,
  connections: JSON.stringify({ new_one: CONNECTION }),
}).resources.Resources;

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
  return [
    ...statements({ resources: Resources } as Packaged).filter(({ Effect }) => Effect === 'Allow'),
    ...attached(Resources),
    ...attached(SECOND_DATABASE),
  ];
})();

/** Policies that a condition or a parameter brings, once for each of their roles. */
function attached(resources: Readonly<Record<string, Resource>>): Statement[] {
  return Object.values(resources).flatMap(({ Type, Properties }) =>
    Type === 'AWS::IAM::Policy'
      ? (Properties.Roles as { Ref: string }[]).flatMap(({ Ref }) =>
          statements({
            resources: { [Ref]: { Type: 'AWS::IAM::Role', Properties: { Policies: [Properties] } } },
          } as never),
        )
      : [],
  );
}

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
    ({ by, action, table, keys }) => `${by}: ${action} of ${tables[table ?? ''] ?? table}, keys ${keys.join(', ')}`,
  );
  return [...new Set(said)].sort();
}

/** Each grant that something was done by: role and statement, with the action, and with each pattern of keys. */
export function usedIn(deeds: readonly Deed[], { state, changes }: TableNames): string[] {
  const tables = { [state]: 'StateTable', [changes]: 'ChangesTable' };
  const used = ROLES.flatMap((one) =>
    deeds
      .filter((deed) => one.role === roleOf(deed.by ?? '') && allows(one, deed, tables))
      .flatMap(({ action, table, keys }) => [
        `${one.role}.${one.Sid} ${table === null ? 'appconfig' : 'dynamodb'}:${action}`,
        ...patternsOf(one)
          .filter((pattern) => keys.some((key) => isLike(key, pattern)))
          .map((pattern) => `${one.role}.${one.Sid} ${pattern}`),
      ]),
  );
  return [...new Set(used)].sort();
}

/** Leading keys that a statement is for. */
export const patternsOf = ({ Condition }: Statement): readonly string[] =>
  (at(Condition, 'ForAllValues:StringLike.dynamodb:LeadingKeys') as string[] | undefined) ?? [];

/** @param tables the logical name of each table of the run */
export function allows(statement: Statement, deed: Deed, tables: Readonly<Record<string, string>>): boolean {
  const { Action, Resource, Condition } = statement;
  if (deed.table === null)
    return (
      Action.includes(`appconfig:${deed.action}`) && deed.keys.every((key) => Resource.some((one) => reaches(one, key)))
    );
  if (!Action.includes(`dynamodb:${deed.action}`)) return false;
  const arn = JSON.stringify({ 'Fn::GetAtt': [tables[deed.table], 'Arn'] });
  if (!Resource.some((one) => JSON.stringify(one) === arn)) return false;
  if (!Condition) return true;
  const patterns = patternsOf(statement);
  if (patterns.length === 0 || Object.keys(Condition).length !== 1) return false;
  // A scan has no leading keys, and IAM would let it pass.
  return deed.keys.length > 0 && deed.keys.every((key) => patterns.some((pattern) => isLike(key, pattern)));
}

/** A resource of AppConfig, behind region and account. */
const reaches = (resource: unknown, key: string): boolean =>
  isLike(key, resource === '*' ? '*' : (String(at(resource, 'Fn::Sub')).split('AccountId}:')[1] ?? ''));

const isLike = (key: string, pattern: string): boolean =>
  pattern.endsWith('*') ? key.startsWith(pattern.slice(0, -1)) : key === pattern;

export type Recorder = { endpoint: string; deeds: readonly Deed[]; stop(): Promise<void> };

/** Passes everything on to DynamoDB and keeps what was asked. */
export async function recorder(upstream: string): Promise<Recorder> {
  const deeds: Deed[] = [];
  const server = createServer(async (request, response) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const body = Buffer.concat(chunks);
    const target = String(request.headers['x-amz-target']);
    deeds.push(...deedsOf(target.split('.')[1] ?? target, body.toString()));
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
