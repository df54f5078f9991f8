/**
 * Foreign keys. One that references the table whose name is taken away knows the table, not its name, so it is dropped and
 * made again against the other one. One that the table itself has moves, too: on a table that is only kept equal it would
 * make the application's deletes wait for the mirror. NOT VALID under the lock, which is instant, and validated after it.
 */

import type { Companion } from '../mapping.ts';
import { quoteName, quoteTable } from '../shape.ts';
import { companionOf, onCompanion } from './companions.ts';
import type { ForeignKey, TableDependents } from './dependents.ts';
import { reasonAgainst } from './foreign-key-refusals.ts';
import { addStatements, dropFromPartitions, type KeyColumns, placed, referencedBy } from './foreign-key-statement.ts';
import {
  type ForeignKeyAside,
  giveForeignKey,
  nameAfter,
  type UnprovenForeignKey,
  unproven,
} from './foreign-keys-aside.ts';
import { comparable } from './moved.ts';
import { type PromotionItem, qualified } from './refusals.ts';

export type Repointed = { drop: string[]; add: string[]; validate: string[]; lock: number[]; items: PromotionItem[] };

type RepointRequest = {
  /** Referenced now. */
  from: TableDependents;
  /** Referenced afterwards, under `name`. */
  to: TableDependents;
  name: string;
  key: KeyColumns;
  companions: readonly Companion[];
};

export function repoint(keys: readonly ForeignKey[], request: RepointRequest): Repointed {
  const { from, to, name } = request;
  const steps: Repointed = { drop: [], add: [], validate: [], lock: [], items: [] };
  for (const one of keys) {
    const object = `${qualified(one.table)}.${one.name}`;
    const companion = companionOf(request.companions, one);
    const { foreignKey, key } = companion ? onCompanion(one, companion, to) : { foreignKey: one, key: request.key };
    const refusal = reasonAgainst(foreignKey, from, to, key);
    if (refusal) {
      steps.items.push({ action: 'refuse', kind: 'foreign key', object, text: refusal });
      continue;
    }
    const table = quoteTable(foreignKey.table);
    steps.lock.push(foreignKey.table.oid);
    steps.drop.push(`ALTER TABLE ${table} DROP CONSTRAINT ${quoteName(foreignKey.name)}`);
    steps.add.push(...addStatements(foreignKey, quoteTable({ schema: from.schema, name }), key));
    if (foreignKey.validated)
      steps.validate.push(`ALTER TABLE ${table} VALIDATE CONSTRAINT ${quoteName(foreignKey.name)}`);
    const by = companion ? ` on its companion ${companion.following}` : '';
    const text = `is dropped and made again${by} against the new ${name} (${referencedBy(foreignKey, key).join(', ')}), and validated after the swap`;
    steps.items.push({ action: 'rebuild', kind: 'foreign key', object, text });
  }
  return steps;
}

/** What the swap made and dropped of the tables' own foreign keys, for the way back. */
export type OwnForeignKeys = { dropped: readonly ForeignKeyAside[]; made: readonly string[] };

export type MovedForeignKeys = Repointed & { record: OwnForeignKeys; unproven: UnprovenForeignKey[] };

type OutgoingRequest = {
  primary: TableDependents;
  shadow: TableDependents;
  /** By column of the primary, that of the shadow. */
  columns: ReadonlyMap<string, string>;
  key: KeyColumns;
  /** Names of the shadow's constraints after the renames. */
  taken: ReadonlySet<string>;
  aside: readonly ForeignKeyAside[];
};

