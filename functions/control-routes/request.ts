/** What the commands of the control API have in common. */

import { createHash } from 'node:crypto';
import { canonicalJson } from '../../lib/core/base/canonical-json.ts';

/** How a command is answered: 202 while its flags wait for a tick. */
export const PUBLISHED = { 200: ['application/json'], 202: ['application/json'] };

/** What makes two requests the same one: command, cutover, version and body. */
export function fingerprint(...parts: readonly unknown[]): string {
  return createHash('sha256').update(canonicalJson(parts)).digest('hex');
}
