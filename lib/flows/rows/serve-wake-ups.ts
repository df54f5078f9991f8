/**
 * One batch of stream records. Tables come first, each for a turn: a table that has more than that waits until all others that have
 * changes waiting, in the batch or not, had theirs; and at the end those that no record has named have one more. One that fails
 * does not keep others from being served. Reported is the first record that could not be served, so that Lambda starts again
 * there; what was served after it is served again, which changes nothing. Malformed records are counted and done with: they name nothing to serve.
 */

import { CrossfadeError } from '../../core/base/errors.ts';
import type { CutoverDeclaration, CutoverId } from '../../core/cutover/cutover.ts';
import type { Ports } from '../../ports/ports.ts';
import type { Upstream } from '../../ports/upstream.ts';
import type { ReadToCompare, WakeUp } from '../../ports/wake-ups.ts';
import { shortCircuit } from '../calls/short-circuit.ts';
import { type ApplyPorts, applyForwards } from '../forwards/apply-forwards.ts';
import { compareRead } from '../forwards/compare-reads.ts';
import type { OutcomeBuffer } from '../forwards/outcome-buffer.ts';
import { converge, LOOK_EVERY_MS, type StateNow, stateNow } from './converge.ts';

export type ServedBatch = { served: number; malformed: number; firstFailure: string | null };

/** What was compared right after writing is added to `outcomes`. */
export type ServingPorts = Parameters<typeof converge>[0] &
  ApplyPorts &
  Pick<Ports, 'state' | 'windows'> & { outcomes: OutcomeBuffer };
type Named = { sequenceNumber: string; declaration: CutoverDeclaration; read: ReadToCompare | undefined };

/** Of a table, while others wait. */
const TURN_MS = 1_000;
/** Forwarding calls servers of other people: no batch waits longer for them. What is left is woken again by the relay. */
const FORWARDS_MS = 20_000;
const COMPARED_PER_BATCH = 10;
/** Two looks of both sides. */
const COMPARE_MS = 5_000;

export async function serveWakeUps(
  ports: ServingPorts,
  declarations: readonly CutoverDeclaration[],
  wakeUps: readonly WakeUp[],
  { deadlineMs, upstream = async () => unreachable }: { deadlineMs: number; upstream?: () => Promise<Upstream> },
): Promise<ServedBatch> {
  const declared = new Map(declarations.map((declaration) => [declaration.id, declaration]));
  const records = wakeUps.flatMap(({ sequenceNumber, cutover, read }): Named[] => {
    const declaration = cutover === null ? undefined : declared.get(cutover);
    if (declaration) return [{ sequenceNumber, declaration, read }];
    ports.log.event('wakeup_malformed', { sequenceNumber });
    return [];
  });
  // Later wake-ups of the batch for the same cutover were written before it is served: what they mean is seen.
  const woken = [...new Set(records.filter(({ read }) => !read).map(({ declaration }) => declaration))];
  const tables = new Set(declarations.filter(({ kind }) => kind === 'table').map(({ id }) => id));
  const ids = woken.map(({ id }) => id);
  const named = ids.filter((id) => tables.has(id));
  const unserved = await serveTables(ports, named, tables, deadlineMs);
  for (const declaration of woken)
    if (!tables.has(declaration.id) && !(await forwarded(ports, declaration, deadlineMs))) unserved.add(declaration.id);
  const reads = records.filter(({ read }) => read);
  // A sample may be smaller, never late: what waits behind it are writes.
  for (const sample of reads.slice(0, COMPARED_PER_BATCH)) await compareOne(ports, sample, deadlineMs, upstream);
  const left = records.filter(({ declaration, read }) => !read && unserved.has(declaration.id));
  return {
    served: records.length - left.length,
    malformed: wakeUps.length - records.length,
    firstFailure: left[0]?.sequenceNumber ?? null,
  };
}

