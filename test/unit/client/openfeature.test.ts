/** The OpenFeature provider on the real server SDK; tests carry the numbers that openfeature-requirements.test.ts counts. */

import {
  ErrorCode,
  InMemoryProvider,
  MultiProvider,
  OpenFeature,
  ProviderEvents,
  ProviderStatus,
  type ResolutionDetails,
  StandardResolutionReasons,
} from '@openfeature/server-sdk';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { createClient } from '../../../lib/client/client.ts';
import { crossfadeProvider } from '../../../lib/client/openfeature.ts';
import type { OutcomeBatch } from '../../../lib/client/outcome.ts';
import type { CutoverFlag, FlagDocument } from '../../../lib/core/routing/flags.ts';
import { flagOf, systemFlagOf } from '../../property/samples.ts';

const documentOf = (flag: Partial<CutoverFlag> = {}, system = systemFlagOf()): FlagDocument => ({
  system,
  cutovers: { customer: flagOf(flag), invoice: flagOf({ salt: 'invoice', read_ppm: 0 }) },
});
const FULL = { read_ppm: 1_000_000 };

let served: FlagDocument | null;
let sent: OutcomeBatch[];
let domains = 0;

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['performance', 'Date', 'setTimeout', 'clearTimeout'] });
  served = documentOf(FULL);
  sent = [];
});
afterEach(async () => {
  await OpenFeature.close();
  vi.useRealTimers();
});

/** A provider in a domain of its own, and everything it announces. */
async function bench(environment = {}) {
  const crossfade = createClient({
    flags: {
      fetch: async () => {
        if (served) return { document: served };
        throw new Error('down');
      },
    },
    outcomes: async (batch) => void sent.push(batch),
    environment,
    flushIntervalMs: 1e6,
  });
  const domain = `test-${++domains}`;
  const provider = crossfadeProvider(crossfade);
  const announced: string[] = [];
  const client = OpenFeature.getClient(domain);
  for (const event of Object.values(ProviderEvents)) {
    client.addHandler(event, (details) => {
      const { flagsChanged = [] } = (details ?? {}) as { flagsChanged?: string[] };
      announced.push([event, ...flagsChanged].join(' '));
    });
  }
  const ready = OpenFeature.setProviderAndWait(domain, provider).catch((error: Error) => error);
  return { crossfade, provider, client, announced, ready };
}
const KEY = { targetingKey: 'user-1' };

