/**
 * Table cutovers of one primary's database, some of which have their shadow in another. A call that is about one of those goes to its own
 * way of doing it where there is one, and from the moment at which the primary has handed over to the database of the shadow. Every other
 * call needs the primary's database only.
 */

import { CrossfadeError, isCrossfadeError } from '../../../core/base/errors.ts';
import type { CutoverId } from '../../../core/cutover/cutover.ts';
import type { Converging } from '../../../ports/converging.ts';
import type { TablePorts } from '../../../ports/ports.ts';
import type { Verifying } from '../../../ports/verifying.ts';
import { postgresTables } from '../tables.ts';
import { bringEpoch } from './batches.ts';
import { remoteCapture } from './capturing.ts';
import { compiledOnce } from './compile.ts';
import { remoteConverging } from './converging.ts';
import { remoteCopying } from './copying.ts';
import { takeOver } from './handing-over.ts';
import { remoteHealth } from './preview.ts';
import type { Remote } from './remote.ts';
import { standingOf, turned } from './sides.ts';
import { remoteSwapping } from './swapping.ts';
import { remoteVerifying, type Way } from './verifying.ts';

/** No side takes writes. Long enough for every relay, and woken for again each second until it is over. */
const HANDED_OVER = { hints: 1, lagMs: 1_000 };

type Some<Port> = { [Name in keyof Port]?: Partial<Port[Name]> };
type Call = (...args: unknown[]) => Promise<unknown>;
type Calls = Record<string, Call>;
/** The ports of one cutover: before the primary has handed over, and after. */
type Sides = { remote: Remote; before: TablePorts; after: TablePorts };

/** Calls that are asked where the application's changes are captured. */
const WHERE_IT_LEADS: { [Name in keyof TablePorts]?: readonly (keyof TablePorts[Name])[] } = {
  capture: ['watch'],
  converging: ['converge', 'quarantined', 'retryQuarantined', 'discardQuarantined'],
  copying: ['backfill'],
  verifying: ['verify', 'repair', 'compareRow', 'rowValues'],
  inspecting: ['status'],
};

export function withRemote(local: TablePorts, remotes: readonly Remote[]): TablePorts {
  const sides = new Map(remotes.map((remote) => [remote.cutover.id, sidesOf(local, remote)]));
  const idOf = (subject: unknown) =>
    typeof subject === 'string' ? subject : (subject as { id?: string } | undefined)?.id;
  const ports = overlaid(local, ofMany(local, [...sides.values()]));
  const call =
    (name: keyof TablePorts, method: string): Call =>
    async (...args) => {
      const own = sides.get(idOf(args[0]) ?? '');
      const leads = (WHERE_IT_LEADS[name] as readonly string[] | undefined)?.includes(method) ?? false;
      const asked = own && leads && (await standingOf(own.remote)).shadowLeads ? own.after : own?.before;
      return ((asked ?? ports)[name] as unknown as Calls)[method]!(...args);
    };
  return mapped(local, (name, method) => call(name, method));
}

function mapped(ports: TablePorts, make: (name: keyof TablePorts, method: string) => Call): TablePorts {
  const port = (name: keyof TablePorts) =>
    Object.fromEntries(Object.keys(ports[name]).map((method) => [method, make(name, method)]));
  return Object.fromEntries(
    (Object.keys(ports) as (keyof TablePorts)[]).map((name) => [name, port(name)]),
  ) as unknown as TablePorts;
}

const overlaid = (ports: TablePorts, own: Some<TablePorts>): TablePorts =>
  mapped(ports, (name, method) => {
    const call = (own[name] as Calls | undefined)?.[method] ?? (ports[name] as unknown as Calls)[method]!;
    return (...args) => call(...args);
  });

function sidesOf(local: TablePorts, remote: Remote): Sides {
  const back = turned(remote);
  const there = postgresTables(back.primary);
  const before = overlaid(local, {
    ...moving(remote, { leads: 'primary', flowNow: compiledOnce(remote) }, () => takeOver(remote)),
    capture: remoteCapture(remote),
    switches: { mirror: mirrored(local, there, remote) },
    swapping: remoteSwapping(remote, local.swapping, there.swapping),
    inspecting: { health: () => remoteHealth(remote) },
  });
  return {
    remote,
    before,
    after: overlaid(
      there,
      moving(back, { leads: 'shadow', flowNow: compiledOnce(remote, 'shadow') }, () => takeOver(remote)),
    ),
  };
}

