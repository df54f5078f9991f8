/**
 * Rows as CSV (RFC 4180). A cell that a spreadsheet would take for a formula gets an apostrophe in front, inside quotes:
 * reasons, keys and names come from other people.
 */

export type Cell = string | number | boolean | null;

const FORMULA = /^[=+\-@\t\r]/;
const QUOTED = /[",\r\n]/;

/** @example csvLine(['=1+1', 2]) // `"'=1+1",2\r\n` */
export function csvLine(cells: readonly Cell[]): string {
  return `${cells.map(csvCell).join(',')}\r\n`;
}

/** A number is written as it is, since no number is a formula. */
function csvCell(cell: Cell): string {
  if (cell === null) return '';
  if (typeof cell !== 'string') return String(cell);
  if (FORMULA.test(cell)) return quoted(`'${cell}`);
  return QUOTED.test(cell) ? quoted(cell) : cell;
}

const quoted = (text: string) => `"${text.replaceAll('"', '""')}"`;
