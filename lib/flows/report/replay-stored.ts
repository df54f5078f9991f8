/** Replays what is stored of a cutover through the gates of this version, with other limits where they are given. Reads only. */

import { CrossfadeError } from '../../core/base/errors.ts';
import { MINUTE_MS } from '../../core/base/units.ts';
import { type CutoverDeclaration, initialState, type Policy } from '../../core/cutover/cutover.ts';
import { policyOf } from '../../core/cutover/policy.ts';
import type { Evidence } from '../../core/gates/evidence.ts';
import { HISTORY_MINUTES } from '../../core/gates/seen.ts';
import type { ReplayedMinute } from '../../core/replay/replay.ts';
import { replayRun, stageRuns } from '../../core/replay/stages.ts';
import { policyWith, runWith, type Trial, type TriedLimits, trial, trialProblems } from '../../core/replay/trial.ts';
import type { Ports } from '../../ports/ports.ts';
import { wholeLog } from './history.ts';

export type StoredReplay = {
  stage: string;
  fromMs: number;
  /** Null while the cutover is in it. */
  toMs: number | null;
  minutes: readonly ReplayedMinute[];
  /** The one it belongs to. */
  phase?: string;
  /** Only where other limits were tried. */
  trial?: Trial;
};

/**
 * The stays in stages that reach into the last hours, oldest first. Their windows are kept for 30 days.
 * @param set limits to try; `minutes` are then those with them
 * @throws CrossfadeError `invalid_input` when a policy would contradict itself with them
 */
export async function replayStored(
  ports: Pick<Ports, 'state' | 'windows' | 'clock'>,
  declaration: CutoverDeclaration,
  hours: number,
  set?: TriedLimits,
): Promise<readonly StoredReplay[]> {
  const nowMs = ports.clock.now();
  const sinceMs = nowMs - hours * 60 * MINUTE_MS;
  const runs = stageRuns(initialState(declaration), await wholeLog(ports, declaration.id)).filter(
    ({ toMs }) => (toMs ?? nowMs) > sinceMs,
  );
  const policies = runs.map(({ state }) => policyOf(declaration, state));
  if (set) refuseContradictions(declaration, policies, set);
  const replays: StoredReplay[] = [];
  let evidence: Evidence | null = null;
  let changed: Evidence | null = null;
  for (const [i, run] of runs.entries()) {
    const from = Math.floor(Math.max(run.fromMs, sinceMs) / MINUTE_MS) - HISTORY_MINUTES;
    const to = Math.floor((run.toMs ?? nowMs) / MINUTE_MS);
    const parts = await ports.windows.readParts(declaration.id, from, to);
    const ofPhase = declaration.phase ? { phase: declaration.phase.name } : {};
    const stay = { stage: run.state.stage, fromMs: run.fromMs, toMs: run.toMs, ...ofPhase };
    const before: Stay = ended(replayRun(run, policies[i]!, parts, { nowMs, evidence, declaration }));
    evidence = before.result;
    if (!set) {
      replays.push({ ...stay, minutes: before.yielded });
      continue;
    }
    const after: Stay = ended(
      replayRun(runWith(run, set), policyWith(policies[i]!, set), parts, { nowMs, evidence: changed, declaration }),
    );
    const { yielded: minutes, result } = ended(trial(set, before.yielded, after.yielded));
    replays.push({ ...stay, minutes, trial: result });
    // What came after a rollback of the trial alone was lived without that rollback.
    changed = minutes.length < before.yielded.length ? evidence : after.result;
  }
  return replays;
}

type Ended<Yielded, Result> = { yielded: Yielded[]; result: Result };
type Stay = Ended<ReplayedMinute, Evidence | null>;

/** Everything that a generator yields, and what it returns. */
function ended<Yielded, Result>(generator: Generator<Yielded, Result>): Ended<Yielded, Result> {
  const yielded: Yielded[] = [];
  let step = generator.next();
  for (; !step.done; step = generator.next()) yielded.push(step.value);
  return { yielded, result: step.value };
}

function refuseContradictions({ id, kind }: CutoverDeclaration, policies: readonly Policy[], set: TriedLimits): void {
  const problems = new Set(policies.flatMap((policy) => trialProblems(policy, set, kind)));
  if (problems.size === 0) return;
  throw new CrossfadeError(
    'invalid_input',
    `Cutover '${id}' cannot be replayed with these limits: ${[...problems].join('; ')}. Set both.`,
  );
}
