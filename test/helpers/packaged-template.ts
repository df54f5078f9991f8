/**
 * Packages the service as a deployment would and reads the template back. Works on a copy with stand-in bundles in the
 * temporary directory, so that it needs no build and can be sure what may end up in a package. The framework takes ten
 * seconds of a core for it, so what was packaged from the same files is kept in the temporary directory.
 */

import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';

export const ROOT = join(import.meta.dirname, '../..');

export const FUNCTIONS = [
  'route',
  'outcomes',
  'control',
  'gateway',
  'gateway-stream',
  'dashboard',
  'tick',
  'publisher',
  'relay',
  'shadow-writer',
  'backfill',
  'verify',
  'schema',
] as const;

/** What a deployment must say; values as they would look. */
export const PARAMETERS: Readonly<Record<string, string>> = {
  jwtIssuer: 'https://id.example.com',
  jwtAudience: 'crossfade',
  jwks: '{"keys":[]}',
  databaseUrl: 'postgres://crossfade_runtime@db.example.com:5432/app',
  ownerDatabaseUrl: 'postgres://crossfade_owner@db.example.com:5432/app',
  databaseResourceId: 'db-ABCDEFGH',
  vpcId: 'vpc-0a1b2c3d',
  subnetIds: 'subnet-0a1b2c3d,subnet-1b2c3d4e',
  routeTableIds: 'rtb-0a1b2c3d',
  databaseSecurityGroupId: 'sg-0a1b2c3d',
  dynamodbPrefixListId: 'pl-0a1b2c3d',
};

/** A further database, whose port is its own. */
export const CONNECTION = {
  url: 'postgres://app_owner@new.example.com:5433/app',
  securityGroupId: 'sg-0f9e8d7c',
  resourceId: 'cluster-NEWABCDEFG',
};

/** A stage where types are unknown, without an issuer of tokens, traced, with what an organisation asks for, the second in its VPC, released by CodeDeploy, from another's bucket, with a second database: for `package`. */
export const ZURICH_STAGE = (() => {
  const { jwtIssuer: _, jwtAudience: __, jwks: ___, ...withoutIssuer } = PARAMETERS;
  const asked = {
    tracing: 'true',
    protectTables: 'true',
    createDynamodbEndpoint: 'false',
    tags: '{"cost-center":"4711"}',
    permissionsBoundary: 'arn:aws:iam::123456789012:policy/boundary',
    logRetentionDays: '365',
    kmsKeyArn: 'arn:aws:kms:eu-central-2:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab',
  };
  return [
    'zurich',
    {
      ...withoutIssuer,
      ...asked,
      canary: 'LambdaCanary10Percent5Minutes',
      packageBucket: 'acme-packages',
      connections: JSON.stringify({ new_one: CONNECTION }),
    },
    'eu-central-2',
  ] as const;
})();

export type Resource = {
  Type: string;
  Properties: Record<string, unknown>;
  DependsOn?: string | string[];
  Condition?: string;
  DeletionPolicy?: string;
  UpdateReplacePolicy?: string;
};

export type Packaged = {
  conditions: Record<string, unknown>;
  resources: Record<string, Resource>;
  outputs: Record<string, unknown>;
  stackPolicy: readonly Record<string, unknown>[];
  /** File names by function. */
  zips: Record<string, string[]>;
};

export type Workspace = {
  directory: string;
  /** Runs the framework; rejects with its output when it fails. */
  serverless(words: readonly string[]): Promise<string>;
  package(stage: string, parameters: Readonly<Record<string, string>>, region?: string): Promise<Packaged>;
  remove(): void;
};

