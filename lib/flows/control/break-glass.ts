/**
 * The emergency stop without the API: written by a person straight into the state table, as the API writes it, and into the flags.
 * Neither declarations nor Postgres are needed. What Postgres has to do is the next tick's. Both parts are tried, whatever becomes
 * of the other: with flags alone readers return until a tick publishes what the state says.
 */

import { messageOf } from '../../core/base/errors.ts';
import { isUnderWay } from '../../core/cutover/stage-kinds.ts';
import type { FlagDocument } from '../../core/routing/flags.ts';
import type { Ports } from '../../ports/ports.ts';
import { changeSystem } from './change-system.ts';
import { type MovedBack, rollBackState } from './roll-back-one.ts';

export type BreakGlassResult = {
  /** Nothing was written; `cutovers` and `flags` say what would be. */
  dryRun: boolean;
  state: { stopped: boolean; why?: string };
  cutovers: readonly ({ id: string } & MovedBack)[];
  flags: { published: boolean; why?: string };
};

type Needs = Pick<Ports, 'state' | 'flags' | 'clock'>;
type Asked = { actor: string; reason: string; dryRun: boolean };

/** Below the time that a person waits for. */
const PUBLISH_MS = 30_000;

export async function breakGlassStop(ports: Needs, asked: Asked): Promise<BreakGlassResult> {
  const { dryRun } = asked;
  const state = await (dryRun ? wouldStop(ports) : stopAll(ports, asked)).catch((error: unknown) => ({
    state: { stopped: false, why: messageOf(error) },
    cutovers: [],
  }));
  const flags = await publishSafe(ports, dryRun).catch((error: unknown) => ({
    published: false,
    why: messageOf(error),
  }));
  return { dryRun, ...state, flags };
}

type Stopped = Pick<BreakGlassResult, 'state' | 'cutovers'>;

/** The switch first, so that nothing starts or advances afterwards; then every cutover that is under way. */
async function stopAll(ports: Needs, { actor, reason }: Asked): Promise<Stopped> {
  const by = { nowMs: ports.clock.now(), actor };
  const change = { emergencyStop: true } as const;
  await changeSystem(ports, () => [{ type: 'system_changed', change, reason }], by);
  const cutovers: Stopped['cutovers'][number][] = [];
  for (const seen of await ports.state.readAll()) {
    if ('invalid' in seen) {
      cutovers.push({ id: seen.id, from: 'unknown', to: 'unknown', problem: seen.invalid });
      continue;
    }
    const { id, stage } = seen;
    const moved = await rollBackState(ports, seen, isUnderWay, { ...by, reason, cause: 'emergency' }).catch(
      (error: unknown) => ({ from: stage, state: seen, problem: messageOf(error) }),
    );
    if (moved)
      cutovers.push({
        id,
        from: moved.from,
        to: moved.state.stage,
        ...(moved.problem ? { problem: moved.problem } : {}),
      });
  }
  return { state: { stopped: true }, cutovers };
}

async function wouldStop(ports: Needs): Promise<Stopped> {
  const [system, all] = await Promise.all([ports.state.readSystem(), ports.state.readAll()]);
  const cutovers = all.flatMap((seen) => {
    if ('invalid' in seen) return [{ id: seen.id, from: 'unknown', to: 'unknown', problem: seen.invalid }];
    return isUnderWay(seen) ? [{ id: seen.id, from: seen.stage, to: 'rolled_back' }] : [];
  });
  return { state: { stopped: system.emergencyStop }, cutovers };
}

async function publishSafe(ports: Needs, dryRun: boolean): Promise<BreakGlassResult['flags']> {
  const { document, latestVersion } = await ports.flags.deployed();
  if (!document) return { published: false, why: 'no flags are deployed, so readers are at the primary' };
  if (dryRun) return { published: false, why: 'this is a drill' };
  const system = await ports.state.readSystem().catch(() => null);
  const result = await ports.flags.publish({
    document: safe(document, system?.version),
    latestVersion,
    urgent: true,
    deadlineMs: PUBLISH_MS,
  });
  return result.kind === 'published' ? { published: true } : { published: false, why: result.why };
}

/** What is deployed, with every reader at the primary. What was promoted stays: there the shadow is the primary. */
function safe({ system, cutovers }: FlagDocument, version = system.version): FlagDocument {
  return {
    system: { ...system, version, emergency_stop: true },
    cutovers: Object.fromEntries(
      Object.entries(cutovers).map(([id, flag]) => [id, flag.shadow_is_primary ? flag : { ...flag, read_ppm: 0 }]),
    ),
  };
}
