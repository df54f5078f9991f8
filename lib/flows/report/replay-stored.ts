/** Replays what is stored of a cutover through the gates of this version. Reads only. */

import { MINUTE_MS } from '../../core/base/units.ts';
import { type CutoverDeclaration, initialState } from '../../core/cutover/cutover.ts';
import { policyOf } from '../../core/cutover/policy.ts';
import type { Evidence } from '../../core/gates/evidence.ts';
import { HISTORY_MINUTES } from '../../core/gates/seen.ts';
import type { ReplayedMinute } from '../../core/replay/replay.ts';
import { replayRun, stageRuns } from '../../core/replay/stages.ts';
import type { Ports } from '../../ports/ports.ts';
import { wholeLog } from './history.ts';

export type StoredReplay = {
  stage: string;
  fromMs: number;
  /** Null while the cutover is in it. */
  toMs: number | null;
  minutes: readonly ReplayedMinute[];
};

/** The stays in stages that reach into the last hours, oldest first. Their windows are kept for 30 days. */
export async function replayStored(
  ports: Pick<Ports, 'state' | 'windows' | 'clock'>,
  declaration: CutoverDeclaration,
  hours: number,
): Promise<readonly StoredReplay[]> {
  const nowMs = ports.clock.now();
  const sinceMs = nowMs - hours * 60 * MINUTE_MS;
  const runs = stageRuns(initialState(declaration), await wholeLog(ports, declaration.id)).filter(
    ({ toMs }) => (toMs ?? nowMs) > sinceMs,
  );
  const replays: StoredReplay[] = [];
  let evidence: Evidence | null = null;
  for (const run of runs) {
    const from = Math.floor(Math.max(run.fromMs, sinceMs) / MINUTE_MS) - HISTORY_MINUTES;
    const to = Math.floor((run.toMs ?? nowMs) / MINUTE_MS);
    const parts = await ports.windows.readParts(declaration.id, from, to);
    const minutes: ReplayedMinute[] = [];
    const replayed = replayRun(run, policyOf(declaration, run.state), parts, { nowMs, evidence });
    let step = replayed.next();
    for (; !step.done; step = replayed.next()) minutes.push(step.value);
    evidence = step.value;
    replays.push({ stage: run.state.stage, fromMs: run.fromMs, toMs: run.toMs, minutes });
  }
  return replays;
}
