/** What every publisher of flags must do. Run against the one in memory, and AppConfig's with the emulator. */

import { describe, expect, it } from 'vitest';
import type { FlagDocument } from '../../../lib/core/routing/flags.ts';
import type { FlagPublisher } from '../../../lib/ports/flags.ts';

export type FlagHarness = {
  publisher: FlagPublisher;
  /** What a reader gets that asks now. */
  served(): Promise<FlagDocument | null>;
  /** Makes somebody else's deployment run in the same environment. */
  block(): Promise<void>;
  /** Somebody stores a version past the publisher and does not deploy it. */
  store(document: FlagDocument): Promise<void>;
  /** The next publication has its effect, but its answer is lost. */
  loseNextAnswer(): void;
  unavailable(yes: boolean): void;
  /** The service goes back to what was deployed before. */
  rollBack(): Promise<void>;
};

/** Flags of one cutover: version 3 of epoch 1 with half of the reads, unless said otherwise. */
export function someFlags(
  at: { version?: number; epoch?: number; readPpm?: number; systemVersion?: number; stop?: boolean } = {},
): FlagDocument {
  return {
    system: {
      enabled: true,
      version: at.systemVersion ?? 1,
      emergency_stop: at.stop ?? false,
      shadow_writes_enabled: true,
      sync_monitoring: true,
      divergence_alerts: true,
      readonly: false,
      migration_phase: 'none',
    },
    cutovers: {
      customer: {
        enabled: true,
        stage: 'half_50',
        epoch: at.epoch ?? 1,
        version: at.version ?? 3,
        read_ppm: at.readPpm ?? 500_000,
        slices: [10_000, 100_000, 500_000],
        salt: 'customer',
        hash: 'murmur3_x86_32',
        shadow_writes: true,
        validation: 'strict',
        primary_read_only: false,
        shadow_is_primary: false,
        allow: ['group:staff'],
        deny: [],
      },
    },
  };
}

const SAFE = someFlags({ version: 5, epoch: 2, readPpm: 0 });

