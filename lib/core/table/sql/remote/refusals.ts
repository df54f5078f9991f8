/** What cannot cross over into another database, beside what cannot cross over at all. One sentence each. */

import { beyondKey, type Mapping } from '../../mapping.ts';
import { columnOf, type TableShape } from '../../shape.ts';
import { INTEGER_BITS } from '../names.ts';
import { sortsEverywhere } from './range.ts';

/** Their text means another value on another server: numbers of objects, a locale's currency. */
const LOCAL = /^(money|oid|reg\w+|xid8?|cid|tid|pg_snapshot|pg_lsn)(\[\])?$/;

export function remoteRefusals(primary: TableShape, shadow: TableShape, mapping: Mapping): string[] {
  const keys = mapping.key.flatMap(({ source, target }) => {
    const [from, to] = [columnOf(primary, source.name)!, columnOf(shadow, target.name)!];
    const bits = INTEGER_BITS[to.type] ?? 0;
    const alike = from.type === to.type || (from.type in INTEGER_BITS && bits >= INTEGER_BITS[from.type]!);
    if (alike && sortsEverywhere(from) && sortsEverywhere(to)) return [];
    return [
      `key column '${from.name}' is ${from.type} and becomes ${to.type}: ranges of keys are copied and compared, so both databases must sort them alike. Numbers, uuid, dates and times do, and text with COLLATE "C" in both`,
    ];
  });
  const places = beyondKey(mapping).map(
    (name) =>
      `column '${name}' is part of the shadow's key and not of the primary's, which a shadow in another database cannot have`,
  );
  return [...keys, ...localColumns(shadow, mapping), ...places];
}

/** Columns whose values cannot travel to this table. */
export function localColumns(target: TableShape, mapping: Mapping): string[] {
  return mapping.written.flatMap((one) => {
    const { type, base } = columnOf(target, one.target)!;
    return LOCAL.test(base ?? type)
      ? [`column '${one.target}' is ${type}, whose text means another value on another server`]
      : [];
  });
}
