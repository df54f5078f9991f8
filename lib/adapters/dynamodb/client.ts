/**
 * The DynamoDB client with the limits everything else relies on. Without them the SDK waits for ever, and
 * `requestTimeout` alone only prints a warning.
 */

import { DynamoDBClient, type DynamoDBClientConfig } from '@aws-sdk/client-dynamodb';
import { DynamoDBDocumentClient } from '@aws-sdk/lib-dynamodb';

export type DynamoClientOptions = Pick<DynamoDBClientConfig, 'region' | 'endpoint' | 'credentials'>;

/** Milliseconds until one call, with all the attempts of the SDK, is given up. */
export const DEFAULT_CALL_DEADLINE_MS = 3_000;

/**
 * 0.5 s to connect, 1 s per request, 3 attempts. Each store adds a deadline per call.
 * @example dynamoClient({ region: 'local', endpoint: 'http://127.0.0.1:8000', credentials: LOCAL_CREDENTIALS })
 */
export function dynamoClient(options: DynamoClientOptions = {}): DynamoDBDocumentClient {
  const client = new DynamoDBClient({
    ...options,
    maxAttempts: 3,
    requestHandler: { connectionTimeout: 500, requestTimeout: 1_000, throwOnRequestTimeout: true },
  });
  // It copies every answer for a log that nobody keeps: a tenth of what reading a thousand windows costs.
  client.middlewareStack.remove('loggerMiddleware');
  return DynamoDBDocumentClient.from(client, {
    marshallOptions: { removeUndefinedValues: true },
    // A number that JavaScript cannot hold comes as its nearest value: the schema refuses that one item, where the
    // default throws and takes every other item of the same query with it.
    unmarshallOptions: { wrapNumbers: Number },
  });
}
