/** The state store on DynamoDB Local: the contract, the race with its conditions taken away, lost answers, large sets. */

import { randomUUID } from 'node:crypto';
import {
  DeleteCommand,
  type DynamoDBDocumentClient,
  GetCommand,
  PutCommand,
  type PutCommandInput,
  QueryCommand,
  TransactWriteCommand,
} from '@aws-sdk/lib-dynamodb';
import { afterAll, describe, expect, it } from 'vitest';
import {
  auditPartition,
  CUTOVER_PREFIX,
  cutoverKey,
  idempotencyKey,
  STATES,
  verdictKey,
} from '../../../lib/adapters/dynamodb/keys.ts';
import { dynamoStateStore } from '../../../lib/adapters/dynamodb/state-store.ts';
import { dynamoVerdictStore } from '../../../lib/adapters/dynamodb/verdict-store.ts';
import { storedVerdict } from '../../../lib/core/conditions/stored.ts';
import { storedEvidence } from '../../../lib/core/gates/stored-evidence.ts';
import {
  changeOf,
  EVIDENCE,
  freshCutover,
  idempotencyOf,
  START_MS,
  stateContract,
  testClock,
  twentyWritersAtOnce,
  VERDICT,
} from '../../helpers/contracts/state.ts';
import { verdictContract } from '../../helpers/contracts/verdicts.ts';
import { localClient, ownTables, PATIENT_CALL_MS } from '../../helpers/dynamodb.ts';
import { faultyProxy } from '../../helpers/dynamodb-proxy.ts';

const client = localClient();
afterAll(() => client.destroy());

async function fresh(using: DynamoDBDocumentClient = client) {
  const { state: tableName } = await ownTables(client);
  const clock = testClock();
  const ids = { next: () => randomUUID() };
  return { clock, client: using, tableName, ids, random: () => 0.5, requestTimeoutMs: PATIENT_CALL_MS };
}

stateContract('DynamoDB', async () => {
  const options = await fresh();
  const { tableName } = options;
  return {
    store: dynamoStateStore(options),
    clock: options.clock,
    async edit(id, fields) {
      const Key = cutoverKey(id);
      if (fields === null) return void (await client.send(new DeleteCommand({ TableName: tableName, Key })));
      const { Item } = await client.send(new GetCommand({ TableName: tableName, Key }));
      await client.send(new PutCommand({ TableName: tableName, Item: { ...Item, ...fields } }));
    },
  };
});

verdictContract('DynamoDB', async () => {
  const options = await fresh();
  return { store: dynamoVerdictStore(options), clock: options.clock };
});

describe('verdicts as items', () => {
  const stored = { atMs: START_MS, verdict: VERDICT, evidence: EVIDENCE };

  it('take less than half of their text', async () => {
    const options = await fresh();
    await dynamoVerdictStore(options).write('customer', stored);
    const { Item } = await client.send(new GetCommand({ TableName: options.tableName, Key: verdictKey('customer') }));
    const bytes = Item!.verdict.length + Item!.evidence.length;
    expect(bytes).toBeLessThan((JSON.stringify(VERDICT).length + JSON.stringify(EVIDENCE).length) / 2);
  });

  it('are read as text, too, as an earlier version of the program left them', async () => {
    const options = await fresh();
    const verdict = JSON.stringify(storedVerdict(VERDICT));
    const readOf = async (evidence: unknown) => {
      const Item = { ...verdictKey('customer'), atMs: START_MS, verdict, evidence: JSON.stringify(evidence) };
      await client.send(new PutCommand({ TableName: options.tableName, Item }));
      return dynamoVerdictStore(options).read('customer');
    };
    expect(await readOf(storedEvidence(EVIDENCE))).toEqual(stored);
    // Histograms as lists, which that version wrote, are folded again from the windows.
    expect(await readOf(EVIDENCE)).toEqual({ ...stored, evidence: null });
  });

  it('are refused when the bytes are not ours', async () => {
    const options = await fresh();
    const Item = { ...verdictKey('customer'), atMs: START_MS, verdict: new Uint8Array([7, 7, 7]) };
    await client.send(new PutCommand({ TableName: options.tableName, Item }));
    await expect(dynamoVerdictStore(options).read('customer')).rejects.toMatchObject({ code: 'state_invalid' });
  });
});

