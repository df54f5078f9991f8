/** What the sources of criteria must do. Run against those in memory, and the real ones on servers of this machine. */

import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { CriteriaSources } from '../../../lib/ports/criteria.ts';

export type CriteriaHarness = {
  sources: CriteriaSources;
  /** An alarm in OK, or in ALARM since now. */
  alarm(arn: string, state: 'OK' | 'ALARM'): Promise<void>;
  /** The address of a check that answers with a status, or not in time. */
  check(status: number | null): Promise<string>;
  close(): Promise<void>;
};

const arnOf = (name: string, region = 'eu-central-1') => `arn:aws:cloudwatch:${region}:123456789012:alarm:${name}`;
const QUESTION = { id: 'id-1', atMs: 0, cutover: 'planner', criterion: 'asked', stage: 'r1', sharePercent: 1 };

export function criteriaContract(name: string, open: () => Promise<CriteriaHarness>): void {
  describe(`sources of criteria: ${name}`, () => {
    let at: CriteriaHarness;
    beforeEach(async () => {
      at = await open();
    });
    afterEach(() => at.close());

    it('know alarms by their ARN, of several regions at once, and leave out what is not there', async () => {
      const [calm, loud, far, gone] = [
        arnOf('calm: quiet'),
        arnOf('loud'),
        arnOf('calm: quiet', 'us-east-1'),
        arnOf('gone'),
      ];
      await at.alarm(calm, 'OK');
      await at.alarm(loud, 'ALARM');
      await at.alarm(far, 'ALARM');
      const found = await at.sources.alarms([calm, loud, far, gone]);
      expect([...found.keys()].sort()).toEqual([calm, loud, far].sort());
      expect(found.get(calm)).toMatchObject({ state: 'OK' });
      expect(found.get(loud)).toMatchObject({
        state: 'ALARM',
        sinceMs: expect.any(Number),
        reason: expect.any(String),
      });
      expect(found.get(far)).toMatchObject({ state: 'ALARM' });
    });

    it('ask a check, and give back its status whatever it is', async () => {
      for (const status of [200, 302, 500]) {
        const url = await at.check(status);
        expect(await at.sources.httpCheck({ url, privateHosts: [], timeoutMs: 2_000 }, QUESTION)).toBe(status);
      }
    });

    it('give a check up after its time', async () => {
      const url = await at.check(null);
      const asked = at.sources.httpCheck({ url, privateHosts: [], timeoutMs: 100 }, QUESTION);
      await expect(asked).rejects.toMatchObject({ code: 'upstream_timeout' });
    });
  });
}
