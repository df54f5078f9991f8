/** Status of cutovers for people and programs: what is, why it is held, what comes next. Reads only. */

import { inBatches } from '../../core/base/in-batches.ts';
import { withOldFields } from '../../core/base/old-names.ts';
import { MINUTE_MS } from '../../core/base/units.ts';
import type { Condition } from '../../core/conditions/condition.ts';
import { commandsOf, commandText } from '../../core/conditions/release.ts';
import { conditionText, type ShownVerdict, showVerdict } from '../../core/conditions/show.ts';
import type {
  CutoverDeclaration,
  CutoverState,
  Policy,
  PolicyOverrides,
  Switches,
} from '../../core/cutover/cutover.ts';
import type { Plan } from '../../core/cutover/plan.ts';
import { nextStage } from '../../core/cutover/plan.ts';
import { isUnderWay } from '../../core/cutover/stage-kinds.ts';
import type { ForwardsSummary } from '../../core/forwards/forward.ts';
import type { Look } from '../../core/gates/evidence.ts';
import { type Limits, limitsOf } from '../../core/gates/limits.ts';
import type { MinuteWindow } from '../../core/gates/minute-window.ts';
import { waitingText } from '../../core/gates/pending.ts';
import type { FlagsSeen } from '../../core/gates/stored-verdict.ts';
import type { TableStatus } from '../../core/gates/table-status.ts';
import { phasesOf } from '../../core/holds/phase-order.ts';
import { type Blind, blindOf } from '../../core/look/blind.ts';
import { cleanupReasons, type Health, healthOf, shapeReasons } from '../../core/look/health.ts';
import { type Next, nextOf } from '../../core/look/next.ts';
import type { Judgement } from '../../core/look/snapshot.ts';
import { type PhaseView, viewPhases } from '../../core/phases/view.ts';
import { recommendationOf, validationScoreOf } from '../../core/report/recommendation.ts';
import { type StageSight, stageSights } from '../../core/report/stage-sights.ts';
import { sharePpmOf } from '../../core/routing/flags.ts';
import { droppedText, isStopped, pendingWord, STOPPED_TEXT } from '../../core/stage/intents.ts';
import { withConcurrencyLimit } from '../calls/concurrency-limit.ts';
import { type CollectPorts, collectAround, type SharedReads } from '../control/collect.ts';
import { look } from '../control/look.ts';
import { reportUndeclared, type UndeclaredReport } from '../control/undeclared.ts';

export type { Health };

export type CutoverReport = {
  id: string;
  kind: CutoverDeclaration['kind'];
  stage: string;
  stageKind: CutoverState['stageKind'];
  sharePpm: number;
  version: number;
  epoch: number;
  plan: Plan;
  /** The policy in force in this stage, and what of it was changed at run time. */
  policy: Policy;
  overrides: PolicyOverrides;
  health: Health;
  paused: boolean;
  switches: Switches;
  pending: string | null;
  /** What was asked for and given up, why, and what to do; null after the next command. */
  dropped: string | null;
  rollback: CutoverState['rollback'];
  minutesInStage: number;
  /** What comes next, who moves it on, and when. */
  next: Next;
  /** Null while figures and ticks arrive. */
  blind: Blind | null;
  verdict: ShownVerdict;
  table: TableStatus | null;
  /** Writes that the other side has still to get; null for tables, before the start, and when they cannot be counted. */
  forwards: ForwardsSummary | null;
  /** Closed and open minutes of the last hour, oldest first. */
  windows: readonly MinuteWindow[];
  /** What the database said in the last half hour, oldest first; none where many cutovers are reported. */
  looks: readonly Look[];
  /** Where a rollback begins. */
  limits: Limits;
  flagsDeployed: boolean;
  /** Which flags carried its last states, and since when; none where many cutovers are reported. */
  flagsSeen: readonly FlagsSeen[];
  /** What a person can do. */
  steps: readonly NextStep[];
  /** The same as sentences. Deprecated: they go with the next release. */
  nextSteps: readonly string[];
  /** What to do now, in one sentence. */
  recommendation: string;
  /** What the stage that serves, and the one that comes next, can see; none where many cutovers are reported. */
  sights: readonly StageSight[];
  /** Rows that agreed when they were last compared, 0–1; null when nothing was compared. */
  validationScore: number | null;
};

