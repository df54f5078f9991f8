/** What every store of alerts must do. Run against the one in memory and the one on DynamoDB. */

import { describe, expect, it } from 'vitest';
import { type Alert, newAlert, step } from '../../../lib/core/alerts/alert.ts';
import { builtInRules } from '../../../lib/core/alerts/rule.ts';
import { DEFAULT_POLICY } from '../../../lib/core/cutover/cutover.ts';
import type { AlertStore } from '../../../lib/ports/alerts.ts';
import { NOW, stateIn } from '../../property/samples.ts';

const [ERRORS, LATENCY] = builtInRules(DEFAULT_POLICY);

export function firing(version = 1, rule = ERRORS!): Alert {
  const seen = { rule, state: stateIn('r2'), applies: true, value: 0.25, why: 'größe 🚀 " \\' };
  return { ...step(newAlert('customer', rule), seen, NOW), version };
}

export function alertContract(name: string, make: () => Promise<AlertStore>): void {
  describe(`alert store contract: ${name}`, () => {
    it('nothing is there before', async () => {
      const store = await make();
      expect(await store.readAll()).toEqual([]);
      expect(await store.read('customer.errors')).toBeNull();
    });

    it('an alert is read back as it was written, alone and among others, by id', async () => {
      const store = await make();
      const [latency, errors] = [firing(1, LATENCY!), { ...firing(), claim: { by: 'a tick', untilMs: NOW } }];
      expect(await store.write(latency, 0)).toBe('applied');
      expect(await store.write(errors, 0)).toBe('applied');
      expect(await store.read('customer.errors')).toEqual(errors);
      expect(await store.readAll()).toEqual([errors, latency]);
    });

    it('only who knows the stored version writes the next one', async () => {
      const store = await make();
      expect(await store.write(firing(2), 1)).toBe('stale');
      expect(await store.write(firing(1), 0)).toBe('applied');
      expect(await store.write(firing(1), 0)).toBe('stale');
      expect(await store.write(firing(3), 2)).toBe('stale');
      expect(await store.write({ ...firing(2), messages: [] }, 1)).toBe('applied');
      expect((await store.read('customer.errors'))?.messages).toEqual([]);
    });

    it('of twenty writers at once one is applied', async () => {
      const store = await make();
      const results = await Promise.all(Array.from({ length: 20 }, () => store.write(firing(), 0)));
      expect(results.filter((result) => result === 'applied')).toHaveLength(1);
    });
  });
}
