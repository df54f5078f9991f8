/**
 * Takes changes of the tables over while capture goes on: what is generated is compiled again from the catalog, and replaced in one
 * transaction. Hints, quarantine and the fence stay; every row is copied and compared again. What the preview would refuse is refused.
 */

import { isCrossfadeError } from '../../../core/base/errors.ts';
import { declaredOf } from '../../../core/table/column-sources.ts';
import type { Mapping } from '../../../core/table/mapping.ts';
import { promotionOf } from '../../../core/table/promotion/prepare.ts';
import { revertOf } from '../../../core/table/promotion/prepare-back.ts';
import type { PromotionRecord } from '../../../core/table/promotion/prepared-swap.ts';
import { quoteText } from '../../../core/table/shape.ts';
import { objectNames } from '../../../core/table/sql/names.ts';
import { tableObjects } from '../../../core/table/sql/table.ts';
import type { Adopted } from '../../../ports/capture.ts';
import type { Outrun, StateFence, TableCutover } from '../../../ports/tables.ts';
import type { PgConnection } from '../connection/connection.ts';
import { type MirroredCutover, readMirror, readSituation, type Situation } from '../swapping/situation.ts';
import { fenced } from './arming.ts';
import { bothDirections } from './check-transform.ts';
import { inlineMode } from './inline.ts';
import { recordUsed } from './shape.ts';

type CatalogFacts = {
  otherDatabase: boolean;
  outbox: readonly string[];
  added: readonly { side: 'primary' | 'shadow'; name: string }[];
};

export async function adopt(owner: PgConnection, cutover: TableCutover, fence: StateFence): Promise<Adopted | Outrun> {
  const { id, table, validation } = cutover;
  const mirror = await readMirror(owner, id);
  if (!mirror || mirror.direction === 'none') return refused(id, ['nothing is armed']);
  const seen = await look(owner, id);
  if (seen.otherDatabase) return refused(id, ['it was armed in another database: roll back, and start it here']);
  let situation: Situation;
  try {
    situation = await readSituation(owner, cutover, mirror);
  } catch (error) {
    if (!isCrossfadeError(error) || error.code !== 'refused_table') throw error;
    return refused(id, [error.message]);
  }
  const { primary, shadow, forward, reverse } = situation;
  const mapping = mirror.direction === 'forward' ? forward : reverse;
  const problems = [
    ...refusalsOf(situation, mirror),
    ...misnamed(cutover, situation, mirror),
    ...uncovered(cutover, situation, mirror, seen),
    ...otherKey(mapping, seen),
  ];
  if (problems.length > 0) return refused(id, problems);
  const { replace } =
    mirror.direction === 'forward'
      ? tableObjects({ id, source: primary, target: shadow, mapping: forward }, validation, inlineMode(table))
      : tableObjects({ id, source: shadow, target: primary, mapping: reverse }, validation);
  const statements = [
    `SELECT crossfade.hold_shape(ARRAY[${primary.oid}, ${shadow.oid}]::oid[])`,
    ...replace,
    recordUsed(id, bothDirections(primary, shadow, situation)),
    `SELECT crossfade.shape_adopted(${quoteText(id)})`,
  ];
  return (await fenced(owner, id, fence, statements)) ?? { kind: 'adopted' };
}

const refused = (id: string, problems: readonly string[]): Adopted => ({
  kind: 'refused',
  why: `The tables of cutover '${id}' cannot be taken over as they are: ${problems.join('; ')}. Nothing was changed.`,
});

async function look(owner: PgConnection, id: string): Promise<CatalogFacts> {
  const [row] = await owner.call<{ seen: CatalogFacts }>(
    `SELECT pg_catalog.jsonb_build_object(
       'otherDatabase', s.database <> crossfade.database_oid(),
       'outbox', (SELECT pg_catalog.jsonb_agg(pg_catalog.format_type(a.atttypid, a.atttypmod) ORDER BY a.attnum) FROM pg_catalog.pg_attribute a
         WHERE a.attrelid = pg_catalog.to_regclass($2::text) AND a.attname ~ '^k[0-9]+$' AND NOT a.attisdropped),
       'added', (SELECT COALESCE(pg_catalog.jsonb_agg(pg_catalog.jsonb_build_object('side', t.side, 'name', a.attname)), '[]')
         FROM (VALUES ('primary', c.primary_oid), ('shadow', c.shadow_oid)) t(side, oid) JOIN pg_catalog.pg_attribute a ON a.attrelid = t.oid
         WHERE a.attnum > 0 AND NOT a.attisdropped AND NOT s.armed ? (t.side || '/column ' || a.attnum))) AS seen
     FROM crossfade.cutover c JOIN crossfade.shape s ON s.cutover = c.id WHERE c.id = $1::text`,
    [id, objectNames(id).outbox],
  );
  return row?.seen ?? { otherDatabase: false, outbox: [], added: [] };
}

/** What the next swap would refuse. */
function refusalsOf({ request }: Situation, mirror: MirroredCutover): string[] {
  const prepared =
    mirror.direction === 'forward' ? promotionOf(request) : revertOf(request, mirror.record as PromotionRecord);
  return prepared.items
    .filter(({ action }) => action === 'refuse')
    .map(({ kind, object, text }) => `${kind} ${object}: ${text}`);
}

/** After a promotion the names are those that the promotion gave. */
function misnamed({ table }: TableCutover, { primary, shadow }: Situation, { direction }: MirroredCutover): string[] {
  const named = (declared: string, { schema, name }: Situation['primary']) =>
    direction === 'forward' && declared !== `${schema}.${name}`
      ? [`the table that was armed as ${declared} is called ${schema}.${name} now`]
      : [];
  return [...named(table.primary, primary), ...named(table.shadow, shadow)];
}

/** A new column of the table in use would be lost by the next swap unless the other one has it, or the declaration says so. */
function uncovered(
  { table }: TableCutover,
  { columns }: Situation,
  { direction }: MirroredCutover,
  { added }: CatalogFacts,
): string[] {
  const inUse = direction === 'forward' ? 'primary' : 'shadow';
  const isCovered = (name: string) =>
    inUse === 'primary'
      ? columns.some(({ source }) => source === name) ||
        declaredOf(table.reverse, name) !== undefined ||
        Object.values(table.columns ?? {}).some((source) => 'sql' in source && source.sql.includes(name))
      : declaredOf(table.columns, name) !== undefined ||
        columns.some(({ shadow, source }) => shadow === name && source !== '');
  return added
    .filter(({ side, name }) => side === inUse && !isCovered(name))
    .map(({ name }) => `column '${name}' is only in the table in use: add it to the other one, or declare it`);
}

/** Hints that wait have keys of the old type. */
function otherKey({ key }: Mapping, { outbox }: CatalogFacts): string[] {
  const wanted = key.map(({ source }) => source.type);
  if (wanted.join() === outbox.join()) return [];
  return [`the key is of type ${wanted.join(', ')} now, and waiting changes are kept as ${outbox.join(', ')}`];
}