/** A copy of the service, with one stand-in bundle per function and a few files that belong in no package. */
export function workspace(): Workspace {
  const directory = mkdtempSync(join(tmpdir(), 'crossfade-package-'));
  cpSync(join(ROOT, 'serverless.yml'), join(directory, 'serverless.yml'));
  cpSync(join(ROOT, 'package.json'), join(directory, 'package.json'));
  mkdirSync(join(directory, 'infra'));
  for (const file of readdirSync(join(ROOT, 'infra')).filter((name) => /\.(yml|cjs|json)$/.test(name)))
    cpSync(join(ROOT, 'infra', file), join(directory, 'infra', file));
  symlinkSync(join(ROOT, 'node_modules'), join(directory, 'node_modules'), 'dir');
  writeFileSync(join(directory, '.env'), 'SECRET=1');
  for (const name of FUNCTIONS) {
    const folder = join(directory, 'dist/functions', name);
    mkdirSync(folder, { recursive: true });
    for (const file of ['index.mjs', 'part-1.mjs', 'index.mjs.map', 'index.cjs']) writeFileSync(join(folder, file), '');
    if (name !== 'schema') continue;
    mkdirSync(join(folder, 'migrations'));
    for (const file of ['0001_tables.sql', 'README.md']) writeFileSync(join(folder, 'migrations', file), '');
  }
  const serverless = (words: readonly string[]) => run(directory, words);
  return {
    directory,
    serverless,
    package: async (stage, parameters, region) => {
      const given = [
        ...Object.entries(parameters).map(([name, value]) => `--param=${name}=${value}`),
        ...(region ? [`--region=${region}`] : []),
      ];
      const kept = join(
        tmpdir(),
        `crossfade-packaged-${process.getuid?.() ?? 0}-${digest(directory, [stage, ...given])}.json`,
      );
      if (existsSync(kept)) return JSON.parse(readFileSync(kept, 'utf8')) as Packaged;
      const out = join(directory, `out-${stage}`);
      await serverless(['package', '--stage', stage, '--package', out, ...given]);
      const packaged = read(out);
      writeFileSync(join(directory, 'packaged.json'), JSON.stringify(packaged), { mode: 0o600 });
      renameSync(join(directory, 'packaged.json'), kept);
      return packaged;
    },
    remove: () => rmSync(directory, { recursive: true, force: true }),
  };
}

/** Of everything a package depends on: the service's files, this one, the framework, and the words. */
function digest(directory: string, words: readonly string[]): string {
  const hash = createHash('sha256').update(JSON.stringify(words));
  for (const name of [
    'serverless.yml',
    'package.json',
    ...readdirSync(join(directory, 'infra'))
      .sort()
      .map((file) => join('infra', file)),
  ])
    hash.update(name).update(readFileSync(join(directory, name)));
  hash.update(readFileSync(join(ROOT, 'package-lock.json'))).update(readFileSync(import.meta.filename));
  return hash.digest('hex').slice(0, 32);
}

/** Without credentials and CROSSFADE_ variables of the shell, in a home of its own; a proxy that leads nowhere stands for "no network". */
async function run(directory: string, words: readonly string[]): Promise<string> {
  const kept = Object.entries(process.env).filter(([name]) => !/^(AWS_|CROSSFADE_)/.test(name));
  const env = {
    ...Object.fromEntries(kept),
    HTTPS_PROXY: 'http://127.0.0.1:9',
    HTTP_PROXY: 'http://127.0.0.1:9',
    HOME: directory,
    // Where a running local stack leaves its settings: none may be found.
    TMPDIR: directory,
  };
  const program = join(ROOT, 'node_modules/serverless/bin/serverless.js');
  try {
    const { stdout, stderr } = await promisify(execFile)(process.execPath, [program, ...words], {
      cwd: directory,
      env,
    });
    return stdout + stderr;
  } catch (error) {
    const { stdout, stderr } = error as { stdout: string; stderr: string };
    throw new Error(`serverless ${words.join(' ')} failed:\n${stdout}${stderr}`);
  }
}

function read(out: string): Packaged {
  const template = JSON.parse(readFileSync(join(out, 'cloudformation-template-update-stack.json'), 'utf8'));
  const state = JSON.parse(readFileSync(join(out, 'serverless-state.json'), 'utf8'));
  return {
    conditions: template.Conditions,
    resources: template.Resources,
    outputs: template.Outputs,
    stackPolicy: state.service.provider.stackPolicy,
    zips: Object.fromEntries(FUNCTIONS.map((name) => [name, zipEntries(readFileSync(join(out, `${name}.zip`)))])),
  };
}

/** File names in the central directory of a zip file. */
function zipEntries(zip: Buffer): string[] {
  const names: string[] = [];
  for (let at = zip.indexOf('PK\x01\x02', 0, 'latin1'); at >= 0; at = zip.indexOf('PK\x01\x02', at + 4, 'latin1'))
    names.push(zip.toString('utf8', at + 46, at + 46 + zip.readUInt16LE(at + 28)));
  return names;
}
