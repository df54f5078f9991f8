/** One range of keys, or one key, on both sides. Rows are hashed where they are; of a range that differs the hashes are compared here. */

import { createHash } from 'node:crypto';
import { CrossfadeError } from '../../../core/base/errors.ts';
import { noKey, parsedKey } from '../../../core/table/given-key.ts';
import type { RowComparison } from '../../../core/table/reading.ts';
import { quoteText } from '../../../core/table/shape.ts';
import { hasForms, plainly } from '../../../core/table/sql/compared.ts';
import type { Flow } from '../../../core/table/sql/names.ts';
import {
  type Bound,
  BY_KEY,
  digest,
  hashes,
  lateKeys,
  nthKey,
  oneRow,
  type Range,
  standingOf,
} from '../../../core/table/sql/remote/range.ts';
import { sqlstateOf } from '../connection/connection.ts';
import { OF_A_ROW, type Remote } from './remote.ts';

export type Tier = 'fast' | 'proof';
/** A key as people read it, and the columns that differ: none where one side has no row. */
type Divergence = { key: string; columns: readonly string[] };
type Compared = { to: Bound; rows: number; diverged: readonly Divergence[] };
type Both = { owner: Remote['primary']['owner']; there: Remote['shadow']['connection'] };
/** What goes from the side that leads to the other. */
export type Led = { flow: Flow; leads: 'primary' | 'shadow' };
type Hashed = { key: string; shown: string; hashes: readonly (string | null)[] };

const RANGE_ROWS = 10_000;
export const LONG = { deadlineMs: 20_000 };
/** Values become texts, of which hashes are made: alike on both sides. */
const alike = ({ meaning }: Flow) => ({ ...LONG, settings: { ...meaning } });

export const textArray = (values: readonly string[]) => `ARRAY[${values.map(quoteText).join(', ')}]::text[]`;

/** The next range behind `from`. No batch is written meanwhile. */
export async function compareRange(
  { primary: { owner }, shadow: { connection: there } }: Remote,
  flow: Flow,
  from: Bound,
  tier: Tier,
): Promise<Compared> {
  const byKey = { ...LONG, settings: { ...flow.meaning, ...BY_KEY } };
  const ends = [
    ...(await owner.call<{ key: readonly string[] }>(nthKey(flow, 'source', from, RANGE_ROWS), [], byKey)),
    // Where the shadow has many more rows, the range ends with some of those.
    ...(await there.call<{ key: readonly string[] }>(nthKey(flow, 'target', from, 2 * RANGE_ROWS), [], byKey)),
  ];
  const range: Range = { from, to: ends[0]?.key ?? null };
  return inForm(flow, (one) => compareRows({ owner, there }, one, range, tier));
}

/** And again without forms, where a row of the other side has none: somebody else wrote it. */
async function inForm<Answer>(flow: Flow, compare: (flow: Flow) => Promise<Answer>): Promise<Answer> {
  try {
    return await compare(flow);
  } catch (error) {
    if (!hasForms(flow) || !OF_A_ROW.test(sqlstateOf(error) ?? '')) throw error;
    return compare(plainly(flow));
  }
}

async function compareRows({ owner, there }: Both, flow: Flow, range: Range, tier: Tier): Promise<Compared> {
  // Keys are late as of one statement, and rows are read by that very statement.
  const read = `SELECT to_jsonb(l.late) AS late, d.rows, d.sum FROM (SELECT ARRAY(${lateKeys(flow, range)}) AS late) l,
    LATERAL (${digest(flow, 'source', range, { tier, late: 'l.late' })}) d`;
  const [here] = await owner.call<{ late: readonly string[]; rows: string; sum: string }>(read, [], alike(flow));
  const [other] = await there.call<{ rows: string; sum: string }>(
    digest(flow, 'target', range, { tier, late: textArray(here!.late) }),
    [],
    alike(flow),
  );
  const rows = Number(here!.rows);
  const equal = here!.rows === other!.rows && here!.sum === other!.sum;
  return { to: range.to, rows, diverged: equal ? [] : await differing({ owner, there }, flow, range) };
}

async function differing({ owner, there }: Both, flow: Flow, range: Range): Promise<Divergence[]> {
  const late = async () => {
    const asked = `SELECT to_jsonb(ARRAY(${lateKeys(flow, range)})) AS late`;
    const [row] = await owner.call<{ late: readonly string[] }>(asked, [], alike(flow));
    return row!.late;
  };
  const out = textArray(await late());
  const sources = await owner.call<Hashed>(hashes(flow, 'source', range, out), [], alike(flow));
  const found = await there.call<Hashed>(hashes(flow, 'target', range, out), [], alike(flow));
  const targets = new Map(found.map((row) => [row.key, row]));
  // What changed between two statements of the primary has a hint by now.
  const lateNow = new Set(await late());
  const names = flow.mapping.compared.map(({ target }) => target);
  const diverged: Divergence[] = [];
  for (const { key, shown, hashes: values } of sources) {
    const row = targets.get(key);
    targets.delete(key);
    const columns = row ? names.filter((_, i) => values[i] !== row.hashes[i]) : [];
    if (!lateNow.has(key) && (!row || columns.length > 0)) diverged.push({ key: shown, columns });
  }
  for (const { key, shown } of targets.values()) if (!lateNow.has(key)) diverged.push({ key: shown, columns: [] });
  return diverged;
}

/** @throws CrossfadeError `invalid_input` for what is no key */
export async function compareKey(
  { cutover, primary: { owner }, shadow }: Remote,
  { flow, leads }: Led,
  text: string,
): Promise<RowComparison> {
  const names = flow.mapping.key.map(({ source }) => source.name);
  const given = parsedKey(text, names);
  if (!given) throw new CrossfadeError('invalid_input', noKey(cutover.id, names[0]));
  const hashesOf = async (one: Flow, connection: Both['there'], side: 'source' | 'target') =>
    (await connection.call<Pick<Hashed, 'hashes'>>(oneRow(one, side, given), [], alike(one)))[0]?.hashes ?? null;
  const [here, there] = await inForm(flow, async (one) => [
    await hashesOf(one, owner, 'source'),
    await hashesOf(one, shadow.connection, 'target'),
  ]);
  const [standing] = await owner.call<{ shown: string; late: boolean; quarantined: boolean }>(
    standingOf(flow, given),
    [],
    alike(flow),
  );
  const columns = flow.mapping.compared.map(({ target }) => target);
  const differingColumns = here && there ? columns.filter((_, i) => here[i] !== there[i]) : [];
  return {
    key: standing!.shown,
    ...(leads === 'primary'
      ? { primaryHash: hashOf(here), shadowHash: hashOf(there) }
      : { primaryHash: hashOf(there), shadowHash: hashOf(here) }),
    equal: (here === null) === (there === null) && differingColumns.length === 0,
    differingColumns,
    late: standing!.late,
    quarantined: standing!.quarantined,
  };
}

const hashOf = (values: Hashed['hashes'] | null) =>
  values === null ? null : createHash('sha256').update(JSON.stringify(values)).digest('hex');
