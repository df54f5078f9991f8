/**
 * Figures as text, each with its unit. A figure that is short of its limit must not look as if it had reached it, so times
 * and counts are rounded down. What is shown can be read back: it is the figure to the digits that are shown.
 */

/**
 * `rate`: 0–1, shown in per cent. `percent`: 0–100. `times`: how many times as much. `word`: as it is, without a unit. `evidence` is shown
 * as the part of the way to its limit.
 */
export const UNITS = ['rate', 'percent', 'ms', 'minutes', 'count', 'evidence', 'times', 'word'] as const;
export type Unit = (typeof UNITS)[number];

export type Figure = number | string | null;

/** Rounded down to a tenth, so that a value that is short of a whole one does not look like it. */
export const round = (value: number) => Math.floor(value * 10 + 1e-9) / 10;
/**
 * Of the way to a proof: evidence is multiplied, so its logarithm is what grows evenly. Nothing while it speaks for the contrary.
 * @example proofText(4.5, 20) // '50 %'
 */
export const proofText = (evidence: number, needed: number): string =>
  `${Math.floor(100 * Math.max(0, Math.log(evidence) / Math.log(needed)) + 1e-9)} %`;
export const percent = (rate: number, digits = 3) =>
  rate === 0 ? '0 %' : `${Number((rate * 100).toPrecision(digits))} %`;
/** A share of the reads. */
export const share = (ppm: number) => `${Number((ppm / 10_000).toPrecision(6))} %`;
/** A count in whole ones or tenths; `group` stands between thousands. */
export const count = (value: number, group = '') => grouped(round(value), group);
export const ms = (value: number) => (value >= 1000 ? `${round(value / 1000)} s` : `${round(value)} ms`);

/** How long something took or has been going on, in the unit that a person would use; `ms` is for what is held against a limit. */
export function duration(value: number | null): string {
  if (value === null) return '–';
  if (value < 1_000) return `${value < 10 ? Number(value.toFixed(1)) : Math.round(value)} ms`;
  const seconds = value / 1_000;
  if (seconds < 120) return `${Number(seconds.toFixed(seconds < 10 ? 1 : 0))} s`;
  const minutes = seconds / 60;
  return minutes < 120 ? `${Math.round(minutes)} min` : `${Number((minutes / 60).toFixed(1))} h`;
}

/**
 * @param group what stands between thousands; nothing where it is left out
 * @example figureText(181_800, 'ms') // '181.8 s'
 */
export function figureText(value: Figure, unit: Exclude<Unit, 'evidence'>, group = ''): string {
  if (value === null) return '–';
  if (typeof value === 'string') return value;
  switch (unit) {
    case 'rate':
      return percent(value, 4);
    case 'percent':
      return percent(value / 100, 4);
    case 'ms':
      return ms(value);
    case 'minutes':
      return `${count(value, group)} min`;
    case 'times':
      return `${Number(value.toPrecision(4))} ×`;
    case 'count':
      return count(value, group);
    case 'word':
      return String(value);
  }
}

/** Only whole parts are grouped. */
const grouped = (value: number, group: string) =>
  String(value).replace(/^-?\d+/, (whole) => whole.replace(/\B(?=(\d{3})+$)/g, group));
