/** What is said of such a cutover before it starts: what goes where, what is refused, and how far it can go. */

import { isCrossfadeError } from '../../../core/base/errors.ts';
import { shadowName } from '../../../core/cutover/remote-shadow.ts';
import { previewFindings, problemFindings } from '../../../core/table/health.ts';
import type { HealthFinding } from '../../../core/table/reading.ts';
import type { TableShape } from '../../../core/table/shape.ts';
import type { PreviewItem, TablePreview } from '../../../ports/swapping.ts';
import { sharedTables } from '../capture/arming.ts';
import { type CompiledRemote, compileRemote } from './compile.ts';
import type { Remote } from './remote.ts';

const notice = (kind: string, object: string, text: string): PreviewItem => ({ action: 'notice', kind, object, text });

export async function previewRemote(remote: Remote): Promise<TablePreview> {
  return previewOf(remote, await compileRemote(remote));
}

/** What stands against completion. Rows go there and reads move all the same, so it keeps no start. */
export async function completionRefusals(
  { cutover, shadow }: Remote,
  { stays }: CompiledRemote,
): Promise<PreviewItem[]> {
  const { id, table } = cutover;
  const [own] = await shadow.connection.call<{ same: boolean }>(
    "SELECT EXISTS (SELECT FROM crossfade.cutover c WHERE c.id = $1::text AND c.direction = 'forward') AS same",
    [id],
  );
  const same = `connection '${table.connection}' leads to a database in which cutover '${id}' has its primary`;
  return [...stays, ...(own!.same ? [same] : [])].map((text) => ({
    action: 'refuse',
    kind: 'completion',
    object: shadowName(table),
    text,
  }));
}

const BACK =
  'acts on rows that come back after completion, too: one that changes them makes both sides differ, and one that refuses them keeps the rollback waiting';

/** Triggers and foreign keys of the old table: the application's writes have been through those of the new one. */
async function onTheWayBack({ primary }: Remote, { oid }: TableShape): Promise<string[]> {
  const rows = await primary.owner.call<{ object: string }>(
    `SELECT pg_catalog.format('trigger %I of %s', g.tgname, g.tgrelid::pg_catalog.regclass) AS object
     FROM pg_catalog.pg_trigger g JOIN pg_catalog.pg_proc f ON f.oid = g.tgfoid
     WHERE g.tgrelid = $1::pg_catalog.text::pg_catalog.oid AND NOT g.tgisinternal AND g.tgenabled <> 'D' AND f.pronamespace <> 'crossfade'::pg_catalog.regnamespace
     UNION ALL SELECT pg_catalog.format('foreign key %I of %s', k.conname, k.conrelid::pg_catalog.regclass)
     FROM pg_catalog.pg_constraint k WHERE k.contype = 'f' AND k.conparentid = 0 AND $1::pg_catalog.text::pg_catalog.oid IN (k.conrelid, k.confrelid) ORDER BY 1`,
    [oid],
  );
  return rows.map(({ object }) => object);
}

async function previewOf(remote: Remote, compiled: CompiledRemote): Promise<TablePreview> {
  const { flow, columns } = compiled;
  const { id, table } = remote.cutover;
  const shadow = shadowName(table);
  const against = await completionRefusals(remote, compiled);
  const shared = await sharedTables(remote.primary.owner, id, [flow.source.oid]);
  const items = [
    ...(against.length > 0
      ? against.map(({ text }) =>
          notice('completion', shadow, `only reads move there, and 'crossfade complete ${id}' is refused: ${text}`),
        )
      : [
          notice(
            'completion',
            shadow,
            `writes follow at 'crossfade complete ${id}'. ${table.primary} takes none from then on (SQLSTATE 25006), and follows, so that a rollback loses nothing`,
          ),
        ]),
    notice(
      'pools',
      shadow,
      'the application opens a second pool, and takes the one that the flag names: for reads from the ramp on, for writes when it is completed',
    ),
    ...(against.length > 0
      ? []
      : (await onTheWayBack(remote, flow.source)).map((object) => notice('way back', object, BACK))),
    ...shared.map((text): PreviewItem => ({ action: 'refuse', kind: 'cutover', object: table.primary, text })),
  ];
  return {
    primary: table.primary,
    shadow,
    key: flow.mapping.key.map(({ source }) => ({ column: source.name, type: source.type })),
    columns,
    items,
    estimatedRows: flow.source.estimatedRows,
    ok: shared.length === 0,
  };
}

/** What the preview says, as findings; a database that does not answer stays an error. */
export async function remoteHealth(remote: Remote): Promise<HealthFinding[]> {
  const { id, table } = remote.cutover;
  const [before] = await remote.primary.owner.call<{ version: string }>(VERSION);
  const [after] = await remote.shadow.connection.call<{ version: string }>(VERSION);
  const versions: HealthFinding = {
    check: 'versions of both servers',
    status: Number.parseInt(after!.version, 10) < Number.parseInt(before!.version, 10) ? 'warn' : 'pass',
    value: `primary ${before!.version}, connection '${table.connection}' ${after!.version}`,
    limit: 'not older than the primary',
    remedy: '',
  };
  try {
    return [versions, ...previewFindings(id, (await previewRemote(remote)).items)];
  } catch (error) {
    if (!isCrossfadeError(error) || error.retryable) throw error;
    const { problems } = error.details;
    return [versions, ...problemFindings(id, Array.isArray(problems) ? (problems as string[]) : [error.message], [])];
  }
}

const VERSION = "SELECT pg_catalog.current_setting('server_version') AS version";
