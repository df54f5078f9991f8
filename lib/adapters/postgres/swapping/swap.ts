/**
 * Promotion and its way back. Prepared in lib/core/table/promotion/prepare.ts from one look at the catalog; the swap is
 * one call of crossfade.swap, which changes everything or nothing. The answer of a swap that waits names what it waits for.
 */

import { isCrossfadeError } from '../../../core/base/errors.ts';
import { promotionOf } from '../../../core/table/promotion/prepare.ts';
import { revertOf } from '../../../core/table/promotion/prepare-back.ts';
import type { PreparedSwap, PromotionRecord } from '../../../core/table/promotion/prepared-swap.ts';
import { quoteName, quoteTable, quoteText } from '../../../core/table/shape.ts';
import { tableObjects } from '../../../core/table/sql/table.ts';
import type { SwapResult } from '../../../ports/swapping.ts';
import type { TableCutover } from '../../../ports/tables.ts';
import { giveForeignKeysBack } from '../capture/foreign-keys-aside.ts';
import { recordShape, refuseChangedShape, shapeObstacle } from '../capture/shape.ts';
import { type PgConnection, sqlstateOf } from '../connection/connection.ts';
import { indexesAside } from '../copying/indexes-aside.ts';
import { eventTriggerItems } from './event-triggers.ts';
import { demandNewerSnapshots, endNewerSnapshots } from './newer-snapshots.ts';
import { companionChecks, firstFailing, orphanChecks, type RowCheck } from './row-checks.ts';
import { type MirroredCutover, readMirror, readSituation, type Situation, wasOvertaken } from './situation.ts';
import { BUSY, explained, type SwapAnswer } from './swap-answer.ts';
import { validateForeignKeys } from './validate.ts';

export type SwapStep = { fromEpoch: number; toEpoch: number; stage: string; version: number };

type Direction = 'reverse' | 'none';
/** A swap of names with everything of the data plane around it. */
type Prepared = {
  /** Of names, and of what hangs on them. */
  exchange: PreparedSwap;
  /** What needs no lock on the tables: done before it is asked for. */
  before: readonly string[];
  statements: readonly string[];
  record: unknown;
  /** Before the lock. */
  checks: readonly RowCheck[];
};

/** Each of some rounds of locks within crossfade.swap. Seconds between two tries: the longer, the more have failed. */
const TRIES = 3;
const FIRST_PAUSE_S = 0.2;
/** Hints that may be left for the time under the lock, and calls before it. */
const HINTS_UNDER_LOCK = 300;
const CALLS_BEFORE = 200;
/** Calls in a row that leave no fewer hints than one before them: the application writes as fast as they are applied. */
const CALLS_WITHOUT_GAIN = 3;
/** As many as a call counts of what is left: where it says so, there may be more. */
const MOST_COUNTED = 10_000;
const HINTS_PER_CALL = 1_000;
const LONG_MS = 120_000;
/** It tries for its locks again and again by itself, for some seconds where many others want them. */
const SWAP_MS = 15_000;

// ----------------------------------------------------------------------------------------------------------- swap

export function promote(
  owner: PgConnection,
  runtime: PgConnection,
  cutover: TableCutover,
  step: SwapStep,
): Promise<SwapResult> {
  return swap({ owner, runtime, cutover, step, from: 'forward', to: 'reverse', prepare: preparePromotion });
}

/** @param step `toEpoch` with no direction armed; everything has the names it had before `promote` */
export function revert(
  owner: PgConnection,
  runtime: PgConnection,
  cutover: TableCutover,
  step: SwapStep,
): Promise<SwapResult> {
  return swap({ owner, runtime, cutover, step, from: 'reverse', to: 'none', prepare: prepareRevert });
}

function preparePromotion(cutover: TableCutover, situation: Situation): Prepared {
  const { primary, shadow, forward, reverse } = situation;
  const { record, unproven, ...exchange } = promotionOf(situation.request);
  const flow = { id: cutover.id, source: primary, target: shadow, mapping: forward };
  const before = tableObjects(flow, cutover.validation);
  const source = { ...shadow, schema: primary.schema, name: exchange.names.shadow };
  const target = { ...primary, name: exchange.names.primary };
  const after = tableObjects({ id: cutover.id, source, target, mapping: reverse }, cutover.validation);
  return {
    exchange,
    before: [refuseChangedShape(cutover.id), ...after.staged],
    statements: [
      ...before.drop,
      // From here on it has what could not be computed.
      `DELETE FROM crossfade.inline_failure WHERE cutover = ${quoteText(cutover.id)}`,
      ...exchange.statements,
      ...after.takeStaged,
      demandNewerSnapshots(shadow.oid),
      recordShape(cutover.id),
    ],
    record,
    checks: [...orphanChecks(unproven), ...companionChecks(flow)],
  };
}

