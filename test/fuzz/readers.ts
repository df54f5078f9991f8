/**
 * The readers of what comes from outside: an event of the stream, a read to compare, flags as they are served, a recorded trace, a
 * configuration. Each has documents that are right, and says what holds for any text: a reader gives what its type promises, or refuses
 * with a code of its own; never anything else.
 */

import assert from 'node:assert/strict';
import { isCrossfadeError } from '../../lib/core/base/errors.ts';
import { CUTOVER_ID } from '../../lib/core/cutover/cutover.ts';
import { servedForm } from '../../lib/core/routing/flags.ts';
import { defineCutovers } from '../../lib/define/cutovers.ts';
import { checkFlagText } from '../../lib/routing/flag-check.ts';
import { parseFlags } from '../../lib/schemas/flags.ts';
import { readTrace } from '../../lib/schemas/replay.ts';
import { parseWakeUps } from '../../lib/schemas/stream.ts';
import { someFlags } from '../helpers/contracts/flags.ts';

export type Reader = {
  /** As JSON. */
  seeds: readonly string[];
  /** It is given text; the others get what has been read as JSON. */
  readsText: boolean;
  /**
   * Whether it is accepted, and not refused.
   * @throws AssertionError, or what the reader threw in place of a refusal
   */
  holds: (text: string) => boolean;
};

const texts = (...seeds: readonly unknown[]): string[] => seeds.map((seed) => JSON.stringify(seed));

const stream = (id: string, image: object = { id: { S: id } }) => ({
  eventSource: 'aws:dynamodb',
  eventName: 'INSERT',
  dynamodb: { SequenceNumber: '111', NewImage: image },
});
const READ = { method: 'GET', path: '/a', query: '', headers: { accept: '*/*' }, slice: 1 };
const comparing = (read: string) => ({
  Records: [stream('compare#orders', { id: { S: 'compare#orders' }, read: { S: read } })],
});

export const READERS = {
  event: {
    seeds: texts(
      { Records: [stream('orders'), stream('invoice')] },
      { Records: [stream('orders#3', { id: { S: 'orders#3' }, status: { S: 'ready' }, attempts: { N: '0' } })] },
      comparing(JSON.stringify(READ)),
    ),
    readsText: false,
    holds: (text) => wakeUpsHold(JSON.parse(text)),
  },
  read: {
    seeds: texts(READ),
    readsText: true,
    holds: (text) => wakeUpsHold(comparing(text)),
  },
  flags: {
    seeds: texts(servedForm(someFlags())),
    readsText: true,
    holds: (text) => {
      const seen = refusedOr(['flags_invalid'], () => checkFlagText(text));
      const { system } = someFlags();
      // What an application believes of a cutover the strict reader believes as well.
      for (const [id, flag] of Object.entries(seen?.cutovers ?? {}))
        assert.deepEqual(parseFlags(JSON.parse(JSON.stringify({ system, [id]: flag }))).cutovers, { [id]: flag });
      return seen !== null;
    },
  },
  trace: {
    seeds: texts({
      id: 'orders',
      config: { errorRateRollback: 0.05, consecutiveFailures: 3, minDwellMinutes: 5 },
      stage: { share: 0.5, startsAtMinute: 0 },
      rows: [0, 1, 2].map((minute) => ({ minute, path: 'shadow', count: 10, errors: 0, latency: [12, 12.5, 80] })),
    }),
    readsText: true,
    holds: (text) => {
      const trace = refusedOr(['invalid_json', 'invalid_input'], () => readTrace(text, 'a.json'));
      for (let index = 0; index < (trace?.rows.length ?? 0); index += 1) {
        assert.ok(Number.isInteger(trace!.rows.minute(index)));
        assert.equal(typeof trace!.rows.row(index), 'object');
      }
      return trace !== null;
    },
  },
  configuration: {
    seeds: texts(
      [
        {
          id: 'orders',
          kind: 'table',
          primary: 'public.orders',
          shadow: 'public.orders_v2',
          columns: { total: { from: 'sum' } },
        },
      ],
      [{ id: 'planner', kind: 'component', plan: 'gradual', dwellMinutes: 5, policy: { minSamples: 20 } }],
      [
        {
          id: 'billing',
          kind: 'service',
          upstreams: { primary: 'https://a.example', shadow: 'https://b.example' },
          allow: ['group:staff'],
        },
      ],
    ),
    readsText: false,
    holds: (text) => {
      const codes = ['invalid_config', 'invalid_identifier', 'invalid_plan', 'upstream_refused'];
      const cutovers = refusedOr(codes, () => defineCutovers(JSON.parse(text)));
      for (const { id, plan } of cutovers ?? []) {
        assert.match(id, CUTOVER_ID);
        const shares = plan.stages.map(({ sharePpm }) => sharePpm);
        assert.deepEqual(
          shares,
          shares.toSorted((a, b) => a - b),
        );
      }
      // It is the same when it is read once more.
      if (cutovers !== null) assert.deepEqual(defineCutovers(JSON.parse(text)), cutovers);
      return cutovers !== null;
    },
  },
} as const satisfies Readonly<Record<string, Reader>>;

/** Each wake-up names a record of the event, and a cutover or none. */
function wakeUpsHold(event: unknown): boolean {
  const wakeUps = refusedOr(['invalid_event'], () => parseWakeUps(event));
  if (wakeUps === null) return false;
  const records = (event as { Records: { dynamodb: { SequenceNumber: string } }[] }).Records;
  const numbers = new Set(records.map(({ dynamodb }) => dynamodb.SequenceNumber));
  for (const { sequenceNumber, cutover, read } of wakeUps) {
    assert.ok(numbers.has(sequenceNumber));
    if (cutover !== null) assert.match(cutover, CUTOVER_ID);
    if (read) assert.deepEqual([typeof read.path, read.method, areTexts(read.headers)], ['string', 'GET', true]);
  }
  return true;
}

/** The value, or null where it is refused with one of these codes. */
function refusedOr<T>(codes: readonly string[], read: () => T): T | null {
  try {
    return read();
  } catch (error) {
    if (!isCrossfadeError(error)) throw error;
    assert.ok(codes.includes(error.code), `it is refused with ${error.code}`);
    return null;
  }
}

const areTexts = (value: unknown) =>
  typeof value === 'object' &&
  value !== null &&
  !Array.isArray(value) &&
  Object.values(value).every((one) => typeof one === 'string');
