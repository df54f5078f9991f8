/**
 * One side hands over to the other: the promotion and its way back between two databases, by the same steps with the sides exchanged.
 *
 *   leading     read-only for seconds ─→ last changes go over ─→ hand over: read-only for good, capture ends     commit
 *   following                                                                    take over: capture begins, takes writes     commit
 *
 * In between no side takes writes, and never do both. Up to the commit of `hand_over` everything is as it was, and the leading side takes
 * writes again by itself; from there on it only goes forward. Who dies leaves that to the next call, which reads it off both sides.
 */

import { isCrossfadeError } from '../../../core/base/errors.ts';
import { quoteText, type TableShape } from '../../../core/table/shape.ts';
import { objectNames } from '../../../core/table/sql/names.ts';
import {
  dropCapture,
  dropFollowingObjects,
  dropLeadingObjects,
  leadingObjects,
} from '../../../core/table/sql/remote/objects.ts';
import type { Stated } from '../../../core/table/sql/session.ts';
import type { Swap } from '../../../ports/swapping.ts';
import { PROGRESS, whole } from '../capture/arming.ts';
import { recordShape, recordUsed } from '../capture/shape.ts';
import { callJson } from '../connection/calls.ts';
import { type PgConnection, sqlstateOf } from '../connection/connection.ts';
import { BUSY, type Holder, heldBy, LOCK_NOT_GRANTED } from '../swapping/swap-answer.ts';
import { type CompiledRemote, compileRemote } from './compile.ts';
import { remoteConverging } from './converging.ts';
import type { Remote } from './remote.ts';
import { advanceSequences } from './sequences.ts';
import { readSide, readSides, type Side, successorOf } from './sides.ts';

/** Of the leading side, unless it hands over before: then writes go on there. */
const READ_ONLY_S = 5;
/** Of those, for the last changes. */
const DRAIN_MS = 4_000;
/** Changes that may be left for the time without writes, and calls before it. */
const LEFT_AT_MOST = 200;
const CALLS_BEFORE = 200;
const HINTS_PER_CALL = 1_000;
/** Raised by crossfade.hand_over, stay_closed and take_over; by refuse_changed_shape. */
export const NOT_NOW = 'CF016';
const CHANGED = 'CF003';

/** DDL under short locks, so that the application does not queue behind it. */
export const SHORTLY = { deadlineMs: 30_000, attempts: 10, settings: { lock_timeout: '500ms' } };

/** Of the first attempt: where its answer is lost on a link that hangs, no side takes writes until the next one. */
const AT_ONCE_MS = 3_000;

/** A step after which no side takes writes, or before which none does. One that was carried out already says so (`NOT_NOW`). */
async function atOnce(
  connection: PgConnection,
  statements: readonly string[],
  meaning: Stated | undefined,
): Promise<void> {
  const text = statements.join(';\n');
  const settings = { ...SHORTLY.settings, ...meaning };
  try {
    await connection.script(text, { deadlineMs: AT_ONCE_MS, attempts: 1, settings });
  } catch (error) {
    if (!isCrossfadeError(error) || !error.retryable) throw error;
    await connection.script(text, { ...SHORTLY, settings });
  }
}

/** Statements, and the settings that the functions of theirs are made under. */
export type Receiving = { statements: readonly string[]; meaning: Stated | undefined };
export type HandedOver = { kind: 'handed_over'; readOnlySinceMs: number } | { kind: 'postponed'; why: string };

/**
 * @param remote as the leading side sees it
 * @param receiving statements: what the leading side needs to follow from then on
 */
