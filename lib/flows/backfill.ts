/** Copies existing rows in bounded chunks, for as long as the caller has time. The cursor lives in Postgres. */

import type { CutoverDeclaration } from '../core/cutover.ts';
import { writesShadow } from '../core/shadow-writes.ts';
import type { Ports } from '../ports.ts';

export type BackfillRun = { cutover: string; rows: number; state: 'done' | 'running' | 'throttled' | 'stale' | 'idle' };

/** A chunk should take 20–50 ms: long enough to be worth a round trip, short enough to be invisible. */
const FAST_MS = 20;
const SLOW_MS = 50;
const FIRST_ROWS = 1_000;
const MIN_ROWS = 500;
const MAX_ROWS = 50_000;
/** The copy waits while the changes it causes are not applied. */
const LAG_LIMIT_MS = 10_000;

type Needs = Pick<Ports, 'clock' | 'state' | 'tables' | 'log'>;

export async function backfillAll(
  ports: Needs,
  declarations: readonly CutoverDeclaration[],
  deadlineMs: number,
): Promise<BackfillRun[]> {
  const runs: BackfillRun[] = [];
  for (const declaration of declarations) {
    if (declaration.kind !== 'table') continue;
    try {
      runs.push(await backfill(ports, declaration.id, deadlineMs));
    } catch (error) {
      ports.log.failure('backfill_failed', error, { cutover: declaration.id });
    }
  }
  return runs;
}

async function backfill(ports: Needs, cutover: string, deadlineMs: number): Promise<BackfillRun> {
  const [state, system] = await Promise.all([ports.state.readCutover(cutover), ports.state.readSystem()]);
  const wanted = state && state.stageKind !== 'completed' && writesShadow(state, system);
  const status = wanted ? await ports.tables.status(cutover) : null;
  if (!state || status?.armed !== 'forward' || status.backfill.state === 'done')
    return { cutover, rows: 0, state: 'idle' };
  if (status.lagMs > LAG_LIMIT_MS) return { cutover, rows: 0, state: 'throttled' };

  let rows = 0;
  let chunk = FIRST_ROWS;
  while (ports.clock.monotonicMs() < deadlineMs) {
    const step = await ports.tables.backfill(cutover, state.epoch, chunk);
    if (step.kind === 'done') return { cutover, rows, state: 'done' };
    if (step.kind === 'stale') return { cutover, rows, state: 'stale' };
    if (step.kind === 'busy') return { cutover, rows, state: 'running' };
    rows += step.rows;
    if (step.tookMs < FAST_MS) chunk = Math.min(MAX_ROWS, chunk * 2);
    if (step.tookMs > SLOW_MS) chunk = Math.max(MIN_ROWS, Math.floor(chunk / 2));
  }
  return { cutover, rows, state: 'running' };
}
