/**
 * I28: a reader never acts on a lower (epoch, version) than it has acted on. Readers see deployments at different
 * moments and the service may bring back older content, so what is served is merged flag by flag into what is known.
 *
 * A flag that cannot be read stays as it was. One that is switched off, or is served no more by a document that is not
 * older, means the primary until it is served again; after promotion there is no way back to the old side, so it stays.
 */

import {
  type CutoverFlag,
  compareFlagAge,
  type FlagDocument,
  type ServedFlags,
  type SystemFlag,
  UNSEEN,
} from '../core/routing/flags.ts';

export type Merged = {
  document: FlagDocument;
  /** Names of the flags that were served older than known, and kept. */
  older: readonly string[];
};

export function mergeFlags(known: FlagDocument | null, served: ServedFlags): Merged {
  const before = known?.cutovers ?? {};
  const isSystemOlder = known !== null && (served.system.version ?? Number.POSITIVE_INFINITY) < known.system.version;
  const older = isSystemOlder ? ['system'] : [];
  const cutovers: Record<string, CutoverFlag> = { ...before };
  for (const [name, flag] of Object.entries(served.cutovers)) {
    const kept = before[name];
    const age = kept ? compareFlagAge(flag, kept) : 1;
    if (age < 0) older.push(name);
    // The system's switches are projected into every flag, so equal flags are ordered by the version of the system.
    if (age > 0 || (age === 0 && !isSystemOlder)) cutovers[name] = flag;
  }
  if (older.length === 0) for (const name of switchedOff(before, served)) cutovers[name] = withoutReads(before[name]);
  const system = known && isSystemOlder ? known.system : { ...(known?.system ?? UNREAD), ...served.system };
  return { document: { system, cutovers }, older };
}

function switchedOff(before: FlagDocument['cutovers'], { cutovers, off = [], refused = [] }: ServedFlags) {
  const gone = Object.keys(before).filter((name) => !Object.hasOwn(cutovers, name) && !refused.includes(name));
  return new Set([...gone, ...off]);
}

/** Its epoch and version stay, so that nothing older is believed afterwards. */
function withoutReads(flag: CutoverFlag | undefined): CutoverFlag {
  if (flag === undefined || flag === UNSEEN) return UNSEEN;
  return flag.shadow_is_primary ? flag : { ...flag, enabled: false };
}

/** Of a switch that could never be read, the value that does no harm. */
const UNREAD: SystemFlag = {
  enabled: true,
  version: 0,
  emergency_stop: true,
  shadow_writes_enabled: false,
  sync_monitoring: true,
  divergence_alerts: true,
  readonly: false,
  migration_phase: 'none',
};
