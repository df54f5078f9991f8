/** Both tables of such a cutover, each as its own catalog has it, and what goes from the one to the other. */

import { CrossfadeError, isCrossfadeError } from '../../../core/base/errors.ts';
import type { Mapping } from '../../../core/table/mapping.ts';
import { refuseRelation, refuseRelatives } from '../../../core/table/promotion/refusals.ts';
import { refuseForced } from '../../../core/table/promotion/row-security.ts';
import type { TableShape } from '../../../core/table/shape.ts';
import type { Flow } from '../../../core/table/sql/names.ts';
import { localColumns, remoteRefusals } from '../../../core/table/sql/remote/refusals.ts';
import { SHARED_MEANING, type Stated } from '../../../core/table/sql/session.ts';
import { type Compiled, compileTransform } from '../../../core/table/transform.ts';
import { readTable } from '../capture/catalog.ts';
import { type Direction, resolveTransform } from '../capture/check-transform.ts';
import { sqlstateOf } from '../connection/connection.ts';
import { SCHEMA_VERSION, versionOf } from '../migrations/handshake.ts';
import { readDependents } from '../swapping/dependents.ts';
import type { Remote } from './remote.ts';

export type CompiledRemote = {
  flow: Flow;
  columns: (Compiled & { ok: true })['columns'];
  directions: readonly Direction[];
  /** After completion: changes are captured where the shadow is. */
  back: Flow;
  /** What stands against completion; rows go there and reads move all the same. */
  stays: readonly string[];
};

/** The number of a table of another database: no table here has it. */
const ELSEWHERE = 0;

/**
 * @param start what the primary's owner has now decides what values mean, and not what was decided when the cutover was armed
 * @throws CrossfadeError `refused_table` with everything that stands against it
 */
export async function compileRemote(remote: Remote, start: 'start' | 'armed' = 'armed'): Promise<CompiledRemote> {
  const { cutover, primary, shadow } = remote;
  const version = await versionOf(shadow.connection);
  if (version !== SCHEMA_VERSION)
    throw refused(remote, [
      `the schema 'crossfade' of connection '${cutover.table.connection}' ends with migration ${version}, and ${SCHEMA_VERSION} is needed: run 'crossfade migrate --database-url …' with the address of that database, as the owner of the shadow`,
    ]);
  const source = await readTable(primary.owner, cutover.table.primary);
  const found = await readTable(shadow.connection, cutover.table.shadow);
  if (!source) throw missing(remote, `${cutover.table.primary} of the primary's database`);
  if (!found) throw missing(remote, `${cutover.table.shadow} of connection '${cutover.table.connection}'`);
  const target: TableShape = { ...found, oid: ELSEWHERE };
  const compiled = compileTransform(source, target, cutover.table, cutover.id);
  if (!compiled.ok) throw refused(remote, compiled.problems);
  const { directions, problems } = await resolveTransform(primary.owner, [
    { mapping: compiled.forward, source, target },
  ]);
  const { mapping } = directions[0]!;
  const meaning = await meaningOf(remote, start);
  const all = [
    ...problems,
    ...remoteRefusals(source, found, mapping),
    ...(await unfit(remote, source, found)),
    ...(await unfitSettings(remote, meaning)),
  ];
  if (all.length > 0) throw refused(remote, all);
  const { back, stays } = await wayBack(remote, { source, found, reverse: compiled.reverse });
  const flow = { id: cutover.id, source, target, mapping, meaning };
  return { flow, columns: compiled.columns, directions, back: { ...back, meaning }, stays };
}

type BothTables = { source: TableShape; found: TableShape; reverse: Mapping };

/** From the shadow to the primary, judged where its expressions will run. */
async function wayBack({ cutover, shadow }: Remote, { source, found, reverse }: BothTables) {
  const target: TableShape = { ...source, oid: ELSEWHERE };
  const { directions, problems } = await resolveTransform(shadow.connection, [
    { mapping: reverse, source: found, target },
  ]);
  const { mapping } = directions[0]!;
  const stays = [...problems, ...localColumns(source, mapping)];
  return { back: { id: cutover.id, source: found, target, mapping }, stays };
}

