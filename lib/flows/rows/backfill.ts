/** Copies existing rows in bounded chunks, for as long as the caller has time. The cursor lives in Postgres. */

import type { CutoverDeclaration, CutoverState } from '../../core/cutover/cutover.ts';
import { isUnderWay, syncsShadow } from '../../core/cutover/stage-kinds.ts';
import { writesShadow } from '../../core/cutover/switches.ts';
import type { BackfillLimits } from '../../core/cutover/table-declaration.ts';
import type { TableStatus } from '../../core/gates/table-status.ts';
import { FIRST_ROWS, nextChunk } from '../../core/table/chunks.ts';
import type { Pressure } from '../../ports/copying.ts';
import type { Ports } from '../../ports/ports.ts';
import type { TableCutoverDeclaration } from './table-of.ts';
import { tableCutover } from './table-of.ts';

export type BackfillRun = {
  cutover: string;
  rows: number;
  state: 'done' | 'running' | 'throttled' | 'paused' | 'cancelled' | 'stale' | 'idle';
  /** What it waited for at the end. */
  why?: string;
  /** Tables of other cutovers, to which its rows refer and which it waits for. */
  waitsFor?: readonly string[];
};

/** Why the copy must wait now. */
type Wait = { why: string; waitsFor: readonly string[] };

/** The copy waits while the changes it causes are not applied. */
const OUTBOX_AGE_MS = 10_000;
/** Between two looks at the pressure, and as long is a pause under it. */
const LOOK_EVERY_MS = 1_000;

type Needs = Pick<Ports, 'clock' | 'state' | 'copying' | 'inspecting' | 'log'>;

/** Tables that others refer to come first; one that has to wait for them is tried again in the next run. */
export async function backfillAll(
  ports: Needs,
  declarations: readonly CutoverDeclaration[],
  deadlineMs: number,
): Promise<BackfillRun[]> {
  const runs: BackfillRun[] = [];
  const waiting: TableCutoverDeclaration[] = [];
  const waitsFor = new Map<string, readonly string[]>();
  const isWanted = await whichAreWanted(ports);
  for (const declaration of declarations) {
    if (declaration.kind !== 'table') continue;
    if (isWanted(declaration)) waiting.push(declaration);
    else runs.push({ cutover: declaration.id, rows: 0, state: 'idle' });
  }
  for (let progress = true; progress && waiting.length > 0; ) {
    progress = false;
    for (const declaration of [...waiting]) {
      const run = await backfillSafely(ports, declaration, deadlineMs);
      if (run?.waitsFor) {
        waitsFor.set(declaration.id, run.waitsFor);
        continue;
      }
      waiting.splice(waiting.indexOf(declaration), 1);
      progress ||= run?.state === 'done';
      if (run) runs.push(run);
    }
  }
  for (const { id } of waiting)
    runs.push({
      cutover: id,
      rows: 0,
      state: 'throttled',
      why: 'waits for what it refers to',
      waitsFor: waitsFor.get(id) ?? [],
    });
  return runs;
}

/** Most tables have nothing to copy, and one look at all of them says which. Without that look each is looked at by itself. */
async function whichAreWanted(ports: Needs): Promise<(declaration: TableCutoverDeclaration) => boolean> {
  try {
    const unfinished = new Set(await ports.copying.unfinished());
    return ({ id }) => unfinished.has(id);
  } catch (error) {
    ports.log.failure('backfill_not_looked_for', error);
    return () => true;
  }
}

/** After promotion the old side is filled again when changes may have been missed. */
function isToCopy(state: CutoverState, status: TableStatus | null): boolean {
  const direction = isUnderWay(state) ? 'forward' : 'reverse';
  return syncsShadow(state) && status?.armed === direction && status.backfill.state !== 'done';
}

async function backfillSafely(
  ports: Needs,
  declaration: TableCutoverDeclaration,
  deadlineMs: number,
): Promise<BackfillRun | null> {
  try {
    return await backfill(ports, declaration, deadlineMs);
  } catch (error) {
    ports.log.failure('backfill_failed', error, { cutover: declaration.id });
    return null;
  }
}

