/** What a line of the log says besides its event. */

import type { Context } from 'aws-lambda';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { powertoolsLog } from '../../../lib/adapters/powertools/log.ts';
import { CrossfadeError } from '../../../lib/core/base/errors.ts';

afterEach(() => {
  vi.unstubAllEnvs();
  vi.restoreAllMocks();
});

const contextOf = (id: string) =>
  ({
    awsRequestId: id,
    functionName: 'crossfade-prod-tick',
    invokedFunctionArn: 'arn:aws:lambda:eu-central-1:123456789012:function:crossfade-prod-tick',
    memoryLimitInMB: '512',
  }) as Context;

function lines(write: (log: ReturnType<typeof powertoolsLog>, turn: (id: string, cold: boolean) => void) => void) {
  vi.stubEnv('POWERTOOLS_SERVICE_NAME', 'crossfade-prod');
  const seen: string[] = [];
  const take = (text: unknown) => seen.push(String(text)) > 0;
  vi.spyOn(process.stdout, 'write').mockImplementation(take);
  vi.spyOn(process.stderr, 'write').mockImplementation(take);
  let now: { context: Context; cold: boolean } | null = null;
  const failed = vi.fn();
  const log = powertoolsLog({ level: 'info', invocation: () => now, failed });
  write(log, (id, cold) => {
    now = { context: contextOf(id), cold };
  });
  return {
    lines: seen
      .join('')
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line)),
    failures: failed.mock.calls.length,
  };
}

describe('a line of the log', () => {
  it('names deployment, function and request, and whether the instance was new', () => {
    const seen = lines((log, turn) => {
      turn('r-1', true);
      log.event('first', { cutover: 'a' });
      turn('r-2', false);
      log.event('second');
    });
    expect(seen.lines).toMatchObject([
      {
        message: 'first',
        service: 'crossfade-prod',
        function_name: 'crossfade-prod-tick',
        function_request_id: 'r-1',
        cold_start: true,
        cutover: 'a',
      },
      { message: 'second', function_request_id: 'r-2', cold_start: false },
    ]);
    expect(seen.failures).toBe(0);
  });

  it('of a failure says why and where, without what caused it, and is counted', () => {
    const cause = new Error('row (7, secret)');
    const seen = lines((log) =>
      log.failure('copy_failed', new CrossfadeError('database_unavailable', 'It is away', { cause })),
    );
    expect(seen.lines).toMatchObject([
      {
        message: 'copy_failed',
        code: 'database_unavailable',
        problem: 'It is away',
        stack: expect.stringMatching(/^at .*log\.test\.ts:\d+/),
      },
    ]);
    expect(JSON.stringify(seen.lines)).not.toContain('secret');
    expect(seen.failures).toBe(1);
  });
});
