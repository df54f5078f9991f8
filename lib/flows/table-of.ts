/** For what only a table has: copy, rows, verification, shadow. */

import type { CutoverDeclaration } from '../core/cutover.ts';
import { CrossfadeError } from '../core/errors.ts';

export type TableCutoverDeclaration = CutoverDeclaration & { kind: 'table' };

/** @throws CrossfadeError `illegal_transition` */
export function tableOf(declaration: CutoverDeclaration): TableCutoverDeclaration {
  if (declaration.kind === 'table') return declaration;
  throw new CrossfadeError(
    'illegal_transition',
    `Cutover '${declaration.id}' moves a ${declaration.kind}, not a table.`,
  );
}
