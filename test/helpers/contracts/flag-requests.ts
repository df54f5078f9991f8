/** What both ends of the requests for flags must do. Run against those in memory, and those on DynamoDB. */

import { describe, expect, it } from 'vitest';
import type { FlagAnswer, FlagRequests } from '../../../lib/ports/flag-requests.ts';
import type { FlagPublisher, FlagSightings } from '../../../lib/ports/flags.ts';
import { someFlags } from './flags.ts';

export type RequestsHarness = {
  asked: FlagPublisher;
  sightings: FlagSightings;
  requests: FlagRequests;
  /** Real time of both ends. */
  now(): number;
  pass(ms: number): void;
  /** What the publisher does when a request wakes it; nothing unless it is set. */
  onWake(publisher: () => Promise<unknown>): void;
};

const MINUTE_MS = 60_000;
const REQUEST = { document: someFlags(), latestVersion: 0, urgent: true, deadlineMs: 500 };

export function flagRequestsContract(name: string, make: () => Promise<RequestsHarness>): void {
  describe(`contract of requests for flags: ${name}`, () => {
    const noted = async ({ requests, now }: RequestsHarness, version = 1) =>
      requests.note({ document: someFlags({ version }), latestVersion: version, atMs: now() });

    it('what is deployed is not known before the publisher has written it down, nor minutes after it fell silent', async () => {
      const harness = await make();
      await expect(harness.asked.deployed()).rejects.toMatchObject({ code: 'flags_unavailable' });
      await noted(harness);
      expect(await harness.asked.deployed()).toEqual({ document: someFlags({ version: 1 }), latestVersion: 1 });
      harness.pass(2 * MINUTE_MS);
      expect(await harness.asked.deployed()).toMatchObject({ latestVersion: 1 });
      harness.pass(MINUTE_MS);
      await expect(harness.asked.deployed()).rejects.toMatchObject({
        code: 'flags_unavailable',
        message: expect.stringContaining('waits for the publisher'),
      });
    });

    it('what was seen last is known however long ago', async () => {
      const harness = await make();
      await noted(harness);
      harness.pass(60 * MINUTE_MS);
      expect(await harness.sightings.last()).toEqual(someFlags({ version: 1 }));
    });

    it('nothing deployed is known, too, and of two looks the later one counts', async () => {
      const { asked, requests, now } = await make();
      await requests.note({ document: null, latestVersion: 0, atMs: now() });
      expect(await asked.deployed()).toEqual({ document: null, latestVersion: 0 });
      await requests.note({ document: someFlags(), latestVersion: 4, atMs: now() + 10 });
      await requests.note({ document: null, latestVersion: 0, atMs: now() + 5 });
      expect(await asked.deployed()).toMatchObject({ latestVersion: 4 });
    });

    it.each<FlagAnswer>([
      { kind: 'published', version: 7 },
      { kind: 'conflict', why: 'somebody else' },
      { kind: 'unavailable', why: 'away' },
    ])('a request reaches the publisher as it was made, and its answer $kind comes back', async (answer) => {
      const harness = await make();
      const { asked, requests, now } = harness;
      harness.onWake(async () => {
        const [request, ...others] = await requests.open();
        expect(request).toMatchObject({ document: someFlags(), urgent: true });
        expect(request!.untilMs).toBeGreaterThan(now());
        expect(others).toEqual([]);
        await requests.answer(request!.id, answer);
      });
      expect(await asked.publish({ ...REQUEST, deadlineMs: 20_000 })).toEqual(answer);
      expect(await requests.open()).toEqual([]);
    });

    it('flags that are too large are refused as AppConfig refuses them', async () => {
      const harness = await make();
      harness.onWake(async () => {
        const [request] = await harness.requests.open();
        await harness.requests.answer(request!.id, { kind: 'too_large', why: 'more than 1 MB' });
      });
      await expect(harness.asked.publish({ ...REQUEST, deadlineMs: 20_000 })).rejects.toMatchObject({
        code: 'flags_too_large',
        message: 'more than 1 MB',
      });
    });

    it('without an answer nothing is known; the request is open until its caller has given up, oldest first', async () => {
      const harness = await make();
      await noted(harness);
      expect(await harness.asked.publish({ ...REQUEST, document: someFlags({ version: 2 }) })).toMatchObject({
        kind: 'unavailable',
        why: expect.stringContaining('waits for the publisher'),
      });
      harness.pass(400);
      await harness.asked.publish({ ...REQUEST, document: someFlags({ version: 3 }) });
      const open = (await harness.requests.open()).map(({ document }) => document.cutovers.customer?.version);
      expect([[2, 3], [3]]).toContainEqual(open);
      harness.pass(MINUTE_MS);
      expect(await harness.requests.open()).toEqual([]);
    });
  });
}