/**
 * Rows from the leading side to the other.
 * @param goOn takes over where a mover has died between two steps
 */
function moving(remote: Remote, way: Way, goOn: () => Promise<void>): Some<TablePorts> {
  const { flowNow } = way;
  const { converge } = remoteConverging(remote);
  const verifying: Verifying = {
    ...remoteVerifying(remote, way),
    invariant: async () => {
      throw new CrossfadeError(
        'illegal_transition',
        `An invariant is one query over both tables, and those of cutover '${remote.cutover.id}' are in two databases.`,
      );
    },
  };
  const converging: Pick<Converging, 'converge'> = {
    async converge(...args) {
      const result = await converge(...args);
      // This side may have handed over, and who did it died.
      if (result.kind === 'stale') await goOn().catch(unlessAway);
      return result;
    },
  };
  return { converging, copying: remoteCopying(remote, flowNow), verifying };
}

/** The primary's word decides. Where the other database is away, the next batch brings it there. */
function mirrored(local: TablePorts, there: TablePorts, remote: Remote): TablePorts['switches']['mirror'] {
  return async (row) => {
    const written = await local.switches.mirror(row);
    if (!row.shadowWrites) return written;
    const brought = async () => {
      if (!(await standingOf(remote)).shadowLeads) return bringEpoch(remote, row.epoch);
      await there.switches.mirror(row);
      await bringEpoch(turned(remote), row.epoch);
    };
    await brought().catch(unlessAway);
    return written;
  };
}

/** What is asked of many at once: of those that have handed over, the database of the shadow answers. */
function ofMany(local: TablePorts, all: readonly Sides[]): Some<TablePorts> {
  const answers = async <Answer>(
    ids: readonly CutoverId[],
    found: ReadonlyMap<CutoverId, Answer>,
    ask: (ports: TablePorts, id: CutoverId) => Promise<Answer | undefined>,
  ): Promise<ReadonlyMap<CutoverId, Answer>> => {
    const merged = new Map(found);
    for (const { remote, after } of all) {
      const { id } = remote.cutover;
      if (!ids.includes(id)) continue;
      // Of one whose database is away nothing is known; those of all others are.
      const answer = await unlessItIsAway(async () =>
        (await standingOf(remote)).shadowLeads ? ask(after, id) : found.get(id),
      );
      if (answer === undefined) merged.delete(id);
      else merged.set(id, answer);
    }
    return merged;
  };
  return {
    inspecting: {
      statuses: async (ids) =>
        answers(ids, await local.inspecting.statuses(ids), async ({ inspecting }, id) => {
          return (await inspecting.statuses([id])).get(id);
        }),
      progress: async (ids) =>
        answers(ids, await local.inspecting.progress(ids), async ({ inspecting }, id) => {
          return (await inspecting.progress([id])).get(id);
        }),
    },
    converging: {
      async waiting() {
        const found = [...(await local.converging.waiting())];
        for (const { remote, after } of all) {
          const { id } = remote.cutover;
          const seen = await unlessItIsAway(async () => {
            const { shadowLeads, successor } = await standingOf(remote);
            const there = shadowLeads ? await after.converging.waiting() : [];
            return successor === null ? there : [{ id, ...HANDED_OVER }, ...there];
          });
          found.push(...(seen ?? []).filter((one) => one.id === id));
        }
        return found;
      },
    },
  };
}

/** @returns undefined while the database that leads is away */
async function unlessItIsAway<Answer>(ask: () => Promise<Answer>): Promise<Answer | undefined> {
  try {
    return await ask();
  } catch (error) {
    unlessAway(error);
    return undefined;
  }
}

/** @throws what is no answer of a database, or says that more is wrong than that it is away */
function unlessAway(error: unknown): void {
  if (!isCrossfadeError(error) || !error.retryable) throw error;
}