describe('an evaluation', () => {
  it('1.4.6, 1.4.7, 1.4.14, 2.2.1, 2.2.2.1, 2.2.3–2.2.6, 2.2.8.1, 2.2.9, 2.3.2: gives value, variant, reason and metadata, and no error', async () => {
    const { client, provider, ready } = await bench();
    await ready;
    const details: ResolutionDetails<boolean> = await provider.resolveBooleanEvaluation(
      'customer',
      false,
      KEY,
      console,
    );
    expect(details.value).toBe(true);
    expect(await client.getBooleanDetails('customer', false, KEY)).toEqual({
      flagKey: 'customer',
      value: true,
      variant: 'shadow',
      reason: StandardResolutionReasons.SPLIT,
      flagMetadata: { reason: 'share', stage: 'r1', version: 7, ageMs: 0 },
    });
    expect(await client.getStringDetails('invoice', 'shadow', KEY)).toMatchObject({
      value: 'primary',
      variant: 'primary',
    });
  });

  it('2.2.10: is the same as a route for every key, with plain metadata', async () => {
    served = documentOf({ read_ppm: 300_000, allow: ['group:beta'], deny: ['environment:audit'] });
    const { client, crossfade, ready } = await bench();
    await ready;
    for (let i = 0; i < 300; i += 1) {
      const context = {
        targetingKey: `user-${i}`,
        ...(i % 5 === 0 ? { groups: ['beta'] } : {}),
        ...(i % 7 === 0 ? { environment: 'audit' } : {}),
        ...(i % 11 === 0 ? { operation: 'insert' } : {}),
      };
      const { targetingKey: key, ...request } = context;
      const { side, reason } = crossfade.route('customer', { key, ...request });
      const details = await client.getStringDetails('customer', 'none', context);
      expect(details).toMatchObject({ value: side, flagMetadata: { reason } });
      for (const value of Object.values(details.flagMetadata))
        expect(['boolean', 'string', 'number']).toContain(typeof value);
    }
  });

  it.each<[string, Partial<CutoverFlag>, object, object, string]>([
    ['emergency_stop', FULL, {}, systemFlagOf({ emergency_stop: true }), 'DISABLED'],
    ['no_key', { read_ppm: 500_000 }, { targetingKey: '' }, systemFlagOf(), 'DEFAULT'],
    ['write', FULL, { operation: 'insert' }, systemFlagOf(), 'TARGETING_MATCH'],
    ['denied', { ...FULL, deny: ['user-1'] }, {}, systemFlagOf(), 'TARGETING_MATCH'],
    ['allowed', { read_ppm: 1, allow: ['group:a'] }, { groups: ['a', 5] }, systemFlagOf(), 'TARGETING_MATCH'],
  ])('2.2.5: says why (%s)', async (own, flag, context, system, reason) => {
    served = documentOf(flag, system as never);
    const { client, ready } = await bench();
    await ready;
    const details = await client.getBooleanDetails('customer', true, { ...KEY, ...context });
    expect(details).toMatchObject({ reason, flagMetadata: { reason: own } });
    expect(details.errorCode).toBeUndefined();
  });

  it('says STATIC when the environment overrides it', async () => {
    const { client, ready } = await bench({ CROSSFADE_CUSTOMER: 'primary' });
    await ready;
    expect(await client.getBooleanDetails('customer', true, KEY)).toMatchObject({ value: false, reason: 'STATIC' });
  });

  it('1.4.8–1.4.10, 1.4.13, 2.2.7, 2.3.3: of what does not exist or has another type is the default, with the error', async () => {
    const { client, ready } = await bench();
    await ready;
    const error = { reason: StandardResolutionReasons.ERROR, errorMessage: expect.stringMatching(/\w/) };
    expect(await client.getBooleanDetails('nothing', true, KEY)).toMatchObject({
      ...error,
      value: true,
      errorCode: ErrorCode.FLAG_NOT_FOUND,
    });
    expect(await client.getNumberDetails('customer', 5, KEY)).toMatchObject({
      ...error,
      value: 5,
      errorCode: ErrorCode.TYPE_MISMATCH,
    });
    expect(await client.getObjectDetails('customer', { a: 1 }, KEY)).toMatchObject({
      ...error,
      value: { a: 1 },
      errorCode: ErrorCode.TYPE_MISMATCH,
    });
  });

  it('1.4.10: never throws, whatever the context is', async () => {
    const { client, ready } = await bench();
    await ready;
    const junk = [
      {},
      { targetingKey: 5 },
      { targetingKey: null },
      { groups: 'x' },
      { operation: {} },
      { environment: [] },
    ];
    for (const context of junk)
      expect(typeof (await client.getBooleanValue('customer', false, context as never))).toBe('boolean');
  });
});

