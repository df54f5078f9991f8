/**
 * The rows of one key with their values, for people who may see them. As the owner role, in a transaction that can write nothing: the runtime
 * role may read none of the application's tables. What the server says of an error may hold a value, so it is not repeated.
 */

import { CrossfadeError } from '../../../core/base/errors.ts';
import { noKey, parsedKey } from '../../../core/table/given-key.ts';
import type { RowValues } from '../../../core/table/reading.ts';
import { columnNames } from '../../../core/table/shown-columns.ts';
import type { Flow } from '../../../core/table/sql/names.ts';
import { rowTexts } from '../../../core/table/sql/remote/range.ts';
import type { TableCutover } from '../../../ports/tables.ts';
import { type PgConnection, sqlstateOf } from '../connection/connection.ts';
import { flowOf, readMirror } from './armed-flow.ts';

const DEADLINE_MS = 5_000;
const READ_ONLY = { readOnly: true, deadlineMs: DEADLINE_MS, settings: { lock_timeout: '1000' } };

export type Asked = { cutover: TableCutover; key: string; flow: Flow; leads: 'primary' | 'shadow' };
type Texts = readonly (string | null)[] | null;
/** Answers both statements: the texts of the source's row and of the target's, null where there is none. */
type Ask = (statements: { source: string; target: string }) => Promise<readonly [Texts, Texts]>;

/** Null where nothing keeps the tables equal. */
export async function rowValues(owner: PgConnection, cutover: TableCutover, key: string): Promise<RowValues | null> {
  const mirror = await readMirror(owner, cutover.id);
  const flow = mirror && mirror.direction !== 'none' ? await flowOf(owner, cutover, mirror) : null;
  if (!mirror || !flow) return null;
  const leads = mirror.direction === 'reverse' ? 'shadow' : 'primary';
  return valuesOfKey({ cutover, key, flow, leads }, async ({ source, target }) => {
    // One statement, so one snapshot.
    const both = `SELECT (${source}) AS source, (${target}) AS target`;
    const [row] = await owner.call<{ source: Texts; target: Texts }>(both, [], READ_ONLY);
    return [row!.source, row!.target];
  });
}

/** The row of one statement. */
export async function textsOf(connection: PgConnection, statement: string): Promise<Texts> {
  const [row] = await connection.call<{ texts: Texts }>(statement, [], READ_ONLY);
  return row?.texts ?? null;
}

/** @throws CrossfadeError `invalid_input` for what is no key */
export async function valuesOfKey({ cutover, key, flow, leads }: Asked, ask: Ask): Promise<RowValues> {
  const { id, table } = cutover;
  const names = flow.mapping.key.map(({ source }) => source.name);
  const given = parsedKey(key, names);
  if (!given) throw new CrossfadeError('invalid_input', noKey(id, names[0]));
  const [primary, shadow] = leads === 'primary' ? [flow.source, flow.target] : [flow.target, flow.source];
  const pairs = columnNames({ primary, shadow, declaration: table });
  const shown = (side: 'primary' | 'shadow') => pairs.map((pair) => (pair.redacted ? null : pair[side]));
  const follows = leads === 'primary' ? 'shadow' : 'primary';
  const statements = {
    source: rowTexts(flow, 'source', given, shown(leads)),
    target: rowTexts(flow, 'target', given, shown(follows)),
  };
  const [source, target] = await ask(statements).catch((error: unknown) => {
    if (!sqlstateOf(error)?.startsWith('22')) throw error;
    throw new CrossfadeError('invalid_input', noKey(id, names[0]));
  });
  const [of, shadowOf] = leads === 'primary' ? [source, target] : [target, source];
  return {
    key,
    primary: of !== null,
    shadow: shadowOf !== null,
    columns: pairs.map((pair, i) => ({ ...pair, primaryValue: of?.[i] ?? null, shadowValue: shadowOf?.[i] ?? null })),
  };
}
