/** What is said of such a cutover before it starts: what goes where, what is refused, and how far it can go. */

import { isCrossfadeError } from '../../../core/base/errors.ts';
import { shadowName } from '../../../core/cutover/remote-shadow.ts';
import { previewFindings, problemFindings } from '../../../core/table/health.ts';
import type { HealthFinding } from '../../../core/table/reading.ts';
import type { PreviewItem, TablePreview } from '../../../ports/swapping.ts';
import { sharedTables } from '../capture/arming.ts';
import { type CompiledRemote, compileRemote } from './compile.ts';
import type { Remote } from './remote.ts';

const notice = (kind: string, object: string, text: string): PreviewItem => ({ action: 'notice', kind, object, text });

export async function previewRemote(remote: Remote): Promise<TablePreview> {
  return previewOf(remote, await compileRemote(remote));
}

async function previewOf(remote: Remote, { flow, columns }: CompiledRemote): Promise<TablePreview> {
  const { id, table } = remote.cutover;
  const shadow = shadowName(table);
  const shared = await sharedTables(remote.primary.owner, id, [flow.source.oid]);
  const items = [
    notice(
      'completion',
      shadow,
      `only reads move there: writes stay with ${table.primary}, and 'crossfade complete ${id}' is refused`,
    ),
    notice('reads', shadow, 'the application opens a second pool, and reads from it what the flag sends to the shadow'),
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
