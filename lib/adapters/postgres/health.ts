/**
 * Everything that is known to spoil a table cutover: the checks of the database, and what the plan and the start would refuse of
 * this very declaration. Reads only, and changes nothing. A right that is missing is a finding, never an error.
 */

import { isCrossfadeError } from '../../core/errors.ts';
import { planFindings, problemFindings } from '../../core/health.ts';
import type { HealthFinding } from '../../core/table-health.ts';
import type { TableCutover } from '../../ports.ts';
import { forwardObjects } from './arming.ts';
import type { PgGateway } from './gateway.ts';
import { healthFindings } from './inspection.ts';
import { planTable } from './plan-table.ts';
import { readMirror } from './situation.ts';

/** Also before the first start, since the tables are named. */
export async function tableHealth(
  runtime: PgGateway,
  owner: PgGateway,
  cutover: TableCutover,
): Promise<HealthFinding[]> {
  const { id } = cutover;
  const seen = await healthFindings(runtime, cutover);
  const plan = await judged(() => planTable(owner, cutover));
  const planned = 'made' in plan ? planFindings(id, plan.made.items) : problemFindings(id, plan.problems, seen);
  const findings = [...seen, ...planned];
  // Once it is armed a start is over, and the names may be those of a promotion.
  const mirror = await readMirror(owner, id);
  if (mirror && mirror.direction !== 'none') return findings;
  const start = await judged(() => forwardObjects(owner, cutover));
  return 'made' in start ? findings : [...findings, ...problemFindings(id, start.problems, findings)];
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
