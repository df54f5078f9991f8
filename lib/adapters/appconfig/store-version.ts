/**
 * Stores flags as a new version, unless the newest version says the same already. Fenced by the number of the newest
 * version the caller has seen: one that was stored since then is somebody else's, and wins.
 */

import { compareFlagAge, type FlagDocument } from '../../core/routing/flags.ts';
import type { Calls } from './calls.ts';
import { readStoredFlags } from './document.ts';
import { type Failure, sentenceOf } from './failures.ts';

export type Stored =
  | { kind: 'stored'; version: number }
  | { kind: 'conflict'; why: string }
  | { kind: 'unavailable'; why: string };

/** The version that holds this content already, or null when it must be stored. */
export type NewestVersion = { kind: 'seen'; version: number | null } | Exclude<Stored, { kind: 'stored' }>;

/**
 * Looks at the newest version before anything is written. Its flags may be newer than those to be published: then it was
 * stored by somebody who knows more, even if it is not deployed yet.
 */
export async function lookAtNewest(
  calls: Calls,
  wanted: { document: FlagDocument; content: string; latestVersion: number },
): Promise<NewestVersion> {
  if (wanted.latestVersion === 0) return lookForAny(calls);
  const found = await calls.content(wanted.latestVersion);
  if (!found.ok) {
    if (found.failure.kind === 'missing') return { kind: 'seen', version: null };
    return { kind: 'unavailable', why: sentenceOf(`read version ${wanted.latestVersion}`, found.failure) };
  }
  if (found.value === wanted.content) return { kind: 'seen', version: wanted.latestVersion };
  if (isNewer(found.value, wanted.document)) {
    return { kind: 'conflict', why: `Version ${wanted.latestVersion} holds newer flags than those to be published.` };
  }
  return { kind: 'seen', version: null };
}

/** The service has no lock for the first version, so that there is none is looked up as late as possible. */
async function lookForAny(calls: Calls): Promise<NewestVersion> {
  const versions = await calls.versions();
  if (!versions.ok) return { kind: 'unavailable', why: sentenceOf('list the versions', versions.failure) };
  if (versions.value.length === 0) return { kind: 'seen', version: null };
  return { kind: 'conflict', why: `Version ${versions.value[0]} is stored where no version had been seen.` };
}

function isNewer(content: string, document: FlagDocument): boolean {
  const there = readableFlags(content);
  if (!there) return false;
  if (there.system.version > document.system.version) return true;
  return Object.entries(document.cutovers).some(([id, flag]) => {
    const other = there.cutovers[id];
    return other !== undefined && compareFlagAge(other, flag) > 0;
  });
}

/** Null when somebody stored something else: it is replaced, not obeyed. */
export function readableFlags(content: string): FlagDocument | null {
  try {
    return readStoredFlags(content);
  } catch {
    return null;
  }
}

export async function storeVersion(calls: Calls, content: string, latestVersion: number): Promise<Stored> {
  const stored = await calls.store(content, latestVersion);
  if (!stored.ok) return readBack(calls, content, latestVersion, stored.failure);
  // Another number than 1 for the first version means that somebody else has stored one at the same moment.
  if (latestVersion === 0 && stored.value !== 1) {
    return { kind: 'conflict', why: `Version ${stored.value} was given where no version had been seen.` };
  }
  return { kind: 'stored', version: stored.value };
}

/**
 * After a conflict or an answer that was lost: the SDK repeats calls, so the conflict may be with our own first try.
 * The same content is the same intent, no matter who stored it.
 */
async function readBack(calls: Calls, content: string, latestVersion: number, failure: Failure): Promise<Stored> {
  const failed = sentenceOf('store the flags', failure);
  if (failure.kind !== 'conflict' && failure.kind !== 'unknown') return { kind: 'unavailable', why: failed };
  const versions = await calls.versions();
  const newest = versions.ok ? (versions.value[0] ?? 0) : 0;
  if (newest <= latestVersion) return { kind: failure.kind === 'conflict' ? 'conflict' : 'unavailable', why: failed };
  const found = await calls.content(newest);
  if (found.ok && found.value === content) return { kind: 'stored', version: newest };
  return {
    kind: 'conflict',
    why: `Version ${newest} was stored by somebody else since version ${latestVersion} was read.`,
  };
}
