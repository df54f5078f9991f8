/** The card of one cutover. */

import { badge, bar, command, sign } from './badges.js';
import { el } from './dom.js';
import { count, dayAndTime, duration, minutes, ms, percent } from './format.js';
import { shareBar, stageLine } from './stages.js';
import { tableStrip } from './table.js';

export function cutoverCard(cutover) {
  if (cutover.health === 'invalid') return invalidCard(cutover);
  const { id, kind, version, epoch } = cutover;
  return el(
    'article',
    { class: 'card', 'data-key': id, 'data-health': cutover.health, 'aria-label': `Cutover ${id}` },
    el(
      'header',
      {},
      el('h2', {}, id),
      el('span', { class: 'kind' }, kind),
      badge(cutover.badge),
      el('span', { class: 'version quiet' }, `version ${version} · epoch ${epoch}`),
    ),
    el(
      'p',
      { class: 'summary' },
      cutover.summary,
      cutover.flagsDeployed || version === 0 ? null : ' Its flags are not deployed yet.',
    ),
    stageLine(cutover),
    el(
      'div',
      { class: 'split' },
      el('div', { class: 'facts' }, situation(cutover)),
      el('div', { class: 'facts' }, outlook(cutover)),
    ),
    plots(cutover),
    cutover.kind === 'table' ? tableStrip(cutover) : null,
  );
}

function invalidCard({ id, why, badge: invalid }) {
  return el(
    'article',
    { class: 'card', 'data-key': id, 'data-health': 'invalid' },
    el('header', {}, el('h2', {}, id), badge(invalid)),
    el(
      'div',
      { class: 'panel tone-bad' },
      el('p', {}, 'Its state cannot be read, so nothing moves until it is mended. ', why),
    ),
  );
}

const situation = (cutover) => [
  shareBar(cutover),
  dwell(cutover),
  rollbackPanel(cutover),
  reasonsPanel(cutover),
  gates(cutover),
];
const outlook = (cutover) => [nextSteps(cutover), comparison(cutover)];

function dwell({ stageKind, stage, minutesInStage, dwellMinutes, minutesToEligibility }) {
  if (stageKind === 'disabled' || stageKind === 'rolled_back') return null;
  const waits = ['dual_write', 'ramp', 'full'].includes(stageKind) && dwellMinutes > 0;
  const left = minutesToEligibility > 0 ? `${minutes(minutesToEligibility)} to eligibility` : 'long enough to go on';
  return el(
    'div',
    { class: 'dwell' },
    el('span', {}, el('b', {}, minutes(minutesInStage)), ` in ${stage}`),
    waits ? el('span', { class: 'quiet' }, left) : null,
    waits ? bar(minutesInStage, dwellMinutes, `${minutes(minutesInStage)} of ${dwellMinutes} minutes`) : null,
  );
}

function rollbackPanel({ rollback }) {
  if (!rollback) return null;
  return el(
    'section',
    { class: 'panel tone-bad' },
    el('h3', {}, sign('bad'), `Rolled back ${duration(rollback.agoMs)} ago, from ${rollback.fromStage}`),
    el('p', {}, rollback.reason),
    el('p', { class: 'quiet' }, `by ${rollback.actor}, ${dayAndTime(rollback.atMs)}`),
    rollback.steps.length > 0
      ? el(
          'ol',
          { class: 'seen', 'aria-label': 'Steps that were seen done' },
          rollback.steps.map(({ name, tookMs }) =>
            el('li', {}, sign('good'), `${name.replace('_', ' ')} after ${ms(tookMs)}`),
          ),
        )
      : null,
  );
}

