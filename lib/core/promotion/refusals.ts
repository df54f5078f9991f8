/** What a swap of names cannot carry yet: each object with its kind, why it would break, and what to do about it. */

import type { TableDependents } from './dependents.ts';

export type PromotionItem = {
  action: 'carry' | 'rebuild' | 'notice' | 'refuse';
  kind: string;
  object: string;
  text: string;
};

export const qualified = (table: { schema: string; name: string }): string => `${table.schema}.${table.name}`;

/** Why an object that hangs on the table whose name is taken away stands in the way. `%` is that table. */
const STANDS_IN_THE_WAY: Readonly<Record<string, string>> = {
  view: 'reads the table itself, not its name, and would go on reading the old rows. Drop it before the swap and create it again after it.',
  'materialized view':
    'reads the table itself, not its name, and would go on reading the old rows. Drop it before the swap and create it again after it.',
  rule: 'rewrites statements on the table itself and would stay with the old one. Drop it before the swap and create it again after it.',
  trigger:
    'would stay on the old table and fire for none of the application’s writes. Drop it before the swap and create it on the other table after it.',
  policy:
    'would stay with the old table, and rows that it hides could be seen. Row security cannot be carried yet; drop the policy, or leave the table as it is.',
  publication:
    'publishes this very table; subscribers would go on getting the old one. Take the table out of the publication before the swap.',
  partition:
    'is bound to this very table. Partitioned tables and partitions cannot cross over yet; detach it, or move each table on its own.',
  inheritance:
    'inherits from this very table or passes its columns on to it. End it with ALTER TABLE … NO INHERIT before the swap.',
  function:
    'is written for the row type of this very table, or reads it in its body. Drop it before the swap and create it again after it.',
  extension:
    'counts the table as its own and would break with another one. Take it out with ALTER EXTENSION … DROP TABLE first.',
  'security label': 'labels this very table and is not carried. Remove it before the swap and set it again after it.',
};
const UNKNOWN =
  'depends on this very table in a way that is not known here. Drop it before the swap and create it again after it.';

/** Kinds that stay with their table under its new name and are right there. Nothing is wrong with them on the new one. */
const FOLLOWS_THE_NEW_TABLE = 'stays with the table that it was made for, under the name that table gets.';
const NOT_ON_THE_NEW_TABLE = new Set(['trigger', 'rule', 'policy', 'partition', 'inheritance', 'extension']);
const NOT_ON_THE_NEW_TABLE_WHY: Readonly<Record<string, string>> = {
  trigger: 'would fire for every row that is mirrored and could change it. Create it after the swap.',
  rule: 'rewrites the statements that mirror rows. Create it after the swap.',
  policy: 'could hide rows from the mirror. Create it after the swap.',
};

/** Extended statistics do no harm where they are. */
const HARMLESS = new Set(['statistics']);

/** @param known objects that are expected on the table, such as a view that Crossfade made */
export function refuseOthers(
  table: TableDependents,
  known: (other: { kind: string; object: string }) => boolean,
): PromotionItem[] {
  return table.others
    .filter((other) => !HARMLESS.has(other.kind) && !known(other))
    .map(({ kind, object }) => ({ action: 'refuse', kind, object, text: `It ${STANDS_IN_THE_WAY[kind] ?? UNKNOWN}` }));
}

/** Of the table that gets the name. */
export function judgeOthers(table: TableDependents): PromotionItem[] {
  return table.others
    .filter(({ kind }) => !HARMLESS.has(kind))
    .map(({ kind, object }) => {
      const refused = NOT_ON_THE_NEW_TABLE.has(kind);
      const text = refused ? (NOT_ON_THE_NEW_TABLE_WHY[kind] ?? STANDS_IN_THE_WAY[kind]!) : FOLLOWS_THE_NEW_TABLE;
      return { action: refused ? 'refuse' : 'notice', kind, object, text: `It ${text}` };
    });
}

const RELATION_KINDS: Readonly<Record<string, string>> = {
  v: 'view',
  m: 'materialized view',
  f: 'foreign table',
  p: 'partitioned table',
  S: 'sequence',
};

/** What either table must be. */
export function refuseTable(table: TableDependents): PromotionItem[] {
  const object = qualified(table);
  const refuse = (kind: string, text: string): PromotionItem => ({ action: 'refuse', kind, object, text });
  const items: PromotionItem[] = [];
  if (table.relkind !== 'r') {
    items.push(
      refuse(
        RELATION_KINDS[table.relkind] ?? 'relation',
        'Only ordinary tables can cross over. Name a table in the declaration.',
      ),
    );
  }
  if (table.persistence !== 'p') {
    const kind = table.persistence === 'u' ? 'unlogged table' : 'temporary table';
    items.push(
      refuse(
        kind,
        `Its rows would be lost in a crash. Make it permanent: ALTER TABLE ${object} SET LOGGED, or create it anew.`,
      ),
    );
  }
  if (table.rowSecurity) {
    items.push(
      refuse(
        'row security',
        `Row security cannot be carried yet: ALTER TABLE ${object} DISABLE ROW LEVEL SECURITY, or leave the table as it is.`,
      ),
    );
  }
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

/** What the table whose name is taken away must not have. */
export function refuseProperties(table: TableDependents): PromotionItem[] {
  const items: PromotionItem[] = [];
  if (table.replicaIdentity !== 'd') {
    const text = `Its replica identity is not the default and is not carried: subscribers may depend on it. Set it back: ALTER TABLE ${qualified(table)} REPLICA IDENTITY DEFAULT.`;
    items.push({ action: 'refuse', kind: 'replica identity', object: qualified(table), text });
  }
  for (const column of table.columns.filter(({ granted }) => granted)) {
    const text = 'Privileges on single columns cannot be carried yet. Grant them on the table, or revoke them.';
    items.push({ action: 'refuse', kind: 'column privileges', object: `${qualified(table)}.${column.name}`, text });
  }
  return items;
}
