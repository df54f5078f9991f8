/** Experiments: how many of how many, then what they say. */

import { badge, bar } from './badges.js';
import { el } from './dom.js';
import { count, percent } from './format.js';

export function experimentsCard(experiments) {
  if (!experiments || experiments.length === 0) return null;
  return el(
    'section',
    { class: 'card alerts', 'data-key': 'experiments of all', 'aria-label': 'Experiments' },
    el('h2', {}, experiments.length === 1 ? '1 experiment' : `${experiments.length} experiments`),
    el('ul', {}, experiments.map(experimentItem)),
  );
}

function experimentItem(view) {
  const done = view.state === 'complete';
  return el(
    'li',
    { 'data-key': view.experiment },
    el(
      'p',
      { class: 'alert-head' },
      badge({ text: done ? 'Complete' : 'Collecting', tone: done ? 'done' : 'idle' }),
      el('b', {}, view.experiment),
      el('span', { class: 'quiet' }, `${count(view.n)} of ${count(view.size)}`),
    ),
    done ? null : bar(view.n, view.size, `${view.n} of ${view.size} units`),
    done ? cohorts(view) : null,
    done ? view.findings.map((text) => el('p', {}, text)) : null,
  );
}

function cohorts({ cohorts, conversion }) {
  const line = (side, { n, rate, wilson }) =>
    el(
      'p',
      { class: 'quiet' },
      `${side}: ${count(n)} units, ${conversion} ${percent(rate)}`,
      wilson ? ` (${percent(wilson.low)} … ${percent(wilson.high)})` : '',
    );
  return [line('primary', cohorts.primary), line('shadow', cohorts.shadow)];
}
