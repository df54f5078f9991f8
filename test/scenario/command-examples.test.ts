/**
 * What the commands print, in three lives on a virtual clock: real commands, real handlers, ports in memory. The examples in
 * lib/cli/README.md are these, and those of test/integration/postgres/command-examples.test.ts. When a text has changed:
 *
 *   npx vitest run --project unit test/scenario/command-examples.test.ts -u && npm run docs
 */

import { generateKeyPairSync } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { HOUR_MS } from '../../lib/core/base/units.ts';
import { forwardId } from '../../lib/core/forwards/forward.ts';
import { NO_TOTALS } from '../../lib/core/report/experiment.ts';
import type { HealthFinding } from '../../lib/core/table/reading.ts';
import { defineCutovers } from '../../lib/define/cutovers.ts';
import { definePhases } from '../../lib/define/phases.ts';
import type { LocalSettings } from '../../lib/schemas/local-settings.ts';
import { type Example, exampleFile, printed, shownAs } from '../helpers/command-examples.ts';
import { commandServer } from '../helpers/command-server.ts';
import { cli } from '../helpers/fake-api.ts';
import { replaceCall } from '../helpers/table-ports.ts';
import { type Run, run } from './run.ts';

const WHY = ['--reason', 'a rehearsal'];

/** `first`: what happens before. */
type Lived = Example & { first?: (life: Run) => Promise<unknown> };

const to = (stage: string) => (life: Run) => life.until(stage);
const minutes = (count: number) => (life: Run) => life.minutes(count);

/** As a database answers that was not set up to the end. */
const FINDINGS: readonly HealthFinding[] = [
  { check: 'primary exists', status: 'pass', value: 'public.customer', limit: 'there', remedy: '' },
  { check: 'shadow exists', status: 'pass', value: 'public.customer_v2', limit: 'there', remedy: '' },
  {
    check: 'old transactions',
    status: 'warn',
    value: '184 s, pid 4711 of reports',
    limit: '60 s',
    remedy: 'Start and the swap wait for it: let it end, or SELECT pg_terminate_backend(4711).',
  },
  {
    check: 'lock_timeout of the runtime role',
    status: 'warn',
    value: 'not set',
    limit: '1s',
    remedy: "ALTER ROLE crossfade_runtime SET lock_timeout = '1s';",
  },
];

const ADDED = [{ object: 'column 5 of public.customer', was: null, is: 'paid_at timestamptz' }];

const RAMP = {
  name: 'short',
  ramp: [
    ['r10', 10],
    ['r50', 50],
    ['full_100', 100],
  ] as [string, number][],
};
const QUICK = { errorRateRollback: 0.05, errorRateAdvance: 0.03 };

const phased = () =>
  definePhases(
    [
      {
        name: 'accounts',
        cutovers: ['customer'],
        soakMinutes: 60,
        preparation: [{ name: 'rehearsed', manual: 'A rollback was rehearsed' }],
        criteria: [
          { name: 'all_at_100', reached: 'full' },
          { name: 'errors', errorRateMax: 0.02 },
        ],
        decision: 'person',
      },
      { name: 'orders', cutovers: ['orders'], after: ['accounts'], soakMinutes: 60, decision: 'automatic' },
    ],
    defineCutovers([
      {
        id: 'customer',
        kind: 'component',
        plan: RAMP,
        dwellMinutes: 5,
        policy: QUICK,
        experiments: [
          { id: 'checkout', share: 10, size: 2_000, alpha: 0.05, conversion: 'an order', value: 'euros per order' },
        ],
      },
      {
        id: 'orders',
        kind: 'service',
        plan: RAMP,
        dwellMinutes: 5,
        policy: QUICK,
        upstreams: { primary: 'https://orders.example.com', shadow: 'https://orders-new.example.com' },
      },
    ]),
  );

async function counted({ w }: Run): Promise<void> {
  const totals = {
    primary: { ...NO_TOTALS, n: 1_802, conversions: 214, values: 214, sum: 9_630, sumSquares: 486_000 },
    shadow: { ...NO_TOTALS, n: 204, conversions: 31, values: 31, sum: 1_426, sumSquares: 73_800 },
  };
  await w.ports.experiments.add('customer.checkout', { batchId: '1', source: 'shop', totals, atMs: w.clock.now() });
}

/** A write that the new service refused as often as it was tried. */
async function refusedForward({ w }: Run): Promise<void> {
  const createdAtMs = w.clock.now() - 90_000;
  const [orderKey, by] = ['orders/7', 'shadow-writer'];
  const id = forwardId(orderKey, 'w1', createdAtMs);
  await w.ports.intents.intend({
    id,
    cutover: 'orders',
    side: 'shadow',
    orderKey,
    createdAtMs,
    idempotencyKey: 'order-7',
    request: { method: 'PUT', path: 'orders/7', query: '', headers: {} },
    body: null,
  });
  await w.ports.intents.settle('orders', id, 'ready');
  await w.ports.attempts.claim('orders', id, { by, nowMs: w.clock.now(), untilMs: w.clock.now() + 15_000 });
  await w.ports.attempts.quarantine('orders', id, by, {
    code: 'refused',
    text: 'It answered 422.',
    atMs: w.clock.now(),
  });
}

