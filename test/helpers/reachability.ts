/**
 * Whether each function reaches what its bundle has clients for, by the packaged template: in or out of the VPC, security groups, routes.
 * The clients come out of the bundler, so that one that is imported again is seen.
 */

import { build } from 'esbuild';
import type { Packaged } from './packaged-template.ts';
import { FUNCTIONS, PARAMETERS, ROOT } from './packaged-template.ts';
import { at, functionOf, type Json, ofType, properties } from './template-access.ts';

/** Where a client goes, by its package or by the file of ours that opens the connection. */
const CLIENTS: readonly [client: RegExp, place: string][] = [
  [/^@aws-sdk\/(client|lib)-dynamodb$/, 'dynamodb'],
  [/^postgres$/, 'database'],
  [/^@aws-sdk\/client-(.+)$/, '$1'],
  [/^lib\/adapters\/net\/exchange\.ts$/, 'addresses of the configuration'],
  [/^lib\/adapters\/http\/issuer\.ts$/, 'issuer of tokens'],
  // The agent beside the function, in a layer.
  [/^lib\/routing\/agent-source\.ts$/, 'agent'],
];
/** Packages that open no connection. */
const SILENT = /^(zod|jose|@middy\/|@aws-lambda-powertools\/|@aws-sdk\/rds-signer$|ipaddr\.js$)/;

const bundled = new Map<string, Promise<string[]>>();

/** The places that the bundle of a function goes to, and packages of which that is not known. */
export function placesOf(name: string, source = `functions/${name}.ts`): Promise<string[]> {
  const known = bundled.get(source) ?? bundle(source);
  bundled.set(source, known);
  return known;
}

async function bundle(source: string): Promise<string[]> {
  const { metafile } = await build({
    entryPoints: [source],
    absWorkingDir: ROOT,
    bundle: true,
    splitting: true,
    write: false,
    outdir: 'nowhere',
    metafile: true,
    platform: 'node',
    format: 'esm',
    packages: 'external',
    loader: { '.sql': 'text' },
    plugins: [
      { name: 'page', setup: ({ onLoad }) => onLoad({ filter: /browser\/main|\.css$/ }, () => ({ contents: '' })) },
    ],
    logLevel: 'silent',
  });
  const used = Object.values(metafile.outputs).flatMap(({ inputs, imports }) => [
    ...Object.keys(inputs).filter((file) => inputs[file]!.bytesInOutput > 0),
    ...imports.flatMap(({ path, external }) => (external && !path.startsWith('node:') ? [path] : [])),
  ]);
  const places = used.flatMap((one) => {
    const known = CLIENTS.find(([client]) => client.test(one));
    if (known) return [one.replace(...known)];
    return /^(lib|functions|infra|migrations)\/|^\w+:/.test(one) || SILENT.test(one) ? [] : [`unknown package ${one}`];
  });
  return [...new Set(places)].sort();
}

/** What the VPC has already, and what was packaged for it. */
export type Network = {
  nat: boolean;
  /** Interface endpoints with private DNS that somebody else made, by service; their security group lets all of the VPC in. */
  endpoints: readonly string[];
  /** A gateway endpoint of DynamoDB in the route tables of the subnets. */
  dynamodbGateway: boolean;
};

/** Value of a condition of the template. */
function holds({ conditions }: Packaged, name: string): boolean {
  const evaluate = (condition: unknown): boolean => {
    const [[operator, operands]] = Object.entries(condition as Record<string, unknown[]>) as [[string, unknown[]]];
    if (operator === 'Fn::Equals') return operands[0] === operands[1];
    if (operator === 'Fn::Not') return !evaluate(operands[0]);
    if (operator === 'Fn::And') return operands.every(evaluate);
    if (operator === 'Fn::Or') return operands.some(evaluate);
    if (operator === 'Condition') return holds({ conditions } as Packaged, operands as unknown as string);
    throw new Error(`Condition ${name} has ${operator}, which is not evaluated here.`);
  };
  return evaluate(conditions[name]);
}

/** The resources of a type that are made. */
const madeOf = (it: Packaged, type: string) =>
  ofType(it, type).filter(([, { Condition }]) => Condition === undefined || holds(it, Condition));

export const endpointsOf = (it: Packaged): Json[] =>
  madeOf(it, 'AWS::EC2::VPCEndpoint').map(([, { Properties }]) => Properties);

function reaches(it: Packaged, name: string, place: string, network: Network): boolean {
  const vpc = functionOf(it, name).VpcConfig as { SecurityGroupIds: { Ref: string }[] } | undefined;
  if (place === 'agent') return functionOf(it, name).Layers !== undefined;
  // Outside of a VPC everything public is reached, and the database is not.
  if (!vpc) return place !== 'database';
  const groups = vpc.SecurityGroupIds.map(({ Ref }) => Ref);
  const egress = groups.flatMap((id) => properties(it, id).SecurityGroupEgress as Json[]);
  const mayGo = (port: number, rule: Json) =>
    egress.some(
      ({ FromPort, ToPort, ...to }) =>
        Number(FromPort) <= port &&
        port <= Number(ToPort) &&
        Object.entries(rule).every(([key, value]) => to[key] === value),
    );
  if (place === 'database') {
    const ingress = madeOf(it, 'AWS::EC2::SecurityGroupIngress').map(([, { Properties }]) => Properties);
    const mayCome = ingress.some(
      ({ GroupId, SourceSecurityGroupId }) =>
        GroupId === PARAMETERS.databaseSecurityGroupId &&
        groups.includes((at(SourceSecurityGroupId, 'Fn::GetAtt') as string[])[0]!),
    );
    return mayCome && mayGo(5432, { DestinationSecurityGroupId: PARAMETERS.databaseSecurityGroupId });
  }
  if (place === 'dynamodb') {
    const own = endpointsOf(it).some(({ VpcEndpointType }) => VpcEndpointType === 'Gateway');
    return (
      (own || network.dynamodbGateway || network.nat) &&
      mayGo(443, { DestinationPrefixListId: PARAMETERS.dynamodbPrefixListId })
    );
  }
  return mayGo(443, { CidrIp: '0.0.0.0/0' }) && (network.nat || network.endpoints.includes(place));
}

/** Functions with the places that they have a client for and do not reach. */
export async function unreached(it: Packaged, network: Network, places = placesOf): Promise<string[]> {
  const all = await Promise.all(FUNCTIONS.map(async (name) => [name, await places(name)] as const));
  return all.flatMap(([name, these]) =>
    these.filter((place) => !reaches(it, name, place, network)).map((place) => `${name} does not reach ${place}`),
  );
}
