/**
 * I28: a reader never acts on a lower (epoch, version) than it has acted on. Readers see deployments at different
 * moments and the service may bring back older content, so what is served is merged flag by flag into what is known.
 * A flag that is no longer served stays: dropping it would be going back, too.
 */

import { type CutoverFlag, compareFlagAge, type FlagDocument } from '../core/routing/flags.ts';

export type Merged = {
  document: FlagDocument;
  /** Names of the flags that were served older than known, and kept. */
  older: readonly string[];
};

export function mergeFlags(known: FlagDocument | null, served: FlagDocument): Merged {
  if (!known) return { document: served, older: [] };
  const olderSystem = served.system.version < known.system.version;
  const older = olderSystem ? ['system'] : [];
  const cutovers: Record<string, CutoverFlag> = { ...known.cutovers };
  for (const [name, flag] of Object.entries(served.cutovers)) {
    const kept = known.cutovers[name];
    const age = kept ? compareFlagAge(flag, kept) : 1;
    if (age < 0) older.push(name);
    // The system's switches are projected into every flag, so equal flags are ordered by the version of the system.
    if (age > 0 || (age === 0 && !olderSystem)) cutovers[name] = flag;
  }
  return { document: { system: olderSystem ? known.system : served.system, cutovers }, older };
}
