/**
 * Flags in memory: the same answers as AppConfig's publisher, checked by the same contract suite, and faults on demand.
 * Documents are kept in their stored form, so limits hold here, too. What is read is parsed once for each version and
 * frozen: readers and ticks ask far more often than anything is deployed.
 */

import { readStoredFlags, storedFlags } from '../../../lib/adapters/appconfig/document.ts';
import { CrossfadeError } from '../../../lib/core/base/errors.ts';
import { compareFlagAge, type FlagDocument } from '../../../lib/core/routing/flags.ts';
import type { FlagPublisher, FlagSightings } from '../../../lib/ports/flags.ts';
import { frozen } from './frozen.ts';

export type InMemoryFlags = FlagPublisher & {
  /** The publisher looks after every publication. */
  sightings: FlagSightings;
  /** What readers get now. */
  served(): FlagDocument | null;
  /** Every publication that was deployed, oldest first. */
  published(): readonly { version: number; urgent: boolean; document: FlagDocument }[];
  /** The next `times` publications are answered `conflict` and change nothing. */
  conflictNext(times?: number): void;
  /** While true publications are answered `unavailable` and reading throws `flags_unavailable`. */
  unavailable(yes: boolean): void;
  /** The next publication has its effect, and is answered `unavailable`. */
  loseNextAnswer(): void;
  /** Somebody else's deployment runs: only urgent publications get past it. */
  block(): void;
  /** Somebody stores a version past the publisher; not deployed. */
  store(document: FlagDocument): number;
  /** The service goes back to what was deployed before. */
  rollBack(): void;
};

export function inMemoryFlags(): InMemoryFlags {
  const versions: string[] = [];
  const deployed: { version: number; urgent: boolean }[] = [];
  let conflicts = 0;
  let down = false;
  let loseAnswer = false;
  let blocked = false;
  const contents = new Map<number, FlagDocument>();
  function contentOf(version: number): FlagDocument {
    const known = contents.get(version) ?? frozen(readStoredFlags(versions[version - 1]!));
    contents.set(version, known);
    return known;
  }
  const servedNow = () => {
    const last = deployed.at(-1);
    return last ? contentOf(last.version) : null;
  };

  function store(content: string): number {
    if (versions.at(-1) !== content) versions.push(content);
    return versions.length;
  }

  function refusal(document: FlagDocument, latestVersion: number, urgent: boolean): string | null {
    if (conflicts > 0) {
      conflicts -= 1;
      return 'a conflict was asked for';
    }
    if (latestVersion !== versions.length)
      return `the newest version is ${versions.length}, version ${latestVersion} had been read`;
    if (latestVersion > 0 && isNewer(contentOf(latestVersion), document)) return 'newer flags are stored';
    return blocked && !urgent ? 'another deployment runs' : null;
  }

  return {
    async deployed() {
      if (down) throw new CrossfadeError('flags_unavailable', 'AppConfig was switched off.', { retryable: true });
      return { document: servedNow(), latestVersion: versions.length };
    },
    async publish({ document, latestVersion, urgent }) {
      const content = storedFlags(document);
      if (down) return { kind: 'unavailable', why: 'AppConfig was switched off' };
      const why = refusal(document, latestVersion, urgent);
      if (why) return { kind: 'conflict', why };
      blocked = false;
      const version = store(content);
      deployed.push({ version, urgent });
      if (!loseAnswer) return { kind: 'published', version };
      loseAnswer = false;
      return { kind: 'unavailable', why: 'the answer was lost' };
    },
    sightings: { last: async () => servedNow() },
    served: servedNow,
    published: () => deployed.map((one) => ({ ...one, document: contentOf(one.version) })),
    conflictNext: (times = 1) => {
      conflicts = times;
    },
    unavailable: (yes) => {
      down = yes;
    },
    loseNextAnswer: () => {
      loseAnswer = true;
    },
    block: () => {
      blocked = true;
    },
    store: (document) => store(storedFlags(document)),
    rollBack: () => {
      deployed.pop();
    },
  };
}

function isNewer(there: FlagDocument, wanted: FlagDocument): boolean {
  return (
    there.system.version > wanted.system.version ||
    Object.entries(wanted.cutovers).some(([id, flag]) => {
      const other = there.cutovers[id];
      return other !== undefined && compareFlagAge(other, flag) > 0;
    })
  );
}
