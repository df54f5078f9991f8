/** Reads figures back from how they are shown, by another way than that on which they were written. */

import type { Unit } from '../../lib/core/conditions/figures.ts';

/** Words are no figures, and evidence is not shown. */
type ReadUnit = Exclude<Unit, 'word' | 'evidence'>;

const FORMS: Readonly<Record<ReadUnit, readonly (readonly [suffix: string, factor: number])[]>> = {
  rate: [[' %', 0.01]],
  percent: [[' %', 1]],
  ms: [
    [' ms', 1],
    [' s', 1_000],
  ],
  minutes: [[' min', 1]],
  count: [['', 1]],
  times: [[' ×', 1]],
};

/** The number that a text shows, or null where the text is not in this unit. */
export function readFigure(text: string, unit: ReadUnit): number | null {
  for (const [suffix, factor] of FORMS[unit]) {
    const digits = text.slice(0, text.length - suffix.length).replaceAll(/[,\u202f]/g, '');
    if (text.endsWith(suffix) && digits !== '' && Number.isFinite(Number(digits))) return Number(digits) * factor;
  }
  return null;
}

/** How far what is shown may be from what is: the last digit that is shown. */
export function shownPrecision(value: number, unit: ReadUnit): number {
  const digits = (count: number) => 10 ** (Math.floor(Math.log10(Math.abs(value) || 1)) - count + 1);
  const rounding = Math.abs(value) * 1e-9 + 1e-8;
  switch (unit) {
    case 'rate':
    case 'percent':
    case 'times':
      return digits(4) + 1e-15;
    case 'ms':
      return (value >= 1_000 ? 100 : 0.1) + rounding;
    case 'minutes':
    case 'count':
      return 0.1 + rounding;
  }
}
