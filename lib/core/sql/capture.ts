/**
 * Capture: an AFTER ROW trigger that writes the key, and only the key, into the outbox, in the application's own
 * transaction. A changed key leaves two hints. TRUNCATE leaves a control row. In inline mode it hands the key on at once. That a key lost its row is said by the hint:
 * the row that is read under it later may be another one.
 *
 * Capture never fails a statement of the application. What can fail is tried in a block that writes nothing: a block that is
 * left without a write costs no transaction id, so a bulk update of a million rows does not either. In it the key is read,
 * and the outbox is asked whether it takes a row. Only a hint that the outbox might refuse is written in a block of its own.
 *
 *   key read by name ─┬─────────────────────────────→ hint, plainly        the outbox is as it was made
 *                     └→ by the column's number ─┬──→ hint, in a block     somebody changed the outbox
 *                                                └──→ S, in a block        the key cannot be read, or does not fit
 *                                                     └→ crossfade.missed  the outbox takes nothing
 *
 * S and crossfade.missed say that something changed and nobody knows what. Converge answers with a sweep of both tables.
 */

import { type ColumnShape, quoteName, quoteText } from '../table-shape.ts';
import { type InlineMode, tryInline } from './inline.ts';
import { type Flow, keys, keyType, objectNames, SOURCE_TRIGGERS, sourceTable } from './names.ts';
import type { Sabotage } from './sabotage.ts';

/** Numbers in a row that go to one leaf of the outbox, as a power of two. */
const TURN_BITS = 13;

/**
 * The outbox and its two leaves, which it inherits. Capture writes into the leaf that the hint's number names, so the leaves take turns
 * and the idle one can be truncated; hints of our own go into the outbox itself. The index is not unique and there is no key: whoever resets the sequence must
 * not fail the application. The replica identity is for publications FOR ALL TABLES.
 */
export function createOutbox(flow: Flow): string[] {
  const { outbox, evenHints, oddHints, number, since } = objectNames(flow.id);
  const columns = keys(flow, (k, i) => `${k} ${keyType(flow.mapping.key[i]!.source)}`, ',\n  ');
  return [
    `CREATE SEQUENCE ${number}`,
    `CREATE TABLE ${outbox} (
  seq bigint NOT NULL DEFAULT nextval(${quoteText(number)}),
  -- K: this key changed. D: its row went, for now at least. T: the table was truncated. S: something changed, sweep.
  op "char" NOT NULL DEFAULT 'K',
  ${columns},
  at timestamptz NOT NULL DEFAULT clock_timestamp(),
  attempts integer NOT NULL DEFAULT 0,
  not_before timestamptz
)`,
    `ALTER SEQUENCE ${number} OWNED BY ${outbox}.seq`,
    `CREATE SEQUENCE ${since} MINVALUE 0 START 0 OWNED BY ${outbox}.seq`,
    ...[evenHints, oddHints].map((leaf) => `CREATE TABLE ${leaf} () INHERITS (${outbox})`),
    ...[outbox, evenHints, oddHints].flatMap((table) => [
      `CREATE INDEX ON ${table} (seq)`,
      `ALTER TABLE ${table} REPLICA IDENTITY FULL`,
    ]),
  ];
}

/** SQL: does a hint with this number go to the odd leaf? */
const goesOdd = (seq: string) => `(${seq} >> ${TURN_BITS}) & 1 = 1`;

export function createCapture(flow: Flow, inline: InlineMode | null, sabotage: Sabotage = {}): string {
  const { capture, outbox } = objectNames(flow.id);
  const columns = keys(flow, (k) => k);
  const source = (index: number) => flow.mapping.key[index]!.source;
  const declared = (prefix: string) =>
    keys(flow, (_, i) => `${prefix}${i + 1} ${isBuiltIn(source(i)) ? keyType(source(i)) : 'record'};`, '\n  ');
  const variable = (prefix: string, i: number) => `${prefix}${i + 1}${isBuiltIn(source(i)) ? '' : '.f1'}`;
  const value = (prefix: string) => keys(flow, (_, i) => variable(prefix, i));
  const image = (values: string) => `ROW(${values})::record`;
  const named = (row: 'OLD' | 'NEW') => keys(flow, (_, i) => `${row}.${quoteName(source(i).name)}`);
  const byName = (prefix: string, row: 'OLD' | 'NEW') =>
    keys(
      flow,
      (_, i) => {
        const column = `${row}.${quoteName(source(i).name)}`;
        return isBuiltIn(source(i))
          ? `${prefix}${i + 1} := ${column};`
          : `SELECT (${column})::${keyType(source(i))} AS f1 INTO ${prefix}${i + 1};`;
      },
      ' ',
    );
  const byNumber = (prefix: string, row: 'OLD' | 'NEW') =>
    keys(
      flow,
      (k, i) =>
        `EXECUTE crossfade.column_by_number(TG_RELID, ${source(i).number ?? 0}, ${quoteText(outbox)}, ${quoteText(k)}) INTO ${prefix}${i + 1} USING ${row};`,
      ' ',
    );
  const moved = sabotage.omit === 'old-key' ? 'false' : 'true';
  return `CREATE FUNCTION ${capture}() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $crossfade$
#variable_conflict use_variable
DECLARE
  v_seq bigint;
  v_next bigint;
  v_op "char" := 'K';
  -- The key that a hint is for, and the one before, when it was another.
  ${declared('v_k')}
  ${declared('v_o')}
  v_named boolean := true;
  v_moved boolean := false;
${
  inline === null
    ? ''
    : `  v_state text;
  v_message text;
`
}BEGIN
  BEGIN
    v_seq := ${numbered(flow)};
    IF TG_OP = 'INSERT' THEN
      ${byName('v_k', 'NEW')}
    ELSIF TG_OP = 'DELETE' THEN
      v_op := 'D';
      ${byName('v_k', 'OLD')}
    ELSE
      ${byName('v_k', 'NEW')}
      IF ${image(named('NEW'))} *<> ${image(named('OLD'))} THEN
        ${byName('v_o', 'OLD')}
        v_next := ${numbered(flow)};
        v_moved := ${moved};
      END IF;
    END IF;
  EXCEPTION WHEN OTHERS THEN
    v_seq := NULL;
    BEGIN
      IF TG_OP <> 'DELETE' THEN
        ${byNumber('v_k', 'NEW')}
      ELSE
        v_op := 'D';
        ${byNumber('v_k', 'OLD')}
      END IF;
      IF TG_OP = 'UPDATE' THEN
        ${byNumber('v_o', 'OLD')}
        v_moved := ${image(value('v_k'))} *<> ${image(value('v_o'))};
        v_next := ${numbered(flow)};
      END IF;
      v_seq := ${numbered(flow)};
    EXCEPTION WHEN OTHERS THEN
      v_named := false;
    END;
  END;${inline === null ? '' : tryInline(flow, inline, variable)}
  IF v_seq IS NULL THEN
    BEGIN
      IF NOT v_named THEN
        ${mark(flow)}
      ELSIF v_moved THEN
        INSERT INTO ${outbox} (op, ${columns}) VALUES ('D', ${value('v_o')}), ('K', ${value('v_k')});
      ELSE
        INSERT INTO ${outbox} (op, ${columns}) VALUES (v_op, ${value('v_k')});
      END IF;
    EXCEPTION WHEN OTHERS THEN
      ${lastResort(flow)}
    END;
  ELSIF v_moved THEN
    ${insert(flow, `VALUES (v_seq, 'D', ${value('v_o')}), (v_next, 'K', ${value('v_k')})`)}
  ELSE
    ${insert(flow, `VALUES (v_seq, v_op, ${value('v_k')})`)}
  END IF;
  RETURN NULL;
END $crossfade$`;
}

