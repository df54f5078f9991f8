/**
 * One Lambda instance: loads the bundle named on its command line and runs one call at a time, as its parent asks over
 * IPC. Everything it knows lives in this process, so SIGKILL takes what SIGKILL takes from a real one.
 */

import { pathToFileURL } from 'node:url';
import { onRequests } from './asked-requests.mjs';

onRequests((...asked) => process.connected && process.send({ asked }));

const { handler } = await import(pathToFileURL(process.argv[2]).href);

const contextUntil = (deadline) => ({
  functionName: 'test',
  functionVersion: '1',
  invokedFunctionArn: 'arn:aws:lambda:eu-central-1:000000000000:function:test',
  memoryLimitInMB: '512',
  awsRequestId: '00000000-0000-0000-0000-000000000000',
  getRemainingTimeInMillis: () => Math.max(0, deadline - performance.now()),
});

process.on('message', async ({ id, event, timeoutMs }) => {
  try {
    const result = await handler(event, contextUntil(performance.now() + timeoutMs));
    process.send({ id, result: result === undefined ? null : result });
  } catch (error) {
    process.send({ id, error: error instanceof Error ? `${error.name}: ${error.message}` : String(error) });
  }
});
// Without its parent there is nobody to work for.
process.on('disconnect', () => process.exit(0));
process.send({ id: 0, result: 'ready' });
