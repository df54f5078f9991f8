/**
 * What comes next of a cutover, who moves it on, and when: from the conditions that hold it and how fast they come nearer. Status,
 * page and report show it. Pure.
 */

import { MINUTE_MS } from '../base/units.ts';
import { briefText, lowerLabel } from '../conditions/brief.ts';
import type { Condition } from '../conditions/condition.ts';
import { share } from '../conditions/figures.ts';
import { inText, type Release } from '../conditions/release.ts';
import { nextStage, type Stage, servedPpm } from '../cutover/plan.ts';
import { isStopped, pendingWord } from '../stage/intents.ts';
import { pendingText } from './health.ts';
import type { Judgement } from './snapshot.ts';

export type Next = {
  /** The stage that comes next, and its share of the reads in parts per million; null where none does. */
  stage: string | null;
  sharePpm: number | null;
  /** Who moves it on; null where nothing does. */
  by: 'tick' | 'person' | null;
  /** At the present rate; null where that is not known. */
  aboutMinutes: number | null;
  /** @example 'test_10 (10 %) in about 20 min' */
  text: string;
  /** What is still missing, what takes longest first. @example ['19 of 40 operations'] */
  needs: readonly string[];
};

type Judged = Pick<Judgement, 'state' | 'system' | 'policy' | 'verdict' | 'nowMs'>;

/** Where nothing of the stage machine goes on by itself. */
const RESTS = {
  disabled: ['person', 'a person starts it'],
  completed: ['person', 'a person cleans up'],
  cleaned: [null, 'nothing: it is finished'],
  rolled_back: ['person', 'a person removes the cause and resets it'],
} as const;

export function nextOf(judged: Judged): Next {
  const { state, system, policy, verdict } = judged;
  const pending = pendingWord(state);
  const rest = { stage: null, sharePpm: null, aboutMinutes: null, needs: [] };
  if (isStopped(system, { stageKind: state.stageKind, pending }))
    return { ...rest, by: 'tick', text: 'rolled back by the emergency stop' };
  if (pending) return { ...rest, by: 'tick', text: `the ${pendingText(pending)} is being carried out` };
  if (state.stageKind in RESTS) {
    const [by, text] = RESTS[state.stageKind as keyof typeof RESTS];
    return { ...rest, by, text };
  }
  if (verdict.verdict === 'rollback')
    return policy.autoRollback
      ? { ...rest, by: 'tick', text: 'rolled back by the next tick' }
      : { ...rest, by: 'person', text: 'a person rolls it back: rolling back is manual' };
  return ahead(judged, nextStage(state));
}

function ahead({ state, policy, verdict, nowMs }: Judged, stage: Stage | undefined): Next {
  if (!stage) return { stage: null, sharePpm: null, by: null, aboutMinutes: null, text: 'nothing', needs: [] };
  const completes = stage.kind === 'completed';
  const sharePpm = completes ? null : servedPpm(stage, state.plan);
  const name = sharePpm === null ? stage.name : `${stage.name} (${share(sharePpm)})`;
  const by = completes || !policy.autoAdvance ? 'person' : 'tick';
  if (verdict.verdict === 'advance') {
    const text =
      by === 'tick'
        ? `${name} with the next tick`
        : `${name}, when a person ${completes ? 'completes' : 'advances'} it`;
    return { stage: stage.name, sharePpm, by, aboutMinutes: 0, text, needs: [] };
  }
  const waits = verdict.reasons.map((reason) => ({ reason, ...waitOf(reason, nowMs) }));
  const slowestFirst = waits.toSorted((a, b) => b.minutes - a.minutes);
  const known = waits.filter(({ minutes }) => Number.isFinite(minutes));
  const minutes = Math.max(0, ...known.map((wait) => wait.minutes));
  const unknown = waits.filter((wait) => !Number.isFinite(wait.minutes));
  const aboutMinutes = unknown.length === 0 ? Math.ceil(minutes * 10) / 10 : null;
  return {
    stage: stage.name,
    sharePpm,
    by: unknown.some(({ person }) => person) ? 'person' : by,
    aboutMinutes,
    text:
      aboutMinutes === null
        ? `${name}${untilText(unknown, minutes)}`
        : `${name} ${inText(minutes)}${completes ? ', by a person' : ''}`,
    needs: slowestFirst.map(({ reason }) => briefText(reason)),
  };
}

type Wait = {
  /** `Infinity` where it is not known. */
  minutes: number;
  /** A person must act, in this tool or elsewhere. */
  person: boolean;
  /** It does not come nearer at present. */
  stuck: boolean;
};

/** The first of its releases that comes by itself. */
function waitOf({ release }: Condition, nowMs: number): Wait {
  const times = release.map((one) => minutesOf(one, nowMs));
  const minutes = Math.min(Number.POSITIVE_INFINITY, ...times.filter((time) => typeof time === 'number'));
  return { minutes, person: release.every((one) => !('wait' in one)), stuck: times.includes(null) };
}

/** Undefined where nothing is known, null where it does not come nearer. */
function minutesOf(release: Release, nowMs: number): number | null | undefined {
  if (!('wait' in release)) return undefined;
  if (release.etaMs !== undefined) return release.etaMs / MINUTE_MS;
  if (release.wait === 'give_up') return undefined;
  if (release.untilMs !== undefined) return Math.max(0, release.untilMs - nowMs) / MINUTE_MS;
  return release.aboutMinutes;
}

/** Of what a person must do, else of what does not come nearer, else of all that is not known. */
function untilText(unknown: readonly (Wait & { reason: Condition })[], minutes: number): string {
  const persons = unknown.filter(({ person }) => person);
  const stuck = unknown.filter((wait) => wait.stuck);
  if (persons.length > 0) return `, waits for a person: ${named(persons)}`;
  if (stuck.length > 0) return `, comes no nearer at present: ${named(stuck)}`;
  return minutes > 0
    ? ` ${inText(minutes)} at the earliest: waits for ${named(unknown)}`
    : `, waits for ${named(unknown)}`;
}

function named(waits: readonly { reason: Condition }[]): string {
  const labels = [...new Set(waits.map(({ reason }) => lowerLabel(reason)))];
  return labels.length > 2 ? `${labels.slice(0, 2).join(', ')} and ${labels.length - 2} more` : labels.join(', ');
}
