/**
 * Deploys a stored version and waits until it is complete.
 *
 * Two fences. The version must still be the newest one stored, looked up *after* the deployments, and the start is
 * locked on the newest deployment seen:
 *
 *   we    list ── newest version is ours ── start (lock n) → n + 1
 *   they         store, start n + 1 ───────────→ our lock fails, we list again, ours is not the newest: conflict
 *
 * So an older publication that was delayed never lands on a newer one. `urgent` stops what is in the way and then
 * deploys this version explicitly: a stop alone would bring back whatever was deployed before.
 */

import type { Clock } from '../../ports/machine.ts';
import { type Calls, type Deployment, isRunning } from './calls.ts';
import { sentenceOf } from './failures.ts';

export type Deployed =
  | { kind: 'published'; version: number }
  | { kind: 'conflict'; why: string }
  | { kind: 'unavailable'; why: string };

export type Deploying = {
  calls: Calls;
  clock: Pick<Clock, 'monotonicMs' | 'sleep'>;
  version: number;
  urgent: boolean;
  /** Monotonic. */
  untilMs: number;
};

const POLL_MS = 500;

type Step = Deployed | { kind: 'again'; why: string };

export async function deployVersion(work: Deploying): Promise<Deployed> {
  for (;;) {
    const step = await tryOnce(work);
    if (step.kind !== 'again') return step;
    if (work.clock.monotonicMs() + POLL_MS >= work.untilMs) return { kind: 'conflict', why: step.why };
    await work.clock.sleep(POLL_MS);
  }
}

async function tryOnce(work: Deploying): Promise<Step> {
  const { calls, version, urgent } = work;
  const listed = await calls.newestDeployments();
  if (!listed.ok) return { kind: 'unavailable', why: sentenceOf('list the deployments', listed.failure) };
  const newest = listed.value[0];
  if (newest?.ours && newest.state === 'COMPLETE' && newest.version === version) return { kind: 'published', version };
  if (newest && isRunning(newest)) {
    if (newest.ours && newest.version === version) return join(work, newest);
    if (!urgent) return { kind: 'conflict', why: inTheWay(newest) };
    return stopFirst(work, newest);
  }
  const overtaken = await isOvertaken(work);
  if (overtaken) return overtaken;
  const started = await calls.start(version, newest?.number ?? 0);
  if (started.ok) return settled(work, started.value, work.untilMs);
  const why = sentenceOf(`deploy version ${version}`, started.failure);
  if (started.failure.kind === 'conflict') return urgent ? { kind: 'again', why } : { kind: 'conflict', why };
  // Perhaps it was started and the answer is lost: the next look at the list tells.
  return started.failure.kind === 'unknown' ? { kind: 'again', why } : { kind: 'unavailable', why };
}

async function isOvertaken({ calls, version }: Deploying): Promise<Deployed | null> {
  const versions = await calls.versions();
  if (!versions.ok) return { kind: 'unavailable', why: sentenceOf('list the versions', versions.failure) };
  const newest = versions.value[0] ?? 0;
  if (newest === version) return null;
  return { kind: 'conflict', why: `Version ${newest} was stored by somebody else after version ${version}.` };
}

/** This version is being deployed by an earlier call. When it is urgent half of the time must do. */
async function join(work: Deploying, running: Deployment): Promise<Step> {
  const now = work.clock.monotonicMs();
  const half = now + (work.untilMs - now) / 2;
  const seen = await settled(work, running.number, work.urgent ? half : work.untilMs);
  return work.urgent && seen.kind === 'unavailable' ? stopFirst(work, running) : seen;
}

/** Stops what runs. Whether that worked is seen in the next list: it may have ended, or not be stoppable while it bakes. */
async function stopFirst({ calls }: Deploying, running: Deployment): Promise<Step> {
  const stopped = await calls.stop(running.number);
  return {
    kind: 'again',
    why: stopped.ok ? inTheWay(running) : sentenceOf(`stop deployment ${running.number}`, stopped.failure),
  };
}

const inTheWay = (running: Deployment) =>
  `Deployment ${running.number} of version ${running.version} is ${running.state}: one at a time.`;

/** Polls until the deployment is complete, was ended by somebody else, or time is up. */
async function settled({ calls, clock, version }: Deploying, number: number, untilMs: number): Promise<Deployed> {
  for (;;) {
    const state = await calls.deploymentState(number);
    if (state.ok && state.value === 'COMPLETE') return { kind: 'published', version };
    if (state.ok && ['ROLLED_BACK', 'REVERTED', 'ROLLING_BACK'].includes(state.value)) {
      return {
        kind: 'conflict',
        why: `Deployment ${number} is ${state.value}: it was stopped by somebody else, or an alarm rang.`,
      };
    }
    if (clock.monotonicMs() + POLL_MS >= untilMs) {
      const seen = state.ok ? `is still ${state.value}` : `could not be read: ${state.failure.seen}`;
      return {
        kind: 'unavailable',
        why: `Deployment ${number} ${seen} after all the time it had. The next tick looks again.`,
      };
    }
    await clock.sleep(POLL_MS);
  }
}
