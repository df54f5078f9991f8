/**
 * Publishes flags through AppConfig: look, store, deploy, tidy. Every effect is fenced, so that publishing twice, late
 * or beside somebody else never puts older flags over newer ones.
 */

import type { AppConfigClient } from '@aws-sdk/client-appconfig';
import type { FlagDocument } from '../../core/routing/flags.ts';
import type { FlagPublisher } from '../../ports/flags.ts';
import type { Clock } from '../../ports/machine.ts';
import { appConfigCalls, type Calls, isRunning } from './calls.ts';
import { DEFAULT_CALL_DEADLINE_MS } from './client.ts';
import { deployVersion } from './deploy-version.ts';
import { storedFlags } from './document.ts';
import { flagsError, sentenceOf } from './failures.ts';
import { lookAtNewest, readableFlags, type Stored, storeVersion } from './store-version.ts';

export type AppConfigPublisherOptions = {
  client: AppConfigClient;
  /** Ids, not names: the control plane takes nothing else. */
  application: string;
  environment: string;
  profile: string;
  /** Of our own: 0 minutes, 100 %, 0 bake. The predefined ones watch alarms for ten minutes or split readers by poll. */
  strategy: string;
  clock: Pick<Clock, 'monotonicMs' | 'sleep'>;
  requestTimeoutMs?: number;
};

const KEPT_VERSIONS = 50;
const MOST_DELETIONS = 10;

export function appConfigPublisher(options: AppConfigPublisherOptions): FlagPublisher {
  const { clock, requestTimeoutMs = DEFAULT_CALL_DEADLINE_MS } = options;
  return {
    async deployed() {
      const calls = appConfigCalls({ ...options, requestTimeoutMs });
      // Versions first: one that is stored in between makes the publication fail its fence, never pass it.
      const latestVersion = await newestVersion(calls);
      return { document: await deployedDocument(calls), latestVersion };
    },

    async publish({ document, latestVersion, urgent, deadlineMs }) {
      const untilMs = clock.monotonicMs() + deadlineMs;
      const timeLeftMs = () => untilMs - clock.monotonicMs();
      const calls = appConfigCalls({ ...options, requestTimeoutMs, timeLeftMs });
      const content = storedFlags(document);
      const seen = await lookAtNewest(calls, { document, content, latestVersion });
      if (seen.kind !== 'seen') return seen;
      const blocked = urgent ? null : await blockedBy(calls, seen.version);
      if (blocked) return blocked;
      const stored = seen.version === null ? await storeVersion(calls, content, latestVersion) : asStored(seen.version);
      if (stored.kind !== 'stored') return stored;
      const deployed = await deployVersion({ calls, clock, version: stored.version, urgent, untilMs });
      if (deployed.kind === 'published') await tidy(calls, stored.version);
      return deployed;
    },
  };
}

const asStored = (version: number): Stored => ({ kind: 'stored', version });

async function newestVersion(calls: Calls): Promise<number> {
  const versions = await calls.versions();
  if (!versions.ok) throw flagsError('list the versions of the flags', versions.failure);
  return versions.value[0] ?? 0;
}

/**
 * The content of the newest complete deployment: what every reader gets. One that still runs does not count, since
 * some readers may not have it yet, and neither does one that was rolled back.
 */
async function deployedDocument(calls: Calls): Promise<FlagDocument | null> {
  const deployments = await calls.newestDeployments();
  if (!deployments.ok) throw flagsError('list the deployments of the flags', deployments.failure);
  const complete = deployments.value.find((one) => one.ours && one.state === 'COMPLETE');
  if (!complete) return null;
  const content = await calls.content(complete.version);
  if (content.ok) return readableFlags(content.value);
  if (content.failure.kind === 'missing') return null;
  throw flagsError(`read version ${complete.version} of the flags`, content.failure);
}

/** Without urgency nothing is stored while another deployment runs: it would only pile up versions. */
async function blockedBy(calls: Calls, version: number | null) {
  const deployments = await calls.newestDeployments();
  if (!deployments.ok) {
    return { kind: 'unavailable' as const, why: sentenceOf('list the deployments', deployments.failure) };
  }
  const newest = deployments.value[0];
  if (!newest || !isRunning(newest) || (newest.ours && newest.version === version)) return null;
  return {
    kind: 'conflict' as const,
    why: `Deployment ${newest.number} is ${newest.state}: one at a time. The next tick tries again.`,
  };
}

/** Keeps the last 50 versions. Best effort: what is left over now is deleted after a later publication. */
async function tidy(calls: Calls, published: number): Promise<void> {
  if (published <= KEPT_VERSIONS) return;
  const versions = await calls.versions();
  if (!versions.ok) return;
  const surplus = versions.value.slice(KEPT_VERSIONS).slice(-MOST_DELETIONS);
  await Promise.all(surplus.map((version) => calls.deleteVersion(version)));
}
