/** Small parts that several places use. */

import { el, svg } from './dom.js';

/** One sign per tone, drawn, so that colour is never the only signal and no font decides how it looks. */
const SIGNS = {
  idle: ['M4 8h8'],
  good: ['M3.5 8.5l3 3 6-7'],
  wait: ['M5.5 4v8', 'M10.5 4v8'],
  bad: ['M8 3.5v5.5', 'M8 12v.5'],
  done: ['M3 8.5l2.5 2.5 5-6', 'M8.5 11l5-6'],
};

export function sign(tone) {
  const strokes = SIGNS[tone].map((d) => svg('path', { d }));
  return svg('svg', { class: 'sign', viewBox: '0 0 16 16', width: 16, height: 16, 'aria-hidden': 'true' }, strokes);
}

export const badge = ({ text, tone }) => el('span', { class: `badge tone-${tone}` }, sign(tone), text);

/** A command to copy. What is copied is what is shown; lines break between its words only, where that is possible. */
export function command(text) {
  const words = text.split(' ').flatMap((word, index) => [index > 0 ? ' ' : null, el('span', {}, word)]);
  return el(
    'div',
    { class: 'command' },
    el('code', { tabindex: '0' }, words),
    el('button', { type: 'button', 'data-copy': text, 'aria-label': `Copy: ${text}` }, 'Copy'),
  );
}

/** A labelled bar; `label` is what a screen reader says. */
export const bar = (value, max, label, className = '') =>
  el('progress', { class: className, value: Math.min(value, max), max: max || 1, 'aria-label': label });
