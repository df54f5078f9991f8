/** What others altered since it was armed, and what has to be compared again because of it. */

import type { ShapeStatus } from '../../../../lib/core/gates/table-status.ts';
import type { Table } from './memory.ts';

const comparedAgain = ({ backfill, verification }: Table) =>
  backfill.state === 'done' && verification !== null && verification.divergences === 0;

export function shapeOf(it: Table): ShapeStatus {
  const { differences, recorded, interrupted } = it;
  const compared = comparedAgain(it);
  return {
    differences,
    sinceMs: differences.length > 0 ? it.sinceMs : null,
    gap: interrupted ?? (compared ? null : it.gap),
    due: interrupted !== null || differences !== recorded || (it.gap !== null && compared),
  };
}

export function look(it: Table, nowMs: number): void {
  const undone = it.recorded.length > 0 && it.differences.length === 0;
  const gap = it.interrupted ?? (undone ? `${it.recorded[0]!.object} was another one for a while` : null);
  it.recorded = it.differences;
  it.sinceMs = it.differences.length > 0 ? (it.sinceMs ?? nowMs) : null;
  it.interrupted = null;
  if (comparedAgain(it)) it.gap = null;
  if (gap === null) return;
  it.gap = gap;
  it.verification = null;
  it.backfill = { ...it.backfill, state: 'running', copied: -Infinity, upTo: NaN, rowsDone: 0 };
}