/** A table that goes there and back. */
const THERE_AND_BACK: readonly Lived[] = [
  { words: ['bucket', '--salt', 'customer', '--key', '42'] },
  { words: ['start', 'customer'] },
  { words: ['status', 'customer'], first: to('r10') },
  { words: ['status'], variant: 'all', first: minutes(3) },
  { words: ['explain', 'customer'] },
  { words: ['progress', 'customer'] },
  { words: ['report', 'customer', '--hours', '1'] },
  { words: ['alerts'] },
  { words: ['quarantine', 'customer'] },
  { words: ['backfill', 'customer'] },
  { words: ['pause', 'customer'] },
  { words: ['resume', 'customer'] },
  { words: ['policy', 'customer'] },
  { words: ['policy', 'customer', '--set', 'errorRateAdvance=0.002', ...WHY], variant: 'set' },
  { words: ['advance', 'customer'], exit: 3 },
  { words: ['reads', 'primary', 'customer', ...WHY] },
  { words: ['reads', 'shadow', 'customer', ...WHY], variant: 'shadow', first: minutes(2) },
  { words: ['writes', 'off', 'customer', ...WHY], first: minutes(2) },
  { words: ['writes', 'on', 'customer', ...WHY], variant: 'on', first: minutes(2) },
  { words: ['reads', 'shadow', 'customer', ...WHY], variant: 'shadow-again', first: minutes(3) },
  { words: ['verify', 'customer'] },
  {
    words: ['complete', 'customer', '--confirm', 'customer'],
    first: async (life) => {
      await life.until('full_100', 120);
      await life.minutes(8);
    },
  },
  { words: ['status', 'customer'], variant: 'promoted', first: minutes(2) },
  { words: ['rollback', 'customer', ...WHY], first: minutes(1) },
  { words: ['status', 'customer'], variant: 'back', first: minutes(3) },
  { words: ['rollbacks', 'customer'] },
  { words: ['history', 'customer', '--limit', '8'] },
  { words: ['history', '--limit', '5'], variant: 'all' },
  { words: ['history', 'customer', '--conform'], variant: 'conform' },
  { words: ['checkpoints', 'customer'] },
  { words: ['export', 'customer', '--format', 'csv'] },
  { words: ['replay', '--cutover', 'customer', '--hours', '1'] },
  { words: ['replay', '--cutover', 'customer', '--hours', '1', '--set', 'dwellMinutes=20'], variant: 'set' },
  { words: ['reset', 'customer', '--confirm', 'customer'] },
  { words: ['start', 'customer', '--plan', 'canary', '--dwell', '5'], variant: 'plan', first: minutes(1) },
  { words: ['stop', ...WHY], first: minutes(1) },
  { words: ['reset', 'system', '--confirm', 'system'], variant: 'system' },
];

/** A table with troubles, up to the end. */
const TROUBLES: readonly Lived[] = [
  { words: ['start', 'customer'], shown: false },
  { words: ['inspect', 'customer'], first: to('r10') },
  { words: ['inspect', 'customer', '--key', '7'], variant: 'key' },
  {
    words: ['verify', 'customer'],
    variant: 'differs',
    exit: 3,
    first: async ({ w }) => w.tables.tamper('customer', 7, 'written behind our back'),
  },
  { words: ['repair', 'customer'] },
  { words: ['verify', 'customer'], shown: false, first: minutes(2) },
  {
    words: ['explain', 'customer'],
    variant: 'altered',
    first: async (life) => {
      life.w.tables.alter('customer', ADDED);
      await life.minutes(2);
    },
  },
  {
    words: ['adopt', 'customer', '--reason', 'the column is welcome'],
    first: async ({ w }) => w.tables.alter('customer', []),
  },
  {
    words: ['alerts'],
    variant: 'firing',
    first: async (life) => {
      await life.minutes(5);
      life.w.faults.converge = false;
      await life.minutes(15);
    },
  },
  { words: ['ack', 'customer.lag', '--reason', 'the writer was paused for a rehearsal'] },
  {
    words: ['read-only', 'customer', ...WHY],
    first: async (life) => {
      life.w.faults.converge = true;
      await life.minutes(3);
    },
  },
  { words: ['read-only', 'customer', 'off'], variant: 'off' },
  { words: ['policy', 'customer', '--set', 'approvalRequired=true', ...WHY], shown: false },
  { words: ['approve', 'customer'], first: minutes(12) },
  {
    words: ['complete', 'customer', '--confirm', 'customer'],
    shown: false,
    first: async (life) => {
      await life.accepted({ type: 'policy', unset: ['approvalRequired'], set: {}, reason: 'done' });
      await life.until('full_100', 120);
      await life.minutes(8);
    },
  },
  { words: ['cleanup', 'customer', '--confirm', 'customer'], first: minutes(3) },
];