export async function handOver(remote: Remote, step: Swap, receiving: Receiving): Promise<HandedOver> {
  const { owner } = remote.primary;
  const { id } = remote.cutover;
  const { fromEpoch, toEpoch, stage, version } = step;
  await drain(remote, fromEpoch, { most: LEFT_AT_MOST, calls: CALLS_BEFORE, untilMs: Number.POSITIVE_INFINITY });
  const close = `SELECT crossfade.begin_hand_over($1::text, $2::text::bigint, ${READ_ONLY_S}) AS result`;
  try {
    const closed = await callJson<{ kind: string }>(owner, close, [id, fromEpoch], { attempts: 10 });
    if (closed.kind !== 'read_only') return { kind: 'postponed', why: `Cutover '${id}' has left epoch ${fromEpoch}.` };
    const readOnlySinceMs = remote.clock.monotonicMs();
    const untilMs = readOnlySinceMs + DRAIN_MS;
    const left = await drain(remote, fromEpoch, { most: 0, calls: Number.POSITIVE_INFINITY, untilMs });
    if (left > 0) return await goOn(remote, `${left} changes are not on the other side yet`);
    const handing = `SELECT crossfade.hand_over(${quoteText(id)}, ${whole(fromEpoch)}, ${whole(toEpoch)}, ${whole(version)}, ${quoteText(stage)})`;
    await atOnce(owner, [handing, ...receiving.statements], receiving.meaning);
    return { kind: 'handed_over', readOnlySinceMs };
  } catch (error) {
    const sqlstate = sqlstateOf(error) ?? '';
    if (sqlstate !== NOT_NOW && sqlstate !== CHANGED && !BUSY.has(sqlstate)) throw error;
    // The answer of an earlier attempt was lost.
    if ((await readSide(owner, id))?.epoch === toEpoch)
      return { kind: 'handed_over', readOnlySinceMs: remote.clock.monotonicMs() };
    if (sqlstate === LOCK_NOT_GRANTED) return goOn(remote, await blockedBy(remote));
    return goOn(remote, isCrossfadeError(error) ? String(error.details.said) : String(error));
  }
}

async function blockedBy({ cutover: { id }, primary }: Remote): Promise<string> {
  const holders = await primary.owner.call<Holder>(
    "SELECT h.* FROM crossfade.cutover c CROSS JOIN LATERAL crossfade.lock_holders('', ARRAY[c.primary_oid]) h WHERE c.id = $1::text",
    [id],
  );
  return `the lock on its table was not granted in time. ${heldBy(holders)}`;
}

/** Writes go on at once, and not only when the seconds are over; where a person has them refused, at the end of that. */
async function goOn({ cutover: { id }, primary }: Remote, why: string): Promise<HandedOver> {
  await primary.owner.call('SELECT crossfade.put_off_hand_over($1::text)', [id]);
  return { kind: 'postponed', why: `Not handed over yet: ${why.replace(/\.$/, '')}. Nothing was changed.` };
}

/** @returns changes that are left: none, `most` or fewer, or what was left when time or calls were over */
async function drain(
  remote: Remote,
  epoch: number,
  { most, calls, untilMs }: { most: number; calls: number; untilMs: number },
): Promise<number> {
  const { cutover, clock, primary } = remote;
  const { converge } = remoteConverging(remote);
  const counted = `SELECT pg_catalog.count(*) AS left FROM (SELECT FROM ${objectNames(cutover.id).outbox} LIMIT 10000) o`;
  for (let call = 1; ; call += 1) {
    const [row] = await primary.owner.call<{ left: string }>(counted);
    const left = Number(row!.left);
    if (left <= most || call > calls || clock.monotonicMs() > untilMs) return left;
    const result = await converge(cutover.id, epoch, HINTS_PER_CALL);
    if (result.kind === 'stale') return left;
    // Another mover has them, or they were put off for a moment.
    if (result.claimed === 0) await primary.owner.call('SELECT pg_catalog.pg_sleep(0.01)');
  }
}

// ------------------------------------------------------------------------------------------------------- take over

/**
 * What was begun and is not done, as both sides say; nothing where all is done. It can be called at any moment, by any number of callers.
 * @param compile no side takes writes meanwhile, so who has compiled both tables before says what came of it
 */
export async function takeOver(remote: Remote, compile = () => compileRemote(remote)): Promise<void> {
  const [here, there] = await readSides(remote);
  const successor = successorOf(here, there);
  if (successor === 'shadow') await once(openShadow(remote, here!, await compile()));
  if (successor === 'primary') await once(openPrimary(remote, there!, await compile()));
  if (successor === 'cleanup') await once(endPrimary(remote, there!));
}