type NextStep = {
  /** What to do, or what the commands do. */
  text: string;
  /** Exact commands, as they are typed. */
  commands: readonly string[];
  /** What is left of the text where the reasons and the rollback are shown beside it; null where nothing is said twice. */
  brief: string | null;
};

export type SystemReport = UndeclaredReport & {
  atMs: number;
  emergencyStop: boolean;
  flags: { reachable: boolean; version: number | null };
  cutovers: readonly (CutoverReport | { id: string; health: 'invalid'; why: string })[];
  /** In their order; none when one cutover was asked for. */
  phases: readonly PhaseView[];
};

/** What pages and reports show. A tick needs less: the evidence only asks for what came since it was stored. */
const PAGE_MINUTES = 60;

const IN_BATCH = 25;
const BATCHES_AT_ONCE = 2;

export async function report(
  ports: CollectPorts,
  declarations: readonly CutoverDeclaration[],
  { only, ...shared }: { only?: string } & SharedReads = {},
): Promise<SystemReport> {
  const wanted = declarations.filter(({ id }) => only === undefined || id === only);
  const around = await collectAround(ports, wanted, shared);
  const { nowMs, system, deployed } = around;
  const judgements = new Map<string, Judgement>();
  const reportOn = async (declaration: CutoverDeclaration): Promise<SystemReport['cutovers'][number]> => {
    const stored = around.states.get(declaration.id);
    if (stored && 'invalid' in stored) return { id: declaration.id, health: 'invalid', why: stored.invalid };
    const judgement = await look(ports, around, declaration, { atLeastMinutes: PAGE_MINUTES });
    judgements.set(declaration.id, judgement);
    return cutoverReport(judgement, only !== undefined);
  };
  // Looked at together, they share requests. One whose figures cannot be read fails the report, as it did alone.
  const batches = inBatches(wanted, IN_BATCH);
  const looks = await withConcurrencyLimit(batches, BATCHES_AT_ONCE, (batch) =>
    Promise.allSettled(batch.map(reportOn)),
  );
  const cutovers = looks.flat().map((look) => {
    if (look.status === 'rejected') throw look.reason;
    return look.value;
  });
  return {
    atMs: nowMs,
    emergencyStop: system.emergencyStop,
    flags: { reachable: deployed !== null, version: deployed?.latestVersion ?? null },
    cutovers,
    ...(only === undefined ? reportUndeclared(around.states.values(), declarations) : {}),
    phases: only === undefined ? viewPhases(phasesOf(declarations), system, judgements, nowMs) : [],
  };
}

function cutoverReport(judgement: Judgement, isAlone: boolean): CutoverReport {
  const { declaration, state, system, policy, verdict, table, forwards, windows, flagsDeployed, nowMs } = judgement;
  const blind = blindOf(judgement);
  const health = healthOf(judgement, blind);
  const steps = nextSteps(judgement, health);
  const hourAgo = Math.floor(nowMs / MINUTE_MS) - PAGE_MINUTES;
  return {
    id: declaration.id,
    kind: declaration.kind,
    stage: state.stage,
    stageKind: state.stageKind,
    sharePpm: sharePpmOf(state),
    version: state.version,
    epoch: state.epoch,
    plan: state.plan,
    policy,
    overrides: state.overrides,
    health,
    paused: state.paused,
    switches: state.switches,
    pending: pendingWord(state),
    dropped: droppedText(state),
    rollback: state.rollback,
    minutesInStage: state.enteredAtMs === 0 ? 0 : Math.max(0, (nowMs - state.enteredAtMs) / MINUTE_MS),
    next: nextOf(judgement),
    blind,
    verdict: showVerdict(verdict),
    table,
    ...withOldFields({ forwards }),
    windows: windows.filter((window) => window.minute >= hourAgo),
    looks: isAlone ? judgement.evidence.looks : [],
    limits: limitsOf(judgement.evidence.baseline, policy),
    flagsDeployed,
    flagsSeen: isAlone ? judgement.flagsSeen : [],
    steps,
    nextSteps: steps.map(stepText),
    recommendation: recommendationOf(state, verdict, system, health === 'healthy'),
    sights: isAlone ? stageSights(judgement) : [],
    validationScore: validationScoreOf(state, table, verdict),
  };
}

