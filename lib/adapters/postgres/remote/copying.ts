/**
 * The copy into another database: the image of a range of keys takes the place of what the shadow has there, through COPY on both sides.
 * It is a batch like any other, so it neither brings back an older row nor a deleted one, and there are no ghosts to look for.
 */

import { quoteText } from '../../../core/table/shape.ts';
import type { Flow } from '../../../core/table/sql/names.ts';
import {
  type Bound,
  BY_KEY,
  copyInto,
  hintRange,
  makeRoom,
  nthKey,
  rowsOf,
} from '../../../core/table/sql/remote/range.ts';
import type { BackfillStep, Copying, CopyRehearsal } from '../../../ports/copying.ts';
import { functionName, whole } from '../capture/arming.ts';
import { callJson } from '../connection/calls.ts';
import { sqlstateOf } from '../connection/connection.ts';
import { pipeRows } from '../connection/row-streams.ts';
import { unlessUnknown } from '../connection/unless-unknown.ts';
import { bringEpoch, endBatch, endingBatch, whenFree } from './batches.ts';
import { compileRemote } from './compile.ts';
import { OF_A_ROW, OVERTAKEN, type Remote } from './remote.ts';

type Chunk = {
  kind: 'chunk';
  number: number;
  from: Bound;
  to: Bound;
  rows: number;
  rowsDone: number;
  rowsTotal: number;
  begun: string;
};

/** Below the functions' time-out of 55 s. */
const COPY_MS = 25_000;
const LONG = { deadlineMs: 20_000 };
/** A chunk costs five round trips beside its rows: the caller's idea of a chunk, in one database, is smaller. */
const TIMES = 20;
const MOST_ROWS = 200_000;

export function remoteCopying(remote: Remote, flowNow: () => Promise<Flow>): Pick<Copying, 'backfill' | 'rehearse'> {
  const { runtime } = remote.primary;
  const { id } = remote.cutover;
  return {
    async backfill(_, epoch, wanted) {
      const rows = Math.min(MOST_ROWS, wanted * TIMES);
      const flow = await flowNow();
      const bound = await fullerBound(remote, flow, rows);
      const sql = `crossfade.${functionName('chunk', id)}(${whole(epoch)}, ${whole(rows)}, ${asArray(bound)})`;
      const begin = () => whenFree<Chunk | BackfillStep>(remote, { sql, values: [], ...LONG });
      const unarmed: BackfillStep = { kind: 'stale', have: -1, got: epoch };
      const chunk = await unlessUnknown<Chunk | BackfillStep>(runtime, `chunk_${id}`, begin, unarmed);
      if (chunk.kind !== 'chunk') return chunk;
      return endingBatch(remote, chunk.number, () => copyChunk(remote, flow, epoch, chunk));
    },
    async rehearse(): Promise<CopyRehearsal> {
      const { source, target } = (await compileRemote(remote)).flow;
      const why = 'the shadow is in another database: no row is sent there for a try';
      const counted = { sourceRows: source.estimatedRows, shadowRows: target.estimatedRows };
      return { ...counted, sample: { rows: 0, tookMs: null, why } };
    },
  };
}

const asArray = (bound: Bound) => (bound === null ? 'NULL' : `ARRAY[${bound.map(quoteText).join(', ')}]`);

/** Where the shadow has many more rows than are to be copied, the chunk ends with some of those: no statement deletes without bound. */
async function fullerBound({ cutover, primary, shadow }: Remote, flow: Flow, rows: number): Promise<Bound> {
  const at = 'SELECT to_jsonb(b.copied_key) AS from FROM crossfade.backfill b WHERE b.cutover = $1::text';
  const [last] = await primary.owner.call<{ from: Bound }>(at, [cutover.id]);
  const nth = nthKey(flow, 'target', last?.from ?? null, 2 * rows);
  const [fuller] = await shadow.connection.call<{ key: readonly string[] }>(nth, [], { settings: BY_KEY });
  return fuller?.key ?? null;
}

async function copyChunk(remote: Remote, flow: Flow, epoch: number, chunk: Chunk): Promise<BackfillStep> {
  const { runtime, owner } = remote.primary;
  const startedMs = remote.clock.monotonicMs();
  const sent = await sendRows(remote, flow, epoch, chunk);
  if (sent === 'refused') {
    await bringEpoch(remote, epoch);
    await endBatch(remote, chunk.number);
    return { kind: 'busy' };
  }
  if (sent === 'misfits') await owner.call(hintRange(flow, chunk), [], LONG);
  const tookMs = Math.round(remote.clock.monotonicMs() - startedMs);
  const { number, from, to, rows, rowsTotal } = chunk;
  const end = `SELECT crossfade.end_chunk($1::text, ${whole(number)}, ${asArray(from)}, ${asArray(to)}, ${whole(rows)}, $2::text, ${tookMs}) AS result`;
  if (!(await callJson<boolean>(runtime, end, [remote.cutover.id, chunk.begun]))) return { kind: 'busy' };
  return { kind: 'copied', rows, rowsDone: chunk.rowsDone + rows, rowsTotal, tookMs: Math.ceil(tookMs / TIMES) };
}

/** `misfits`: some row was refused, so none was written. `refused`: a later batch was first, or the epoch is another one. */
async function sendRows(
  { cutover, streams, shadow }: Remote,
  flow: Flow,
  epoch: number,
  chunk: Chunk,
): Promise<'sent' | 'misfits' | 'refused'> {
  const id = quoteText(cutover.id);
  const number = whole(chunk.number);
  const accept = `DO $crossfade$ DECLARE v text := crossfade.accept_batch(${id}, ${whole(epoch)}, ${number}); BEGIN
    IF v <> 'accepted' THEN RAISE EXCEPTION 'batch ${number} is %', v USING ERRCODE = '${OVERTAKEN}'; END IF; END $crossfade$`;
  const into = [accept, 'SET CONSTRAINTS ALL IMMEDIATE', makeRoom(flow, chunk), copyInto(flow)].join(';\n');
  const out = `SELECT crossfade.hold_batch(${id}, ${number});\nCOPY (${rowsOf(flow, chunk)}) TO STDOUT`;
  try {
    await pipeRows(
      { streams, text: out },
      { streams: shadow.streams, text: into },
      {
        deadlineMs: COPY_MS,
        ...(flow.meaning ? { settings: flow.meaning } : {}),
      },
    );
  } catch (error) {
    const sqlstate = sqlstateOf(error) ?? '';
    if (sqlstate === OVERTAKEN) return 'refused';
    if (!OF_A_ROW.test(sqlstate)) throw error;
    return 'misfits';
  }
  // Waits for the end of the transaction that wrote them, whichever it was.
  const committed = 'SELECT a.number FROM crossfade.accepted_batch a WHERE a.cutover = $1::text FOR UPDATE';
  const [row] = await shadow.connection.call<{ number: string }>(committed, [cutover.id], LONG);
  if (Number(row?.number) === chunk.number) return 'sent';
  shadow.streams.discard();
  return 'misfits';
}