/** What hangs on either table that a copy between databases cannot keep. */
async function unfit({ primary, shadow }: Remote, source: TableShape, target: TableShape): Promise<string[]> {
  const here = (await readDependents(primary.owner, [source.oid, source.oid])).dependents.primary;
  const there = (await readDependents(shadow.connection, [target.oid, target.oid])).dependents.primary;
  const refusedOf = [here, there].flatMap((table) => [
    ...refuseRelation(table),
    ...refuseRelatives(table),
    ...refuseForced(table),
  ]);
  const [row] = await shadow.connection.call<{ names: string | null }>(
    `SELECT pg_catalog.string_agg(pg_catalog.format('%s of %s', k.conname, k.conrelid::regclass), ', ' ORDER BY k.conname) AS names
     FROM pg_catalog.pg_constraint k WHERE k.contype = 'f' AND $1::text::oid IN (k.conrelid, k.confrelid)`,
    [target.oid],
  );
  return [
    ...refusedOf.filter(({ action }) => action === 'refuse').map(({ object, text }) => `${object}: ${text}`),
    ...(row?.names
      ? [
          `foreign key ${row.names}: rows come in the order in which they change, so it would refuse some. Drop it, and create it NOT VALID when reads are moved`,
        ]
      : []),
  ];
}

/** Of the functions that were made when it was armed; of the primary's owner before. */
async function meaningOf({ cutover, primary }: Remote, start: 'start' | 'armed'): Promise<Stated> {
  const armed = `(SELECT pg_catalog.substr(c.setting, pg_catalog.length(s.name) + 2) FROM pg_catalog.pg_proc f, pg_catalog.unnest(f.proconfig) c(setting)
      WHERE f.pronamespace = 'crossfade'::pg_catalog.regnamespace AND f.proname = $1::text AND pg_catalog.lower(pg_catalog.split_part(c.setting, '=', 1)) = s.name)`;
  const now = 'pg_catalog.current_setting(s.name)';
  const [row] = await primary.owner.call<{ meaning: Stated }>(
    `SELECT pg_catalog.jsonb_object_agg(s.name, ${start === 'start' ? now : `coalesce(${armed}, ${now})`}) AS meaning
     FROM pg_catalog.unnest('{${SHARED_MEANING.join(',')}}'::pg_catalog.text[]) s(name)`,
    [`claim_${cutover.id}`],
  );
  return row!.meaning;
}

const UNKNOWN_SETTING = '22023';

/** Rows travel as text, which must not depend on who reads it. */
async function unfitSettings({ cutover, primary, shadow }: Remote, meaning: Stated): Promise<string[]> {
  const problems: string[] = [];
  const { datestyle } = meaning;
  if (!datestyle!.startsWith('ISO'))
    problems.push(
      `DateStyle of the primary's owner is '${datestyle}', and rows travel as text: ALTER ROLE … SET datestyle = 'ISO'`,
    );
  for (const [where, connection] of [
    ["the primary's owner", primary.owner],
    ["the shadow's owner", shadow.connection],
  ] as const) {
    const encoded = "SELECT pg_catalog.current_setting('server_encoding') AS encoding";
    const [row] = await connection.call<{ encoding: string }>(encoded);
    if (row!.encoding !== 'UTF8') problems.push(`the database of ${where} is in ${row!.encoding}, not in UTF8`);
  }
  try {
    await shadow.connection.call('SELECT', [], { settings: meaning });
  } catch (error) {
    if (sqlstateOf(error) !== UNKNOWN_SETTING || !isCrossfadeError(error)) throw error;
    problems.push(
      `a setting of the primary's owner is unknown to connection '${cutover.table.connection}': ${error.details.said}`,
    );
  }
  return problems;
}

export function refused({ cutover }: Remote, problems: readonly string[]): CrossfadeError {
  return new CrossfadeError('refused_table', `Cutover '${cutover.id}' cannot be armed: ${problems.join('; ')}.`, {
    details: { problems },
  });
}

function missing({ cutover }: Remote, what: string): CrossfadeError {
  return new CrossfadeError(
    'refused_table',
    `Table ${what} of cutover '${cutover.id}' does not exist. Create it first; Crossfade fills it and never creates it.`,
  );
}

/**
 * What was compiled is used until the cutover is armed again: each chunk would ask both catalogs otherwise.
 * @param from `shadow`: the way back
 */
export function compiledOnce(remote: Remote, from: 'primary' | 'shadow' = 'primary'): () => Promise<Flow> {
  const source = from === 'primary' ? remote.primary.runtime : remote.shadow.connection;
  let known: { armedAt: string; flow: Flow } | null = null;
  return async () => {
    const [row] = await source.call<{ at: string }>(
      'SELECT s.armed_at::text AS at FROM crossfade.shape s WHERE s.cutover = $1::text',
      [remote.cutover.id],
    );
    const armedAt = row?.at ?? '';
    if (known?.armedAt !== armedAt) {
      const { flow, back } = await compileRemote(remote);
      known = { armedAt, flow: from === 'primary' ? flow : back };
    }
    return known.flow;
  };
}
