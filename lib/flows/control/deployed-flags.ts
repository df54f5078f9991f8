/**
 * The flags that are deployed, and how they come to say what the state says. What takes reads away goes first and may interrupt
 * another deployment; what a newer state has published is never overwritten.
 */

import { CrossfadeError } from '../../core/base/errors.ts';
import { compareFlagAge, type FlagDocument, sameDocument } from '../../core/routing/flags.ts';
import type { Ports } from '../../ports/ports.ts';

export type Deployed = { document: FlagDocument | null; latestVersion: number };

export type Published = {
  /** True when the deployed flags are those of the given states. */
  published: boolean;
  why?: string;
  /** True when another deployment stood in the way. */
  conflict?: boolean;
};

type FlagPorts = Pick<Ports, 'flags' | 'log'>;

const PUBLISH_DEADLINE_MS = 20_000;
/** Taking reads away comes first and must leave time for the rest of a tick. */
const LOWER_DEADLINE_MS = 10_000;
/**
 * Reads that must go are taken away before anything else is done: a database that hangs while another table is armed must
 * not keep readers where they were sent. Everything else stays for now as it is deployed.
 * @returns what is deployed then
 */
export async function lowerReads(
  ports: FlagPorts,
  desired: FlagDocument,
  deployed: Deployed | null,
): Promise<Deployed | null> {
  const there = deployed?.document;
  if (!there || newer(there, desired) || !takesAway(there, desired)) return deployed;
  const document = onlyLowered(there, desired);
  const result = await deploy(ports, document, deployed, { urgent: true, deadlineMs: LOWER_DEADLINE_MS });
  // Refused when newer flags are stored than deployed: then the whole document has to do it.
  return result.published ? { document, latestVersion: result.version } : deployed;
}

/** What is deployed, with those flags of the new document that send no more readers away from the primary. */
function onlyLowered(there: FlagDocument, desired: FlagDocument): FlagDocument {
  const lifted = there.system.emergency_stop && !desired.system.emergency_stop;
  const cutovers = Object.entries(there.cutovers).map(([id, old]) => {
    const flag = desired.cutovers[id];
    return [id, flag && flag.read_ppm < old.read_ppm ? flag : old] as const;
  });
  return { system: lifted ? there.system : desired.system, cutovers: Object.fromEntries(cutovers) };
}

export async function publishFlags(
  ports: FlagPorts,
  desired: FlagDocument,
  deployed: Deployed | null,
): Promise<Published> {
  if (!deployed) return { published: false, why: 'AppConfig could not be asked what is deployed' };
  const { document, latestVersion } = deployed;
  if (document && sameDocument(document, desired)) return { published: true };
  if (document && newer(document, desired)) {
    return { published: false, why: 'newer flags are deployed than this state knows of' };
  }
  const urgent = document === null || takesAway(document, desired);
  const result = await deploy(ports, desired, { latestVersion }, { urgent, deadlineMs: PUBLISH_DEADLINE_MS });
  return result.published ? { published: true } : result;
}

async function deploy(
  ports: FlagPorts,
  document: FlagDocument,
  { latestVersion }: Pick<Deployed, 'latestVersion'>,
  how: { urgent: boolean; deadlineMs: number },
): Promise<Published & ({ published: true; version: number } | { published: false })> {
  const result = await ports.flags.publish({ document, latestVersion, ...how }).catch(tooLarge);
  if (result.kind === 'published') return { published: true, version: result.version };
  ports.log.event('publish_postponed', { reason: result.kind, why: result.why });
  return { published: false, why: result.why, conflict: result.kind === 'conflict' };
}

/** More cutovers than a document takes must not keep the rest of a tick from being done. */
function tooLarge(error: unknown): { kind: 'too_large'; why: string } {
  if (!(error instanceof CrossfadeError && error.code === 'flags_too_large')) throw error;
  return { kind: 'too_large', why: error.message };
}

/** A state that was read before somebody else moved on must not overwrite what they published. */
export function newer(deployed: FlagDocument, desired: FlagDocument): boolean {
  if (deployed.system.version > desired.system.version) return true;
  return Object.entries(desired.cutovers).some(([id, flag]) => {
    const there = deployed.cutovers[id];
    return there !== undefined && compareFlagAge(there, flag) > 0;
  });
}

/** Does anything lose reads? Then a deployment that is still running must not stand in the way. */
export function takesAway(deployed: FlagDocument, desired: FlagDocument): boolean {
  return (
    (desired.system.emergency_stop && !deployed.system.emergency_stop) ||
    Object.entries(desired.cutovers).some(([id, flag]) => flag.read_ppm < (deployed.cutovers[id]?.read_ppm ?? 0))
  );
}

/** What is deployed, or null with a log line when AppConfig cannot be asked. */
export async function readDeployed(ports: Pick<Ports, 'flags' | 'log'>): Promise<Deployed | null> {
  try {
    return await ports.flags.deployed();
  } catch (error) {
    ports.log.failure('flags_unreadable', error);
    return null;
  }
}
