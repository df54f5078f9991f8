/** Wake-ups on DynamoDB Local: every one arrives in the stream with its new image. */

import {
  DescribeStreamCommand,
  DynamoDBStreamsClient,
  GetRecordsCommand,
  GetShardIteratorCommand,
  ListStreamsCommand,
  type _Record as StreamRecord,
} from '@aws-sdk/client-dynamodb-streams';
import { PutCommand } from '@aws-sdk/lib-dynamodb';
import { afterAll, describe, expect, inject, it } from 'vitest';
import { dynamoWakeUps } from '../../../lib/adapters/dynamodb/wake-ups.ts';
import { wakeUpContract } from '../../helpers/contracts/wake-ups.ts';
import { LOCAL_CREDENTIALS, localClient, ownTables, PATIENT_CALL_MS } from '../../helpers/dynamodb.ts';

const client = localClient();
const streams = new DynamoDBStreamsClient({
  region: 'local',
  endpoint: inject('dynamodbEndpoint'),
  credentials: LOCAL_CREDENTIALS,
});
afterAll(() => {
  client.destroy();
  streams.destroy();
});

const patient = (tableName: string) => dynamoWakeUps({ client, tableName, requestTimeoutMs: PATIENT_CALL_MS });

/** All records of a table's stream since it was made; polls until `count` are there or 10 s have passed. */
async function recordsOf(table: string, count: number): Promise<StreamRecord[]> {
  const { Streams } = await streams.send(new ListStreamsCommand({ TableName: table }));
  const StreamArn = Streams?.[0]?.StreamArn;
  const { StreamDescription } = await streams.send(new DescribeStreamCommand({ StreamArn }));
  const ShardId = StreamDescription?.Shards?.[0]?.ShardId;
  const place = { StreamArn, ShardId, ShardIteratorType: 'TRIM_HORIZON' } as const;
  let { ShardIterator } = await streams.send(new GetShardIteratorCommand(place));
  const records: StreamRecord[] = [];
  const deadline = Date.now() + 10_000;
  while (records.length < count && ShardIterator && Date.now() < deadline) {
    const page = await streams.send(new GetRecordsCommand({ ShardIterator }));
    records.push(...(page.Records ?? []));
    ShardIterator = page.NextShardIterator;
  }
  return records;
}

wakeUpContract('DynamoDB', async () => {
  const { changes } = await ownTables(client);
  return {
    wakeUps: patient(changes),
    records: async (count) =>
      (await recordsOf(changes, count)).map(({ dynamodb }) => ({
        id: dynamodb!.NewImage!.id!.S!,
        wakeUps: Number(dynamodb!.NewImage!.wakeUps!.N),
      })),
  };
});

describe('records of the stream', () => {
  it('are one INSERT, then MODIFY, each with the new image and a sequence number', async () => {
    const { changes } = await ownTables(client);
    const wakeUps = patient(changes);
    await wakeUps.wake('customer');
    await wakeUps.wake('customer');
    const records = await recordsOf(changes, 2);
    expect(records.map(({ eventName }) => eventName)).toEqual(['INSERT', 'MODIFY']);
    expect(records.map(({ dynamodb }) => dynamodb?.StreamViewType)).toEqual(['NEW_IMAGE', 'NEW_IMAGE']);
    for (const { dynamodb } of records) expect(dynamodb?.SequenceNumber).toMatch(/^\d+$/);
  });

  it('are not emitted by a put that changes nothing, which is why a counter is needed: negative control', async () => {
    const { changes } = await ownTables(client);
    const put = () => client.send(new PutCommand({ TableName: changes, Item: { id: 'customer', place: 'wake' } }));
    await put();
    await put();
    await patient(changes).wake('customer');
    expect((await recordsOf(changes, 2)).map(({ eventName }) => eventName)).toEqual(['INSERT', 'MODIFY']);
  });
});

describe('when the changes table is not there', () => {
  it('the error names it and what to do', async () => {
    await expect(dynamoWakeUps({ client, tableName: 'no-such-table' }).wake('customer')).rejects.toMatchObject({
      code: 'store_unavailable',
      retryable: false,
      message: expect.stringMatching(
        /wake the shadow writer of cutover 'customer' .table 'no-such-table'.*deploy the stack/,
      ),
    });
  });
});
