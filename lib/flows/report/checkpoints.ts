/** The checkpoint reports of one cutover, from the audit logs and the stored windows. Reads only. */

import { DAY_MINUTES, MINUTE_MS } from '../../core/base/units.ts';
import { type CutoverDeclaration, initialState } from '../../core/cutover/cutover.ts';
import { policyOf } from '../../core/cutover/policy.ts';
import { isUnderWay } from '../../core/cutover/stage-kinds.ts';
import { type WindowPart, wholeWindows } from '../../core/gates/minute-window.ts';
import { HISTORY_MINUTES } from '../../core/gates/seen.ts';
import { replayRun } from '../../core/replay/stages.ts';
import {
  type Checkpoint,
  checkpointOf,
  type PhaseCheckpoint,
  phaseCheckpointsOf,
  type Stay,
  staysOf,
  type Tested,
} from '../../core/report/checkpoints.ts';
import type { Ports } from '../../ports/ports.ts';
import { wholeLog } from './history.ts';

export type Checkpoints = {
  cutover: string;
  /** Oldest first, the last ones. */
  stages: readonly Checkpoint[];
  /** Decisions on its phase, oldest first. */
  phase: readonly PhaseCheckpoint[];
};

/** Stays that are reported: each asks for a day of windows. */
const MOST_STAYS = 20;

export async function checkpoints(
  ports: Pick<Ports, 'verdicts' | 'state' | 'windows' | 'clock'>,
  declaration: CutoverDeclaration,
): Promise<Checkpoints> {
  const { id, phase } = declaration;
  const nowMs = ports.clock.now();
  const [log, system, stored] = await Promise.all([
    wholeLog(ports, id),
    phase === undefined ? [] : wholeLog(ports, 'system'),
    ports.verdicts.read(id),
  ]);
  const stages: Checkpoint[] = [];
  for (const stay of staysOf(initialState(declaration), log).slice(-MOST_STAYS)) {
    const toMinute = Math.floor((stay.toMs ?? nowMs) / MINUTE_MS);
    const fromMinute = Math.max(Math.floor(stay.fromMs / MINUTE_MS), toMinute - DAY_MINUTES) - HISTORY_MINUTES;
    const parts = await ports.windows.readParts(id, fromMinute, toMinute);
    const windows = wholeWindows(parts.map(({ window }) => window));
    const verdict = stay.toMs === null && stored && stored.atMs >= stay.fromMs ? stored.verdict : null;
    const found = verdict?.evidence.tests ?? testsOf(stay, declaration, parts, nowMs);
    const tests = found.map(({ code, evidence, needed }) => ({ code, evidence, needed }));
    stages.push(checkpointOf(stay, windows, tests, verdict));
  }
  return { cutover: id, stages, phase: phase === undefined ? [] : phaseCheckpointsOf(phase.name, system) };
}

/** How far each test had come when the stay ended, as the windows fold to it today. */
function testsOf(
  { state, fromMs, toMs }: Stay,
  declaration: CutoverDeclaration,
  parts: readonly WindowPart[],
  nowMs: number,
): Tested[] {
  if (!isUnderWay(state) || parts.length === 0) return [];
  const minutes = [
    ...replayRun({ state, fromMs, toMs }, policyOf(declaration, state), parts, { nowMs, evidence: null }),
  ];
  const tests = Object.entries(minutes.at(-1)?.evidence.tests ?? {});
  return tests.map(([code, [evidence, needed]]) => ({ code, evidence, needed }));
}
