/**
 * The outbox as converge reads it: its speed must not depend on the oldest snapshot of the server, and its size must be bounded.
 * While a snapshot is held, no deleted hint can be cleaned away, and a reader that begins at the first hint walks over all of them.
 *
 *   floor ············ dead ············ next ── claimed ──▶ ··· newest
 *     │                                   └ where the last call of this session stopped: most calls begin here
 *     └ no hint below can appear any more: calls that find little, and one in some, begin here
 *
 * `next` skips nothing for good, since a writer that finds less than a full batch looks again from the floor. So a hint that commits late,
 * with a number that others have passed, waits for some calls at most. The floor is exact. A transaction takes its id before
 * it takes a number, so: note the highest number given, then take an id; when every id up to that one is over, so is every
 * transaction that has a number up to the noted one, and what is visible then is all there will ever be. A reader has no id and holds
 * nothing up. Functions of ours that write hints take their id first. Both marks are notes of one session: a row that
 * is updated by each call would itself be a chain of dead versions. A session without notes begins at the beginning.
 *
 * Truncation. Capture writes two tables in turns. One that has grown, is visibly empty and is not the one that the
 * sequence points at is truncated (`turn_<id>`), under a lock that is taken at once or not at all. Under it no uncommitted hint can
 * exist there, since its writer keeps a lock until the commit. A snapshot that is older than the truncation sees the table empty, so
 * nothing may read the outbox with one: in a VOLATILE function under READ COMMITTED Postgres takes a statement's locks first and its
 * snapshot then, so a transaction that waited for a truncation reads as of after it, and the holder of the lock is waited for. Therefore what
 * compares the tables with the outbox is VOLATILE throughout. Status and relay, which are not, may miss hints that have been applied meanwhile, which is
 * what they would say a moment later.
 */

import { quoteText } from '../shape.ts';
import { type Flow, objectNames, securely } from './names.ts';
import { DEMAND_READ_COMMITTED } from './session.ts';

/** Numbers in a row that go to one table of the outbox, as a power of two. */
const TURN_BITS = 13;
/** A table that is smaller is not worth a truncation. */
const SPENT_BYTES = 1024 * 1024;
/** One call in so many begins at the floor, whatever the last one found. */
export const WHOLE_LOOK_EVERY = 16;
/** The floor is moved when it lies further behind the newest number. */
const FLOOR_STEP = 5_000;

/** Places of the notes in `v_mark`. */
export const FLOOR = 1;
export const NEXT = 2;
const SEEN_NUMBER = 3;
const SEEN_ID = 4;
const NEWEST = 5;
const TABLE = 6;

/** SQL: does a hint with this number go to the second table? */
export const goesToSecond = (seq: string): string => `(${seq} >> ${TURN_BITS}) & 1 = 1`;

const setting = (flow: Flow) => quoteText(`crossfade.mark_${flow.id}`);

export function rememberedMark(flow: Flow): string {
  return `string_to_array(nullif(current_setting(${setting(flow)}, true), ''), ',')::bigint[]`;
}

/** Statements that begin with the notes of this session, unless they are about another outbox or an earlier sequence. */
export function moveFloor(flow: Flow): string {
  const { outbox, number } = objectNames(flow.id);
  const table = `${quoteText(outbox)}::regclass::oid::bigint`;
  return `SELECT n.last_value INTO v_from FROM ${number} n;
  IF v_mark IS NULL OR v_mark[${TABLE}] <> ${table} OR v_mark[${NEWEST}] > v_from THEN
    v_mark := ARRAY[0, 0, 0, 0, 0, ${table}];
  END IF;
  v_mark[${NEWEST}] := v_from;
  ${readByIndex('off')}
  IF v_mark[${SEEN_ID}] > 0 AND pg_snapshot_xmin(pg_current_snapshot())::text::bigint > v_mark[${SEEN_ID}] THEN
    SELECT coalesce(min(o.seq), v_mark[${SEEN_NUMBER}] + 1) INTO v_from FROM ${outbox} o
    WHERE o.seq >= v_mark[${FLOOR}] AND o.seq <= v_mark[${SEEN_NUMBER}];
    v_mark[${FLOOR}] := v_from;
    v_mark[${SEEN_ID}] := 0;
  END IF;
  -- With an id of its own that is older than the number, as under a swap, there is nothing to note.
  IF v_mark[${SEEN_ID}] = 0 AND v_mark[${NEWEST}] > v_mark[${FLOOR}] + ${FLOOR_STEP} AND pg_current_xact_id_if_assigned() IS NULL THEN
    v_mark[${SEEN_NUMBER}] := v_mark[${NEWEST}];
    v_mark[${SEEN_ID}] := pg_current_xact_id()::text::bigint;
  END IF;`;
}

/** Statement: the notes for the next call of this session. One that is rolled back leaves the ones before. */
export function rememberMark(flow: Flow): string {
  return `v_mark[${NEXT}] := greatest(v_mark[${FLOOR}], coalesce(v_seqs[cardinality(v_seqs)] + 1, v_mark[${NEXT}]));
  PERFORM set_config(${setting(flow)}, array_to_string(v_mark, ','), false);`;
}

/** Statement around those that read the outbox: it has no statistics worth the name, and a scan or a sort reads what is dead. */
export function readByIndex(others: 'on' | 'off'): string {
  return `PERFORM set_config('enable_seqscan', '${others}', true), set_config('enable_sort', '${others}', true);`;
}

/** SQL: is either table of the outbox large enough to be truncated? */
export function spent(flow: Flow): string {
  const { outbox, outbox1 } = objectNames(flow.id);
  const size = (table: string) => `pg_relation_size(${quoteText(table)}::regclass)`;
  return `greatest(${size(outbox)}, ${size(outbox1)}) > ${SPENT_BYTES}`;
}

/**
 * `turn_<id>()`: truncates one table of the outbox that is spent, if that can be done at once. A call of its own, so that the lock is
 * held for moments. Numbers are used up until the sequence points at the other one: it never goes back, so no number is given twice.
 */
export function createTurn(flow: Flow): string {
  const { turn, outbox, outbox1, number } = objectNames(flow.id);
  const truncated = (table: string, pointed: string) => `
  IF pg_relation_size(${quoteText(table)}::regclass) > ${SPENT_BYTES} AND NOT EXISTS (SELECT FROM ONLY ${table}) THEN
    SELECT n.last_value INTO v_last FROM ${number} n;
    IF ${pointed} THEN
      PERFORM nextval(${quoteText(number)}::regclass) FROM generate_series(1, ${2 ** TURN_BITS} - (v_last & ${2 ** TURN_BITS - 1}));
    END IF;
    BEGIN
      LOCK TABLE ONLY ${table} IN ACCESS EXCLUSIVE MODE NOWAIT;
      -- A new statement, so a new snapshot: nobody writes the table now.
      IF NOT EXISTS (SELECT FROM ONLY ${table}) THEN
        TRUNCATE ONLY ${table};
        RETURN true;
      END IF;
    EXCEPTION WHEN lock_not_available THEN
      NULL;
    END;
  END IF;`;
  return `CREATE FUNCTION ${turn}() RETURNS boolean
${securely()} AS $crossfade$
DECLARE
  v_last bigint;
BEGIN
  -- With an older snapshot a table would seem empty that is not.
  ${DEMAND_READ_COMMITTED}${truncated(outbox, `NOT (${goesToSecond('v_last')})`)}${truncated(outbox1, goesToSecond('v_last'))}
  RETURN false;
END $crossfade$`;
}
