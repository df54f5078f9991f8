/** What the routes of the control API read from a request in the same way. */

import { createHash } from 'node:crypto';
import type { Composition } from '../../lib/compose/ports.ts';
import { canonicalJson } from '../../lib/core/base/canonical-json.ts';
import type { CutoverDeclaration } from '../../lib/core/cutover/cutover.ts';
import { findCutover } from '../../lib/schemas/http.ts';
import type { Request } from '../middleware.ts';

/** How a command is answered: 202 while its flags wait for a tick. */
export const PUBLISHED = { 200: ['application/json'], 202: ['application/json'] };

/** What makes two requests the same one: command, cutover, version and body. */
export function fingerprint(...parts: readonly unknown[]): string {
  return createHash('sha256').update(canonicalJson(parts)).digest('hex');
}

/** The cutover that the path names. @throws CrossfadeError `invalid_identifier`, `not_found` */
export async function namedCutover(composition: Composition, request: Request): Promise<CutoverDeclaration> {
  return findCutover(await composition.cutovers(), request.params.cutover);
}
