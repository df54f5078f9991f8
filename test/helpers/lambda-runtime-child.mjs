/**
 * What Lambda's runtime for Node does: asks the Runtime API for an invocation, calls the handler that `_HANDLER` names below
 * LAMBDA_TASK_ROOT, and posts what it answers. https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html
 */

import { request } from 'node:http';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { pathToFileURL } from 'node:url';

const { AWS_LAMBDA_RUNTIME_API, AWS_LAMBDA_FUNCTION_NAME, LAMBDA_TASK_ROOT, _HANDLER } = process.env;
const STREAMING = Symbol('streaming');
const PRELUDE_END = Buffer.alloc(8);

globalThis.awslambda = {
  streamifyResponse: (handler) => Object.assign(handler, { [STREAMING]: true }),
  HttpResponseStream: {
    from(stream, head) {
      stream.write(JSON.stringify(head));
      stream.write(PRELUDE_END);
      return stream;
    },
  },
};

function call(method, path, body, headers = {}) {
  return new Promise((resolve, reject) => {
    const sent = request(`http://${AWS_LAMBDA_RUNTIME_API}/2018-06-01/runtime/${path}`, { method, headers }, (got) => {
      const parts = [];
      got.on('data', (part) => parts.push(part));
      got.on('end', () => resolve({ headers: got.headers, text: Buffer.concat(parts).toString() }));
    });
    sent.on('error', reject);
    if (body?.pipe) body.pipe(sent);
    else sent.end(body);
  });
}

const errorOf = (error) =>
  JSON.stringify({ errorType: error?.name ?? 'Error', errorMessage: error?.message ?? String(error) });

async function load() {
  const dot = _HANDLER.lastIndexOf('.');
  const module = await import(pathToFileURL(join(LAMBDA_TASK_ROOT, `${_HANDLER.slice(0, dot)}.mjs`)).href);
  return module[_HANDLER.slice(dot + 1)];
}

function contextOf(headers) {
  const deadlineMs = Number(headers['lambda-runtime-deadline-ms']);
  return {
    callbackWaitsForEmptyEventLoop: true,
    functionName: AWS_LAMBDA_FUNCTION_NAME,
    functionVersion: '$LATEST',
    memoryLimitInMB: process.env.AWS_LAMBDA_FUNCTION_MEMORY_SIZE,
    awsRequestId: headers['lambda-runtime-aws-request-id'],
    invokedFunctionArn: headers['lambda-runtime-invoked-function-arn'],
    getRemainingTimeInMillis: () => deadlineMs - Date.now(),
  };
}

async function serveOne(handler) {
  const { headers, text } = await call('GET', 'invocation/next');
  const place = `invocation/${headers['lambda-runtime-aws-request-id']}`;
  try {
    if (!handler[STREAMING])
      return await call(
        'POST',
        `${place}/response`,
        JSON.stringify((await handler(JSON.parse(text), contextOf(headers))) ?? null),
      );
    const stream = new PassThrough();
    const posted = call('POST', `${place}/response`, stream, { 'lambda-runtime-function-response-mode': 'streaming' });
    await handler(JSON.parse(text), stream, contextOf(headers));
    return await posted;
  } catch (error) {
    return call('POST', `${place}/error`, errorOf(error));
  }
}

try {
  const handler = await load();
  for (;;) await serveOne(handler);
} catch (error) {
  await call('POST', 'init/error', errorOf(error)).catch(() => {});
  process.exit(1);
}
