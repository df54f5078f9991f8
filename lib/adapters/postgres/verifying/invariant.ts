/**
 * Evaluates an invariant of the user's own, in a transaction that can write nothing, with a limit of time. As the owner role: the
 * runtime role may read neither the application's tables nor the outbox, and needs no right for it.
 */

import type { CrossfadeError } from '../../../core/base/errors.ts';
import type { InvariantReading } from '../../../core/cutover/criterion.ts';
import { type InvariantQueries, invariantStatement, MOST_ROWS } from '../../../core/table/sql/invariant.ts';
import { compileTransform } from '../../../core/table/transform.ts';
import type { TableCutover } from '../../../ports/tables.ts';
import { readTablesByOid } from '../capture/catalog.ts';
import { isNotFound, NAMED_IN_FULL, queryObjection } from '../capture/resolve.ts';
import { callJson } from '../connection/calls.ts';
import { type PgConnection, sqlstateOf } from '../connection/connection.ts';

/** Of one evaluation. The server's own limit is a second shorter. */
const DEADLINE_MS = 5_000;
const CANCELED = '57014';
/** The query itself is wrong, or may not be asked: syntax, names, rights, values. */
const REFUSED = /^(2[0-9A-Z]|42|0A|P0)/;

type Mirror = {
  primaryOid: number;
  shadowOid: number;
  direction: 'none' | 'forward' | 'reverse';
  epoch: number;
  copied: boolean;
};

const MIRROR = `SELECT pg_catalog.jsonb_build_object('primaryOid', c.primary_oid::bigint, 'shadowOid', c.shadow_oid::bigint,
  'direction', c.direction, 'epoch', c.epoch,
  'copied', NOT EXISTS (SELECT FROM crossfade.backfill b WHERE b.cutover = c.id AND b.state <> 'done')) AS result
  FROM crossfade.cutover c WHERE c.id = $1::text`;

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
  const [row] = await owner.call<{ result: Mirror }>(MIRROR, [cutover.id]);
  const mirror = row?.result;
  if (!mirror || mirror.direction === 'none') return unready('capture is not armed');
  if (mirror.epoch !== epoch) return unready('the database has not seen the present state of the cutover yet');
  if (!mirror.copied) return unready('the copy of existing rows is not done');
  const [primary, shadow] = await readTablesByOid(owner, [mirror.primaryOid, mirror.shadowOid]);
  const compiled = primary && shadow ? compileTransform(primary, shadow, cutover.table, cutover.id) : null;
  if (!compiled?.ok) return unready('the tables are not as they were armed');
  const reverse = mirror.direction === 'reverse';
  const [source, target] = reverse ? [shadow!, primary!] : [primary!, shadow!];
  const flow = { id: cutover.id, source, target, mapping: reverse ? compiled.reverse : compiled.forward };
  const statement = invariantStatement(flow, queries, reverse);
  const against = await queryObjection(owner, statement, [source.oid, target.oid]);
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
