/**
 * Builds the indexes again that were taken off a shadow for the copy. CONCURRENTLY, so that rows go on being mirrored: it can
 * be no part of a transaction, and takes as long as it takes. A call that has no time left for it leaves the server at work; the
 * next one finds it building, there, or broken off.
 *
 * What can be no part of a transaction runs under the limits of the role: a SET of ours would stay in the session, which behind a
 * pooler is another's. A limit that is too short is named before the start, and by the failure.
 */

import { CrossfadeError, isCrossfadeError } from '../../../core/base/errors.ts';
import { MINUTE_MS } from '../../../core/base/units.ts';
import { isPartitioned, quoteText, type TableShape } from '../../../core/table/shape.ts';
import type { IndexStep } from '../../../ports/copying.ts';
import type { PreviewItem } from '../../../ports/swapping.ts';
import type { TableCutover } from '../../../ports/tables.ts';
import { type PgConnection, sqlstateOf } from '../connection/connection.ts';

type Next = {
  name: string;
  left: number;
  create: string;
  drop: string;
  state: 'absent' | 'building' | 'broken' | 'there';
};

/** Somebody else was quicker. */
const DUPLICATE_TABLE = '42P07';
/** Ended by a limit of the server, or by a person; our own deadline leaves the server at work. */
const CANCELLED = '57014';
/** Limits that are longer let every index but a huge one be built. */
const SHORT_LIMIT_MS = 10 * MINUTE_MS;

/** What arming does about indexes, as one statement; nothing when they stay. Of a partitioned table none can be built CONCURRENTLY. */
export function setIndexesAside({ id, table }: TableCutover, shadow: TableShape): string[] {
  if (!table.indexesAfterCopy || isPartitioned(shadow)) return [];
  return [`SELECT crossfade.set_indexes_aside(${quoteText(id)}, ${shadow.oid})`];
}

/** One index, or the look that tells that none is left. */
export async function buildNextIndex(owner: PgConnection, id: string, withinMs: number): Promise<IndexStep> {
  const [row] = await owner.call<{ next: Next }>('SELECT crossfade.next_index($1::text) AS next', [id]);
  const next = row?.next;
  if (!next) return { kind: 'built', left: 0 };
  if (next.state === 'building') return { kind: 'building', name: next.name, left: next.left };
  const limits = { deadlineMs: Math.max(1_000, withinMs), attempts: 1 };
  try {
    if (next.state === 'broken') await owner.alone(next.drop, limits);
    if (next.state !== 'there') await owner.alone(next.create, limits);
  } catch (error) {
    if (sqlstateOf(error) === CANCELLED) await demandTime(owner, next, error);
    const goesOn = sqlstateOf(error) === DUPLICATE_TABLE || (isCrossfadeError(error) && error.retryable);
    if (!goesOn) throw error;
    return { kind: 'building', name: next.name, left: next.left };
  }
  await owner.call('SELECT crossfade.index_given_back($1::text, $2::text)', [id, next.name]);
  return { kind: 'built', left: next.left - 1 };
}

type Limit = { role: string; shown: string; ms: number };

/** The limit under which such a statement of the owner runs; 0 ms is none. */
async function roleLimit(owner: PgConnection): Promise<Limit> {
  const [row] = await owner.call<Limit>(
    `SELECT CURRENT_USER::text AS role, s.reset_val || s.unit AS shown, s.reset_val::pg_catalog.float8 AS ms
     FROM pg_catalog.pg_settings s WHERE s.name = 'statement_timeout'`,
  );
  return row!;
}

/** @throws CrossfadeError when the role's limit ended it: that is what the next try would meet, too */
async function demandTime(owner: PgConnection, { name, create }: Next, cause: unknown): Promise<void> {
  const { role, shown, ms } = await roleLimit(owner);
  if (ms === 0) return;
  throw new CrossfadeError(
    'refused_table',
    `Index ${name} of the shadow could not be built within ${shown}, the statement_timeout of role ${role}, under which CREATE INDEX CONCURRENTLY runs. What is left of it is dropped by the next try. Lift the limit (ALTER ROLE ${role} SET statement_timeout = 0) until it is built, or build it yourself: ${create}`,
    { details: { sqlstate: CANCELLED }, cause },
  );
}

/** All of them, as far as the time goes; what is left stays remembered. */
export async function giveIndexesBack(owner: PgConnection, id: string, eachMs: number): Promise<void> {
  for (let left = 1; left > 0; ) {
    const step = await buildNextIndex(owner, id, eachMs).catch(() => null);
    if (step?.kind !== 'built') return;
    left = step.left;
  }
}

export async function indexesAside(owner: PgConnection, id: string): Promise<string[]> {
  const rows = await owner.call<{ object: string }>(
    "SELECT a.schema || '.' || a.name AS object FROM crossfade.index_aside a WHERE a.cutover = $1::text ORDER BY a.name",
    [id],
  );
  return rows.map(({ object }) => object);
}

async function limitItems(owner: PgConnection): Promise<PreviewItem[]> {
  const { role, shown, ms } = await roleLimit(owner);
  if (ms === 0 || ms > SHORT_LIMIT_MS) return [];
  const text = `It has statement_timeout = ${shown}, and indexes are built after the copy under that limit: one that takes longer never gets done. ALTER ROLE ${role} SET statement_timeout = 0 until they are built`;
  return [{ action: 'notice', kind: 'time limit', object: `role ${role}`, text }];
}

export async function indexItems(
  owner: PgConnection,
  { id, table }: TableCutover,
  shadow: TableShape,
): Promise<PreviewItem[]> {
  const aside = await indexesAside(owner, id);
  if (table.indexesAfterCopy && isPartitioned(shadow)) {
    const text =
      'stay while rows are copied: those of a partitioned table cannot be built again without holding up writes';
    return [{ action: 'notice', kind: 'indexes', object: table.shadow, text }];
  }
  if (table.indexesAfterCopy && aside.length === 0) {
    const text =
      'those that are not unique are taken off when the copy begins and built again after it, without holding up writes';
    return [{ action: 'notice', kind: 'indexes', object: table.shadow, text }, ...(await limitItems(owner))];
  }
  const text = 'was taken off while rows are copied; it is built again before the shadow counts as copied';
  return aside.map((object): PreviewItem => ({ action: 'rebuild', kind: 'index', object, text }));
}
