/**
 * Evaluates an invariant of the user's own, in a transaction that can write nothing, with a limit of time. As the owner role: the
 * runtime role may read neither the application's tables nor the outbox, and needs no right for it.
 */

import type { CrossfadeError } from '../../../core/base/errors.ts';
import type { InvariantReading } from '../../../core/cutover/criterion.ts';
import { type InvariantQueries, invariantStatement, MOST_ROWS } from '../../../core/table/sql/invariant.ts';
import type { TableCutover } from '../../../ports/tables.ts';
import { isNotFound, NAMED_IN_FULL, queryObjection } from '../capture/resolve.ts';
import { callJson } from '../connection/calls.ts';
import { type PgConnection, sqlstateOf } from '../connection/connection.ts';
import { flowOf, readMirror } from './armed-flow.ts';

/** Of one evaluation. The server's own limit is a second shorter. */
const DEADLINE_MS = 5_000;
const CANCELED = '57014';
/** The query itself is wrong, or may not be asked: syntax, names, rights, values. */
const REFUSED = /^(2[0-9A-Z]|42|0A|P0)/;

type Answer = { truncated: boolean; epoch: number; rows: number } & (
  | { found: readonly Row[] }
  | { differing: number; primary: readonly Row[]; shadow: readonly Row[] }
);
type Row = readonly (string | null)[];

export async function evaluateInvariant(
  owner: PgConnection,
  cutover: TableCutover,
  epoch: number,
  queries: InvariantQueries,
): Promise<InvariantReading> {
  const mirror = await readMirror(owner, cutover.id);
  if (!mirror || mirror.direction === 'none') return unready('capture is not armed');
  if (mirror.epoch !== epoch) return unready('the database has not seen the present state of the cutover yet');
  if (!mirror.copied) return unready('the copy of existing rows is not done');
  const flow = await flowOf(owner, cutover, mirror);
  if (!flow) return unready('the tables are not as they were armed');
  const statement = invariantStatement(flow, queries, mirror.direction === 'reverse');
  const against = await queryObjection(owner, statement, [flow.source.oid, flow.target.oid]);
  if (against !== null) return { kind: 'refused', why: against };
  try {
    const options = { readOnly: true, deadlineMs: DEADLINE_MS, attempts: 1, settings: { lock_timeout: '1000' } };
    return reading(await callJson<Answer>(owner, statement, [], options), epoch);
  } catch (error) {
    const sqlstate = sqlstateOf(error);
    if (sqlstate === CANCELED) return { kind: 'too_slow', limitMs: DEADLINE_MS - 1_000 };
    if (!sqlstate || !REFUSED.test(sqlstate)) throw error;
    // Of the user's own statement, and not of one of ours: what the server says is all there is to say.
    const why = `Postgres says: ${(error as CrossfadeError).details.said} [${sqlstate}]`;
    return { kind: 'refused', why: isNotFound(sqlstate) ? `${why}. ${NAMED_IN_FULL}` : why };
  }
}

function reading(answer: Answer, epoch: number): InvariantReading {
  if (answer.epoch !== epoch) return unready('the cutover has moved on meanwhile');
  if (answer.truncated) return unready('the primary was truncated, and the shadow has not followed yet');
  if (answer.rows > MOST_ROWS) return { kind: 'too_many', limit: MOST_ROWS };
  if ('found' in answer) return { kind: 'found', rows: answer.rows, samples: answer.found };
  const { rows, differing, primary, shadow } = answer;
  return { kind: 'compared', rows, differing, primary, shadow };
}

const unready = (why: string): InvariantReading => ({ kind: 'unready', why });
