/**
 * What Lambda does between a DynamoDB Stream and its function: reads the real stream, hands over batches in order, and
 * comes again with whatever was not served: the whole batch after a crash, the rest after a reported record.
 */

import {
  DescribeStreamCommand,
  DynamoDBStreamsClient,
  GetRecordsCommand,
  GetShardIteratorCommand,
  ListStreamsCommand,
} from '@aws-sdk/client-dynamodb-streams';
import { LOCAL_CREDENTIALS } from './dynamodb.ts';

/** As it comes out of the stream, with the shape that a function gets. */
export type StreamRecord = {
  eventName?: string;
  eventSource?: string;
  dynamodb?: {
    SequenceNumber?: string;
    NewImage?: Readonly<Record<string, unknown>>;
    Keys?: Readonly<Record<string, unknown>>;
  };
};

export type StreamReader = {
  /** Records since the last call, oldest first; from the beginning of the stream at the first one. */
  next(): Promise<StreamRecord[]>;
  close(): void;
};

export function streamReader(endpoint: string, table: string): StreamReader {
  const client = new DynamoDBStreamsClient({ region: 'local', endpoint, credentials: LOCAL_CREDENTIALS });
  const shards = new Map<string, { iterator: string | undefined; last: string | undefined }>();
  let arn: string | undefined;

  async function openShards(): Promise<void> {
    const { Streams } = await client.send(new ListStreamsCommand({ TableName: table }));
    arn = Streams?.[0]?.StreamArn;
    const { StreamDescription } = await client.send(new DescribeStreamCommand({ StreamArn: arn }));
    for (const { ShardId } of StreamDescription?.Shards ?? []) await openShard(ShardId!, undefined);
  }

  async function openShard(shard: string, last: string | undefined): Promise<void> {
    const place = last
      ? { ShardIteratorType: 'AFTER_SEQUENCE_NUMBER' as const, SequenceNumber: last }
      : { ShardIteratorType: 'TRIM_HORIZON' as const };
    const { ShardIterator } = await client.send(
      new GetShardIteratorCommand({ StreamArn: arn, ShardId: shard, ...place }),
    );
    shards.set(shard, { iterator: ShardIterator, last });
  }

  async function readShard(shard: string): Promise<StreamRecord[]> {
    const { iterator, last } = shards.get(shard)!;
    if (!iterator) return [];
    try {
      const found = await client.send(new GetRecordsCommand({ ShardIterator: iterator, Limit: 1_000 }));
      // An instance gets JSON.
      const records = JSON.parse(JSON.stringify(found.Records ?? [])) as StreamRecord[];
      shards.set(shard, {
        iterator: found.NextShardIterator,
        last: records.at(-1)?.dynamodb?.SequenceNumber ?? last,
      });
      return records;
    } catch (error) {
      // DynamoDB Local takes an iterator into an empty shard for one that is too old when the first record comes.
      if ((error as Error).name !== 'TrimmedDataAccessException') throw error;
      await openShard(shard, last);
      return [];
    }
  }

  return {
    async next() {
      if (shards.size === 0) await openShards();
      const records: StreamRecord[] = [];
      for (const shard of shards.keys()) records.push(...(await readShard(shard)));
      return records;
    },
    close: () => client.destroy(),
  };
}

export type StreamMapping = { batches(): number; redelivered(): number; stop(): Promise<void> };

const POLL_MS = 40;
const BATCH = 100;

/** @param invoke rejects when the function failed or died */
export function streamMapping(reader: StreamReader, invoke: (event: object) => Promise<unknown>): StreamMapping {
  let stopping = false;
  let batches = 0;
  let redelivered = 0;

  async function deliver(records: StreamRecord[]): Promise<void> {
    let left = records;
    while (left.length > 0 && !stopping) {
      const batch = left.slice(0, BATCH);
      batches += 1;
      const served = await invoke({ Records: batch }).then(
        (answer) => servedOf(batch, answer),
        () => 0,
      );
      left = left.slice(served);
      if (served === batch.length) continue;
      redelivered += 1;
      await pause();
    }
  }

  const running = (async () => {
    while (!stopping) {
      // A read that failed is repeated; what it would have brought is still there.
      const records = await reader.next().catch(() => []);
      await deliver(records);
      if (records.length === 0) await pause();
    }
  })();
  return {
    batches: () => batches,
    redelivered: () => redelivered,
    async stop() {
      stopping = true;
      await running;
      reader.close();
    },
  };
}

/** Lambda's rule: from the first reported record on everything comes again; an answer of another shape is full success. */
export function servedOf(batch: readonly StreamRecord[], answer: unknown): number {
  const failures = (answer as { batchItemFailures?: { itemIdentifier?: string }[] } | null)?.batchItemFailures ?? [];
  if (failures.length === 0) return batch.length;
  const places = failures.map(({ itemIdentifier }) =>
    batch.findIndex((record) => record.dynamodb?.SequenceNumber === itemIdentifier),
  );
  return Math.max(0, Math.min(...places));
}

const pause = () => new Promise((resolve) => setTimeout(resolve, POLL_MS));
