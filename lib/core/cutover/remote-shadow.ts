/** A shadow in another database: what it is called among others, and what cannot be declared of it. */

import type { CutoverDeclaration } from './cutover.ts';
import type { TableDeclaration } from './table-declaration.ts';

/** The shadow as people read it, and as no other table is called. */
export const shadowName = ({ shadow, connection }: Pick<TableDeclaration, 'shadow' | 'connection'>): string =>
  connection === undefined ? shadow : `${shadow} of connection '${connection}'`;

/** What only a shadow in the primary's own database can have. One sentence each. */
export function remoteProblems({ id, table, criteria = [] }: CutoverDeclaration & { kind: 'table' }): string[] {
  const { connection } = table;
  if (connection === undefined) return [];
  const away = `its shadow is in another database, '${connection}'`;
  return [
    ...(table.mode === 'inline'
      ? [`${id}.mode: 'inline' writes both tables in one transaction, and ${away}. Take 'streamed'`]
      : []),
    ...(table.indexesAfterCopy
      ? [`${id}.indexesAfterCopy: ${away}. Take the indexes off and build them again yourself`]
      : []),
    ...(table.companions
      ? [`${id}.companions: other tables reference the primary in its own database, and ${away}`]
      : []),
    ...criteria.flatMap((criterion, index) =>
      'equal' in criterion || 'empty' in criterion
        ? [
            `${id}.criteria.${index}: criterion '${criterion.name}' is one SQL query over both tables, and ${away}. Ask your own program by 'http' instead`,
          ]
        : [],
    ),
  ];
}

/** Connections that declarations use and that have no address. */
export function unknownConnections(
  declarations: readonly CutoverDeclaration[],
  known: readonly string[],
): { id: string; connection: string }[] {
  return declarations.flatMap((one) =>
    one.kind === 'table' && one.table.connection !== undefined && !known.includes(one.table.connection)
      ? [{ id: one.id, connection: one.table.connection }]
      : [],
  );
}
