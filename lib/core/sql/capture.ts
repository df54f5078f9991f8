/**
 * Capture: an AFTER ROW trigger that writes the key, and only the key, into the outbox, in the application's own
 * transaction. A changed key leaves two hints. TRUNCATE leaves a control row. In inline mode it hands the key on at once. That a key lost its row is said by the hint:
 * the row that is read under it later may be another one.
 */

import { quoteName } from '../table-shape.ts';
import { type Flow, keys, keyType, objectNames, SOURCE_TRIGGERS, sourceTable } from './names.ts';
import type { Sabotage } from './sabotage.ts';

export function createOutbox(flow: Flow): string {
  const { outbox } = objectNames(flow.id);
  const columns = keys(flow, (k, i) => `${k} ${keyType(flow.mapping.key[i]!.source)}`, ',\n  ');
  return `CREATE TABLE ${outbox} (
  seq bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  -- K: this key changed. D: its row went, for now at least. T: the table was truncated.
  op "char" NOT NULL DEFAULT 'K',
  ${columns},
  at timestamptz NOT NULL DEFAULT clock_timestamp(),
  attempts integer NOT NULL DEFAULT 0,
  not_before timestamptz
)`;
}

export function createCapture(flow: Flow, sabotage: Sabotage = {}): string {
  const { outbox, capture, inline } = objectNames(flow.id);
  const columns = keys(flow, (k) => k);
  const values = (row: 'OLD' | 'NEW') => keys(flow, (_, i) => `${row}.${quoteName(flow.mapping.key[i]!.source.name)}`);
  const changed = (...rows: readonly ['OLD' | 'NEW', 'K' | 'D'][]) =>
    flow.inline
      ? `PERFORM ${inline}(${keys(flow, (_, i) => `ARRAY[${rows.map(([row]) => `${row}.${quoteName(flow.mapping.key[i]!.source.name)}`).join(', ')}]`)}, ARRAY[${rows.map(([, op]) => op === 'D').join(', ')}]);`
      : rows
          .map(([row, op]) => `INSERT INTO ${outbox} (op, ${columns}) VALUES ('${op}', ${values(row)});`)
          .join('\n    ');
  return `CREATE FUNCTION ${capture}() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $crossfade$
BEGIN
  IF TG_OP = 'INSERT' THEN
    ${changed(['NEW', 'K'])}
  ELSIF TG_OP = 'DELETE' THEN
    ${changed(['OLD', 'D'])}
  ELSIF ROW(${values('NEW')})::record *<> ROW(${values('OLD')})::record THEN
    ${sabotage.omit === 'old-key' ? changed(['NEW', 'K']) : changed(['OLD', 'D'], ['NEW', 'K'])}
  ELSE
    ${changed(['NEW', 'K'])}
  END IF;
  RETURN NULL;
END $crossfade$`;
}

export function createTruncated(flow: Flow, sabotage: Sabotage = {}): string {
  const { outbox, truncated } = objectNames(flow.id);
  return `CREATE FUNCTION ${truncated}() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $crossfade$
BEGIN
  ${sabotage.omit === 'truncate' ? '' : `INSERT INTO ${outbox} (op) VALUES ('T');`}
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
