/** The requests the state store sends, and what it makes of each way in which DynamoDB can refuse them. */

import {
  ConditionalCheckFailedException,
  InternalServerError,
  TransactionCanceledException,
} from '@aws-sdk/client-dynamodb';
import {
  BatchGetCommand,
  DynamoDBDocumentClient,
  GetCommand,
  PutCommand,
  QueryCommand,
  TransactWriteCommand,
} from '@aws-sdk/lib-dynamodb';
import { mockClient } from 'aws-sdk-client-mock';
import { afterAll, afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { dynamoClient } from '../../../lib/adapters/dynamodb/client.ts';
import { auditKey, cutoverKey, idempotencyKey, verdictKey } from '../../../lib/adapters/dynamodb/keys.ts';
import { dynamoStateStore } from '../../../lib/adapters/dynamodb/state-store.ts';
import { dynamoVerdictStore } from '../../../lib/adapters/dynamodb/verdict-store.ts';
import type { CutoverState } from '../../../lib/core/cutover/cutover.ts';
import type { StateChange } from '../../../lib/ports/state.ts';
import { changeOf, freshCutover, idempotencyOf, START_MS, testClock } from '../../helpers/contracts/state.ts';

process.env.AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED = 'true';

const dynamo = mockClient(DynamoDBDocumentClient);
const sleep = vi.fn(async (_ms: number) => {});
const metadata = { $metadata: { attempts: 1 } };

beforeEach(() => {
  dynamo.reset();
  dynamo.on(GetCommand).resolves({});
  dynamo.on(TransactWriteCommand).resolves({});
  sleep.mockClear();
});
afterEach(() => vi.restoreAllMocks());
afterAll(() => dynamo.restore());

function optionsUnderTest() {
  const client = dynamoClient({
    region: 'eu-central-1',
    credentials: { accessKeyId: 'local', secretAccessKey: 'local' },
  });
  return { client, tableName: 'state', clock: { ...testClock(), sleep }, random: () => 0.5 };
}

function storeUnderTest() {
  let writes = 0;
  const ids = { next: () => `write-${++writes}` };
  return dynamoStateStore({ ...optionsUnderTest(), ids });
}

const verdictsUnderTest = () => dynamoVerdictStore(optionsUnderTest());

function cancelled(...codes: string[]): TransactionCanceledException {
  return new TransactionCanceledException({
    ...metadata,
    message: `Transaction cancelled [${codes.join(', ')}]`,
    CancellationReasons: codes.map((Code) => ({ Code })),
  });
}

const STARTED = changeOf(freshCutover());
const STATE = STARTED.after;
const CHANGE: StateChange<CutoverState> = { ...changeOf(STATE), idempotency: idempotencyOf('k') };

/** What a table holds: the state, and the audit entry of the write in question with its mark. */
function holds({ state, entryOf, record }: { state?: CutoverState; entryOf?: string; record?: boolean }) {
  dynamo.on(GetCommand).callsFake(({ Key }) => {
    const is = (key: object) => JSON.stringify(key) === JSON.stringify(Key);
    if (state && is(cutoverKey(state.id))) return { Item: { ...Key, ...state } };
    if (entryOf && is(auditKey('customer', 2))) return { Item: { ...Key, writeId: entryOf } };
    if (record && is(idempotencyKey('k')))
      return { Item: { ...idempotencyOf('k'), answer: JSON.stringify(idempotencyOf('k').answer) } };
    return {};
  });
}

const transactions = () => dynamo.commandCalls(TransactWriteCommand).map((call) => call.args[0].input);

describe('the transaction of a change', () => {
  it('is one request: state on its version, epoch and audit head, the entry on its place, the record on its key', async () => {
    expect(await storeUnderTest().writeCutover(CHANGE)).toEqual({ kind: 'applied' });
    expect(transactions()).toHaveLength(1);
    const [state, entry, record] = transactions()[0]!.TransactItems!.map(({ Put }) => Put!);
    expect(state).toMatchObject({
      TableName: 'state',
      Item: { pk: 'state', sk: 'cutover#customer', version: 2, auditSeq: 2 },
      ConditionExpression:
        '#version = :version AND #auditSeq = :auditSeq AND #auditHash = :auditHash AND #epoch = :epoch',
      ExpressionAttributeValues: {
        ':version': STATE.version,
        ':epoch': STATE.epoch,
        ':auditSeq': STATE.auditSeq,
        ':auditHash': STATE.auditHash,
      },
    });
    expect(entry).toMatchObject({
      Item: { pk: 'audit#customer', sk: '000000000002', event: '{"type":"paused"}', writeId: 'write-1' },
      ConditionExpression: 'attribute_not_exists(pk)',
    });
    expect(record).toMatchObject({
      Item: { pk: 'idempotency#k', sk: 'record', expires_at: (START_MS + 86_400_000) / 1000 },
      ConditionExpression: 'attribute_not_exists(pk) OR expiresAtMs <= :now',
      ExpressionAttributeValues: { ':now': START_MS },
    });
  });

  it('asks that nothing is there when the change is based on nothing', async () => {
    await storeUnderTest().writeCutover(STARTED);
    expect(transactions()[0]!.TransactItems![0]!.Put!.ConditionExpression).toBe('attribute_not_exists(pk)');
  });

  it('reads everything it decides on consistently', async () => {
    dynamo.on(TransactWriteCommand).rejects(cancelled('ConditionalCheckFailed', 'None', 'None'));
    dynamo.on(QueryCommand).resolves({});
    holds({ state: CHANGE.after });
    const store = storeUnderTest();
    await store.writeCutover(CHANGE);
    await store.readAll();
    await store.readAudit('customer', { limit: 1 });
    const reads = [...dynamo.commandCalls(GetCommand), ...dynamo.commandCalls(QueryCommand)];
    expect(reads.length).toBeGreaterThanOrEqual(5);
    for (const call of reads) expect(call.args[0].input.ConsistentRead).toBe(true);
  });

  it('every call carries a deadline', async () => {
    await storeUnderTest().writeCutover(CHANGE);
    await storeUnderTest().readSystem();
    const calls = dynamo.calls();
    expect(calls).toHaveLength(2);
    for (const { args } of calls) {
      const [, options] = args as unknown as [unknown, { abortSignal?: unknown }];
      expect(options.abortSignal).toBeInstanceOf(AbortSignal);
    }
  });
});

describe('a cancelled transaction', () => {
  it('on the state is stale, with what is there now', async () => {
    dynamo.on(TransactWriteCommand).rejects(cancelled('ConditionalCheckFailed', 'ConditionalCheckFailed', 'None'));
    holds({ state: CHANGE.after, entryOf: 'write of somebody else' });
    expect(await storeUnderTest().writeCutover(CHANGE)).toEqual({ kind: 'stale', current: CHANGE.after });
    expect(transactions()).toHaveLength(1);
  });

  it('on the record is repeated, with the stored answer', async () => {
    dynamo.on(TransactWriteCommand).rejects(cancelled('None', 'None', 'ConditionalCheckFailed'));
    holds({ state: STATE, record: true });
    expect(await storeUnderTest().writeCutover(CHANGE)).toEqual({ kind: 'repeated', record: idempotencyOf('k') });
  });

  it('by our own first attempt, whose answer the SDK never got, is applied', async () => {
    dynamo
      .on(TransactWriteCommand)
      .rejects(cancelled('ConditionalCheckFailed', 'ConditionalCheckFailed', 'ConditionalCheckFailed'));
    holds({ state: CHANGE.after, entryOf: 'write-1', record: true });
    expect(await storeUnderTest().writeCutover(CHANGE)).toEqual({ kind: 'applied' });
  });

  it.each(['TransactionConflict', 'ThrottlingError', 'ProvisionedThroughputExceeded'])(
    'by %s is tried again after a pause with jitter',
    async (code) => {
      holds({ state: STATE });
      dynamo
        .on(TransactWriteCommand)
        .rejectsOnce(cancelled(code, 'None', 'None'))
        .rejectsOnce(cancelled('None', code, 'None'))
        .resolves({});
      expect(await storeUnderTest().writeCutover(CHANGE)).toEqual({ kind: 'applied' });
      expect(transactions()).toHaveLength(3);
      expect(sleep.mock.calls).toEqual([[50], [100]]);
    },
  );

  it('by conflicts without end is given up after three more tries, and may be repeated', async () => {
    holds({ state: STATE });
    dynamo.on(TransactWriteCommand).rejects(cancelled('TransactionConflict', 'None', 'None'));
    await expect(storeUnderTest().writeCutover(CHANGE)).rejects.toMatchObject({
      code: 'store_unavailable',
      retryable: true,
      message: expect.stringContaining(
        "Could not write the state of cutover 'customer' (table 'state' at DynamoDB in eu-central-1). Seen: ",
      ),
    });
    expect(transactions()).toHaveLength(4);
  });

  it('because an item is too large is not tried again', async () => {
    dynamo.on(TransactWriteCommand).rejects(cancelled('ValidationError', 'None', 'None'));
    await expect(storeUnderTest().writeCutover(CHANGE)).rejects.toMatchObject({
      code: 'store_unavailable',
      retryable: false,
    });
    expect(transactions()).toHaveLength(1);
  });

  it('refused only on a repetition of the SDK is read back first', async () => {
    const refusal = Object.assign(new Error('expired'), { name: 'ExpiredTokenException', $metadata: { attempts: 2 } });
    dynamo.on(TransactWriteCommand).rejects(refusal);
    holds({ state: CHANGE.after, entryOf: 'write-1' });
    expect(await storeUnderTest().writeCutover(CHANGE)).toEqual({ kind: 'applied' });
  });

  it('whose audit place is taken while the state is ours is state_invalid', async () => {
    dynamo.on(TransactWriteCommand).rejects(cancelled('None', 'ConditionalCheckFailed', 'None'));
    holds({ state: STATE, entryOf: 'write of somebody else' });
    await expect(storeUnderTest().writeCutover(CHANGE)).rejects.toMatchObject({ code: 'state_invalid' });
  });
});

describe('an unknown outcome', () => {
  const timeOut = Object.assign(new Error('Request aborted'), { name: 'AbortError' });
  const lost = [
    ['a deadline', timeOut],
    [
      'a time-out of the connection',
      Object.assign(new Error('socket hang up'), { name: 'TimeoutError', code: 'ECONNRESET' }),
    ],
    ['an error of the server', new InternalServerError({ ...metadata, message: 'oops' })],
    ['a refused connection of the last attempt', Object.assign(new Error('refused'), { code: 'ECONNREFUSED' })],
  ] as const;

  it.each(lost)('after %s is applied when our entry is there', async (_, error) => {
    dynamo.on(TransactWriteCommand).rejects(error);
    holds({ state: CHANGE.after, entryOf: 'write-1' });
    expect(await storeUnderTest().writeCutover(CHANGE)).toEqual({ kind: 'applied' });
    expect(transactions()).toHaveLength(1);
  });

  it.each(lost)('after %s is stale when somebody else is there', async (_, error) => {
    dynamo.on(TransactWriteCommand).rejects(error);
    holds({ state: CHANGE.after, entryOf: 'write of somebody else' });
    expect(await storeUnderTest().writeCutover(CHANGE)).toEqual({ kind: 'stale', current: CHANGE.after });
    expect(transactions()).toHaveLength(1);
  });

  it.each(lost)('after %s leads to the same conditional write when nothing has changed', async (_, error) => {
    dynamo.on(TransactWriteCommand).rejectsOnce(error).resolves({});
    holds({ state: STATE });
    expect(await storeUnderTest().writeCutover(CHANGE)).toEqual({ kind: 'applied' });
    const [first, second] = transactions();
    expect(second!.TransactItems).toEqual(first!.TransactItems);
  });

  it('is never repeated without a consistent look in between', async () => {
    dynamo.on(TransactWriteCommand).rejects(timeOut);
    holds({ state: STATE });
    await expect(storeUnderTest().writeCutover(CHANGE)).rejects.toMatchObject({ code: 'store_unavailable' });
    const order = dynamo.calls().map((call) => call.args[0].constructor.name);
    order.forEach((name, index) => {
      if (name === 'TransactWriteCommand' && index > 0) expect(order[index - 1]).toBe('GetCommand');
    });
    expect(order.filter((name) => name === 'TransactWriteCommand')).toHaveLength(4);
  });
});

describe('errors of DynamoDB', () => {
  it.each([
    ['ResourceNotFoundException', 'store_unavailable', false, 'The table does not exist there'],
    ['AccessDeniedException', 'access_denied', false, "Give this function's role access"],
    ['UnrecognizedClientException', 'access_denied', false, 'correct the credentials'],
    ['ThrottlingException', 'store_unavailable', true, 'the call may be repeated'],
    ['InternalServerError', 'store_unavailable', true, 'the call may be repeated'],
  ])('%s becomes %s', async (name, code, retryable, advice) => {
    dynamo.on(GetCommand).rejects(Object.assign(new Error('seen'), { name }));
    await expect(storeUnderTest().readCutover('customer')).rejects.toMatchObject({
      code,
      retryable,
      message: expect.stringMatching(
        new RegExp(`read the state of cutover 'customer' .table 'state' .*Seen: ${name}: seen\\. .*${advice}`),
      ),
    });
  });

  it('a verdict that is older than the stored one is dropped without an error', async () => {
    dynamo.on(PutCommand).rejects(new ConditionalCheckFailedException({ ...metadata, message: 'older' }));
    const verdict = { verdict: 'hold', reasons: [], conditions: [] } as never;
    await expect(verdictsUnderTest().write('customer', { atMs: 1, verdict, evidence: null })).resolves.toBeUndefined();
  });

  it('evidence that another program folded is none, and the verdict beside it is read all the same', async () => {
    const figures = { count: 0, errors: 0, errorRate: null, p50Ms: null, p95Ms: null };
    const evidence = { primary: figures, shadow: figures, checks: 0, mismatches: 0, badMinutes: 0 };
    const verdict = {
      verdict: 'hold',
      reasons: [],
      conditions: [],
      evidence: { ...evidence, minutesInStage: 1, minutesToEligibility: 2 },
    };
    for (const other of ['{"schema":0}', 'no JSON', undefined]) {
      const Item = { ...verdictKey('customer'), atMs: 1, verdict: JSON.stringify(verdict), evidence: other };
      dynamo.on(BatchGetCommand).resolves({ Responses: { state: [Item] } });
      expect(await verdictsUnderTest().read('customer')).toEqual({ atMs: 1, verdict, evidence: null });
    }
  });
});

describe('reading many verdicts', () => {
  it('asks again for what was left out of an answer', async () => {
    const item = (sk: string) => ({ pk: 'verdict', sk, atMs: 'broken' });
    const Keys = [verdictKey('invoice')];
    dynamo
      .on(BatchGetCommand)
      .resolvesOnce({ Responses: { state: [item('customer')] }, UnprocessedKeys: { state: { Keys } } })
      .resolvesOnce({ Responses: { state: [item('invoice')] } });
    const store = verdictsUnderTest();
    const found = await Promise.allSettled(['customer', 'invoice', 'order'].map((id) => store.read(id)));
    expect(found.map(({ status }) => status)).toEqual(['rejected', 'rejected', 'fulfilled']);
    expect(found[1]).toMatchObject({
      reason: { code: 'state_invalid', message: expect.stringContaining("'invoice'") },
    });
    const asked = dynamo.commandCalls(BatchGetCommand).map(({ args }) => args[0].input.RequestItems!.state);
    expect(asked).toMatchObject([
      { ConsistentRead: true, Keys: ['customer', 'invoice', 'order'].map(verdictKey) },
      { ConsistentRead: true, Keys },
    ]);
  });

  it('gives up on what is left out again and again, after pauses that grow', async () => {
    const Keys = [verdictKey('customer')];
    dynamo.on(BatchGetCommand).resolves({ UnprocessedKeys: { state: { Keys } } });
    await expect(verdictsUnderTest().read('customer')).rejects.toMatchObject({
      code: 'store_unavailable',
      retryable: true,
      message: expect.stringContaining('1 items are throttled'),
    });
    expect(sleep.mock.calls.map(([ms]) => ms)).toEqual([50, 100, 200, 400]);
  });

  it('a failure is that of each', async () => {
    dynamo.on(BatchGetCommand).rejects(Object.assign(new Error('seen'), { name: 'ThrottlingException' }));
    const store = verdictsUnderTest();
    const found = await Promise.allSettled(['customer', 'invoice'].map((id) => store.read(id)));
    expect(found).toMatchObject([0, 1].map(() => ({ reason: { code: 'store_unavailable', retryable: true } })));
  });
});

describe('the client', () => {
  it.each([
    ['0.5 s to connect, 1 s per request', undefined, [500, 1_000]],
    ['those it is given', { connectMs: 7_000, requestMs: 9_000 }, [7_000, 9_000]],
  ])('has limits: %s that throws, three attempts', async (_, limits, [connectionTimeout, requestTimeout]) => {
    const { config } = dynamoClient({ region: 'local', ...(limits ? { limits } : {}) });
    expect(await config.maxAttempts()).toBe(3);
    const handler = config.requestHandler as unknown as { configProvider?: Promise<object> };
    expect(await handler.configProvider).toMatchObject({
      connectionTimeout,
      requestTimeout,
      throwOnRequestTimeout: true,
    });
  });
});
