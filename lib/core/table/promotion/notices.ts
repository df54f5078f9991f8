/** What the new shape drops or changes on purpose or by oversight. Nothing of it stops a swap; people should have read it. */

import type { Asked } from '../mapping.ts';
import type { TableDependents } from './dependents.ts';
import { type PromotionItem, qualified } from './refusals.ts';
import { seenDifferently } from './seen-differently.ts';

type Columns = ReadonlyMap<string, string>;

/** @param asked columns of the old table whose way back is a cast that does not keep every value */
export function noticeDifferences(
  from: TableDependents,
  to: TableDependents,
  columns: Columns,
  asked: ReadonlyMap<string, Asked>,
): PromotionItem[] {
  return [
    ...checksMissing(from, to, columns),
    ...indexesMissing(from, to, columns),
    ...columnDifferences(from, to, columns, asked),
    ...others(from, to),
  ];
}

function checksMissing(from: TableDependents, to: TableDependents, columns: Columns): PromotionItem[] {
  const checked = (names: readonly (string | undefined)[]) => [...names].sort().join();
  const there = new Set(to.constraints.filter(({ type }) => type === 'c').map((check) => checked(check.columns)));
  return from.constraints
    .filter(({ type, columns: names }) => type === 'c' && !there.has(checked(names.map((name) => columns.get(name)))))
    .map(({ name }) =>
      notice(
        'check',
        `${qualified(from)}.${name}`,
        `${qualified(to)} has no check on the same columns: the new shape drops it.`,
      ),
    );
}

function indexesMissing(from: TableDependents, to: TableDependents, columns: Columns): PromotionItem[] {
  return from.indexes
    .filter(({ columns: names, unique }) => {
      const wanted = names.map((name) => (name === null ? undefined : columns.get(name)));
      const serves = (index: TableDependents['indexes'][number]) =>
        index.valid &&
        (!unique || (index.unique && index.columns.length === wanted.length)) &&
        wanted.every((name, i) => name !== undefined && index.columns[i] === name);
      return !to.indexes.some(serves);
    })
    .map(({ name, unique }) =>
      notice(
        unique ? 'unique index' : 'index',
        `${qualified(from)}.${name}`,
        `${qualified(to)} has no ${unique ? 'unique ' : ''}index that begins with the same columns: the new shape drops it.`,
      ),
    );
}

/** Types whose values are moments, which a cast from or to another type of time reads on the clock of the session. */
const dependsOnZone = (type: string) => / with time zone(\[\])?$/.test(type);

function columnDifferences(
  from: TableDependents,
  to: TableDependents,
  columns: Columns,
  asked: ReadonlyMap<string, Asked>,
): PromotionItem[] {
  const targets = new Map(to.columns.map((target) => [target.name, target]));
  return from.columns.flatMap((column) => {
    const target = targets.get(columns.get(column.name) ?? '');
    const object = `${qualified(from)}.${column.name}`;
    if (!target)
      return [notice('column', object, 'The new shape drops it: statements that name it fail after promotion.')];
    const items: PromotionItem[] = [];
    if (target.name !== column.name) {
      items.push(
        notice('column', object, `is named ${target.name} after promotion: statements must use the new name by then`),
      );
    }
    if (target.type !== column.type) {
      items.push(
        notice(
          'column',
          object,
          `${column.type} becomes ${target.type}: a prepared statement that returns the column fails (“cached plan must not change result type”) until it is prepared again`,
        ),
      );
    }
    const seen = seenDifferently(column.type, target.type);
    if (seen) items.push(notice('value', object, `${column.type} becomes ${target.type}: ${seen}`));
    const back = asked.get(column.name);
    if (back) items.push(notice('column', object, wayBack(column.type, target.type, back)));
    if (dependsOnZone(column.type) !== dependsOnZone(target.type)) {
      items.push(
        notice(
          'column',
          object,
          `${column.type} and ${target.type}: the one becomes the other in the time zone of the owner role (SHOW timezone). Declare { sql: "${column.name} AT TIME ZONE '…'" } for another one`,
        ),
      );
    }
    if (
      column.default !== null &&
      column.generated === '' &&
      target.default === null &&
      target.identity === '' &&
      column.identity === ''
    ) {
      if (!from.sequences.some((sequence) => sequence.column === column.name))
        items.push(missingDefault(to, column, target, object));
    }
    if (column.identity === 'd' && target.identity === 'a') {
      items.push(
        notice(
          'identity',
          object,
          'is GENERATED ALWAYS after promotion: inserts that give the number themselves fail by then',
        ),
      );
    }
    return items;
  });
}

function wayBack(old: string, fresh: string, asked: Asked): string {
  const waits = 'does not go back by itself, it waits in quarantine. Declare reverse for the column to have it';
  return asked === 'rounds'
    ? `${old} cannot hold every ${fresh}: a row written after promotion with such a value ${waits} rounded`
    : `${fresh} goes back to ${old} by a cast, and not every value comes out of a cast there and back as it was ('007' as an integer, a uuid in capitals): a row written after promotion with one that does not ${waits} changed`;
}

/** A default from a sequence is judged where the sequences are. */
function missingDefault(
  to: TableDependents,
  column: TableDependents['columns'][number],
  target: TableDependents['columns'][number],
  object: string,
): PromotionItem {
  if (target.notNull) {
    return {
      action: 'refuse',
      kind: 'default',
      object,
      text: `Inserts that leave the column out would fail after promotion: give column ${target.name} of ${qualified(to)} the default ${column.default}.`,
    };
  }
  return notice('default', object, `${qualified(to)}.${target.name} has no default: the new shape drops it.`);
}

function others(from: TableDependents, to: TableDependents): PromotionItem[] {
  const items: PromotionItem[] = [];
  const options = from.options.filter((option) => !to.options.includes(option));
  if (options.length > 0) {
    items.push(
      notice(
        'storage options',
        qualified(from),
        `${options.join(', ')} is not set on ${qualified(to)}: the new shape decides.`,
      ),
    );
  }
  const clustered = from.indexes.find((index) => index.clustered);
  if (clustered && !to.indexes.some((index) => index.clustered)) {
    const text = `CLUSTER uses it, and no index of ${qualified(to)}: the new shape decides.`;
    items.push(notice('clustered index', `${qualified(from)}.${clustered.name}`, text));
  }
  for (const { name } of to.indexes.filter(({ valid }) => !valid)) {
    items.push({
      action: 'refuse',
      kind: 'index',
      object: `${qualified(to)}.${name}`,
      text: `It is not valid, as after a failed CREATE INDEX CONCURRENTLY. REINDEX or drop it.`,
    });
  }
  return items;
}

function notice(kind: string, object: string, text: string): PromotionItem {
  return { action: 'notice', kind, object, text };
}