/** Why it stays, or why it goes back, one full sentence each; figures and limit beside it. */
function reasonsPanel({ health, reasons: all, badge: { text } }) {
  // The bar above tells of the time; as the only thing to wait for it needs no panel.
  const reasons = health === 'healthy' ? all.filter(({ code }) => code !== 'dwell') : all;
  if (reasons.length === 0) return null;
  const [tone, title] =
    health === 'rolling_back'
      ? ['bad', 'Guards that fired']
      : health === 'held'
        ? ['wait', `${text}: what is missing`]
        : ['idle', 'Waiting for'];
  const items = reasons.map((reason) =>
    el(
      'li',
      {},
      el('p', {}, reason.text),
      el(
        'p',
        { class: 'figures' },
        el('span', {}, reason.label),
        el('span', {}, 'seen ', el('b', {}, reason.seen)),
        el('span', {}, `${reason.limitIs} `, el('b', {}, reason.limit)),
      ),
    ),
  );
  return el('section', { class: `panel tone-${tone}` }, el('h3', {}, sign(tone), title), el('ul', {}, items));
}

function nextSteps({ steps, commands }) {
  const named = new Set(steps.map((step) => step.command));
  const others = commands.filter((text) => !named.has(text));
  const items = steps.map(({ text, command: exact }) =>
    el('li', {}, exact ? command(exact) : null, text ? el('p', { class: exact ? 'quiet' : null }, text) : null),
  );
  return el(
    'section',
    { class: 'next' },
    items.length > 0 ? [el('h3', {}, 'Next'), el('ul', {}, items)] : null,
    others.length > 0
      ? el(
          'details',
          {},
          el('summary', {}, 'Commands possible now'),
          el(
            'ul',
            {},
            others.map((text) => el('li', {}, command(text))),
          ),
        )
      : null,
  );
}

/** Both sides since the stage was entered. */
function comparison({ stageKind, figures: { primary, shadow, checks, mismatches } }) {
  if (primary.count + shadow.count === 0 || stageKind === 'disabled' || stageKind === 'rolled_back') return null;
  const row = (name, side, figures) =>
    el(
      'tr',
      {},
      el('th', { scope: 'row' }, el('i', { class: `swatch ${side}` }), name),
      [count(figures.count), percent(figures.errorRate), ms(figures.p50Ms), ms(figures.p95Ms)].map((text) =>
        el('td', {}, text),
      ),
    );
  return el(
    'table',
    { class: 'comparison' },
    el('caption', {}, 'Since the stage began'),
    el(
      'thead',
      {},
      el(
        'tr',
        {},
        el('td', {}),
        ['calls', 'errors', 'p50', 'p95'].map((name) => el('th', { scope: 'col' }, name)),
      ),
    ),
    el('tbody', {}, row('Primary', 'primary', primary), row('Shadow', 'shadow', shadow)),
    checks > 0
      ? el(
          'tfoot',
          {},
          el('tr', {}, el('td', { colspan: 5 }, `${count(checks)} comparisons, ${count(mismatches)} differed`)),
        )
      : null,
  );
}

function gates({ gates: lines }) {
  if (lines.length === 0) return null;
  const good = lines.filter((line) => line.ok).length;
  const items = lines.map((line) =>
    el(
      'li',
      { class: line.ok ? 'ok' : 'waits' },
      sign(line.ok ? 'good' : 'wait'),
      el(
        'span',
        {},
        el('b', {}, line.label),
        el('span', { class: 'visually-hidden' }, line.ok ? ', holds' : ', does not hold'),
        ` ${line.text}`,
      ),
    ),
  );
  return el(
    'details',
    { class: 'gates' },
    el('summary', {}, `Gates: ${good} of ${lines.length} hold`),
    el('ul', {}, items),
  );
}

function plots({ stageKind, series: { primary, shadow } }) {
  const recorded = [...primary.count, ...shadow.count].some((calls) => calls > 0);
  return stageKind === 'disabled' && !recorded ? null : el('div', { class: 'plots' }, plot('latency'), plot('errors'));
}

const plot = (kind) =>
  el('div', { class: 'plot', 'data-plot': kind, 'data-keep': true, 'data-key': kind, role: 'img' });