/** Somebody else was first, which is as good. */
const once = (work: Promise<void>): Promise<void> =>
  work.catch((error) => {
    if (sqlstateOf(error) !== NOT_NOW) throw error;
  });

type Taking = { id: string; side: Side; direction: 'reverse' | 'none'; table: TableShape; other: string };

function taking({ id, side, direction, table, other }: Taking): string {
  const { epoch, version, stage } = side;
  return `SELECT crossfade.take_over(${quoteText(id)}, ${whole(epoch)}, ${whole(version)}, ${quoteText(stage)}, ${quoteText(direction)},
    ${table.oid}::oid, ${quoteText(table.name)}, ${quoteText(other)})`;
}

/** Its capture is there before its first write. */
async function openShadow(remote: Remote, side: Side, { flow, back }: CompiledRemote): Promise<void> {
  const { id } = remote.cutover;
  const { connection } = remote.shadow;
  const table = back.source;
  const sequences = await advanceSequences(flow, remote.primary.owner, table, connection);
  const statements = [
    taking({ id, side, direction: 'reverse', table, other: back.target.name }),
    ...PROGRESS.map((name) => `DELETE FROM crossfade.${name} WHERE cutover = ${quoteText(id)}`),
    `INSERT INTO crossfade.backfill (cutover, rows_total, state, shadow_had_rows) VALUES (${quoteText(id)}, ${Math.round(table.estimatedRows)}, 'done', true)`,
    ...leadingObjects(back).create,
    recordUsed(id, [back]),
    recordShape(id),
    ...sequences,
  ];
  await atOnce(connection, statements, back.meaning);
}

/** What is left of capture is taken away when the cutover starts again or is forgotten: to drop a trigger would lock out readers. */
async function openPrimary(remote: Remote, side: Side, { flow, back }: CompiledRemote): Promise<void> {
  const { id } = remote.cutover;
  const { owner } = remote.primary;
  const table = flow.source;
  const sequences = await advanceSequences(back, remote.shadow.connection, table, owner);
  await atOnce(
    owner,
    [taking({ id, side, direction: 'none', table, other: flow.target.name }), ...sequences],
    flow.meaning,
  );
}

// ------------------------------------------------------------------------------------------------------------- end

const ending = (id: string, epoch: number) =>
  `UPDATE crossfade.cutover SET direction = 'none', epoch = ${whole(epoch)}, version = version + 1, stage = 'cleaned', shadow_writes = false WHERE id = ${quoteText(id)}`;

const nothingOfOurs = (id: string): readonly string[] => [
  dropCapture(id),
  ...dropLeadingObjects(id),
  ...dropFollowingObjects(id),
  ...PROGRESS.map((name) => `DELETE FROM crossfade.${name} WHERE cutover = ${quoteText(id)}`),
];

/** The old table stays, and takes no writes: what a process that was left behind writes there would be lost. */
async function endPrimary({ cutover: { id }, primary }: Remote, { epoch }: Side): Promise<void> {
  await primary.owner.script([...nothingOfOurs(id), ending(id, epoch)].join(';\n'), SHORTLY);
}

/** @param version of the state that asked for it; one that was given up changes nothing */
export async function endShadow(
  { cutover: { id }, shadow }: Remote,
  epoch: number,
  version: number | undefined,
): Promise<void> {
  const stands = version === undefined ? '' : ` AND c.abandoned < ${whole(version)}`;
  const statements = [
    `SELECT pg_advisory_xact_lock(crossfade.lock_key(${quoteText(id)}))`,
    `DO $crossfade$ BEGIN
       IF NOT EXISTS (SELECT FROM crossfade.cutover c WHERE c.id = ${quoteText(id)} AND c.epoch = ${whole(epoch)}${stands}) THEN
         RAISE EXCEPTION 'cutover % has left epoch ${whole(epoch)}, or its cleanup was given up', ${quoteText(id)} USING ERRCODE = '${NOT_NOW}';
       END IF;
     END $crossfade$`,
    ...nothingOfOurs(id),
    ending(id, epoch + 1),
  ];
  await shadow.connection.script(statements.join(';\n'), SHORTLY);
}