describe('the life of the provider', () => {
  it('1.7.3, 2.1.1, 2.3.1, 2.4.1, 5.2.6, 5.3.1: has a name, initialises and is announced as ready', async () => {
    const { client, announced, ready } = await bench();
    await ready;
    expect(client.providerStatus).toBe(ProviderStatus.READY);
    expect(client.metadata.providerMetadata.name).toBe('crossfade');
    expect(announced).toEqual([ProviderEvents.Ready]);
  });

  it('1.7.4, 2.4.2.1, 5.1.4, 5.3.2: without flags at the start is in error, says why, and becomes ready when they come', async () => {
    const flags = served;
    served = null;
    const { client, announced, ready } = await bench();
    const told: unknown[] = [];
    client.addHandler(ProviderEvents.Error, (details) => void told.push(details));
    const why = { message: expect.stringContaining('No flags could be read') };
    expect(await ready).toMatchObject(why);
    expect(told).toMatchObject([why]);
    expect(client.providerStatus).toBe(ProviderStatus.ERROR);
    expect(await client.getBooleanDetails('customer', true, KEY)).toMatchObject({
      value: true,
      errorCode: ErrorCode.PROVIDER_NOT_READY,
    });
    served = flags;
    await vi.advanceTimersByTimeAsync(1_000);
    await client.getBooleanValue('customer', true, KEY);
    await vi.advanceTimersByTimeAsync(0);
    expect(await client.getBooleanDetails('customer', false, KEY)).toMatchObject({ value: true, reason: 'SPLIT' });
    expect([client.providerStatus, ...announced]).toEqual([
      ProviderStatus.READY,
      ProviderEvents.Error,
      ProviderEvents.Ready,
    ]);
  });

  it('5.1.1, 5.2.4: a change names the flags that changed, and nothing is announced without one', async () => {
    const { client, announced, ready, crossfade } = await bench();
    await ready;
    await vi.advanceTimersByTimeAsync(15_000);
    await crossfade.refresh();
    served = documentOf({ read_ppm: 0, version: 8 });
    await vi.advanceTimersByTimeAsync(15_000);
    await crossfade.refresh();
    served = documentOf({ read_ppm: 0, version: 8 }, systemFlagOf({ version: 9, readonly: true }));
    await vi.advanceTimersByTimeAsync(15_000);
    await crossfade.refresh();
    expect(announced.slice(1)).toEqual([
      `${ProviderEvents.ConfigurationChanged} customer`,
      `${ProviderEvents.ConfigurationChanged} customer invoice`,
    ]);
    expect(await client.getBooleanValue('customer', true, KEY)).toBe(false);
  });

  it('1.7.1, 5.3.5: old flags make it stale, with the reason; fresh ones make it ready again', async () => {
    const { client, announced, ready, crossfade } = await bench();
    await ready;
    const flags = served;
    served = null;
    await vi.advanceTimersByTimeAsync(60_001);
    expect(await client.getBooleanDetails('customer', false, KEY)).toMatchObject({ value: true, reason: 'STALE' });
    expect(client.providerStatus).toBe(ProviderStatus.STALE);
    served = flags;
    await vi.advanceTimersByTimeAsync(2_000);
    await crossfade.refresh();
    expect(await client.getBooleanDetails('customer', false, KEY)).toMatchObject({ value: true, reason: 'SPLIT' });
    expect([client.providerStatus, ...announced]).toEqual([
      ProviderStatus.READY,
      ProviderEvents.Ready,
      ProviderEvents.Stale,
      ProviderEvents.Ready,
    ]);
  });

  it('5.1.2, 5.1.3, 5.2.3, 5.3.3: tells the handlers of its own clients and of the whole API, whenever they came', async () => {
    const [one, other] = [await bench(), await bench()];
    const everywhere: unknown[] = [];
    OpenFeature.addHandler(ProviderEvents.ConfigurationChanged, (details) => void everywhere.push(details));
    await Promise.all([one.ready, other.ready]);
    served = documentOf({ read_ppm: 0, version: 8 });
    await vi.advanceTimersByTimeAsync(15_000);
    await one.crossfade.refresh();
    expect([one.announced.length, other.announced.length]).toEqual([2, 1]);
    expect(everywhere).toMatchObject([{ providerName: 'crossfade', flagsChanged: ['customer'] }]);
    const late = vi.fn();
    one.client.addHandler(ProviderEvents.Ready, late);
    await vi.waitFor(() => expect(late).toHaveBeenCalledOnce());
  });

  it('waits for flags that take longer than a request would', async () => {
    const slow = documentOf(FULL);
    const fetch = async () => {
      await new Promise((resolve) => setTimeout(resolve, 1_500));
      return { document: slow };
    };
    const crossfade = createClient({ flags: { fetch }, outcomes: async () => {}, environment: {} });
    const domain = `test-${++domains}`;
    const ready = OpenFeature.setProviderAndWait(domain, crossfadeProvider(crossfade));
    await vi.advanceTimersByTimeAsync(1_600);
    await ready;
    expect(OpenFeature.getClient(domain).providerStatus).toBe(ProviderStatus.READY);
  });

  it('1.7.6: answers with the default until there are flags, and is in error after two seconds without', async () => {
    const crossfade = createClient({
      flags: { fetch: () => new Promise(() => {}) },
      outcomes: async () => {},
      environment: {},
      onProblem: () => {},
    });
    const domain = `test-${++domains}`;
    const ready = OpenFeature.setProviderAndWait(domain, crossfadeProvider(crossfade)).catch(String);
    expect(await OpenFeature.getClient(domain).getBooleanDetails('customer', true, KEY)).toMatchObject({
      value: true,
      errorCode: ErrorCode.PROVIDER_NOT_READY,
    });
    await vi.advanceTimersByTimeAsync(2_100);
    expect(await ready).toContain('No flags could be read');
  });

  it('2.5.2, 1.6.1: answers with the default after a shutdown, and anew when it is registered again', async () => {
    const { provider, crossfade } = await bench();
    const domain = `test-${++domains}`;
    await OpenFeature.setProviderAndWait(domain, provider);
    await provider.onClose?.();
    const ask = () => provider.resolveBooleanEvaluation('customer', false, KEY, console);
    expect(await ask()).toMatchObject({ value: false, errorCode: ErrorCode.PROVIDER_NOT_READY });
    await provider.initialize?.();
    expect(await ask()).toMatchObject({ value: true });
    const announced: unknown[] = [];
    provider.events?.addHandler(ProviderEvents.ConfigurationChanged, (details) => void announced.push(details));
    served = documentOf({ read_ppm: 0, version: 8 });
    await vi.advanceTimersByTimeAsync(15_000);
    await crossfade.refresh();
    expect(announced).toMatchObject([{ flagsChanged: ['customer'] }]);
  });

  it('lets another provider answer for flags of every type that are not ours', async () => {
    const { provider } = await bench();
    const theirs = new InMemoryProvider({
      limit: { variants: { on: 7 }, defaultVariant: 'on', disabled: false },
      theme: { variants: { on: { dark: true } }, defaultVariant: 'on', disabled: false },
      banner: { variants: { on: true }, defaultVariant: 'on', disabled: false },
    });
    const domain = `test-${++domains}`;
    await OpenFeature.setProviderAndWait(domain, new MultiProvider([{ provider }, { provider: theirs }]));
    const client = OpenFeature.getClient(domain);
    expect(await client.getNumberValue('limit', 0)).toBe(7);
    expect(await client.getObjectValue('theme', {})).toEqual({ dark: true });
    expect(await client.getBooleanValue('banner', false)).toBe(true);
    expect(await client.getBooleanValue('customer', false, KEY)).toBe(true);
  });

  it('2.5.1: is shut down with its outcomes sent', async () => {
    const { client, ready } = await bench();
    await ready;
    client.track('customer', KEY, { latencyMs: 5 });
    await OpenFeature.close();
    expect(sent).toHaveLength(1);
  });
});

describe('tracking', () => {
  it('2.7.1: an event called like a cutover is an outcome; others are not ours', async () => {
    const { client, ready, crossfade } = await bench();
    await ready;
    client.track('customer', KEY, { latencyMs: 5 });
    client.track('customer', KEY, { value: 7, success: false });
    client.track('customer', {}, { value: 7, side: 'primary', operation: 'search' });
    client.track('checkout', KEY, { value: 99 });
    await crossfade.flush();
    expect(sent.flatMap((batch) => batch.windows)).toMatchObject([
      { cutover: 'customer', side: 'shadow', operation: 'read', count: 2, errors: 1, keyless: 0 },
      { cutover: 'customer', side: 'primary', operation: 'search', count: 1, errors: 0, keyless: 1 },
    ]);
    expect(crossfade.droppedOutcomes()).toBe(0);
  });

  it('without a latency is counted as lost, and nothing is thrown', async () => {
    const { client, ready, crossfade } = await bench();
    await ready;
    client.track('customer', KEY);
    client.track('customer', KEY, { latencyMs: 'slow' as never });
    expect(crossfade.droppedOutcomes()).toBe(2);
  });
});
