/** Figures as text. */

const THIN = '\u202f';
const whole = new Intl.NumberFormat('en', { maximumFractionDigits: 0, useGrouping: 'always' });

export const count = (value: number): string => whole.format(value).replaceAll(',', THIN);

export const share = (ppm: number): string => `${Number((ppm / 10_000).toFixed(4))} %`;

/** A rate of 0–1, with at most three digits, but never 100 % for less than all. */
export function percent(rate: number | null): string {
  if (rate === null) return '–';
  if (rate > 0.999 && rate < 1) return `${(Math.floor(rate * 1e5) / 1e3).toFixed(3)} %`;
  return `${Number((rate * 100).toPrecision(3))} %`;
}

export function ms(value: number | null): string {
  if (value === null) return '–';
  if (value >= 10_000) return `${Math.round(value / 1000)} s`;
  return value >= 1000 ? `${(value / 1000).toFixed(1)} s` : `${Number(value.toPrecision(3))} ms`;
}

/** A duration in words of at most two units. */
export function duration(milliseconds: number): string {
  const seconds = Math.max(0, Math.round(milliseconds / 1000));
  if (seconds < 100) return `${seconds} s`;
  const minutes = Math.round(seconds / 60);
  if (minutes < 100) return `${minutes} min`;
  const hours = Math.floor(minutes / 60);
  if (hours < 48) return `${hours} h ${minutes % 60} min`;
  return `${Math.floor(hours / 24)} d ${hours % 24} h`;
}

export const minutes = (value: number): string =>
  value < 10 ? `${Number(value.toFixed(1))} min` : duration(value * 60_000);

const time = new Intl.DateTimeFormat('en-GB', { hour: '2-digit', minute: '2-digit', second: '2-digit' });
const shortTime = new Intl.DateTimeFormat('en-GB', { hour: '2-digit', minute: '2-digit' });
const day = new Intl.DateTimeFormat('en-GB', { day: 'numeric', month: 'short' });

export const clock = (atMs: number): string => time.format(atMs);
export const clockMinute = (atMs: number): string => shortTime.format(atMs);
export const dayAndTime = (atMs: number): string => `${day.format(atMs)}, ${time.format(atMs)}`;
