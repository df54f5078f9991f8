/**
 * A CloudWatch for one machine, on one port of 127.0.0.1, in memory: `DescribeAlarms`, `PutMetricAlarm`, `SetAlarmState`,
 * `PutMetricData`, and the sums of `GetMetricStatistics`, in the JSON protocol of the SDK. No alarm is evaluated: it is in the state that
 * it was last set to, by the SDK or by hand.
 *
 *   curl http://127.0.0.1:3006 -H 'x-amz-target: GraniteServiceVersion20100801.SetAlarmState' \
 *     -d '{"AlarmName": "checkout-errors", "StateValue": "ALARM", "StateReason": "tried by hand"}'
 */

import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

const STATES = ['OK', 'ALARM', 'INSUFFICIENT_DATA'] as const;
type State = (typeof STATES)[number];

type Alarm = {
  arn: string;
  region: string;
  name: string;
  state: State;
  reason: string;
  sinceMs: number;
  updatedMs: number;
};

export type CloudWatchOptions = {
  /** 0, the default, takes a free one. */
  port?: number;
  /** Epoch milliseconds. */
  clock?: () => number;
  /** ARNs of alarms that are there from the beginning, in OK. */
  alarms?: readonly string[];
};

export type LocalCloudWatch = {
  url: string;
  /** Requests so far, by operation. */
  requests: Readonly<Record<string, number>>;
  /** Makes an alarm, without data as yet. */
  put(arn: string): void;
  /** The answer to every question from now on, until null: a status, or no answer. */
  fail(how: number | 'hang' | null): void;
  stop(): Promise<void>;
};

type Body = Readonly<Record<string, unknown>>;
type Answer = { status: number; body: object };
type Emulator = { alarms: Map<string, Alarm>; values: Value[]; clock: () => number };
/** `metric`: namespace, name and dimensions of one region. */
type Value = { metric: string; atMs: number; value: number };

const ACCOUNT = '123456789012';

/** @throws Error when the port is taken. */
export async function startCloudWatch(options: CloudWatchOptions = {}): Promise<LocalCloudWatch> {
  const emulator: Emulator = { alarms: new Map(), values: [], clock: options.clock ?? Date.now };
  for (const arn of options.alarms ?? []) add(emulator, arn, 'OK', 'In OK when the local stack started');
  const requests: Record<string, number> = {};
  let failing: number | 'hang' | null = null;
  const serve = async (incoming: IncomingMessage, response: ServerResponse) => {
    const chunks: Buffer[] = [];
    for await (const chunk of incoming) chunks.push(chunk as Buffer);
    const operation = String(incoming.headers['x-amz-target'] ?? '')
      .split('.')
      .at(-1)!;
    requests[operation] = (requests[operation] ?? 0) + 1;
    if (failing === 'hang') return;
    const region = /Credential=[^/]+\/\d+\/([^/]+)\//.exec(incoming.headers.authorization ?? '')?.[1] ?? null;
    const { status, body } =
      failing === null
        ? answerTo(emulator, operation, region, Buffer.concat(chunks).toString())
        : refusal(failing, 'InternalServiceFault', 'Switched on.');
    response.writeHead(status, { 'content-type': 'application/x-amz-json-1.0' });
    response.end(JSON.stringify(body));
  };
  const server = createServer((incoming, response) => void serve(incoming, response).catch(() => response.destroy()));
  server.keepAliveTimeout = 75_000;
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(options.port ?? 0, '127.0.0.1', resolve);
  });
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    requests,
    put: (arn) => add(emulator, arn),
    fail(how) {
      failing = how;
    },
    async stop() {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      server.closeAllConnections();
      await closed;
    },
  };
}

function answerTo(emulator: Emulator, operation: string, region: string | null, text: string): Answer {
  let body: Body;
  try {
    body = JSON.parse(text || '{}') as Body;
  } catch {
    return refusal(400, 'SerializationException', 'The body is no JSON.');
  }
  switch (operation) {
    case 'DescribeAlarms':
      return describe(emulator, region, body);
    case 'SetAlarmState':
      return setState(emulator, region, body);
    case 'PutMetricAlarm':
      add(emulator, `arn:aws:cloudwatch:${region ?? 'eu-central-1'}:${ACCOUNT}:alarm:${body.AlarmName}`);
      return { status: 200, body: {} };
    case 'PutMetricData':
      return putValues(emulator, region, body);
    case 'GetMetricStatistics':
      return sums(emulator, region, body);
    default:
      return refusal(400, 'UnknownOperationException', `'${operation}' is not served here.`);
  }
}