/**
 * In turns, until those that were named are done; then the others that wait, for one turn. A record stands for every table that
 * waits: what came since is for the next one.
 * @returns those of the named that are not done: they failed, or the time was up
 */
async function serveTables(
  given: ServingPorts,
  named: readonly CutoverId[],
  tables: ReadonlySet<CutoverId>,
  deadlineMs: number,
): Promise<Set<CutoverId>> {
  if (named.length === 0) return new Set();
  const ports = shortCircuit(given);
  const left = new Set(named);
  const failed = new Set<CutoverId>();
  const limits = { deadlineMs, turnMs: TURN_MS };
  const [alone, amongOthers] = [stateNow(ports), statesNow(ports)];
  let outOfTime = false;
  const serveEach = async (round: readonly CutoverId[]) => {
    for (const id of round) {
      if (outOfTime) break;
      try {
        const turn = await converge(ports, id, { ...limits, now: round.length > 1 ? amongOthers : alone });
        if (turn.checked > 0) ports.outcomes.addChecks(id, 'converge', turn);
        if (!turn.more) left.delete(id);
        outOfTime = turn.outOfTime;
      } catch (error) {
        ports.log.failure('converge_failed', error, { cutover: id });
        failed.add(id);
        left.delete(id);
      }
    }
  };
  /** Others with changes that wait, the longest first. */
  const others = async (than: ReadonlySet<CutoverId>) => {
    const waiting = than.size < tables.size ? await ports.converging.waiting().catch(() => []) : [];
    const ids = waiting.toSorted((a, b) => b.lagMs - a.lagMs).map(({ id }) => id);
    return ids.filter((id) => tables.has(id) && !failed.has(id) && !than.has(id));
  };
  await serveEach(named);
  while (left.size > 0 && !outOfTime) await serveEach([...(await others(left)), ...left]);
  if (!outOfTime) await serveEach(await others(new Set(named)));
  await ports.outcomes.flushIfDue();
  return new Set(named.filter((id) => left.has(id) || failed.has(id)));
}

/** All states in one question, repeated when the answer is too old; one that is no state is asked for alone, and says why. */
function statesNow(ports: Pick<Ports, 'state' | 'clock'>): StateNow {
  const alone = stateNow(ports);
  const readAll = () => Promise.all([ports.state.readAll(), ports.state.readSystem()]);
  let last: { atMs: number; answer: ReturnType<typeof readAll> } | null = null;
  return async (id) => {
    const nowMs = ports.clock.monotonicMs();
    if (!last || nowMs - last.atMs > LOOK_EVERY_MS) last = { atMs: nowMs, answer: readAll() };
    const [states, system] = await last.answer;
    const state = states.find((one) => one.id === id) ?? null;
    return state && 'invalid' in state ? alone(id) : { state, system };
  };
}

/** False when they could not be looked at. */
async function forwarded(ports: ServingPorts, declaration: CutoverDeclaration, deadlineMs: number): Promise<boolean> {
  try {
    await applyForwards(ports, declaration, Math.min(deadlineMs, ports.clock.monotonicMs() + FORWARDS_MS));
    return true;
  } catch (error) {
    ports.log.failure('converge_failed', error, { cutover: declaration.id });
    return false;
  }
}

/** A comparison that does not come about is one less; it keeps nothing else from being served. */
async function compareOne(
  ports: ServingPorts,
  { declaration, read }: Named,
  deadlineMs: number,
  upstream: () => Promise<Upstream>,
): Promise<void> {
  if (declaration.kind !== 'service' || !read) return;
  try {
    const untilMs = Math.min(deadlineMs, ports.clock.monotonicMs() + COMPARE_MS);
    await compareRead({ ...ports, upstream: await upstream() }, declaration, read, untilMs);
  } catch (error) {
    ports.log.failure('not_compared', error, { cutover: declaration.id });
  }
}

const unreachable: Upstream = async () => {
  throw new CrossfadeError('upstream_unavailable', 'No upstream can be called from here.', {
    details: { sent: false },
  });
};
