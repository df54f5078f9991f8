/** What the functions ask of DynamoDB in a minute is no more than infra/requests.json says, of which `crossfade cost` is made. */

import { afterAll, describe, expect, it } from 'vitest';
import counted from '../../../infra/requests.json' with { type: 'json' };
import { JOBS, type Minute, type Requests } from '../../../lib/core/cost/usage.ts';
import { type CountedMinute, countMinute, SCENES } from '../../helpers/count-requests.ts';
import { localClient, ownTables } from '../../helpers/dynamodb.ts';

const client = localClient();
afterAll(() => client.destroy());

const BILLED = ['requests', 'readUnits', 'writeUnits', 'calls'] as const;

/** Updates of one window that are sent at once cost a little more or less, by the order in which they arrive. */
const TOLERATED = 1.05;

/** What is asked for more often than it was: `npm run bench requests` counts again, where that is meant. */
function grown(seen: Pick<CountedMinute, 'minute' | 'flush'>, stored: { minute: Minute; flush: Requests }): string[] {
  const pairs: [string, Requests, Requests][] = [
    ...JOBS.map((job): [string, Requests, Requests] => [job, seen.minute[job], stored.minute[job]]),
    ['flush', seen.flush, stored.flush],
  ];
  return pairs.flatMap(([name, now, then]) =>
    BILLED.filter((what) => now[what] > then[what] * TOLERATED).map(
      (what) => `${name}: ${now[what]} ${what}, and ${then[what]} were counted`,
    ),
  );
}

const NOTHING: Requests = { requests: 0, readUnits: 0, writeUnits: 0, calls: 0, runMs: 0 };

describe('a minute', () => {
  it('with nothing under way asks for no more than was counted', async () => {
    const seen = await countMinute(client, await ownTables(client), SCENES.idle);
    expect(grown(seen, { minute: counted.minutes.idle, flush: NOTHING })).toEqual([]);
    expect(seen.metrics).toBeLessThanOrEqual(counted.metrics.idle);
  });

  it('of one table asks for no more than was counted, and one request more would be noticed', async () => {
    const seen = await countMinute(client, await ownTables(client), SCENES.one);
    const stored = { minute: counted.minutes.one, flush: counted.flushes.one };
    expect(grown(seen, stored)).toEqual([]);
    expect(seen.metrics).toBeLessThanOrEqual(counted.metrics.busy);
    const tick = { ...seen.minute.tick, requests: stored.minute.tick.requests + 1 };
    expect(grown({ ...seen, minute: { ...seen.minute, tick } }, stored)).toEqual([
      expect.stringMatching(/^tick: \d+ requests/),
    ]);
  });
});