/** Foreign keys of the primary: off the table that is mirrored from now on, onto the one that gets its name. */
export function moveOutgoing(request: OutgoingRequest): MovedForeignKeys {
  const { primary, shadow } = request;
  const steps: Repointed = { drop: [], add: [], validate: [], lock: [], items: [] };
  const dropped: ForeignKey[] = [];
  const names: string[] = [];
  for (const foreignKey of primary.outgoing.filter(({ references }) => references.oid !== shadow.oid)) {
    const object = `${qualified(primary)}.${foreignKey.name}`;
    const { enforced, period, references, name } = foreignKey;
    if (enforced && !period && references.ours) {
      steps.drop.push(`ALTER TABLE ${quoteTable(primary)} DROP CONSTRAINT ${quoteName(name)}`);
      steps.lock.push(references.oid);
      dropped.push(foreignKey);
    }
    if ([...shadow.outgoing, ...request.aside].some((other) => replaces(other, foreignKey, request))) continue;
    const checked = checkOutgoing(foreignKey, request, dropped.includes(foreignKey));
    steps.items.push({ ...checked.item, kind: 'foreign key', object });
    if (!checked.moved) continue;
    const made = placed({
      foreignKey: checked.moved,
      target: quoteTable(referencedAfter(foreignKey, primary)),
      on: promoted(request),
      validated: foreignKey.validated,
    });
    steps.add.push(...made.add);
    steps.validate.push(...made.validate);
    names.push(name);
  }
  steps.items.push(...ownOfShadow(shadow, primary));
  return giveBack({ ...steps, record: { dropped, made: names }, unproven: [] }, request);
}

/** The shadow, as it is called then. */
const promoted = ({ primary, shadow }: OutgoingRequest): TableDependents => ({
  ...shadow,
  schema: primary.schema,
  name: primary.name,
});

/** What the shadow had of its own goes onto the promoted table, too. */
function giveBack(steps: MovedForeignKeys, request: OutgoingRequest): MovedForeignKeys {
  const { primary, shadow, aside } = request;
  const table = { schema: primary.schema, name: primary.name };
  const taken = new Set([...request.taken, ...steps.record.made]);
  const made = [...steps.record.made];
  for (const one of aside) {
    const { item, key } = giveForeignKey(one, primary, shadow, taken);
    steps.items.push(item);
    if (!key) continue;
    const proven = primary.outgoing.some((own) => own.validated && isAlike(one, own, request));
    const target = key.references.oid === shadow.oid ? table : referencedAfter(key, primary);
    if (key.references.oid !== shadow.oid) steps.lock.push(key.references.oid);
    const given = placed({
      foreignKey: key,
      target: quoteTable(target),
      on: promoted(request),
      validated: key.validated || proven,
    });
    steps.add.push(...given.add);
    steps.validate.push(...given.validate);
    if (key.validated && !proven) steps.unproven.push(unproven(key, shadow));
    made.push(key.name);
    taken.add(key.name);
  }
  return { ...steps, record: { ...steps.record, made } };
}

/** Its own name again: by then the other table has it. */
const referencedAfter = ({ references }: ForeignKey, { oid, schema, name }: TableDependents) =>
  references.oid === oid ? { schema, name } : references;

function isAlike(
  other: Pick<ForeignKey, 'references' | 'columns'>,
  foreignKey: ForeignKey,
  { primary, shadow, columns }: OutgoingRequest,
): boolean {
  const isSelf = foreignKey.references.oid === primary.oid;
  return (
    other.references.oid === (isSelf ? shadow.oid : foreignKey.references.oid) &&
    other.columns.join() === foreignKey.columns.map((column) => columns.get(column)).join()
  );
}

/** The new shape has it under the same name, whichever table it references. */
function replaces(
  other: Pick<ForeignKey, 'name' | 'references' | 'columns'>,
  foreignKey: ForeignKey,
  request: OutgoingRequest,
) {
  const { primary, shadow, columns } = request;
  const alike = isAlike(other, foreignKey, request);
  return (
    alike ||
    (nameAfter(other, primary, shadow) === foreignKey.name &&
      other.columns.join() === foreignKey.columns.map((column) => columns.get(column)).join())
  );
}

type Checked = { item: Pick<PromotionItem, 'action' | 'text'>; moved: ForeignKey | null };