/** The same client, but for the puts of a transaction, which arrive changed. */
function changingPuts(using: DynamoDBDocumentClient, change: (put: PutCommandInput) => PutCommandInput) {
  const changed = ({ input }: TransactWriteCommand) => {
    const puts = input.TransactItems!.map((item) => change(item.Put as PutCommandInput));
    return new TransactWriteCommand({ ...input, TransactItems: puts.map((Put) => ({ Put })) });
  };
  const send = (command: unknown, ...more: unknown[]) =>
    Reflect.apply(using.send, using, [command instanceof TransactWriteCommand ? changed(command) : command, ...more]);
  return Object.assign(Object.create(using), { send }) as DynamoDBDocumentClient;
}

describe('I18 without its conditions', () => {
  const PLACES = { 'version-condition': cutoverKey('customer').pk, 'audit-condition': auditPartition('customer') };
  const without = (...conditions: readonly (keyof typeof PLACES)[]) =>
    changingPuts(client, (put) => {
      if (!conditions.some((condition) => PLACES[condition] === put.Item!.pk)) return put;
      if (!put.ConditionExpression)
        throw new Error(`The put of ${put.Item!.pk} has no condition that could be left out.`);
      return { TableName: put.TableName, Item: put.Item };
    });

  it('the race is lost: negative control', async () => {
    const store = dynamoStateStore(await fresh(without('version-condition', 'audit-condition')));
    expect((await twentyWritersAtOnce(store)).applied).toBeGreaterThan(1);
  });

  it.each(['version-condition', 'audit-condition'] as const)(
    '%s alone may be missing: the other one holds',
    async (condition) => {
      const store = dynamoStateStore(await fresh(without(condition)));
      expect(await twentyWritersAtOnce(store)).toEqual({ applied: 1, entries: 1 });
    },
  );
});

describe('a write whose answer is lost', () => {
  it('is found to be applied, once', async () => {
    const proxy = await faultyProxy();
    const store = dynamoStateStore(await fresh(localClient(proxy.endpoint)));
    const change = changeOf(freshCutover());
    proxy.fail('TransactWriteItems', 'after', 3);
    expect(await store.writeCutover(change)).toEqual({ kind: 'applied' });
    expect(await store.readCutover('customer')).toEqual(change.after);
    expect(await store.readAudit('customer', { limit: 10 })).toHaveLength(1);
    expect(proxy.failed()).toBe(3);
    await proxy.stop();
  });

  it('would be taken for that of somebody else without the mark: negative control', async () => {
    const proxy = await faultyProxy();
    const unmarked = changingPuts(localClient(proxy.endpoint), (put) =>
      put.Item!.writeId ? { ...put, Item: { ...put.Item, writeId: 'the same for everybody' } } : put,
    );
    const store = dynamoStateStore(await fresh(unmarked));
    proxy.fail('TransactWriteItems', 'after', 3);
    expect((await store.writeCutover(changeOf(freshCutover()))).kind).toBe('stale');
    await proxy.stop();
  });

  it('is written again when the request never arrived', async () => {
    const proxy = await faultyProxy();
    const store = dynamoStateStore(await fresh(localClient(proxy.endpoint)));
    proxy.fail('TransactWriteItems', 'before', 3);
    expect(await store.writeCutover(changeOf(freshCutover()))).toEqual({ kind: 'applied' });
    expect(await store.readAudit('customer', { limit: 10 })).toHaveLength(1);
    await proxy.stop();
  });

  it('is stale when somebody else wrote in the meantime', async () => {
    const proxy = await faultyProxy();
    const options = await fresh(localClient(proxy.endpoint));
    const store = dynamoStateStore(options);
    const theirs = changeOf(freshCutover(), [{ type: 'approved' }]);
    await dynamoStateStore({ ...options, client }).writeCutover(theirs);
    proxy.fail('TransactWriteItems', 'before', 3);
    expect(await store.writeCutover(changeOf(freshCutover()))).toEqual({ kind: 'stale', current: theirs.after });
    await proxy.stop();
  });

  it('ends in an error that can be repeated when nothing can be read back', async () => {
    const proxy = await faultyProxy();
    const store = dynamoStateStore(await fresh(localClient(proxy.endpoint)));
    proxy.fail('TransactWriteItems', 'after', 3);
    proxy.fail('GetItem', 'before', 100);
    await expect(store.writeCutover(changeOf(freshCutover()))).rejects.toMatchObject({
      code: 'store_unavailable',
      retryable: true,
      message: expect.stringContaining("find out whether the change of cutover 'customer' was applied"),
    });
    await proxy.stop();
  });

  it('does not wait for ever for a server that says nothing', async () => {
    const proxy = await faultyProxy();
    const store = dynamoStateStore({ ...(await fresh(localClient(proxy.endpoint))), requestTimeoutMs: 300 });
    proxy.fail('GetItem', 'hang', 100);
    const began = performance.now();
    await expect(store.readCutover('customer')).rejects.toMatchObject({ code: 'store_unavailable', retryable: true });
    expect(performance.now() - began).toBeLessThan(2_000);
    await proxy.stop();
  });
});

