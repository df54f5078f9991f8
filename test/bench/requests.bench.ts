/**
 * Counts what a month is billed for, and writes infra/requests.json: requests and units of DynamoDB for a minute of every function and
 * for a flush of the SDK, on the local engine, and what the packaged template has of alarms, keys and memory.
 *
 *   npm run bench requests
 */

import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { startDynamoDb } from '../../infra/local/dynamodb.ts';
import { createTables } from '../../infra/local/tables.ts';
import { dynamoClient } from '../../lib/adapters/dynamodb/client.ts';
import type { Counted } from '../../lib/core/cost/usage.ts';
import { countMinute, SCENES } from '../helpers/count-requests.ts';
import { PARAMETERS, ROOT, workspace } from '../helpers/packaged-template.ts';
import { deployedOf } from '../helpers/template-access.ts';

async function count(): Promise<Omit<Counted, 'deployed'>> {
  process.env.AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED = 'true';
  const server = await startDynamoDb();
  const credentials = { accessKeyId: 'local', secretAccessKey: 'local' };
  const client = dynamoClient({
    region: 'local',
    endpoint: server.endpoint,
    credentials,
    limits: { connectMs: 10_000, requestMs: 20_000 },
  });
  const counted = async (name: keyof typeof SCENES) => {
    const names = { state: `state-${name}`, changes: `changes-${name}` };
    await createTables(client, names);
    return countMinute(client, names, SCENES[name]);
  };
  try {
    const idle = await counted('idle');
    const one = await counted('one');
    const twenty = await counted('twenty');
    const reader = await counted('reader');
    return {
      minutes: { idle: idle.minute, one: one.minute, twenty: twenty.minute },
      flushes: { one: one.flush, twenty: twenty.flush, reader: reader.flush },
      metrics: { idle: idle.metrics, busy: one.metrics },
    };
  } finally {
    client.destroy();
    await server.stop();
  }
}

const service = workspace();
const deployed = deployedOf(await service.package('prod', PARAMETERS));
service.remove();
const file = join(ROOT, 'infra/requests.json');
writeFileSync(file, `${JSON.stringify({ ...(await count()), deployed }, null, 2)}\n`);
console.log(`${file}: written.`);
