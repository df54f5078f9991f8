/** A new key: what each companion column must be before anything is armed, and what is said of the table that has it. */

import type { Companion } from '../mapping.ts';
import { quoteName, quoteTable } from '../shape.ts';
import type { Dependents, ForeignKey, TableDependents } from './dependents.ts';
import type { KeyColumns } from './foreign-key-statement.ts';
import { type PromotionItem, qualified } from './refusals.ts';

const bare = (type: string) => type.replace(/\(.*\)/, '');

const isOf = ({ table }: Companion, one: { schema: string; name: string }) =>
  table.schema === one.schema && table.name === one.name;

/** The companion that a foreign key moves to. */
export const companionOf = (companions: readonly Companion[], { table, columns, referencedColumns }: ForeignKey) =>
  companions.find(
    (one) =>
      isOf(one, table) && columns.length === 1 && columns[0] === one.leading && referencedColumns[0] === one.references,
  );

/** The foreign key as it is made again: of the companion, whose type was compared before the start, to the new key of `to`. */
export function onCompanion(
  foreignKey: ForeignKey,
  { following, becomes }: Companion,
  to: TableDependents,
): { foreignKey: ForeignKey; key: KeyColumns } {
  const type = typeOf(to, becomes);
  const setColumns = foreignKey.setColumns === null ? null : [following];
  return {
    foreignKey: { ...foreignKey, columns: [following], referencedColumns: [becomes], types: [type], setColumns },
    key: new Map([[becomes, { name: becomes, type }]]),
  };
}

const typeOf = (table: TableDependents, name: string): string =>
  bare(table.columns.find((column) => column.name === name)?.type ?? '');

/** @param companions from the primary to the shadow */
export function checkCompanions(dependents: Dependents, companions: readonly Companion[]): PromotionItem[] {
  const items = companions.flatMap((one): PromotionItem[] => {
    const table = (dependents.referring ?? []).find((other) => isOf(one, other));
    const object = `${qualified(one.table)}.${one.following}`;
    const why = reasonAgainst(one, table, dependents);
    if (why !== null) return [{ action: 'refuse', kind: 'companion', object, text: why }];
    return noticesOf(one, table!, dependents);
  });
  return [...items, ...companions.slice(0, 1).flatMap((one) => withoutDefault(dependents.shadow, one))];
}

/** One that is computed from the old key is computed after promotion, too. */
function withoutDefault(shadow: TableDependents, { becomes, from }: Companion): PromotionItem[] {
  if (from === null || shadow.columns.some((column) => column.name === becomes && column.default !== null)) return [];
  const text = 'It has no default, so the application gives each new row its key from promotion on.';
  return [{ action: 'notice', kind: 'new key', object: `${qualified(shadow)}.${becomes}`, text }];
}

function reasonAgainst(one: Companion, table: TableDependents | undefined, { primary, shadow }: Dependents) {
  const { leading, following, references, becomes } = one;
  const foreignKey = primary.inbound.find((other) => companionOf([one], other) !== undefined);
  if (!table || !foreignKey)
    return `No foreign key of ${qualified(one.table)} (${leading}) references ${qualified(primary)} (${references}). Name the table and the column that have it.`;
  if (table.relkind === 'p' || foreignKey.inherited)
    return `${qualified(table)} is partitioned, and no foreign key of it can be made again without reading every row under the lock.`;
  if (!table.ours)
    return `The role that swaps must own ${qualified(table)} to fill it. Grant it: GRANT ${table.owner} TO the owner role of Crossfade.`;
  if (table.forced && !table.bypassed)
    return `Row security of ${qualified(table)} binds its owner, too, so rows could be missed. Run ALTER TABLE ${quoteTable(table)} NO FORCE ROW LEVEL SECURITY.`;
  if (foreignKey.deferrable)
    return `Foreign key ${foreignKey.name} is DEFERRABLE: a row may be written before the one that it references, with no new key to be found. Run ALTER TABLE ${quoteTable(table)} ALTER CONSTRAINT ${quoteName(foreignKey.name)} NOT DEFERRABLE.`;
  const column = table.columns.find(({ name }) => name === following);
  const type = typeOf(shadow, becomes);
  if (!column)
    return `${qualified(table)} has no such column. Run ALTER TABLE ${quoteTable(table)} ADD COLUMN ${quoteName(following)} ${type}.`;
  if (column.generated !== '' || column.identity !== '')
    return 'Postgres computes it, so that it cannot be filled. Make it a plain column.';
  if (bare(column.type) !== type)
    return `It is ${column.type}, and ${qualified(shadow)}.${becomes}, which it is to reference, is ${type}. Give both the same type.`;
  return null;
}

const EVERY_ROW =
  'It runs once for each row while the companion is filled, before promotion. Let it ignore rows of which nothing else changed.';

function noticesOf(one: Companion, table: TableDependents, { primary }: Dependents): PromotionItem[] {
  const { leading, following, becomes } = one;
  const at = `${qualified(table)}.`;
  const notice = (kind: string, object: string, text: string): PromotionItem => ({
    action: 'notice',
    kind,
    object,
    text,
  });
  const indexed = (name: string) => table.indexes.some(({ valid, columns }) => valid && columns[0] === name);
  const required = table.columns.some(({ name, notNull }) => name === leading && notNull);
  const reading = (what: { uses: readonly string[] }) => what.uses.includes(leading);
  return [
    notice(
      'companion',
      `${at}${following}`,
      `is filled with ${becomes} for each ${leading}, references ${qualified(primary)} (${becomes}) from promotion on, and both columns follow each other until cleanup. After it ${leading} is a column like any other${required ? ', NOT NULL: drop that, or the column, before the application leaves it out' : ''}`,
    ),
    ...(indexed(following)
      ? []
      : [
          notice(
            'index',
            `${at}${following}`,
            `No index begins with it, so each DELETE in ${primary.name} would read all of ${qualified(table)} after promotion. Run CREATE INDEX CONCURRENTLY ON ${quoteTable(table)} (${quoteName(following)}).`,
          ),
        ]),
    ...table.indexes
      .filter(({ columns }) => columns.includes(leading))
      .map(({ name }) => notice('index', `${table.schema}.${name}`, `reads ${leading} and stays on it`)),
    ...table.constraints
      .filter(({ type, columns }) => type !== 'f' && type !== 'n' && columns.includes(leading))
      .map(({ name }) => notice('constraint', `${at}${name}`, `is about ${leading} and stays on it`)),
    ...table.views.filter(reading).map((view) => notice('view', qualified(view), `reads ${leading}, which stays`)),
    ...table.triggers
      .filter(({ enabled, definition }) => enabled !== 'D' && enabled !== 'R' && / UPDATE /.test(definition))
      .map(({ name }) => notice('trigger', `${name} on ${qualified(table)}`, EVERY_ROW)),
  ];
}