/** A table that is looked at before it begins, and whose shadow goes in the end. */
const WITHDRAWN: readonly Lived[] = [
  { words: ['health', 'customer'], first: async ({ w }) => void replaceCall(w.ports, 'health', async () => FINDINGS) },
  { words: ['start', 'customer'], shown: false },
  { words: ['rollback', 'customer', ...WHY], shown: false, first: minutes(3) },
  { words: ['reset', 'customer', '--confirm', 'customer'], shown: false, first: minutes(3) },
  {
    words: ['remove-shadow', 'customer', '--confirm', 'customer', '--reason', 'the project was given up'],
    first: minutes(1),
  },
];

/** Two phases, an experiment, and a service whose writes are forwarded. */
const IN_PHASES: readonly Lived[] = [
  { words: ['phases'] },
  { words: ['phase', 'accounts', 'check', 'rehearsed'], variant: 'check' },
  { words: ['start', 'customer'], shown: false, first: minutes(2) },
  { words: ['experiment'], first: counted },
  { words: ['phase', 'accounts'], first: to('full_100') },
  {
    words: ['phase', 'accounts', 'go'],
    variant: 'go',
    first: async (life) => {
      for (let hour = 0; hour < 2; hour += 1) {
        life.w.clock.pass(HOUR_MS);
        await life.minutes(6);
      }
    },
  },
  { words: ['start', 'orders'], shown: false, first: minutes(2) },
  { words: ['forwards', 'orders'], exit: 3, first: refusedForward },
  { words: ['forwards', 'orders', 'retry', '--all'], variant: 'retry' },
  { words: ['rollback-system', '--confirm', 'system', ...WHY] },
  { words: ['openapi'] },
];

const LIVES = [
  { name: 'a table that goes there and back', begin: () => run(), examples: THERE_AND_BACK },
  { name: 'a table with troubles', begin: () => run({ load: { rows: 400 } }), examples: TROUBLES },
  { name: 'a table that is withdrawn', begin: () => run(), examples: WITHDRAWN },
  {
    name: 'phases',
    begin: () => run({ cutovers: [...phased()], load: { readsPerMinute: 300, weight: 20 } }),
    examples: IN_PHASES,
  },
];

/** The page need not show the whole of a document that is one line. */
const LONGEST_LINE = 400;
const cutLines = (text: string) =>
  text
    .split('\n')
    .map((line) => (line.length > LONGEST_LINE ? `${line.slice(0, LONGEST_LINE)}…` : line))
    .join('\n');

describe.each(LIVES)('the examples of the page of commands: $name', ({ begin, examples }) => {
  let life: Run;
  let server: Awaited<ReturnType<typeof commandServer>>;

  beforeAll(async () => {
    life = begin();
    server = await commandServer(life.w);
    await life.minutes(2);
  });
  afterAll(() => server.close());

  it.each(examples.map((example) => [example.words.join(' '), example] as const))('%s', async (_, example) => {
    await example.first?.(life);
    const text = await printed(example, { url: server.url, nowMs: () => life.w.clock.now() });
    if (example.shown !== false) await expect(cutLines(text)).toMatchFileSnapshot(exampleFile(example));
  });
});

describe('the examples of the page of commands: on this machine', () => {
  it('open, until the person stops it', async () => {
    const { out } = await cli(['open', '--url', 'https://crossfade.example.com', '--yes'], {
      env: { CROSSFADE_TOKEN: 'token' },
      signal: AbortSignal.abort(),
    });
    const shown = out.replace(/127\.0\.0\.1:\d+/, '127.0.0.1:40123');
    await expect(shownAs(['open'], shown)).toMatchFileSnapshot(exampleFile({ words: ['open'] }));
  });

  it('cost', async () => {
    const { out } = await cli(['cost']);
    await expect(shownAs(['cost'], out)).toMatchFileSnapshot(exampleFile({ words: ['cost'] }));
  });

  it('token', async () => {
    const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    const settings = {
      pid: process.pid,
      apiUrl: 'http://127.0.0.1:3001',
      issuer: 'i',
      audience: 'a',
      privateKey: privateKey.export({ format: 'jwk' }),
    };
    const { out } = await cli(['token'], { readSettings: () => settings as unknown as LocalSettings });
    const shown = out.replace(/^(ey[\w-]{7})[\w.-]+/, '$1…');
    await expect(shownAs(['token'], shown)).toMatchFileSnapshot(exampleFile({ words: ['token'] }));
  });
});
