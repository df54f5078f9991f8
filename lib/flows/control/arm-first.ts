/**
 * A start arms capture before it is a success. A database that is busy or away is left to the ticks; one that refuses for good,
 * or that has seen a newer state, takes the start back: the cutover is idle again, and the caller gets the cause.
 */

import { CrossfadeError, isCrossfadeError } from '../../core/base/errors.ts';
import type { CutoverDeclaration, CutoverState } from '../../core/cutover/cutover.ts';
import { isIdle } from '../../core/cutover/stage-kinds.ts';
import { decide } from '../../core/stage/decide.ts';
import type { Ports } from '../../ports/ports.ts';
import type { StateFence } from '../../ports/tables.ts';
import { tableCutover } from '../rows/table-of.ts';
import { type By, commit } from './commit.ts';

type Needs = Pick<Ports, 'state' | 'capture' | 'log'>;

/** The state after a start. @throws CrossfadeError when nothing can be armed; the start was taken back */
export async function armFirst(
  ports: Needs,
  declaration: CutoverDeclaration,
  state: CutoverState,
  by: By,
): Promise<CutoverState> {
  if (declaration.kind !== 'table') return state;
  const refused = await refusalOf(ports, declaration, state);
  if (!refused) return state;
  const message = `Cutover '${state.id}' was not started: ${refused.message}`;
  const back = [
    { type: 'rollback', reason: message, cause: 'operator' },
    { type: 'reset', confirm: state.id },
  ] as const;
  let now = state;
  for (const step of back) {
    const decision = decide(now, step, { ...by, emergencyStop: false });
    if (decision.kind === 'refused') break;
    const result = await commit(ports, now, decision, by);
    // Somebody else has moved it since: it is theirs.
    if (result.kind === 'stale' || result.kind === 'repeated') break;
    now = result.state;
  }
  const details = { ...refused.details, takenBack: true };
  throw new CrossfadeError(refused.code, message, { details, cause: refused });
}

async function refusalOf(
  ports: Needs,
  declaration: CutoverDeclaration & { kind: 'table' },
  state: CutoverState,
): Promise<CrossfadeError | null> {
  try {
    const done = await ports.capture.arm(tableCutover(declaration), state);
    return done.kind === 'stale' ? new CrossfadeError('conflict', newerText(state.id, done, state)) : null;
  } catch (error) {
    if (isCrossfadeError(error) && !error.retryable) return error;
    ports.log.failure('not_armed_yet', error, { cutover: state.id });
    return null;
  }
}

export const isTakenBack = (error: unknown): boolean => isCrossfadeError(error) && error.details.takenBack === true;

/** The same request again, after its start was taken back. @throws CrossfadeError */
export function checkArmed(started: { cutover: string; version: number }, now: CutoverState | null): void {
  if (!now || !isIdle(now) || now.version > started.version + 2) return;
  throw new CrossfadeError(
    'refused_table',
    `Cutover '${started.cutover}' was not started: nothing could be armed. 'crossfade history ${started.cutover}' has the cause.`,
  );
}

/** What is in the database, what is here, and what to do. */
export function newerText(
  id: string,
  there: StateFence & { stage?: string },
  { epoch, version }: Pick<CutoverState, 'epoch' | 'version'>,
): string {
  const stage = there.stage === undefined ? '' : `, stage '${there.stage}'`;
  return `the database has seen a newer state of it (epoch ${there.epoch}, version ${there.version}${stage}) than this store has (epoch ${epoch}, version ${version}): it is, or was, moved by another store of states. Go on with that one, which a second 'crossfade dev' or a restored backup of the state may have hidden. When that store is gone for good and the shadow is not used any more, the owner of the tables removes its trace with DELETE FROM crossfade.cutover WHERE id = '${id}'; then start it again.`;
}