export function flagContract(name: string, make: () => Promise<FlagHarness>): void {
  const publish = (
    { publisher }: FlagHarness,
    document: FlagDocument,
    latestVersion: number,
    urgent = false,
    deadlineMs = 20_000,
  ) => publisher.publish({ document, latestVersion, urgent, deadlineMs });

  describe(`flag contract: ${name}`, () => {
    it('says that nothing is deployed before the first publication', async () => {
      const { publisher } = await make();
      expect(await publisher.deployed()).toEqual({ document: null, latestVersion: 0 });
    });

    it('what was published is what is deployed and what readers get', async () => {
      const harness = await make();
      expect(await publish(harness, someFlags(), 0)).toEqual({ kind: 'published', version: 1 });
      expect(await harness.publisher.deployed()).toEqual({ document: someFlags(), latestVersion: 1 });
      expect(await harness.served()).toEqual(someFlags());
      expect(await publish(harness, SAFE, 1)).toEqual({ kind: 'published', version: 2 });
      expect(await harness.served()).toEqual(SAFE);
    });

    it('refuses to publish on a version that is not the newest', async () => {
      const harness = await make();
      await publish(harness, someFlags(), 0);
      await publish(harness, someFlags({ version: 4 }), 1);
      for (const wrong of [0, 1, 7])
        expect(await publish(harness, SAFE, wrong, true)).toMatchObject({ kind: 'conflict' });
      expect((await harness.publisher.deployed()).latestVersion).toBe(2);
      expect(await harness.served()).toEqual(someFlags({ version: 4 }));
    });

    it('lets exactly one of two publishers through that read the same version', async () => {
      const harness = await make();
      await publish(harness, someFlags(), 0);
      const results = await Promise.all([
        publish(harness, someFlags({ version: 4 }), 1),
        publish(harness, someFlags({ version: 4, readPpm: 900_000 }), 1),
      ]);
      expect(results.map(({ kind }) => kind).sort()).toEqual(['conflict', 'published']);
      const winner = results[0].kind === 'published' ? 500_000 : 900_000;
      expect((await harness.served())?.cutovers.customer?.read_ppm).toBe(winner);
    });

    it('waits for its turn when it is not urgent, and goes first when it is', async () => {
      const harness = await make();
      await publish(harness, someFlags(), 0);
      await harness.block();
      expect(await publish(harness, SAFE, 1)).toMatchObject({ kind: 'conflict' });
      expect(await harness.served()).toEqual(someFlags());
      expect(await publish(harness, SAFE, 1, true)).toMatchObject({ kind: 'published' });
      expect(await harness.served()).toEqual(SAFE);
    });

    it('publishing the same flags again stores nothing new', async () => {
      const harness = await make();
      await publish(harness, someFlags(), 0);
      expect(await publish(harness, someFlags(), 1)).toEqual({ kind: 'published', version: 1 });
      expect((await harness.publisher.deployed()).latestVersion).toBe(1);
    });

    it('deploys a version that was stored and never deployed', async () => {
      const harness = await make();
      await publish(harness, someFlags(), 0);
      await harness.store(SAFE);
      expect(await harness.publisher.deployed()).toEqual({ document: someFlags(), latestVersion: 2 });
      expect(await publish(harness, SAFE, 2)).toEqual({ kind: 'published', version: 2 });
      expect(await harness.served()).toEqual(SAFE);
    });

    it('never publishes older flags than those that are stored', async () => {
      const harness = await make();
      await publish(harness, someFlags(), 0);
      await harness.store(SAFE);
      expect(await publish(harness, someFlags({ version: 4 }), 2, true)).toMatchObject({ kind: 'conflict' });
      expect(await publish(harness, someFlags({ ...SAFE, systemVersion: 0 }), 2)).toMatchObject({ kind: 'conflict' });
      expect(await harness.served()).toEqual(someFlags());
    });

    it('puts the flags back after the service went back to older ones', async () => {
      const harness = await make();
      await publish(harness, someFlags(), 0);
      await publish(harness, SAFE, 1);
      await harness.rollBack();
      expect(await harness.publisher.deployed()).toEqual({ document: someFlags(), latestVersion: 2 });
      expect(await publish(harness, SAFE, 2, true)).toMatchObject({ kind: 'published' });
      expect(await harness.served()).toEqual(SAFE);
    });

    it('is a value when AppConfig is away, and an error with a code for who asks what is deployed', async () => {
      const harness = await make();
      await publish(harness, someFlags(), 0);
      harness.unavailable(true);
      expect(await publish(harness, SAFE, 1, true)).toMatchObject({ kind: 'unavailable' });
      await expect(harness.publisher.deployed()).rejects.toMatchObject({ code: 'flags_unavailable', retryable: true });
      harness.unavailable(false);
      expect(await harness.served()).toEqual(someFlags());
    });

    it('a publication whose answer was lost is found done', async () => {
      const harness = await make();
      await publish(harness, someFlags(), 0);
      harness.loseNextAnswer();
      await publish(harness, SAFE, 1);
      const { document, latestVersion } = await harness.publisher.deployed();
      expect(document).toEqual(SAFE);
      expect(await publish(harness, SAFE, latestVersion)).toEqual({ kind: 'published', version: 2 });
    });

    it('refuses flags that AppConfig cannot take before anything is stored', async () => {
      const harness = await make();
      const flags = someFlags();
      const allow = Array.from({ length: 26 }, (_, n) => `key-${n}`);
      const tooLarge = { ...flags, cutovers: { customer: { ...flags.cutovers.customer!, allow } } };
      await expect(publish(harness, tooLarge, 0)).rejects.toMatchObject({
        code: 'flags_too_large',
        details: { problems: ['customer.allow has 26 entries, at most 25 are possible'] },
      });
      expect(await harness.publisher.deployed()).toEqual({ document: null, latestVersion: 0 });
    });
  });
}
