/**
 * Functions of others that run when Crossfade writes a row: behind triggers of the shadow, defaults, constraints, domains and indexes. They run with
 * the rights of the owner, where nothing but the catalog is in the path. What would fail so, or was put there by somebody else, is
 * named by the preview and refused by the start.
 */

import type { PreviewItem } from '../../../ports/swapping.ts';
import { lostNames } from '../capture/resolve.ts';
import type { PgConnection } from '../connection/connection.ts';

type Code = { object: string; name: string; owner: string; foisted: boolean; lost: readonly string[] | null };

export async function writtenCodeItems(owner: PgConnection, primary: number, shadow: number): Promise<PreviewItem[]> {
  const found = await owner.call<Code>(
    `SELECT w.object, w.name, w.owner, w.foisted, pg_catalog.to_jsonb(w.lost) AS lost
     FROM crossfade.written_code($1::text::oid, $2::text::oid) w WHERE w.foisted OR w.lost IS NOT NULL ORDER BY w.object, w.name`,
    [primary, shadow],
  );
  return found.map((code) => ({ action: 'refuse', kind: 'code', object: code.object, text: textOf(code) }));
}

const textOf = ({ name, owner, foisted, lost }: Code) =>
  foisted
    ? `It runs function ${name} of role ${owner} for each row that is mirrored, with the rights of the owner of the tables. Drop it, or give the function to that owner: ALTER FUNCTION ${name} OWNER TO …`
    : `It runs for each row that Crossfade writes: ${lostNames(name, lost ?? [])}`;
