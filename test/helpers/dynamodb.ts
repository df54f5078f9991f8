/** A client of the run's DynamoDB Local and tables of one's own. */

import { randomUUID } from 'node:crypto';
import type { DynamoDBDocumentClient } from '@aws-sdk/lib-dynamodb';
import { inject } from 'vitest';
import { createTables, type TableNames } from '../../infra/local/tables.ts';
import { type DynamoLimits, dynamoClient } from '../../lib/adapters/dynamodb/client.ts';

/** Key ids with `_` or `-` are refused by DynamoDB Local. */
export const LOCAL_CREDENTIALS = { accessKeyId: 'local', secretAccessKey: 'local' };

/**
 * How long a server may take that shares two cores with all other tests. The limits as shipped have tests of their own,
 * and what is proven here would be true of a slower server, too.
 */
const PATIENT_LIMITS: DynamoLimits = { connectMs: 10_000, requestMs: 20_000 };
/** The same of one call of a store, with all its attempts. */
export const PATIENT_CALL_MS = 30_000;

/** A client that is patient; what is lost or refused fails as fast as ever. */
export function localClient(endpoint: string = inject('dynamodbEndpoint')): DynamoDBDocumentClient {
  process.env.AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED = 'true';
  return dynamoClient({ region: 'local', endpoint, credentials: LOCAL_CREDENTIALS, limits: PATIENT_LIMITS });
}

/** Two tables that no other test knows. */
export async function ownTables(client: DynamoDBDocumentClient): Promise<TableNames> {
  const mark = randomUUID().slice(0, 8);
  const names = { state: `state-${mark}`, changes: `changes-${mark}` };
  await createTables(client, names);
  return names;
}
