/**
 * What a deployment uses in a month. The requests of one minute are counted on the local engine (infra/requests.json); this multiplies
 * them with the load. Pure.
 */

/** What is moved, and how busy it is. */
export type Load = {
  /** Table cutovers with reads on the shadow. 0: nothing is under way. */
  cutovers: number;
  /** Writes of the application to all of these tables. */
  writesPerSecond: number;
  /** Long-running processes of the application that use the SDK. */
  processes: number;
  /** Requests that the application answers on Lambda with the SDK. */
  readersPerSecond: number;
};

/** Functions that work for cutovers by themselves. */
export const JOBS = ['tick', 'publisher', 'relay', 'shadow-writer', 'backfill', 'verify'] as const;
export type Job = (typeof JOBS)[number];

/** Requests to DynamoDB, its units, calls of a function and how long they last together. */
export type Requests = { requests: number; readUnits: number; writeUnits: number; calls: number; runMs: number };
export type Minute = Readonly<Record<Job, Requests>>;

/** infra/requests.json. */
export type Counted = {
  /** A minute of every job: with nothing under way, with one table and 5 writes a second, with 20 tables and 19. */
  minutes: { idle: Minute; one: Minute; twenty: Minute };
  /** What a process sends every 10 seconds for each cutover: 50 reads a second of one table, of 20 tables, and 10 of one. */
  flushes: { one: Requests; twenty: Requests; reader: Requests };
  /** Metrics of ours that have a value in every hour. */
  metrics: { idle: number; busy: number };
  deployed: { memoryMb: Readonly<Record<string, number>>; alarms: number; dashboards: number; keys: number };
};

/** What has a price. */
export const PRICED = [
  'writeUnits',
  'readUnits',
  'gbSeconds',
  'calls',
  'httpRequests',
  'logGb',
  'metrics',
  'alarms',
  'dashboards',
  'keys',
  'keyRequests',
  'flagRequests',
] as const;
export type Priced = (typeof PRICED)[number];

/** A quantity of a month, under the name of its row. */
export type Line = { row: Row; priced: Priced; quantity: number };

export const ROWS = [
  'DynamoDB writes',
  'DynamoDB reads',
  'DynamoDB streams',
  'Lambda',
  'relay',
  'HTTP API',
  'AppConfig',
  'logs',
  'metrics',
  'alarms, dashboard',
  'keys, secrets',
] as const;
export type Row = (typeof ROWS)[number];

const MINUTES = 43_200;
const FLUSHES_A_MINUTE = 6;
/** An instance of the application is busy for so long with a request. */
const READER_SECONDS = 0.1;
/** A line of the access log, or of metrics. */
const LOG_LINE_GB = 600 / 1e9;
/** All but the shadow writer. */
const SCHEDULED = JOBS.length - 1;
/** DynamoDB asks for the key of each of two tables every five minutes, for each function that is at work. */
const KEY_REQUESTS = SCHEDULED * 2 * (MINUTES / 5);

/** A load of zeros is an idle deployment. */
export function usageOf(load: Load, counted: Counted): Line[] {
  const instances = Math.ceil(load.readersPerSecond * READER_SECONDS);
  const { relay, ...others } = minuteOf(load, counted);
  const jobs: Readonly<Record<string, Requests>> = { ...others, outcomes: reportedIn(load, instances, counted) };
  const total = (what: keyof Requests) => Object.values(jobs).reduce((sum, one) => sum + one[what], 0) * MINUTES;
  const gbSeconds = (job: string, { runMs }: Requests) =>
    ((counted.deployed.memoryMb[job] ?? 0) / 1_024) * (runMs / 1_000) * MINUTES;
  const posts = jobs.outcomes!.calls * MINUTES;
  const { alarms, dashboards, keys } = counted.deployed;
  // Each scheduled call leaves a line of metrics or of its own, and each report one there and one in the access log.
  const logLines = SCHEDULED * MINUTES + 2 * posts;
  return [
    { row: 'DynamoDB writes', priced: 'writeUnits', quantity: total('writeUnits') },
    { row: 'DynamoDB reads', priced: 'readUnits', quantity: total('readUnits') },
    { row: 'Lambda', priced: 'calls', quantity: total('calls') },
    ...Object.entries(jobs).map(
      ([job, one]): Line => ({ row: 'Lambda', priced: 'gbSeconds', quantity: gbSeconds(job, one) }),
    ),
    { row: 'relay', priced: 'calls', quantity: relay.calls * MINUTES },
    { row: 'relay', priced: 'gbSeconds', quantity: gbSeconds('relay', relay) },
    { row: 'relay', priced: 'writeUnits', quantity: relay.writeUnits * MINUTES },
    { row: 'relay', priced: 'readUnits', quantity: relay.readUnits * MINUTES },
    { row: 'HTTP API', priced: 'httpRequests', quantity: posts },
    { row: 'AppConfig', priced: 'flagRequests', quantity: (load.processes + instances) * FLUSHES_A_MINUTE * MINUTES },
    { row: 'logs', priced: 'logGb', quantity: logLines * LOG_LINE_GB },
    { row: 'metrics', priced: 'metrics', quantity: counted.metrics[load.cutovers > 0 ? 'busy' : 'idle'] },
    { row: 'alarms, dashboard', priced: 'alarms', quantity: alarms },
    { row: 'alarms, dashboard', priced: 'dashboards', quantity: dashboards },
    { row: 'keys, secrets', priced: 'keys', quantity: keys },
    { row: 'keys, secrets', priced: 'keyRequests', quantity: KEY_REQUESTS },
  ];
}

/** Between one table and twenty every job grows evenly. Wake-ups grow with the writes, up to what was counted. */
function minuteOf({ cutovers, writesPerSecond }: Load, { minutes }: Counted): Minute {
  const { idle, one, twenty } = minutes;
  if (cutovers === 0) return idle;
  const grown = mapped((job) => between(one[job], twenty[job], cutovers));
  const writer = grown['shadow-writer'];
  const woken = Math.min(1, (writesPerSecond * 60) / writer.calls);
  const { relay } = grown;
  return {
    ...grown,
    'shadow-writer': times(writer, woken),
    relay: { ...relay, writeUnits: relay.writeUnits * woken, requests: relay.requests * woken },
  };
}

/** What the application reports of its reads. */
function reportedIn({ cutovers, processes }: Load, instances: number, { flushes }: Counted): Requests {
  const by = cutovers * FLUSHES_A_MINUTE;
  const ofProcesses = times(between(flushes.one, flushes.twenty, Math.min(20, Math.max(1, cutovers))), processes * by);
  return combined(ofProcesses, times(flushes.reader, instances * by), (x, y) => x + y);
}

const mapped = (of: (job: Job) => Requests) =>
  Object.fromEntries(JOBS.map((job) => [job, of(job)])) as Record<Job, Requests>;

/** On the line through what was counted for one table and for twenty. */
const between = (one: Requests, twenty: Requests, cutovers: number) =>
  combined(one, twenty, (x, y) => x + ((y - x) * (cutovers - 1)) / 19);
const times = (a: Requests, by: number) => combined(a, a, (x) => x * by);
const combined = (a: Requests, b: Requests, by: (x: number, y: number) => number): Requests => ({
  requests: by(a.requests, b.requests),
  readUnits: by(a.readUnits, b.readUnits),
  writeUnits: by(a.writeUnits, b.writeUnits),
  calls: by(a.calls, b.calls),
  runMs: by(a.runMs, b.runMs),
});
