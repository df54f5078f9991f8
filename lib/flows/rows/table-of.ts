/** For what only a table has: copy, rows, verification, shadow. */

import { CrossfadeError } from '../../core/base/errors.ts';
import type { CutoverDeclaration } from '../../core/cutover/cutover.ts';
import type { TableCutover } from '../../ports/tables.ts';

export type TableCutoverDeclaration = CutoverDeclaration & { kind: 'table' };

/** @throws CrossfadeError `illegal_transition` */
export function tableOf(declaration: CutoverDeclaration): TableCutoverDeclaration {
  if (declaration.kind === 'table') return declaration;
  throw new CrossfadeError(
    'illegal_transition',
    `Cutover '${declaration.id}' moves a ${declaration.kind}, not a table.`,
  );
}

export function tableCutover(declaration: TableCutoverDeclaration): TableCutover {
  return { id: declaration.id, table: declaration.table, validation: declaration.validation };
}
