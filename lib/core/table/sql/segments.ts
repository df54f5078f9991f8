/**
 * Segments: a partition of the key space into ranges of some thousand rows, so that verification works in bounded calls and
 * knows which ranges may have changed since they were compared. Bounds are (low, high]; NULL is no bound.
 * Converge and the guard only insert marks, and verification deletes the marks that it saw, before it reads: none of them waits.
 */

import { quoteName, quoteText } from '../shape.ts';
import { orderedKeys } from './key-operators.ts';
import {
  type Flow,
  INTEGER_BITS,
  keys,
  keyText,
  keyType,
  objectNames,
  partName,
  TARGET_TRIGGERS,
  targetTable,
} from './names.ts';

/** Do the keys of both sides sort alike? Otherwise a range of the source is no range of the target. */
export function sortsAlike(flow: Flow): boolean {
  return flow.mapping.key.every(
    ({ source, target }) =>
      (source.type === target.type && (source.collation ?? null) === (target.collation ?? null)) ||
      (source.type in INTEGER_BITS && target.type in INTEGER_BITS),
  );
}

export function createSegments(flow: Flow): string[] {
  const { segment, touched } = objectNames(flow.id);
  const part = (table: string, what: string) => partName(table, flow.id, what);
  const bounds = (side: 'l' | 'h') =>
    flow.mapping.key
      .map(({ source }, i) => `${side}${i + 1} ${keyType(source)}${collated(source.collation)}`)
      .join(', ');
  return [
    `CREATE TABLE ${segment} (
  place bigint GENERATED ALWAYS AS IDENTITY (SEQUENCE NAME crossfade.${part('segment', 'place')})
    CONSTRAINT ${part('segment', 'key')} PRIMARY KEY,
  ${bounds('l')},
  ${bounds('h')},
  rows bigint NOT NULL DEFAULT 0,
  -- Rows of the fuller side; NULL before it is compared.
  size bigint,
  divergences bigint NOT NULL DEFAULT 0,
  samples jsonb NOT NULL DEFAULT '[]',
  verified_at timestamptz,
  pass bigint NOT NULL DEFAULT 0
)`,
    `CREATE INDEX ${part('segment', 'end')} ON ${segment} (${keys(flow, (_, i) => `h${i + 1}`)})`,
    `CREATE TABLE ${touched} (place bigint, at timestamptz NOT NULL DEFAULT clock_timestamp())`,
    // Without one, a publication FOR ALL TABLES would make every delete in it fail.
    `ALTER TABLE ${touched} REPLICA IDENTITY FULL`,
  ];
}

const collated = (collation: string | null | undefined) => (collation ? ` COLLATE ${collation}` : '');

/** Marks the segments of the keys that a call has applied; a segment that is marked already needs no second mark. */
export function markTouched(flow: Flow, unnested: string): string {
  const { segment, touched } = objectNames(flow.id);
  const high = keys(flow, (_, i) => `g.h${i + 1}`);
  return `IF EXISTS (SELECT FROM ${segment}) THEN
    INSERT INTO ${touched} (place)
    SELECT DISTINCT coalesce(
    (SELECT g.place FROM ${segment} g WHERE ${orderedKeys(
      flow,
      (_, i) => `g.h${i + 1}`,
      '>=',
      (k) => `k.${k}`,
    )} ORDER BY ${high} LIMIT 1),
    (SELECT g.place FROM ${segment} g WHERE g.h1 IS NULL LIMIT 1)) AS place
    FROM ${unnested}
    EXCEPT SELECT m.place FROM ${touched} m;
  END IF;`;
}

/**
 * The guard: writes to the target that are not ours are allowed, recorded with who made them, and make every segment due.
 * Our functions say that it is them who write by a setting of their own.
 */
export function createGuard(flow: Flow): string[] {
  const { guard, touched } = objectNames(flow.id);
  const table = targetTable(flow);
  const row = (name: 'OLD' | 'NEW') => keyText(flow, (i) => `${name}.${quoteName(flow.mapping.key[i]!.target.name)}`);
  const foreign = "current_setting('crossfade.writing', true) IS DISTINCT FROM 'on'";
  return [
    `CREATE FUNCTION ${guard}() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $crossfade$
BEGIN
  IF TG_OP = 'TRUNCATE' THEN
    PERFORM crossfade.record_foreign_write(${quoteText(flow.id)}, '*', TG_OP);
  ELSIF TG_OP = 'INSERT' THEN
    PERFORM crossfade.record_foreign_write(${quoteText(flow.id)}, ${row('NEW')}, TG_OP);
  ELSE
    PERFORM crossfade.record_foreign_write(${quoteText(flow.id)}, ${row('OLD')}, TG_OP);
  END IF;
  INSERT INTO ${touched} (place) SELECT NULL WHERE NOT EXISTS (SELECT FROM ${touched} m WHERE m.place IS NULL);
  RETURN NULL;
END $crossfade$`,
    `CREATE TRIGGER crossfade_guard AFTER INSERT OR UPDATE OR DELETE ON ${table} FOR EACH ROW WHEN (${foreign}) EXECUTE FUNCTION ${guard}()`,
    `CREATE TRIGGER crossfade_guard_truncate AFTER TRUNCATE ON ${table} FOR EACH STATEMENT WHEN (${foreign}) EXECUTE FUNCTION ${guard}()`,
  ];
}

export function dropGuard(flow: Flow): string[] {
  return TARGET_TRIGGERS.map((name) => `DROP TRIGGER IF EXISTS ${name} ON ${targetTable(flow)}`);
}

/** Until the end of this transaction every writer of the target is ours. */
export const WRITING = "PERFORM set_config('crossfade.writing', 'on', true);";

/**
 * `(p."id") > (v_l1) AND (p."id") <= (v_h1)`, where a bound that is NULL does not count. Without casts on either side: keys of both
 * sort alike, and a bound need not be a value that the other type holds.
 */
export function inSegment(flow: Flow, side: 'source' | 'target'): string {
  const alias = side === 'source' ? 'p' : 't';
  const column = (_: string, i: number) => `${alias}.${quoteName(flow.mapping.key[i]![side].name)}`;
  const bound = (name: string) => (_: string, i: number) => `v_${name}${i + 1}`;
  return `(v_l1 IS NULL OR ${orderedKeys(flow, column, '>', bound('l'))}) AND (v_h1 IS NULL OR ${orderedKeys(flow, column, '<=', bound('h'))})`;
}

/**
 * A constraint that is checked when the transaction ends fails the whole of it, where the row at fault is not known any more. Checked with
 * the statement, it fails the row that breaks it.
 */
export const CHECKED_AT_ONCE = 'SET CONSTRAINTS ALL IMMEDIATE;';
