/** The card of the phases, in the order in which they are made. */

import { badge, bar, command } from './badges.js';
import { el } from './dom.js';
import { minutes } from './format.js';

export function phasesCard(phases) {
  if (phases.length === 0) return null;
  return el(
    'section',
    { class: 'card phases', 'data-key': ' phases', 'aria-labelledby': 'phases-title' },
    el('header', {}, el('h2', { id: 'phases-title' }, 'Phases')),
    el('ol', {}, phases.map(phase)),
  );
}

function phase({ name, badge: state, summary, cutovers, soak, missing, command: exact }) {
  return el(
    'li',
    { 'data-key': name, class: `tone-${state.tone}` },
    el('p', { class: 'title' }, el('b', {}, name), badge(state), el('span', { class: 'quiet' }, summary)),
    el(
      'ul',
      { class: 'members', 'aria-label': `Cutovers of ${name}` },
      cutovers.map(({ id, stage, reached }) =>
        el('li', { class: reached ? 'reached' : null }, el('b', {}, id), ` ${stage}`),
      ),
    ),
    soak
      ? el(
          'div',
          { class: 'soak' },
          bar(soak.minutes, soak.ofMinutes, soak.label),
          el('span', { class: 'quiet' }, `${minutes(soak.minutes)} of ${minutes(soak.ofMinutes)}`),
        )
      : null,
    missing.length > 0
      ? el(
          'ul',
          { class: 'missing quiet' },
          missing.map((text) => el('li', {}, text)),
        )
      : null,
    exact ? command(exact) : null,
  );
}
