/** What the stage that serves, and the one that comes next, can see at the traffic of the last minutes. Pure. */

import { MINUTE_MS } from '../base/units.ts';
import type { CutoverDeclaration, CutoverState } from '../cutover/cutover.ts';
import { FULL_SHARE_PPM, nextStage, stageSharePpm } from '../cutover/plan.ts';
import { policyOf } from '../cutover/policy.ts';
import { isReadingStage } from '../cutover/stage-kinds.ts';
import { type Detectable, detectable, detectableText } from '../gates/detectable.ts';
import type { Evidence } from '../gates/evidence.ts';
import type { MinuteWindow } from '../gates/minute-window.ts';

export type StageSight = Detectable & {
  stage: string;
  /** In words, without a full stop. */
  text: string;
};

type Looked = {
  declaration: CutoverDeclaration;
  state: CutoverState;
  evidence: Evidence;
  windows: readonly MinuteWindow[];
  nowMs: number;
};

const LOOK_BACK_MINUTES = 10;

export function stageSights({ declaration, state, evidence, windows, nowMs }: Looked): StageSight[] {
  const { plan } = state;
  const perMinute = operationsPerMinute(windows, Math.floor(nowMs / MINUTE_MS));
  const stages = [plan.stages.find(({ name }) => name === state.stage), nextStage(state)];
  return stages.flatMap((stage) => {
    if (!stage || !isReadingStage({ stageKind: stage.kind })) return [];
    const share = stageSharePpm({ stage: stage.name, stageKind: stage.kind, plan }) / FULL_SHARE_PPM;
    const policy = policyOf(declaration, { ...state, stage: stage.name });
    const found = detectable(evidence, policy, { perMinute, share });
    return found ? [{ stage: stage.name, ...found, text: detectableText(found) }] : [];
  });
}

/** Of both sides, over the last minutes in which any came. */
function operationsPerMinute(windows: readonly MinuteWindow[], openMinute: number): number {
  const last = windows.filter(({ minute }) => minute < openMinute && minute >= openMinute - LOOK_BACK_MINUTES);
  const minutes = new Set(last.map(({ minute }) => minute)).size;
  return minutes === 0 ? 0 : last.reduce((sum, { count }) => sum + count, 0) / minutes;
}
