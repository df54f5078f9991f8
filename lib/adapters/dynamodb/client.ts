/**
 * The DynamoDB client with the limits everything else relies on. Without them the SDK waits for ever, and
 * `requestTimeout` alone only prints a warning.
 */

import { DynamoDBClient, type DynamoDBClientConfig } from '@aws-sdk/client-dynamodb';
import { DynamoDBDocumentClient } from '@aws-sdk/lib-dynamodb';

/** Milliseconds until a connection stands, and until one request is answered. */
export type DynamoLimits = { connectMs: number; requestMs: number };

export type DynamoClientOptions = Pick<DynamoDBClientConfig, 'region' | 'endpoint' | 'credentials'> & {
  /** Those of a function beside its table when not given. A server on a busy machine needs longer ones. */
  limits?: DynamoLimits;
};

const DEFAULT_LIMITS: DynamoLimits = { connectMs: 500, requestMs: 1_000 };

/** Milliseconds until one call, with all the attempts of the SDK, is given up. */
export const DEFAULT_CALL_DEADLINE_MS = 3_000;

/**
 * 0.5 s to connect and 1 s per request unless `limits` says otherwise, 3 attempts. Each store adds a deadline per call.
 * @example dynamoClient({ region: 'local', endpoint: 'http://127.0.0.1:8000', credentials: LOCAL_CREDENTIALS })
 */
export function dynamoClient({
  limits: { connectMs, requestMs } = DEFAULT_LIMITS,
  ...options
}: DynamoClientOptions = {}): DynamoDBDocumentClient {
  const client = new DynamoDBClient({
    ...options,
    maxAttempts: 3,
    requestHandler: { connectionTimeout: connectMs, requestTimeout: requestMs, throwOnRequestTimeout: true },
  });
  // It copies every answer for a log that is not kept: a tenth of what reading a thousand windows costs.
  client.middlewareStack.remove('loggerMiddleware');
  return DynamoDBDocumentClient.from(client, {
    marshallOptions: { removeUndefinedValues: true },
    // A number that JavaScript cannot hold comes as its nearest value: the schema refuses that one item, where the
    // default throws and takes every other item of the same query with it.
    unmarshallOptions: { wrapNumbers: Number },
  });
}