function prepareRevert(cutover: TableCutover, situation: Situation, mirror: MirroredCutover): Prepared {
  const { primary, shadow, reverse } = situation;
  const promotion = mirror.record as PromotionRecord;
  const exchange = revertOf(situation.request, promotion);
  const flow = { id: cutover.id, source: shadow, target: primary, mapping: reverse };
  const before = tableObjects(flow, cutover.validation);
  return {
    exchange,
    before: [refuseChangedShape(cutover.id)],
    statements: [...before.drop, ...exchange.statements, demandNewerSnapshots(primary.oid)],
    record: { validate: exchange.validateLater },
    checks: companionChecks(flow),
  };
}

type SwapWork = {
  owner: PgConnection;
  runtime: PgConnection;
  cutover: TableCutover;
  step: SwapStep;
  from: 'forward' | 'reverse';
  to: Direction;
  prepare: (cutover: TableCutover, situation: Situation, mirror: MirroredCutover) => Prepared;
};

async function swap(work: SwapWork): Promise<SwapResult> {
  const { owner, cutover, step, to } = work;
  let why = '';
  for (let attempt = 1; attempt <= TRIES; attempt += 1) {
    const mirror = await readMirror(owner, cutover.id);
    if (mirror?.epoch === step.toEpoch && mirror.direction === to) {
      await after(work, mirror, mirror.record.validate);
      return { kind: 'already' };
    }
    const stale = reasonAgainst(mirror, work);
    if (stale) return { kind: 'postponed', why: stale };
    const tried = await judged(work, mirror!, await settled(trySwap(work, mirror!, attempt)));
    if (tried.kind !== 'postponed') return tried;
    why = tried.why;
    // Jitter by the database's own dice: this file needs no clock and no chance of its own.
    const pause = FIRST_PAUSE_S * 3 ** (attempt - 1);
    if (attempt < TRIES) await owner.call(`SELECT pg_catalog.pg_sleep(${pause} * (0.5 + pg_catalog.random()))`);
  }
  return { kind: 'postponed', why };
}

function reasonAgainst(mirror: MirroredCutover | null, { cutover, step, from }: SwapWork): string | null {
  if (!mirror) return `The database knows nothing of cutover '${cutover.id}': nothing was armed.`;
  if (mirror.epoch !== step.fromEpoch) {
    return `The database is at epoch ${mirror.epoch} of cutover '${cutover.id}', not at ${step.fromEpoch}: somebody else was faster, or the next tick has to write the mirror first.`;
  }
  if (mirror.direction === from) return null;
  return `Capture of cutover '${cutover.id}' runs ${mirror.direction === 'none' ? 'in no direction' : mirror.direction}, not ${from}: the next tick arms it.`;
}

type Tried = { result: SwapResult } | { error: unknown };

const settled = (trying: Promise<SwapResult>): Promise<Tried> =>
  trying.then(
    (result) => ({ result }),
    (error: unknown) => ({ error }),
  );

/**
 * The tables are read in several statements. A call that was overtaken by another swap in between has seen half of each and judges
 * nothing: he looks again.
 */
async function judged({ owner, cutover }: SwapWork, seen: MirroredCutover, tried: Tried): Promise<SwapResult> {
  if ('result' in tried && tried.result.kind !== 'refused') return tried.result;
  const now = await readMirror(owner, cutover.id).catch(() => seen);
  if (wasOvertaken(seen, now))
    return { kind: 'postponed', why: `Somebody else swapped the tables of cutover '${cutover.id}' meanwhile.` };
  if ('error' in tried) throw tried.error;
  return tried.result;
}

async function trySwap(work: SwapWork, mirror: MirroredCutover, attempts: number): Promise<SwapResult> {
  const { owner, cutover, to } = work;
  try {
    // Asked for the second time by crossfade.swap, with the shape held, which is what counts. Here too, since tables that were
    // altered need not compile any more, and the cause is what people must read.
    const changed = await shapeObstacle(owner, cutover.id);
    if (changed) return { kind: 'postponed', why: `Not swapped yet: ${changed}. Nothing was changed.` };
    const situation = await readSituation(owner, cutover, mirror);
    const { exchange, before, statements, record, checks } = work.prepare(cutover, situation, mirror);
    if (!exchange.ok) return refused(cutover, exchange);
    const [slow] = (await eventTriggerItems(owner)).filter(({ action }) => action === 'refuse');
    if (slow) return { kind: 'postponed', why: `Not swapped yet: event trigger ${slow.object}: ${slow.text}` };
    const aside = to === 'reverse' ? await indexesAside(owner, cutover.id) : [];
    if (aside[0]) return { kind: 'postponed', why: `Not swapped yet: index ${aside[0]} is still to be built.` };
    if (to === 'reverse') await analyseOnce(owner, situation);
    await drain(work);
    const failing = await firstFailing(owner, checks);
    if (failing) return { kind: 'postponed', why: failing };
    const args = [...stepArguments(work), situation.fingerprint, JSON.stringify(record)];
    const done = await callSwap(owner, args, exchange, { before, statements });
    if (done.kind === 'postponed') return { kind: 'postponed', why: explained(cutover, done) };
    await after(work, mirror, exchange.validateLater);
    return done.kind === 'already' ? done : { ...done, attempts };
  } catch (error) {
    return outcomeOf(error);
  }
}

