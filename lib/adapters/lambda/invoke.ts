/** Calls of a function by its name, with the credentials of the person who deploys. */

import { InvokeCommand, LambdaClient, type LambdaClientConfig } from '@aws-sdk/client-lambda';
import { CrossfadeError, ERROR_CODES, type ErrorCode } from '../../core/base/errors.ts';

/** The function has ten minutes, and a lock may keep it waiting. */
const TIMEOUT_MS = 610_000;

export type Invoke = <T>(functionName: string, payload: object) => Promise<T>;

/**
 * One call, which is never repeated by itself: a lost answer may stand for work that was done.
 * @throws CrossfadeError of the function where it gave one; `not_found`, `forbidden`, `upstream_unavailable`
 */
export function invoker(config: Pick<LambdaClientConfig, 'region' | 'credentials' | 'endpoint'>): Invoke {
  const client = new LambdaClient({
    ...config,
    maxAttempts: 1,
    requestHandler: { connectionTimeout: 5_000, requestTimeout: TIMEOUT_MS, throwOnRequestTimeout: true },
  });
  return async <T>(FunctionName: string, payload: object): Promise<T> => {
    const command = new InvokeCommand({ FunctionName, Payload: new TextEncoder().encode(JSON.stringify(payload)) });
    const { Payload, FunctionError } = await client.send(command).catch((error: unknown) => {
      throw calling(FunctionName, error);
    });
    const answer = JSON.parse(new TextDecoder().decode(Payload) || 'null') as Record<string, unknown> | null;
    if (FunctionError !== undefined)
      throw new CrossfadeError(
        'upstream_unavailable',
        `Function ${FunctionName} failed: ${String(answer?.errorMessage ?? FunctionError)}. Its log has more.`,
      );
    if (typeof answer?.code === 'string' && Object.hasOwn(ERROR_CODES, answer.code))
      throw new CrossfadeError(answer.code as ErrorCode, String(answer.message));
    return answer as T;
  };
}

function calling(name: string, error: unknown): CrossfadeError {
  const { name: kind = '', message = String(error) } = error as Partial<Error>;
  if (kind === 'ResourceNotFoundException')
    return new CrossfadeError(
      'not_found',
      `There is no function ${name} here. Is it the right stage, region and profile, and is it deployed?`,
    );
  if (kind === 'CredentialsProviderError')
    return new CrossfadeError(
      'unauthenticated',
      `AWS gives no credentials: ${message} 'aws sts get-caller-identity' shows whether it does.`,
    );
  if (/AccessDenied|UnrecognizedClient|ExpiredToken/.test(kind))
    return new CrossfadeError('forbidden', `AWS refuses the call of ${name}: ${message}`);
  return new CrossfadeError('upstream_unavailable', `Function ${name} could not be called: ${message}.`, {
    cause: error,
  });
}
