/** Reading and damaging a packaged template: paths, resources by type, statements of roles. */

import type { Counted } from '../../lib/core/cost/usage.ts';
import { FUNCTIONS, type Packaged, type Resource } from './packaged-template.ts';

/** `wrong` names what is wrong, nothing when all is well; `break` damages a template so that `wrong` must notice. */
export type Rule = { area: string; says: string; wrong(packaged: Packaged): string[]; break(packaged: Packaged): void };

export type Json = Record<string, unknown>;

/** `at(x, 'A.0.B')`; undefined when the path leads nowhere. */
export function at(value: unknown, path: string): unknown {
  return path
    .split('.')
    .reduce<unknown>(
      (inner, key) => (inner !== null && typeof inner === 'object' ? (inner as Json)[key] : undefined),
      value,
    );
}

export function put(value: unknown, path: string, replacement: unknown): void {
  const keys = path.split('.');
  const last = keys.pop()!;
  const target = keys.length === 0 ? value : at(value, keys.join('.'));
  (target as Json)[last] = replacement;
}

export const ofType = (packaged: Packaged, type: string): [string, Resource][] =>
  Object.entries(packaged.resources).filter(([, resource]) => resource.Type === type);

export const functionId = (name: string) =>
  `${name[0]!.toUpperCase()}${name.slice(1).replaceAll('-', 'Dash')}LambdaFunction`;

export const properties = (packaged: Packaged, id: string): Json => packaged.resources[id]?.Properties ?? {};
export const functionOf = (packaged: Packaged, name: string): Json => properties(packaged, functionId(name));

export const same = (a: unknown, b: unknown): boolean => JSON.stringify(a) === JSON.stringify(b);

/** One complaint for each path whose value is not the expected one. */
export function differences(value: unknown, expected: Readonly<Record<string, unknown>>, label = ''): string[] {
  return Object.entries(expected)
    .filter(([path, wanted]) => !same(at(value, path), wanted))
    .map(([path, wanted]) => `${label}${path} is ${JSON.stringify(at(value, path))}, not ${JSON.stringify(wanted)}`);
}

export type Statement = {
  role: string;
  Sid?: string;
  Effect: string;
  Action: string[];
  Resource: unknown[];
  Condition?: Json;
};

export function statements(packaged: Packaged): Statement[] {
  return ofType(packaged, 'AWS::IAM::Role').flatMap(([role, { Properties }]) =>
    (Properties.Policies as { PolicyDocument: { Statement: Json[] } }[]).flatMap((policy) =>
      policy.PolicyDocument.Statement.map((statement) => ({
        ...(statement as unknown as Statement),
        role,
        Action: [statement.Action].flat() as string[],
        Resource: [statement.Resource].flat() as unknown[],
      })),
    ),
  );
}

/** The first statement with this Sid, as it stands in the template. */
export function statementIn(packaged: Packaged, role: string, sid: string): Json {
  const found = at(properties(packaged, role), 'Policies.0.PolicyDocument.Statement') as Json[];
  return found.find((statement) => statement.Sid === sid)!;
}

export const capital = (name: string) => name[0]!.toUpperCase() + name.slice(1);

/** What is billed for being there, as infra/requests.json has it. What only some deployments have is left out. */
export function deployedOf(it: Packaged): Counted['deployed'] {
  const unconditional = (type: string) => ofType(it, type).filter(([, { Condition }]) => !Condition).length;
  return {
    memoryMb: Object.fromEntries(FUNCTIONS.map((name) => [name, Number(functionOf(it, name).MemorySize)])),
    alarms: unconditional('AWS::CloudWatch::Alarm'),
    dashboards: unconditional('AWS::CloudWatch::Dashboard'),
    keys: unconditional('AWS::KMS::Key'),
  };
}
