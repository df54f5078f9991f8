/** The life of a cutover, step by step, over the API as a person would: until a step fails, or the old table is gone. */

import type { CutoverReport } from '../../../lib/flows/report/report.ts';
import type { LocalApi } from '../api.ts';
import type { Load } from './load.ts';
import type { Observer } from './observer.ts';
import type { Progress } from './progress.ts';
import type { Finding, StepName } from './rehearsal.ts';
import { StepFailed } from './steps.ts';

export type Life = {
  id: string;
  api: LocalApi;
  load: Load;
  observer: Observer;
  progress: Progress;
  show(report: CutoverReport, extra: readonly string[]): void;
  /** Real time: no step waits longer. */
  deadlineMs: number;
};

const LOOK_EVERY_MS = 500;
const NOT_NOW_MS = 20_000;
/** The state is on its way: the same command is right a moment later. */
const NOT_NOW = /: (held|conflict|stale_version): /;

/** What each step does. @throws StepFailed and whatever the API says */
export type LifeStep = (life: Life, name: StepName) => Promise<void>;

/** Everything but a failure of the load, which stops no cutover: it is a finding of the step in which it came. */
export async function lifeStep(life: Life, name: keyof typeof LIFE): Promise<void> {
  const failedBefore = life.load.figures().failed;
  await LIFE[name](life, name);
  const failures = refusedOfLoad(life.load, failedBefore);
  if (failures.length > 0) throw new StepFailed(failures);
}

function refusedOfLoad(load: Load, before: number): Finding[] {
  const { failed, failures } = load.figures();
  if (failed === before) return [];
  return [
    {
      about: 'application',
      says: `${failed - before} statements of the application failed: ${failures.join('; ')}`,
      remedy: 'Look for what they name. A statement that fails here fails in production.',
    },
  ];
}

const ramp: LifeStep = async (life, name) => void (await follow(life, name, ({ health }) => health === 'ready'));

const complete: LifeStep = async (life, name) => {
  life.load.beforePromotion();
  await whileReady(life, name, () => insist(life, 'complete', { confirm: life.id }));
  const { stageKind, dropped } = await follow(life, name, ({ pending }) => pending === null);
  if (stageKind !== 'completed')
    throw new StepFailed([{ about: 'promotion', says: dropped ?? 'The promotion was given up.', remedy: '' }]);
  await readLocks(life);
  const { divergences } = await life.api.verify(life.id);
  if (divergences > 0)
    throw new StepFailed([{ about: 'rows', says: `${divergences} rows differ after promotion`, remedy: '' }]);
};

export const LIFE = {
  start: (life) => insist(life, 'start', {}),
  async copy(life, name) {
    const startedMs = Date.now();
    const copied = await follow(life, name, ({ table }) => table?.backfill.state === 'done' && !table.indexesAside);
    life.observer.copied(Date.now() - startedMs, copied.table?.backfill.rowsDone ?? 0);
  },
  /** Half of the reads of the new table throw. The guards take it back by themselves, and the application notices nothing. */
  async fault(life, name) {
    life.load.failShadowReads(50);
    await follow(life, name, ({ stageKind, pending }) => stageKind === 'rolled_back' && pending === null, true);
    life.load.failShadowReads(0);
    await startAgain(life);
  },
  ramp,
  complete,
  async rollback(life, name) {
    await insist(life, 'rollback', { reason: 'the rehearsal takes the way back' });
    await follow(life, name, ({ stageKind, pending }) => stageKind === 'rolled_back' && pending === null, true);
    await readLocks(life);
  },
  async 'ramp again'(life, name) {
    await startAgain(life);
    await ramp(life, name);
  },
  'complete again': complete,
  async cleanup(life, name) {
    life.load.stopReads();
    await insist(life, 'cleanup', { confirm: life.id });
    await follow(life, name, ({ stageKind }) => stageKind === 'cleaned');
  },
} as const satisfies Partial<Record<StepName, LifeStep>>;

async function startAgain(life: Life): Promise<void> {
  await insist(life, 'reset', { confirm: life.id });
  await insist(life, 'start', {});
}

/** A command, repeated for a while when the state is on its way to where it is possible. */
async function insist({ id, api, deadlineMs }: Life, name: string, body: object): Promise<void> {
  const untilMs = Math.min(deadlineMs, Date.now() + NOT_NOW_MS);
  for (;;) {
    try {
      await api.command(id, name, body);
      return;
    } catch (error) {
      if (!NOT_NOW.test((error as Error).message) || Date.now() > untilMs) throw error;
      await new Promise((resolve) => setTimeout(resolve, LOOK_EVERY_MS));
    }
  }
}

/** A bad minute between two looks takes the evidence back, as on a busy machine: it is waited for again, as before the command. */
async function whileReady(life: Life, name: StepName, command: () => Promise<void>): Promise<void> {
  for (;;) {
    try {
      return await command();
    } catch (error) {
      const { health } = await life.api.report(life.id);
      if (health === 'ready' || !NOT_NOW.test((error as Error).message)) throw error;
    }
    await ramp(life, name);
  }
}

/** Looks until it holds. @throws StepFailed with what is in the way */
async function follow(
  { id, api, load, observer, progress, show, deadlineMs }: Life,
  step: StepName,
  reached: (report: CutoverReport) => boolean | undefined,
  goesBack = false,
): Promise<CutoverReport> {
  for (;;) {
    const report = await api.report(id);
    const nowMs = Date.now();
    await observer.see(report, step, nowMs);
    show(report, [progress.line(nowMs), loadLine(load)]);
    const obstacles = obstaclesOf(report, goesBack);
    if (obstacles.length > 0) throw new StepFailed(obstacles);
    if (reached(report)) return report;
    if (nowMs > deadlineMs) throw new StepFailed(heldBy(report));
    await new Promise((resolve) => setTimeout(resolve, LOOK_EVERY_MS));
  }
}

function loadLine(load: Load): string {
  const { reads, shadowReads, writes, failed } = load.figures();
  const written = writes.updates + writes.inserts + writes.deletes;
  return `load ${reads} reads (${shadowReads} of the new table), ${written} writes, ${failed} failed`;
}

/** What no patience releases. */
function obstaclesOf({ table, stageKind, rollback }: CutoverReport, goesBack: boolean): Finding[] {
  const keys = (table?.quarantine ?? []).map(({ key, reason }) => ({
    about: `row ${key}`,
    says: reason,
    remedy: 'Correct the row, or what the new table demands of it, and rehearse again.',
  }));
  if (keys.length > 0) return keys;
  if (stageKind !== 'rolled_back' || goesBack) return [];
  return [
    {
      about: 'guard',
      says: rollback?.reason ?? 'It was rolled back.',
      remedy: 'Remove the cause, and rehearse again.',
    },
  ];
}

function heldBy({ verdict, stage }: CutoverReport): Finding[] {
  const held = verdict.conditions.filter(({ ok }) => !ok);
  if (held.length === 0) return [{ about: 'time', says: `It is still in stage ${stage}.`, remedy: MORE_TIME }];
  return held.map(({ label, says, text }) => ({
    about: label,
    says,
    remedy: `${text.slice(says.length).trim()} ${MORE_TIME}`.trim(),
  }));
}

const MORE_TIME = 'Where only time is missing, give it more with --minutes.';

async function readLocks({ id, api, observer }: Life): Promise<void> {
  const { entries } = await api.get<{ entries: readonly { event: { lockHeldMs?: number } }[] }>(
    `/v1/cutovers/${id}/history?limit=50`,
  );
  for (const { event } of entries) observer.lockHeld(event.lockHeldMs ?? 0);
}
