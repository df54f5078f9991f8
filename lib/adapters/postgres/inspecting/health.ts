/**
 * Everything that is known to spoil a table cutover: the checks of the database, and what the preview and the start would refuse of
 * this very declaration. Reads only, and changes nothing. A right that is missing is a finding, never an error.
 */

import { isCrossfadeError } from '../../../core/base/errors.ts';
import { previewFindings, problemFindings } from '../../../core/table/health.ts';
import type { HealthFinding } from '../../../core/table/reading.ts';
import type { TableCutover } from '../../../ports/tables.ts';
import { forwardObjects } from '../capture/arming.ts';
import type { PgConnection } from '../connection/connection.ts';
import { previewTable } from '../swapping/preview-table.ts';
import { readMirror } from '../swapping/situation.ts';
import { healthFindings } from './inspection.ts';

const POOLER_LOOKS = 3;

/** Also before the first start, since the tables are named. */
export async function tableHealth(
  runtime: PgConnection,
  owner: PgConnection,
  cutover: TableCutover,
): Promise<HealthFinding[]> {
  const { id } = cutover;
  const seen = [...(await healthFindings(runtime, cutover)), await poolerFinding(owner)];
  const preview = await judged(() => previewTable(owner, cutover));
  const previewed =
    'made' in preview ? previewFindings(id, preview.made.items) : problemFindings(id, preview.problems, seen);
  const findings = [...seen, ...previewed];
  // Once it is armed a start is over, and the names may be those of a promotion.
  const mirror = await readMirror(owner, id);
  if (mirror && mirror.direction !== 'none') return findings;
  const start = await judged(() => forwardObjects(owner, cutover));
  return 'made' in start ? findings : [...findings, ...problemFindings(id, start.problems, findings)];
}

/** A pooler hands each transaction to another server process; one that happens to keep to one looks like none. */
async function poolerFinding(owner: PgConnection): Promise<HealthFinding> {
  const seen = new Set<unknown>();
  for (let look = 0; look < POOLER_LOOKS; look += 1) {
    const [row] = await owner.call<{ pid: number }>('SELECT pg_catalog.pg_backend_pid() AS pid');
    seen.add(row?.pid);
  }
  const pooled = seen.size > 1;
  return {
    check: 'pooler in front',
    status: pooled ? 'warn' : 'pass',
    value: pooled ? `${seen.size} server processes answered one connection` : 'unknown: none was seen',
    limit: 'none before the owner',
    remedy: pooled ? 'Give the owner the direct address of the server: CROSSFADE_OWNER_DATABASE_URL.' : '',
  };
}

/** @returns what was made, or why it was refused; an unreachable database stays an error */
async function judged<T>(make: () => Promise<T>): Promise<{ made: T } | { problems: readonly string[] }> {
  try {
    return { made: await make() };
  } catch (error) {
    if (!isCrossfadeError(error) || error.retryable) throw error;
    const { problems } = error.details;
    return { problems: Array.isArray(problems) ? (problems as string[]) : [error.message] };
  }
}