/** Its name means the same for everybody and for ever; others may be renamed, moved or dropped, and are named late. */
const isBuiltIn = ({ type }: ColumnShape) => !type.includes('.') && !type.includes('"');

/**
 * The next number, or NULL when the outbox is not as it was made. The look is free: crossfade.takes_hints is taken for immutable and
 * its arguments are constants, so it is asked when the expression is planned, and again whenever either leaf was changed,
 * renamed or dropped, since that discards the plan.
 */
function numbered(flow: Flow): string {
  const { evenHints, oddHints, number } = objectNames(flow.id);
  const takes = (leaf: string) => `crossfade.takes_hints(${quoteText(leaf)}::regclass)`;
  return `CASE WHEN ${takes(evenHints)} AND ${takes(oddHints)} THEN nextval(${quoteText(number)}::regclass) END`;
}

function insert(flow: Flow, rows: string): string {
  const { evenHints, oddHints } = objectNames(flow.id);
  const into = (leaf: string) => `INSERT INTO ${leaf} (seq, op, ${keys(flow, (k) => k)}) ${rows};`;
  return `IF ${goesOdd('v_seq')} THEN
      ${into(oddHints)}
    ELSE
      ${into(evenHints)}
    END IF;`;
}

/** Statements: something changed, and nobody knows what. Once in a transaction is enough; a savepoint takes both back. */
function mark(flow: Flow): string {
  const { outbox } = objectNames(flow.id);
  const setting = quoteText(`crossfade.marked_${flow.id}`);
  return `IF current_setting(${setting}, true) IS DISTINCT FROM pg_current_xact_id()::text THEN
          INSERT INTO ${outbox} (op) VALUES ('S');
          PERFORM set_config(${setting}, pg_current_xact_id()::text, true);
        END IF;`;
}

/** Statements of a handler: not even the outbox could be written. */
function lastResort(flow: Flow): string {
  return `BEGIN
        INSERT INTO crossfade.missed (cutover, why) VALUES (${quoteText(flow.id)}, SQLERRM);
      EXCEPTION WHEN OTHERS THEN
        RAISE LOG 'crossfade: a change of cutover ${flow.id} could not be recorded at all: %', SQLERRM;
      END;`;
}

export function createTruncated(flow: Flow, sabotage: Sabotage = {}): string {
  const { outbox, truncated } = objectNames(flow.id);
  return `CREATE FUNCTION ${truncated}() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $crossfade$
BEGIN
  BEGIN
    ${sabotage.omit === 'truncate' ? '' : `INSERT INTO ${outbox} (op) VALUES ('T');`}
  EXCEPTION WHEN OTHERS THEN
    ${lastResort(flow)}
  END;
  RETURN NULL;
END $crossfade$`;
}

/** Always, also for rows that a replication applies: a row that is not captured is a row that is lost. */
export function createTriggers(flow: Flow): string[] {
  const { capture, truncated } = objectNames(flow.id);
  const table = sourceTable(flow);
  return [
    `CREATE TRIGGER crossfade_capture AFTER INSERT OR UPDATE OR DELETE ON ${table} FOR EACH ROW EXECUTE FUNCTION ${capture}()`,
    `CREATE TRIGGER crossfade_truncated AFTER TRUNCATE ON ${table} FOR EACH STATEMENT EXECUTE FUNCTION ${truncated}()`,
    `ALTER TABLE ${table} ENABLE ALWAYS TRIGGER crossfade_capture`,
    `ALTER TABLE ${table} ENABLE ALWAYS TRIGGER crossfade_truncated`,
  ];
}

export function dropTriggers(flow: Flow): string[] {
  return SOURCE_TRIGGERS.map((name) => `DROP TRIGGER IF EXISTS ${name} ON ${sourceTable(flow)}`);
}