async function backfill(ports: Needs, declaration: TableCutoverDeclaration, deadlineMs: number): Promise<BackfillRun> {
  const cutover = declaration.id;
  const state = await ports.state.readCutover(cutover);
  const wanted = state && syncsShadow(state) && (await mayWrite(ports, cutover));
  const status = wanted ? await ports.inspecting.status(cutover) : null;
  if (!state || !isToCopy(state, status)) return { cutover, rows: 0, state: 'idle' };

  const throttle = watchPressure(ports, declaration);
  let rows = 0;
  let chunk = FIRST_ROWS;
  let wait: Wait | null = null;
  for (let first = true; first || ports.clock.monotonicMs() < deadlineMs; first = false) {
    wait = await throttle();
    // They are not copied while this one waits.
    if (wait && wait.waitsFor.length > 0) break;
    if (wait) {
      if (ports.clock.monotonicMs() + LOOK_EVERY_MS >= deadlineMs) break;
      await ports.clock.sleep(LOOK_EVERY_MS);
      continue;
    }
    const step = await ports.copying.backfill(cutover, state.epoch, chunk);
    if (step.kind === 'busy') break;
    if (step.kind === 'done') return { cutover, rows, state: await buildIndexes(ports, cutover, deadlineMs) };
    if (step.kind !== 'copied') return { cutover, rows, state: step.kind };
    rows += step.rows;
    chunk = nextChunk(chunk, step.tookMs);
  }
  if (!wait) return { cutover, rows, state: 'running' };
  const { why, waitsFor } = wait;
  ports.log.event('backfill_throttled', { cutover, why });
  return { cutover, rows, state: 'throttled', why, ...(waitsFor.length > 0 ? { waitsFor } : {}) };
}

/** The copy ends with the indexes that were taken off for it; one that takes longer than this call is found by the next. */
async function buildIndexes(ports: Needs, id: string, deadlineMs: number): Promise<'done' | 'running'> {
  for (;;) {
    const step = await ports.copying.buildIndex(id, deadlineMs - ports.clock.monotonicMs());
    if (step.kind === 'building') return 'running';
    if (step.left === 0) return 'done';
    if (ports.clock.monotonicMs() >= deadlineMs) return 'running';
  }
}

/** False while writes to the shadow are switched off, of this cutover or of all. */
async function mayWrite({ state }: Needs, cutover: string): Promise<boolean> {
  const [own, system] = await Promise.all([state.readCutover(cutover), state.readSystem()]);
  return own !== null && writesShadow(own, system);
}

/** Why the copy has to wait now, or null; looks at most once a second. */
function watchPressure(ports: Needs, declaration: TableCutoverDeclaration) {
  let lookedAtMs = Number.NEGATIVE_INFINITY;
  let last: Pressure | null = null;
  let wait: Wait | null = null;
  return async (): Promise<Wait | null> => {
    const nowMs = ports.clock.monotonicMs();
    if (nowMs - lookedAtMs < LOOK_EVERY_MS) return wait;
    const { id, table } = declaration;
    const lagMs = (await ports.inspecting.status(id))?.lagMs ?? 0;
    const seen = await ports.copying.pressure(tableCutover(declaration));
    const walRate = last ? ((seen.walBytes - last.walBytes) / (nowMs - lookedAtMs)) * 1_000 : 0;
    const off = (await mayWrite(ports, id)) ? null : 'writes to the shadow are switched off';
    const why = off ?? tooMuch(table.backfill ?? {}, seen, lagMs, walRate);
    wait = why === null ? null : { why, waitsFor: off === null ? seen.waitsFor : [] };
    last = seen;
    lookedAtMs = nowMs;
    return wait;
  };
}

/** The first limit that is passed, in words. */
export function tooMuch(limits: BackfillLimits, seen: Pressure, lagMs: number, walRate: number): string | null {
  const { outboxAgeMs = OUTBOX_AGE_MS, replicaLagMs, walBytesPerSecond, activeConnections } = limits;
  if (seen.waitsFor.length > 0) return `waits for ${seen.waitsFor.join(', ')}, to which its rows refer`;
  if (lagMs > outboxAgeMs) return `the oldest change waits for ${Math.round(lagMs)} ms, more than ${outboxAgeMs}`;
  if (replicaLagMs !== undefined && (seen.replicaLagMs ?? 0) > replicaLagMs)
    return `a replica is ${seen.replicaLagMs} ms behind, more than ${replicaLagMs}`;
  if (walBytesPerSecond !== undefined && walRate > walBytesPerSecond)
    return `the server writes ${Math.round(walRate)} bytes of WAL a second, more than ${walBytesPerSecond}`;
  if (activeConnections !== undefined && seen.activeConnections > activeConnections)
    return `${seen.activeConnections} sessions are active, more than ${activeConnections}`;
  return seen.goOn ? null : 'the declared condition is not true';
}