function add(
  { alarms, clock }: Emulator,
  arn: string,
  state: State = 'INSUFFICIENT_DATA',
  reason = 'Unchecked: Initial alarm creation',
): void {
  const [, , , region = '', , , ...name] = arn.split(':');
  if (!alarms.has(arn))
    alarms.set(arn, { arn, region, name: name.join(':'), state, reason, sinceMs: clock(), updatedMs: clock() });
}

const inRegion = ({ alarms }: Emulator, region: string | null): Alarm[] =>
  [...alarms.values()].filter((alarm) => region === null || alarm.region === region);

/** One page: more alarms than one answer holds are nothing for one machine. */
function describe(emulator: Emulator, region: string | null, { AlarmNames, StateValue }: Body): Answer {
  const found = inRegion(emulator, region).filter(
    ({ name, state }) =>
      (!Array.isArray(AlarmNames) || AlarmNames.includes(name)) && (StateValue === undefined || StateValue === state),
  );
  const MetricAlarms = found.map(({ arn, name, state, reason, sinceMs, updatedMs }) => ({
    AlarmName: name,
    AlarmArn: arn,
    StateValue: state,
    StateReason: reason,
    StateUpdatedTimestamp: updatedMs / 1_000,
    StateTransitionedTimestamp: sinceMs / 1_000,
  }));
  return { status: 200, body: { MetricAlarms, CompositeAlarms: [] } };
}

function setState(emulator: Emulator, region: string | null, { AlarmName, StateValue, StateReason }: Body): Answer {
  const state = STATES.find((one) => one === StateValue);
  if (!state) return refusal(400, 'InvalidParameterValue', `StateValue must be one of ${STATES.join(', ')}.`);
  const found = inRegion(emulator, region).filter(({ name }) => name === AlarmName);
  if (found.length === 0) return refusal(404, 'ResourceNotFound', `There is no alarm '${AlarmName}'.`);
  for (const alarm of found) {
    const nowMs = emulator.clock();
    if (alarm.state !== state) alarm.sinceMs = nowMs;
    Object.assign(alarm, { state, reason: String(StateReason ?? ''), updatedMs: nowMs });
  }
  return { status: 200, body: {} };
}

const metricOf = (region: string | null, namespace: unknown, { MetricName, Dimensions = [] }: Body) =>
  JSON.stringify([
    region,
    namespace,
    MetricName,
    (Dimensions as Body[]).map(({ Name, Value }) => `${Name}=${Value}`).sort(),
  ]);

function putValues({ values, clock }: Emulator, region: string | null, { Namespace, MetricData }: Body): Answer {
  for (const one of (MetricData ?? []) as Body[]) {
    const atMs = typeof one.Timestamp === 'number' ? one.Timestamp * 1_000 : clock();
    values.push({ metric: metricOf(region, Namespace, one), atMs, value: Number(one.Value) });
  }
  return { status: 200, body: {} };
}

/** A period without a value has no data point. */
function sums({ values }: Emulator, region: string | null, body: Body): Answer {
  const periodMs = Number(body.Period) * 1_000;
  const [fromMs, toMs] = [Number(body.StartTime) * 1_000, Number(body.EndTime) * 1_000];
  const metric = metricOf(region, body.Namespace, body);
  const found = new Map<number, number>();
  for (const one of values) {
    if (one.metric !== metric || one.atMs < fromMs || one.atMs >= toMs) continue;
    const begins = Math.floor(one.atMs / periodMs) * periodMs;
    found.set(begins, (found.get(begins) ?? 0) + one.value);
  }
  const Datapoints = [...found].map(([begins, Sum]) => ({ Timestamp: begins / 1_000, Sum }));
  return { status: 200, body: { Label: body.MetricName, Datapoints } };
}

const refusal = (status: number, name: string, message: string): Answer => ({
  status,
  body: { __type: `com.amazonaws.cloudwatch#${name}`, message },
});