function nextSteps(judgement: Judgement, health: Health): NextStep[] {
  const dropped = droppedText(judgement.state);
  return [...(dropped ? [say(dropped)] : []), ...stepsOf(judgement, health)];
}

const say = (text: string, brief: string | null = null): NextStep => ({ text, commands: [], brief });
const run = (words: readonly string[], text = ''): NextStep => ({ text, commands: [commandText(words)], brief: null });
/** What releases a reason. The reason is shown in full elsewhere. */
const released = (reason: Condition): NextStep => ({
  text: conditionText(reason),
  commands: commandsOf(reason.release),
  brief: '',
});

/** A command with what it does, or a sentence, in which its commands are named. */
const stepText = ({ text, commands, brief }: NextStep): string =>
  brief === null ? [...commands, text].filter((part) => part !== '').join(' ') : text;

/** Which of them a trigger computes until then the preview says: it asks the database. */
function computedUntilCleanup(declaration: CutoverDeclaration): string[] {
  if (declaration.kind !== 'table') return [];
  return Object.entries(declaration.table.columns ?? {})
    .filter(([, source]) => 'sql' in source && source.after === undefined)
    .map(([name]) => name);
}

function stepsOf({ id, declaration, state, system, verdict }: Judgement, health: Health): NextStep[] {
  const pending = pendingWord(state);
  if (isStopped(system, { stageKind: state.stageKind, pending })) return [say(STOPPED_TEXT, '')];
  if (pending) return [say(waitingText(verdict) ?? `${pending} is being carried out; nothing to do`)];
  if (verdict.verdict === 'rollback' && isUnderWay(state))
    return [...verdict.reasons.map(released), run(['crossfade', 'rollback', id, '--reason', '…'], 'goes back at once')];
  switch (state.stageKind) {
    case 'disabled':
      return [run(['crossfade', 'preview', id]), ...(system.emergencyStop ? [] : [run(['crossfade', 'start', id])])];
    case 'full':
      return health === 'ready' ? [run(['crossfade', 'complete', id, '--confirm', id])] : verdict.reasons.map(released);
    case 'completed': {
      const changed = shapeReasons(verdict).map((one) => say(`the way back is closed: ${conditionText(one)}`));
      const broken = cleanupReasons(verdict).map((one) =>
        say(`the old side is not dropped yet: ${conditionText(one)}`),
      );
      const computed = computedUntilCleanup(declaration);
      return [
        ...(changed.length > 0
          ? changed
          : [run(['crossfade', 'rollback', id, '--reason', '…'], 'goes back without losing a row')]),
        ...(broken.length > 0
          ? broken
          : [run(['crossfade', 'cleanup', id, '--confirm', id], 'drops the old table; after it there is no way back')]),
        ...(computed.length > 0
          ? [
              say(
                `before cleanup, let the application write ${computed.join(', ')}: 'crossfade preview ${id}' says which a trigger computes until then`,
              ),
            ]
          : []),
      ];
    }
    case 'rolled_back':
      return [
        say(`remove the cause: ${state.rollback?.reason ?? 'unknown'}`, 'remove the cause'),
        run(['crossfade', 'reset', id, '--confirm', id]),
      ];
    case 'cleaned':
      return [say('nothing: the cutover is finished')];
    default:
      return verdict.reasons.length > 0
        ? verdict.reasons.map(released)
        : [say(`the next tick advances to ${nextStage(state)?.name ?? 'the next stage'}`)];
  }
}
