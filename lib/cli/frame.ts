/**
 * A block that is painted again in place on a terminal. It is never taller than the terminal, since what has scrolled away cannot be painted
 * over; what is logged stands above it and stays.
 */

import { widthOf } from './text.ts';

type Size = { columns: number; rows: number };

export type Frame = {
  show(text: string): void;
  /** Text that stays. The block is painted again below it. */
  log(text: string): void;
  /** Takes the block away. */
  clear(): void;
};

export function frame(write: (text: string) => void, size: () => Size): Frame {
  let shown: readonly string[] = [];

  /** A terminal that was made narrower has broken the lines that were wider. */
  const erased = () => {
    const { columns } = size();
    const rows = shown.reduce((sum, line) => sum + Math.max(1, Math.ceil(widthOf(line) / columns)), 0);
    shown = [];
    return rows > 0 ? `\u001b[${rows}A\r\u001b[J` : '';
  };
  const paint = (lines: readonly string[], before: string) => {
    const erase = erased();
    shown = fitting(lines, size());
    write(`${erase}${before}${shown.map((line) => `${line}\n`).join('')}`);
  };

  return {
    show: (text) => paint(text.split('\n'), ''),
    log: (text) => paint(shown, `${text}\n`),
    clear: () => paint([], ''),
  };
}

/** The cursor stands below the block, so one row less than there are. */
function fitting(lines: readonly string[], { rows }: Size): readonly string[] {
  const most = Math.max(2, rows - 1);
  if (lines.length <= most) return lines;
  return [...lines.slice(0, most - 1), `  … ${lines.length - most + 1} more lines in a higher window`];
}