function checkOutgoing(foreignKey: ForeignKey, request: OutgoingRequest, mayMove: boolean): Checked {
  const { primary, shadow, columns, key, taken } = request;
  const notice = (text: string): Checked => ({ item: { action: 'notice', text }, moved: null });
  const refuse = (text: string): Checked => ({ item: { action: 'refuse', text }, moved: null });
  const isSelf = foreignKey.references.oid === primary.oid;
  const to = isSelf ? primary.name : qualified(foreignKey.references);
  const mapped = foreignKey.columns.map((column) => columns.get(column));
  const referenced = foreignKey.referencedColumns.map((column) => (isSelf ? key.get(column)?.name : column));
  if (!mayMove || mapped.includes(undefined))
    return notice(`${qualified(shadow)} has no foreign key on the same columns to ${to}: the new shape drops it.`);
  if (referenced.includes(undefined))
    return refuse(
      `It references (${foreignKey.referencedColumns.join(', ')}) of its own table, which is not the key. Drop it before the swap and add it after it.`,
    );
  const odd = mapped.findIndex((name, index) => {
    const { type } = shadow.columns.find((column) => column.name === name)!;
    const wanted = isSelf ? key.get(foreignKey.referencedColumns[index]!)!.type : foreignKey.types[index]!;
    return !comparable(type, wanted);
  });
  if (odd >= 0)
    return refuse(
      `${qualified(shadow)}.${mapped[odd]} has another type than the column of ${to} that it would reference. Give both the same type, or drop the foreign key.`,
    );
  if (taken.has(foreignKey.name))
    return refuse(
      `The new table would get it, and a constraint of ${qualified(shadow)} has its name by then. Rename one of them.`,
    );
  const setColumns = foreignKey.setColumns?.map((column) => columns.get(column)!) ?? null;
  const moved = { ...foreignKey, columns: mapped as string[], referencedColumns: referenced as string[], setColumns };
  return {
    item: { action: 'rebuild', text: `moves to the new ${primary.name}, and is validated after the swap` },
    moved,
  };
}

function ownOfShadow(shadow: TableDependents, primary: TableDependents): PromotionItem[] {
  return shadow.outgoing
    .filter(({ references }) => references.oid !== primary.oid)
    .map(({ name, references, inherited, enforced, period }): PromotionItem => {
      const aside = references.ours && enforced && !inherited && !period;
      const text = aside
        ? 'is set aside while rows are mirrored, so that it cannot make a delete fail, and made again by the promotion'
        : `while rows are mirrored, deleting a row of ${qualified(references)} fails until the row that referenced it has been mirrored, too. Leave it out: promotion makes it from the primary’s.`;
      return {
        action: aside ? 'rebuild' : 'notice',
        kind: 'foreign key',
        object: `${qualified(shadow)}.${name}`,
        text,
      };
    });
}

/** The way back: the shadow loses what it got, the primary gets what it had. */
export function returnOutgoing(
  { dropped, made }: OwnForeignKeys,
  primary: TableDependents,
  shadow: TableDependents,
  name: string,
): Repointed {
  const table = { schema: primary.schema, name };
  const stillThere = made.filter((one) => shadow.constraints.some((constraint) => constraint.name === one));
  const missing = dropped.filter((one) => !primary.constraints.some((constraint) => constraint.name === one.name));
  const unmade = shadow.outgoing.filter((one) => stillThere.includes(one.name));
  const again = missing.filter(isWhole).map((one) =>
    placed({
      foreignKey: one,
      target: quoteTable(one.references.oid === primary.oid ? table : one.references),
      on: { ...primary, name },
      validated: one.validated,
    }),
  );
  const apart = made.filter((one) => !stillThere.includes(one));
  return {
    drop: [
      ...stillThere.map((one) => `ALTER TABLE ${quoteTable(shadow)} DROP CONSTRAINT ${quoteName(one)}`),
      ...apart.flatMap((one) => dropFromPartitions(shadow, one)),
    ],
    add: again.flatMap(({ add }) => add),
    validate: again.flatMap(({ validate }) => validate),
    // Dropping and making one locks both of its tables. Asked for in the middle of the swap, those locks come too late.
    lock: [...unmade, ...missing].map(({ references }) => references.oid),
    items: missing.map((one) => ({
      kind: 'foreign key',
      object: `${qualified(table)}.${one.name}`,
      ...madeAgain(one),
    })),
  };
}

const isWhole = (key: ForeignKeyAside): key is ForeignKey => key.referencedColumns !== null;

function madeAgain(key: ForeignKeyAside): Pick<PromotionItem, 'action' | 'text'> {
  if (isWhole(key)) return { action: 'rebuild', text: 'is made again, and validated after the swap' };
  const text = `It referenced columns of ${qualified(key.references)} that are gone with its own promotion. Roll that one back first.`;
  return { action: 'refuse', text };
}
