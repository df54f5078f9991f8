/**
 * After promotion: a trigger on the promoted table that computes columns which converge computed before, for an application
 * that does not know them yet. The row is taken for the old one that it stands for, and asked what the declaration asks of that.
 *
 * What the application writes itself stands: on INSERT a value that is neither NULL nor the default, on UPDATE another value than
 * before, and any value for as long as what it would be computed from stays the same.
 *
 * It never fails a statement. What cannot be computed is left as the application wrote it, and recorded by key.
 */

import type { KeptColumn } from '../mapping.ts';
import { baseType, type ColumnShape, quoteName, quoteText } from '../shape.ts';
import { COMPUTED_TRIGGER, type Flow, keyText, objectNames, rowValue, securely, sourceTable } from './names.ts';

export function createComputed(flow: Flow): string {
  const { computed } = objectNames(flow.id);
  return `CREATE FUNCTION ${computed}() RETURNS trigger
${securely()} AS $crossfade$
#variable_conflict use_column
DECLARE
  v_new record;
  v_old record;
  v_changed boolean;
BEGIN
  ${(flow.mapping.kept ?? []).map((kept) => keep(flow, kept)).join('\n  ')}
  RETURN NEW;
END $crossfade$`;
}

/** Always, as capture is: rows that a replication applies, and that lack the column, get it, too. */
export function createComputedTrigger(flow: Flow): string[] {
  const table = sourceTable(flow);
  return [
    `CREATE TRIGGER ${COMPUTED_TRIGGER} BEFORE INSERT OR UPDATE ON ${table} FOR EACH ROW EXECUTE FUNCTION ${objectNames(flow.id).computed}()`,
    `ALTER TABLE ${table} ENABLE ALWAYS TRIGGER ${COMPUTED_TRIGGER}`,
  ];
}

/** A row whose old value could not be computed has been corrected when the new one can. */
function keep(flow: Flow, kept: KeptColumn): string {
  const { column } = kept;
  const name = quoteName(column.name);
  const written = (row: 'NEW' | 'OLD') => rowValue([asBase(column, `${row}.${name}`)]);
  return `BEGIN
    IF TG_OP = 'INSERT' THEN
      IF ${isUnwritten(column)} THEN
        ${evaluate(kept, 'NEW', 'v_new')}
        NEW.${name} := v_new.f1;
      END IF;
    ELSIF ${written('NEW')} *= ${written('OLD')} THEN
      ${evaluate(kept, 'NEW', 'v_new')}
      IF ${rowValue([asBase(column, 'v_new.f1')])} *<> ${written('NEW')} THEN
        v_changed := true;
        BEGIN
          ${evaluate(kept, 'OLD', 'v_old')}
          v_changed := v_new *<> v_old;
        EXCEPTION WHEN OTHERS THEN
          NULL;
        END;
        IF v_changed THEN NEW.${name} := v_new.f1; END IF;
      END IF;
    END IF;
  EXCEPTION WHEN OTHERS THEN
    ${recordFailure(flow, column)}
  END;`;
}

/** The application that leaves a column out gets its default, and looks like one that writes it. */
function isUnwritten(column: ColumnShape): string {
  const name = `NEW.${quoteName(column.name)}`;
  if (column.defaultSql === null) return `${name} IS NULL`;
  return `${name} IS NULL OR ${rowValue([asBase(column, name)])} *= ${rowValue([asBase(column, `(${column.defaultSql})`)])}`;
}

const asBase = (column: ColumnShape, value: string) => `(${value})::${baseType(column)}`;

/** From the old row, and where a value has no place in its types, from the values as they are. */
function evaluate({ sql, inputs }: KeptColumn, row: 'NEW' | 'OLD', into: string): string {
  const select = (from: string) => `SELECT ${sql} AS f1 INTO ${into} FROM (SELECT ${from}) AS p;`;
  const plain = (as: 'name' | 'from') =>
    inputs.map((input) => `${row}.${quoteName(input.from)} AS ${quoteName(input[as])}`).join(', ');
  if (!inputs.some(({ isCast }) => isCast)) return select(plain('name'));
  const back = inputs.map((input) => `${input.sql} AS ${quoteName(input.name)}`).join(', ');
  return `BEGIN
          ${select(`${back} FROM (SELECT ${plain('from')}) AS p`)}
        EXCEPTION WHEN data_exception THEN
          ${select(plain('name'))}
        END;`;
}

function recordFailure(flow: Flow, { name }: ColumnShape): string {
  const key = keyText(flow, (index) => `NEW.${quoteName(flow.mapping.key[index]!.source.name)}`);
  const why = quoteText(`column ${quoteName(name)} was not computed: `);
  return `BEGIN
      PERFORM crossfade.record_inline_failure(${quoteText(flow.id)}, ${key}, SQLSTATE, ${why} || SQLERRM);
    EXCEPTION WHEN OTHERS THEN
      RAISE LOG 'crossfade: a computed column of cutover ${flow.id} was left as it was written: %', SQLERRM;
    END;`;
}
