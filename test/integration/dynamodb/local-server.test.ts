/** The local server starts, says why when it cannot, keeps its data when asked to, and never outlives its parent. */

import { type ChildProcess, spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { DescribeTableCommand, DescribeTimeToLiveCommand, ListTablesCommand } from '@aws-sdk/client-dynamodb';
import { GetCommand, PutCommand } from '@aws-sdk/lib-dynamodb';
import { build } from 'esbuild';
import { afterAll, describe, expect, inject, it, vi } from 'vitest';
import { startDynamoDb } from '../../../infra/local/dynamodb.ts';
import { createTables, TTL_ATTRIBUTE } from '../../../infra/local/tables.ts';
import { localClient } from '../../helpers/dynamodb.ts';

const folder = mkdtempSync(join(tmpdir(), 'crossfade-dynamodb-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

async function within(ms: number, condition: () => boolean): Promise<boolean> {
  const deadline = Date.now() + ms;
  while (!condition() && Date.now() < deadline) await pause(20);
  return condition();
}

describe('starting', () => {
  it('on a port that is taken says so', async () => {
    const port = Number(new URL(inject('dynamodbEndpoint')).port);
    await expect(startDynamoDb({ port })).rejects.toThrow(
      `The local DynamoDB cannot use port ${port}: another program listens there.`,
    );
  });

  it('with a relative directory is refused', async () => {
    await expect(startDynamoDb({ directory: 'data' })).rejects.toThrow('must be an absolute path');
  });

  it('that fails shows what the server printed', async () => {
    const directory = join(folder, 'no', 'such', 'directory');
    await expect(startDynamoDb({ directory })).rejects.toThrow(/ended while it was starting\. It printed:\n {2}.+/s);
  });
});

describe('a server with a directory', () => {
  it('of any name, in any locale, has its tables again after a restart, and is gone in between', async () => {
    const directory = join(folder, 'grüße, 你好');
    mkdirSync(directory);
    for (const name of ['LC_ALL', 'LANG', 'LC_CTYPE']) vi.stubEnv(name, 'C');
    const first = await startDynamoDb({ directory });
    vi.unstubAllEnvs();
    const client = localClient(first.endpoint);
    await createTables(client, { state: 'state-kept', changes: 'changes-kept' });
    client.destroy();
    await first.stop();
    await first.stop();
    expect(isAlive(first.pid)).toBe(false);
    expect(readdirSync(directory)).toContain('shared-local-instance.db');

    const second = await startDynamoDb({ directory, port: Number(new URL(first.endpoint).port) });
    const again = localClient(second.endpoint);
    expect((await again.send(new ListTablesCommand({}))).TableNames).toEqual(['changes-kept', 'state-kept']);
    again.destroy();
    await second.stop();
  });
});

describe('creating the tables', () => {
  it('twice is as good as once', async () => {
    const client = localClient();
    const names = { state: 'state-twice', changes: 'changes-twice' };
    await createTables(client, names);
    await createTables(client, names);
    const { TimeToLiveDescription } = await client.send(new DescribeTimeToLiveCommand({ TableName: names.state }));
    expect(TimeToLiveDescription).toMatchObject({ TimeToLiveStatus: 'ENABLED', AttributeName: TTL_ATTRIBUTE });
    const { Table } = await client.send(new DescribeTableCommand({ TableName: names.changes }));
    expect(Table).toMatchObject({
      TableStatus: 'ACTIVE',
      StreamSpecification: { StreamEnabled: true, StreamViewType: 'NEW_IMAGE' },
    });
    client.destroy();
  });
});

describe('a parent that dies', () => {
  /** A process of its own that starts a server behind the guard and prints its pid; `then` is what it does afterwards. */
  async function parentWithServer(
    start: string,
    then: string,
  ): Promise<{ parent: ChildProcess; serverPid: number; endpoint: string }> {
    const module = join(folder, 'servers.mjs');
    const local = (name: string) =>
      JSON.stringify(new URL(`../../../infra/local/${name}.ts`, import.meta.url).pathname);
    await build({
      stdin: {
        contents: `export * from ${local('dynamodb')}; export * from ${local('guarded')};`,
        resolveDir: import.meta.dirname,
      },
      outfile: module,
      bundle: true,
      format: 'esm',
      platform: 'node',
      // The bundle lies outside of the project and must find the jar all the same.
      define: { 'import.meta.url': JSON.stringify(import.meta.url) },
    });
    const script = join(folder, 'parent.mjs');
    writeFileSync(
      script,
      `import { startDynamoDb, startGuarded } from ${JSON.stringify(module)};
       // What is guarded keeps nobody alive, not even one who waits for its pid.
       const waiting = setInterval(() => {}, 1_000);
       const server = ${start};
       process.stdout.write((await server.pid) + ' ' + server.endpoint + '\\n');
       clearInterval(waiting);
       ${then}`,
    );
    const parent = spawn(process.execPath, [script], { stdio: ['ignore', 'pipe', 'ignore'] });
    const printed = await new Promise<string>((resolve) => parent.stdout!.once('data', (chunk) => resolve(`${chunk}`)));
    const [serverPid, endpoint = ''] = printed.trim().split(' ');
    return { parent, serverPid: Number(serverPid), endpoint };
  }

  const forEver = 'setInterval(() => {}, 1_000);';
  /** Behind the same guard, and cheaper than a JVM. */
  const standIn = `startGuarded(process.execPath, ['-e', ${JSON.stringify(forEver)}])`;

  it('by SIGKILL takes the JVM with it, and what was written is there for the next one', async () => {
    const directory = mkdtempSync(join(tmpdir(), 'crossfade-dynamodb-'));
    const start = `await startDynamoDb({ directory: ${JSON.stringify(directory)} })`;
    const { parent, serverPid, endpoint } = await parentWithServer(start, forEver);
    expect(isAlive(serverPid)).toBe(true);
    const client = localClient(endpoint);
    await createTables(client, { state: 'state-killed', changes: 'changes-killed' });
    const item = { pk: 'state', sk: 'customer', version: 7 };
    await client.send(new PutCommand({ TableName: 'state-killed', Item: item }));
    client.destroy();
    parent.kill('SIGKILL');
    expect(await within(10_000, () => !isAlive(serverPid))).toBe(true);

    const next = await startDynamoDb({ directory });
    const again = localClient(next.endpoint);
    const { Item } = await again.send(
      new GetCommand({ TableName: 'state-killed', Key: { pk: 'state', sk: 'customer' } }),
    );
    expect(Item).toEqual(item);
    again.destroy();
    await next.stop();
    rmSync(directory, { recursive: true });
  });

  it.each(['SIGKILL', 'SIGTERM', 'SIGINT'] as const)('by %s takes whatever is guarded with it', async (signal) => {
    const { parent, serverPid } = await parentWithServer(standIn, forEver);
    expect(isAlive(serverPid)).toBe(true);
    parent.kill(signal);
    expect(await within(10_000, () => !isAlive(serverPid))).toBe(true);
  });

  it('by an uncaught error, or because it has nothing left to do, takes whatever is guarded with it', async () => {
    for (const then of ["throw new Error('on purpose, by a test');", '']) {
      const { serverPid } = await parentWithServer(standIn, then);
      expect(await within(10_000, () => !isAlive(serverPid))).toBe(true);
    }
  });
});
