/** A condition in a few words, for a line that names several: how far it is from its limit. Pure. */

import type { Condition } from './condition.ts';
import { count } from './figures.ts';
import { aboutMinutesOf, inText } from './release.ts';
import { figuresOf, labelOf, show } from './show.ts';

/** @example '19 of 40 operations', 'errors proven 15 % of the way (in about 12 min)', 'lag 181.8 s, limit 30 s' */
export function briefText(condition: Condition, group = ''): string {
  const { code, seen, limit } = condition;
  if (code === 'dwell' && typeof seen === 'number' && typeof limit === 'number')
    return `${count(Math.max(0, limit - seen), group)} min of dwell left`;
  const figures = figuresOf(show(condition), group);
  if (code.startsWith('proof_'))
    return `${labelOf(condition).replace('Proof: ', '')} proven ${figures.seen} of the way${soon(condition)}`;
  if (code === 'samples') return `${figures.seen} of ${figures.limit} operations${soon(condition)}`;
  if (code === 'regression') return 'signs of harm';
  if (seen === null) return lowerLabel(condition);
  return `${lowerLabel(condition)} ${figures.seen}${limit === null ? '' : `, ${figures.limitIs} ${figures.limit}`}`;
}

function soon({ release }: Condition): string {
  const { aboutMinutes } = aboutMinutesOf(release);
  return typeof aboutMinutes === 'number' ? ` (${inText(aboutMinutes)})` : '';
}

/** Within a sentence. Names and abbreviations stay as they are. @example 'latency p95', 'HTTP check: stock' */
export function lowerLabel(condition: Condition): string {
  const label = labelOf(condition);
  return /^[A-Z][a-z]/.test(label) ? label[0]!.toLowerCase() + label.slice(1) : label;
}
