/** Global set-up of the projects that need DynamoDB: one server for the run, in memory, on a free port. */

import type { TestProject } from 'vitest/node';
import { startDynamoDb } from '../../infra/local/dynamodb.ts';

declare module 'vitest' {
  interface ProvidedContext {
    dynamodbEndpoint: string;
  }
}

export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const server = await startDynamoDb();
  project.provide('dynamodbEndpoint', server.endpoint);
  return () => server.stop();
}
