/** Requests for flags on DynamoDB Local: the contract, a request that cannot be read, and a publisher that does not answer. */

import { randomUUID } from 'node:crypto';
import { PutCommand } from '@aws-sdk/lib-dynamodb';
import { afterAll, describe, expect, it } from 'vitest';
import { askedFlags, flagSightings } from '../../../lib/adapters/dynamodb/asked-flags.ts';
import { dynamoFlagRequests } from '../../../lib/adapters/dynamodb/flag-requests.ts';
import { ASKED, askedPlace } from '../../../lib/adapters/dynamodb/keys.ts';
import { flagRequestsContract, type RequestsHarness } from '../../helpers/contracts/flag-requests.ts';
import { someFlags } from '../../helpers/contracts/flags.ts';
import { localClient, ownTables, PATIENT_CALL_MS } from '../../helpers/dynamodb.ts';
import { inMemoryRequests } from '../../helpers/fakes/flag-requests.ts';

const client = localClient();
const { state: tableName } = await ownTables(client);
afterAll(() => client.destroy());

/** Each an hour apart, in one table: none sees the requests of another. */
let startMs = Date.now();

/** Waiting takes no time, and the stream wakes the publisher in the first pause. */
async function onDynamo(): Promise<RequestsHarness & { waitedMs(): number }> {
  startMs += 3_600_000;
  let nowMs = startMs;
  let slept = 0;
  let publisher: () => Promise<unknown> = async () => {};
  const realNow = () => nowMs;
  const options = { client, tableName, realNow, requestTimeoutMs: PATIENT_CALL_MS };
  const clock = {
    monotonicMs: () => slept,
    async sleep(ms: number) {
      slept += ms;
      await publisher();
      publisher = async () => {};
    },
  };
  return {
    asked: askedFlags({ ...options, clock, ids: { next: randomUUID } }),
    sightings: flagSightings(options),
    requests: dynamoFlagRequests(options),
    now: realNow,
    pass: (ms) => {
      nowMs += ms;
    },
    onWake: (work) => {
      publisher = work;
    },
    waitedMs: () => slept,
  };
}

flagRequestsContract('DynamoDB', onDynamo);
flagRequestsContract('in memory', async () => {
  let nowMs = 1_800_000_000_000;
  let publisher: () => Promise<unknown> = async () => {};
  const { asked, sightings, requests } = inMemoryRequests(
    () => nowMs,
    () => publisher(),
  );
  return {
    asked,
    sightings,
    requests,
    now: () => nowMs,
    pass: (ms) => {
      nowMs += ms;
    },
    onWake: (work) => {
      publisher = work;
    },
  };
});

describe('requests for flags on DynamoDB', () => {
  it('one that cannot be read keeps no other waiting', async () => {
    const { requests, asked, now } = await onDynamo();
    const Item = { pk: ASKED, sk: `${askedPlace(now())}#0`, kind: 'flags', body: '{', untilMs: now() + 60_000 };
    await client.send(new PutCommand({ TableName: tableName, Item }));
    await asked.publish({ document: someFlags(), latestVersion: 0, urgent: false, deadlineMs: 300 });
    expect(await requests.open()).toHaveLength(1);
  });

  it('a publisher that has not answered is waited for again only once it has written something down', async () => {
    const { asked, requests, now, pass, waitedMs } = await onDynamo();
    const publish = () => asked.publish({ document: someFlags(), latestVersion: 0, urgent: false, deadlineMs: 1_000 });
    await requests.note({ document: null, latestVersion: 0, atMs: now() });
    await publish();
    expect(waitedMs()).toBe(1_000);
    await publish();
    expect(waitedMs()).toBeLessThan(1_500);
    pass(1_000);
    await requests.note({ document: null, latestVersion: 0, atMs: now() });
    await publish();
    expect(waitedMs()).toBeGreaterThan(2_000);
  });
});
