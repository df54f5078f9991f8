/** Numbers that the other database would give goes on behind those that this one has given. */

import { quoteTable, quoteText, type TableShape } from '../../../core/table/shape.ts';
import type { Flow } from '../../../core/table/sql/names.ts';
import type { PgConnection } from '../connection/connection.ts';

type Sequence = { column: string; sequence: string; last: string | null };

/** Of identity columns, of columns that own one, and of defaults. */
const SEQUENCES = `SELECT DISTINCT a.attname AS column, q.seqrelid::pg_catalog.regclass::pg_catalog.text AS sequence, pg_catalog.pg_sequence_last_value(q.seqrelid) AS last
  FROM pg_catalog.pg_attribute a LEFT JOIN pg_catalog.pg_attrdef f ON f.adrelid = a.attrelid AND f.adnum = a.attnum
  JOIN pg_catalog.pg_depend d ON d.deptype IN ('a', 'i') AND d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass AND d.refobjid = a.attrelid AND d.refobjsubid = a.attnum
    OR d.classid = 'pg_catalog.pg_attrdef'::pg_catalog.regclass AND d.objid = f.oid
  JOIN pg_catalog.pg_sequence q ON q.seqrelid IN (d.objid, d.refobjid)
  WHERE a.attrelid = $1::pg_catalog.text::pg_catalog.oid AND a.attnum > 0 AND NOT a.attisdropped`;

/** Statements for the database of the target, whose numbers are to follow those of the source. */
export async function advanceSequences(
  { source, mapping }: Pick<Flow, 'source' | 'mapping'>,
  from: PgConnection,
  target: TableShape,
  to: PgConnection,
): Promise<string[]> {
  const given = new Map((await from.call<Sequence>(SEQUENCES, [source.oid])).map((one) => [one.column, one.last]));
  const keys = new Map(mapping.key.map((pair) => [pair.target.name, pair.source.name]));
  const found = await to.call<Sequence>(SEQUENCES, [target.oid]);
  return found.map(({ column, sequence }) => {
    const last = given.get(keys.get(column) ?? column) ?? null;
    const at = last === null ? 'NULL' : `${quoteText(last)}::bigint`;
    return `SELECT crossfade.advance_sequence(${quoteText(sequence)}, ${quoteText(quoteTable(target))}, ${quoteText(column)}, ${at})`;
  });
}
