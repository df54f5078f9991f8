/** What a swap of names cannot carry yet: each object with its kind, why it would break, and what to do about it. */

import { otherThanTable } from '../relation-kind.ts';
import type { TableDependents } from './dependents.ts';

export type PromotionItem = {
  action: 'carry' | 'rebuild' | 'notice' | 'refuse';
  kind: string;
  object: string;
  text: string;
};

export const qualified = (table: { schema: string; name: string }): string => `${table.schema}.${table.name}`;

/** Why an object that hangs on the table whose name is taken away stands in the way. */
const STANDS_IN_THE_WAY: Readonly<Record<string, (table: string) => string>> = {
  partition: (table) =>
    `and ${table} are a partitioned table and its partition. A partition cannot cross over by itself: name the partitioned table, or end it with ALTER TABLE … DETACH PARTITION ….`,
  inheritance: (table) =>
    `and ${table} are parent and child: the parent shows the rows of the child, and its triggers do not see them change. End it with ALTER TABLE child NO INHERIT parent.`,
  function: () =>
    'is written for the row type of this very table. Drop it before the swap and create it again after it.',
  extension: () =>
    'counts the table as its own and would break with another one. Take it out with ALTER EXTENSION … DROP TABLE first.',
  'security label': () =>
    'labels this very table and is not carried. Remove it before the swap and set it again after it.',
};
const UNKNOWN = () =>
  'depends on this very table in a way that is not known here. Drop it before the swap and create it again after it.';

const FOLLOWS_THE_NEW_TABLE = 'It stays with the table that it was made for, under the name that table gets.';
/** On the table that gets the name: they would change or hide what is mirrored, or the name would mean something else. */
const NOT_ON_THE_NEW_TABLE = new Set(['partition', 'inheritance', 'extension']);

/** @param known objects that are expected on the table */
export function refuseOthers(
  table: TableDependents,
  known: (other: { kind: string; object: string }) => boolean,
): PromotionItem[] {
  return table.others.filter((other) => !known(other)).map((other) => refuseOther(table, other));
}

function refuseOther(table: TableDependents, { kind, object }: { kind: string; object: string }): PromotionItem {
  const why = STANDS_IN_THE_WAY[kind] ?? UNKNOWN;
  return { action: 'refuse', kind, object, text: `It ${why(qualified(table))}` };
}

/** Of the table that gets the name. */
export function checkOthers(table: TableDependents): PromotionItem[] {
  const others = table.others.map(({ kind, object }): PromotionItem => {
    if (NOT_ON_THE_NEW_TABLE.has(kind)) return refuseOther(table, { kind, object });
    return { action: 'notice', kind, object, text: FOLLOWS_THE_NEW_TABLE };
  });
  return [...others, ...runsForMirrored(table), ...followers(table)];
}

/** Whatever runs on the shadow runs for every row that is mirrored. */
function runsForMirrored(table: TableDependents): PromotionItem[] {
  const refuse = (kind: string, name: string, text: string): PromotionItem => ({
    action: 'refuse',
    kind,
    object: `${name} on ${qualified(table)}`,
    text,
  });
  const isQuiet = ({ enabled }: { enabled: string }) => enabled === 'D' || enabled === 'R';
  return [
    ...table.triggers
      .filter((trigger) => !isQuiet(trigger))
      .map(({ name }) =>
        refuse(
          'trigger',
          name,
          'It would fire for every row that is mirrored and could change it. Disable it and enable it after the swap; triggers of the primary move by themselves.',
        ),
      ),
    ...table.rules
      .filter((rule) => rule.own && !isQuiet(rule))
      .map(({ name }) =>
        refuse(
          'rule',
          name,
          'It rewrites the statements that mirror rows. Create it after the swap; rules of the primary move by themselves.',
        ),
      ),
  ];
}

function followers(table: TableDependents): PromotionItem[] {
  const notice = (kind: string, object: string): PromotionItem => ({
    action: 'notice',
    kind,
    object,
    text: FOLLOWS_THE_NEW_TABLE,
  });
  return [
    ...table.views.map((view) => notice(view.relkind === 'm' ? 'materialized view' : 'view', qualified(view))),
    ...table.functions.map(({ signature }) => notice('function', signature)),
    ...table.publications.filter(({ direct }) => direct).map(({ name }) => notice('publication', name)),
    ...table.policies.map(({ name, table: on }) => notice('policy', `${name} on ${qualified(on)}`)),
  ];
}

/** What rows cannot be captured from, or mirrored to, without losing some: of either table, already when it is armed. */
export function refuseRelation(table: TableDependents): PromotionItem[] {
  const object = qualified(table);
  const other = otherThanTable(table);
  const lost = `Its rows would be lost in a crash. Make it permanent: ALTER TABLE ${object} SET LOGGED, or create it again.`;
  const kind = table.persistence === 'u' ? 'unlogged table' : 'temporary table';
  return [
    ...(other ? [{ action: 'refuse', kind: other.kind, object, text: `It ${other.text}.` } as const] : []),
    ...(table.persistence === 'p' ? [] : [{ action: 'refuse', kind, object, text: lost } as const]),
  ];
}

/** Its parents and children, whose rows are also its own, or the other way round. */
export const refuseRelatives = (table: TableDependents): PromotionItem[] =>
  refuseOthers(table, ({ kind }) => kind !== 'partition' && kind !== 'inheritance');

/** What either table must be. */
export function refuseTable(table: TableDependents): PromotionItem[] {
  const object = qualified(table);
  const refuse = (kind: string, text: string): PromotionItem => ({ action: 'refuse', kind, object, text });
  const items = refuseRelation(table);
  if (!table.ours) {
    items.push(
      refuse(
        'owner',
        `The role that swaps must own the table. Grant it: GRANT ${table.owner} TO the owner role of Crossfade.`,
      ),
    );
  }
  if (!table.mayCreate) {
    items.push(
      refuse(
        'schema',
        `Renaming needs CREATE in the schema, for the owner of the table and for the role that swaps. Grant it: GRANT CREATE ON SCHEMA ${table.schema} TO ${table.owner} and the owner role of Crossfade.`,
      ),
    );
  }
  return items;
}