describe('when DynamoDB is not there', () => {
  it('the error names the endpoint, the table and what to do', async () => {
    const away = localClient('http://127.0.0.1:9');
    const store = dynamoStateStore({ ...(await fresh(away)), tableName: 'crossfade-state' });
    await expect(store.readAll()).rejects.toMatchObject({
      code: 'store_unavailable',
      retryable: true,
      message: expect.stringMatching(
        /^Could not read the state of all cutovers \(table 'crossfade-state' at http:\/\/127\.0\.0\.1:9\)\. Seen: .*ECONNREFUSED.*Check that DynamoDB runs/,
      ),
    });
    await expect(store.writeCutover(changeOf(freshCutover()))).rejects.toMatchObject({ code: 'store_unavailable' });
  });

  it('a missing table is said at once and is not worth repeating', async () => {
    const store = dynamoStateStore({ ...(await fresh()), tableName: 'no-such-table' });
    for (const call of [() => store.readSystem(), () => store.writeCutover(changeOf(freshCutover()))])
      await expect(call()).rejects.toMatchObject({
        code: 'store_unavailable',
        retryable: false,
        message: expect.stringContaining('The table does not exist there: deploy the stack'),
      });
  });
});

describe('items on DynamoDB', () => {
  it('readAll reads beyond the first megabyte', async () => {
    const options = await fresh();
    const store = dynamoStateStore(options);
    const ids = Array.from({ length: 5 }, (_, n) => `cutover_${n}`);
    for (const id of ids) await store.writeCutover(changeOf(freshCutover(id)));
    const page = () =>
      client.send(
        new QueryCommand({
          TableName: options.tableName,
          KeyConditionExpression: 'pk = :pk AND begins_with(sk, :sk)',
          ExpressionAttributeValues: { ':pk': STATES, ':sk': CUTOVER_PREFIX },
        }),
      );
    // A page ends after a megabyte: what a newer version of the program adds to its items fills it sooner.
    for (const Item of (await page()).Items!)
      await client.send(new PutCommand({ TableName: options.tableName, Item: { ...Item, more: 'x'.repeat(300_000) } }));
    expect((await page()).Items!.length).toBeLessThan(ids.length);
    const all = await store.readAll();
    expect(all.map(({ id }) => id)).toEqual(ids);
    expect(all.filter((state) => 'invalid' in state)).toEqual([]);
  });

  it('a number that JavaScript cannot hold spoils one item and not the query', async () => {
    const options = await fresh();
    const store = dynamoStateStore(options);
    for (const id of ['bad', 'good']) await store.writeCutover(changeOf(freshCutover(id)));
    const { Item } = await client.send(new GetCommand({ TableName: options.tableName, Key: cutoverKey('bad') }));
    await client.send(
      new PutCommand({ TableName: options.tableName, Item: { ...Item, version: 9_007_199_254_740_993n } }),
    );
    const all = await store.readAll();
    expect(all.map((state) => [state.id, 'invalid' in state])).toEqual([
      ['bad', true],
      ['good', false],
    ]);
  });

  it('an idempotency record carries its TTL in whole seconds', async () => {
    const options = await fresh();
    const record = idempotencyOf('k', START_MS + 1_500);
    await dynamoStateStore(options).writeCutover({ ...changeOf(freshCutover()), idempotency: record });
    const { Item } = await client.send(new GetCommand({ TableName: options.tableName, Key: idempotencyKey('k') }));
    expect(Item?.expires_at).toBe(START_MS / 1000 + 2);
  });
});
