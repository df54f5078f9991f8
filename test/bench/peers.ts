/**
 * Other flag libraries, installed by the bench itself into a directory of its own: none of them is a dependency. What
 * cannot be installed is skipped, and said.
 */

import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { promisify } from 'node:util';

/** Half of the keys are in. Synchronous where the library is. */
export type Peer = { name: string; isOn(key: string): boolean | Promise<boolean>; close?(): unknown };

export type Load = (name: string) => Promise<Record<string, never> & { default?: Record<string, never> }>;
type Maker = {
  name: string;
  packages: readonly string[];
  make(load: Load): Promise<Peer['isOn'] | Omit<Peer, 'name'>>;
};

// biome-ignore-start lint/suspicious/noExplicitAny: packages that are not installed have no types
const MAKERS: readonly Maker[] = [
  {
    name: 'flagd-core, in process',
    packages: ['@openfeature/flagd-core@4.0.1', '@openfeature/core@1.12.0'],
    async make(load) {
      const { FlagdCore } = (await load('@openfeature/flagd-core')) as any;
      const core = new FlagdCore();
      const targeting = {
        fractional: [
          ['on', 50],
          ['off', 50],
        ],
      };
      const customer = { state: 'ENABLED', variants: { on: true, off: false }, defaultVariant: 'off', targeting };
      core.setConfigurations(JSON.stringify({ flags: { customer } }));
      const log = { debug() {}, info() {}, warn() {}, error() {} };
      return (key) => core.resolveBooleanEvaluation('customer', false, { targetingKey: key }, log).value;
    },
  },
  {
    name: 'GrowthBook',
    packages: ['@growthbook/growthbook@1.8.0'],
    async make(load) {
      const { GrowthBookClient } = (await load('@growthbook/growthbook')) as any;
      const rules = [{ force: true, coverage: 0.5, hashAttribute: 'id' }];
      const client = new GrowthBookClient().initSync({
        payload: { features: { customer: { defaultValue: false, rules } } },
      });
      return (key) => client.isOn('customer', { attributes: { id: key } });
    },
  },
  {
    name: 'unleash-client',
    packages: ['unleash-client@6.12.1'],
    async make(load) {
      const { Unleash, InMemStorageProvider } = (await load('unleash-client')) as any;
      const parameters = { rollout: '50', stickiness: 'userId', groupId: 'customer' };
      const strategies = [{ name: 'flexibleRollout', parameters, constraints: [] }];
      const data = [{ name: 'customer', type: 'release', enabled: true, stale: false, strategies, variants: [] }];
      const unleash = new Unleash({
        appName: 'bench',
        url: 'http://127.0.0.1:9/api',
        refreshInterval: 0,
        disableMetrics: true,
        storageProvider: new InMemStorageProvider(),
        bootstrap: { data },
      });
      unleash.on('error', () => {});
      unleash.on('warn', () => {});
      await new Promise((resolve) => unleash.once('ready', resolve));
      return { isOn: (key) => unleash.isEnabled('customer', { userId: key }), close: () => unleash.destroy() };
    },
  },
  {
    name: 'LaunchDarkly, TestData',
    packages: ['@launchdarkly/node-server-sdk@9.13.7'],
    async make(load) {
      const { init } = (await load('@launchdarkly/node-server-sdk')) as any;
      const { TestData } = (await load('@launchdarkly/node-server-sdk/integrations')) as any;
      const data = new TestData();
      const variations = [
        { variation: 0, weight: 50_000 },
        { variation: 1, weight: 50_000 },
      ];
      data.usePreconfiguredFlag({
        key: 'customer',
        version: 1,
        on: true,
        salt: 'customer',
        variations: [true, false],
        fallthrough: { rollout: { variations } },
        offVariation: 1,
      });
      const logger = { debug() {}, info() {}, warn() {}, error() {} };
      const client = init('bench', {
        updateProcessor: data.getFactory(),
        sendEvents: false,
        diagnosticOptOut: true,
        logger,
      });
      await client.waitForInitialization({ timeout: 5 });
      return {
        isOn: (key) => client.boolVariation('customer', { kind: 'user', key }, false),
        close: () => client.close(),
      };
    },
  },
  {
    name: 'OpenFeature, in memory',
    packages: ['@openfeature/server-sdk@1.23.0', '@openfeature/core@1.12.0'],
    async make(load) {
      const { OpenFeature, InMemoryProvider } = (await load('@openfeature/server-sdk')) as any;
      const variants = { on: true, off: false };
      // It has no split of its own: this is the cheapest one that somebody could write.
      const contextEvaluator = ({ targetingKey }: { targetingKey: string }) =>
        targetingKey.charCodeAt(targetingKey.length - 1) & 1 ? 'on' : 'off';
      const provider = new InMemoryProvider({
        customer: { variants, defaultVariant: 'off', disabled: false, contextEvaluator },
      });
      await OpenFeature.setProviderAndWait(provider);
      const client = OpenFeature.getClient();
      return {
        isOn: (key) => client.getBooleanValue('customer', false, { targetingKey: key }),
        close: () => OpenFeature.close(),
      };
    },
  },
];
// biome-ignore-end lint/suspicious/noExplicitAny: from here on there are

/** Packages of others, in a directory that is gone with `remove`. */
export function peerPackages() {
  const directory = mkdtempSync(join(tmpdir(), 'crossfade-peers-'));
  writeFileSync(join(directory, 'package.json'), JSON.stringify({ private: true, type: 'module' }));
  const words = ['install', '--ignore-scripts', '--no-audit', '--no-fund', '--save-exact'];
  return {
    directory,
    install: (packages: readonly string[]) =>
      promisify(execFile)('npm', [...words, ...packages], { cwd: directory, timeout: 180_000 }),
    remove: () => rmSync(directory, { recursive: true, force: true }),
  };
}

/** @param directory of `peerPackages` */
export function loaderFrom(directory: string): Load {
  const { resolve } = createRequire(join(directory, 'here.js'));
  return (name) => import(pathToFileURL(resolve(name)).href);
}

/** The peers that can be had here. Ends with `close`, which removes what was installed. */
export async function installPeers(): Promise<{ peers: Peer[]; close(): Promise<void> }> {
  const { directory, install, remove } = peerPackages();
  const load = loaderFrom(directory);
  const peers: Peer[] = [];
  for (const { name, packages, make } of MAKERS) {
    try {
      await install(packages);
      const made = await make(load);
      const peer = { name, ...(typeof made === 'function' ? { isOn: made } : made) };
      await proveSplit(peer);
      peers.push(peer);
    } catch (error) {
      console.log(`  ${name}: skipped, ${(error instanceof Error ? error.message : String(error)).split('\n')[0]}`);
    }
  }
  return {
    peers,
    async close() {
      for (const peer of peers) await peer.close?.();
      remove();
    },
  };
}

/** A peer that answers the same for every key would be fast for the wrong reason. */
async function proveSplit({ isOn }: Peer): Promise<void> {
  let on = 0;
  for (let i = 0; i < 1_000; i += 1) if (await isOn(`visitor-${i * 7919}`)) on += 1;
  if (on < 300 || on > 700) throw new Error(`it has ${on} of 1,000 keys in, not about half`);
}