/** What needs no lock on the application's tables for long, and is tried again by the next call and by cleanup. */
async function after(
  { owner, cutover, to }: SwapWork,
  { primaryOid }: MirroredCutover,
  validate: readonly string[] = [],
): Promise<void> {
  await validateForeignKeys(owner, validate);
  if (to !== 'none') return;
  await giveForeignKeysBack(owner, cutover.id);
  await endNewerSnapshots(owner, primaryOid);
}

function refused(cutover: TableCutover, exchange: PreparedSwap): SwapResult {
  const items = exchange.items.filter(({ action }) => action === 'refuse');
  const first = items.map(({ kind, object, text }) => `${kind} ${object}: ${text}`).join(' ');
  return { kind: 'refused', why: `The tables of cutover '${cutover.id}' cannot be swapped. ${first}`, items };
}

const stepArguments = ({ cutover, step, to }: SwapWork) => [
  cutover.id,
  step.fromEpoch,
  step.toEpoch,
  to,
  step.stage,
  step.version,
];

async function callSwap(
  owner: PgConnection,
  args: readonly (string | number)[],
  { lockViews, lockTables }: PreparedSwap,
  { before, statements }: Pick<Prepared, 'before' | 'statements'>,
): Promise<SwapAnswer> {
  const [row] = await owner.call<{ done: SwapAnswer & { drained?: number } }>(
    `SELECT crossfade.swap($1::text, $2::text::bigint, $3::text::bigint, $4::text, $5::text, $6::text::bigint,
       (SELECT COALESCE(pg_catalog.array_agg(v ORDER BY place), '{}') FROM pg_catalog.jsonb_array_elements_text($11::text::jsonb) WITH ORDINALITY x(v, place)),
       (SELECT pg_catalog.array_agg(t::oid ORDER BY place) FROM pg_catalog.jsonb_array_elements_text($9::text::jsonb) WITH ORDINALITY x(t, place)),
       (SELECT pg_catalog.array_agg(s ORDER BY place) FROM pg_catalog.jsonb_array_elements_text($10::text::jsonb) WITH ORDINALITY x(s, place)),
       $7::text, $8::text::jsonb, ${HINTS_UNDER_LOCK},
       (SELECT pg_catalog.array_agg(s ORDER BY place) FROM pg_catalog.jsonb_array_elements_text($12::text::jsonb) WITH ORDINALITY x(s, place))) AS done`,
    [
      ...args,
      JSON.stringify(lockTables),
      JSON.stringify(statements),
      JSON.stringify(lockViews),
      JSON.stringify(before),
    ],
    { attempts: 1, deadlineMs: SWAP_MS, changesCatalog: true },
  );
  const { drained: _, ...done } = row!.done;
  return done;
}

/** What is applied before the lock need not be applied under it. */
async function drain({ runtime, cutover, step }: SwapWork): Promise<void> {
  const call = `SELECT crossfade.${quoteName(`converge_${cutover.id}`)}($1::text::bigint, ${HINTS_PER_CALL}) AS result`;
  let [least, withoutGain] = [MOST_COUNTED, 0];
  for (let i = 0; i < CALLS_BEFORE && withoutGain < CALLS_WITHOUT_GAIN; i += 1) {
    const [row] = await runtime.call<{ result: { claimed?: number; remaining?: number } }>(call, [step.fromEpoch]);
    const { claimed = 0, remaining = 0 } = row!.result;
    if (claimed === 0 || remaining < HINTS_UNDER_LOCK / 10) return;
    withoutGain = remaining < least || remaining === MOST_COUNTED ? 0 : withoutGain + 1;
    least = Math.min(least, remaining);
  }
}

/** Plans made without statistics would be the promoted table's first impression. */
async function analyseOnce(owner: PgConnection, { shadow }: Situation): Promise<void> {
  const [row] = await owner.call<{ done: boolean }>(
    `SELECT COALESCE(s.last_analyze, s.last_autoanalyze) IS NOT NULL AS done
     FROM pg_catalog.pg_stat_all_tables s WHERE s.relid = $1::text::oid`,
    [shadow.oid],
  );
  if (!row?.done) await owner.call(`ANALYZE ${quoteTable(shadow)}`, [], { deadlineMs: LONG_MS });
}

/** Busy is a value, and so is what no further try can repair; a lost connection goes on to the caller. */
function outcomeOf(error: unknown): SwapResult {
  const sqlstate = sqlstateOf(error);
  if (!isCrossfadeError(error) || sqlstate === null) throw error;
  if (BUSY.has(sqlstate)) return { kind: 'postponed', why: error.message };
  if (error.retryable) throw error;
  return { kind: 'refused', why: error.message, items: [] };
}
