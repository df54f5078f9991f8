/** Asks for the figures every few seconds and shows them. What was last known stays, greyed, when nobody answers. */

import { alertsCard } from './alerts.js';
import { badge, command, sign } from './badges.js';
import { draw } from './charts.js';
import { cutoverCard } from './cutover.js';
import { byId, el, show } from './dom.js';
import { experimentsCard } from './experiments.js';
import { clock, duration } from './format.js';
import { phasesCard } from './phases.js';
import { armStop } from './stop.js';
import { timeline } from './timeline.js';

const EVERY_MS = 5000;
/** When the clock runs faster than real time, a minute would be missed between two looks. */
const EVERY_FAST_MS = 1500;
const PATIENCE_MS = 10_000;

let last = null;
let speed = 1;
let timer = 0;
let asking = false;

async function refresh() {
  clearTimeout(timer);
  if (asking) return;
  asking = true;
  try {
    const response = await fetch('dashboard/data', { cache: 'no-store', signal: AbortSignal.timeout(PATIENCE_MS) });
    const body = await response.json().catch(() => ({}));
    if (!response.ok) throw new Error(body.detail ?? `the server answered ${response.status}`);
    accept(body);
  } catch (error) {
    offline(error);
  } finally {
    asking = false;
    if (!document.hidden) timer = setTimeout(refresh, speed >= 3 ? EVERY_FAST_MS : EVERY_MS);
  }
}

function accept(figures) {
  const at = performance.now();
  if (last && at - last.at > 500) speed = (figures.atMs - last.figures.atMs) / (at - last.at);
  const news = figures.system.headline.text;
  if (last?.figures.system.headline.text !== news) byId('announce').textContent = news;
  last = { figures, at, realMs: Date.now() };
  document.body.classList.remove('stale');
  render(figures);
}

function offline(error) {
  document.body.classList.add('stale');
  byId('cutovers').setAttribute('aria-busy', 'false');
  const why =
    error.name === 'TimeoutError'
      ? 'no answer within 10 s'
      : error.name === 'TypeError'
        ? 'the server cannot be reached'
        : error.message;
  const since = last
    ? `No figures since ${clock(last.realMs)}, ${duration(Date.now() - last.realMs)} ago`
    : 'No figures yet';
  show(
    'notice',
    el(
      'p',
      { class: 'notice tone-bad' },
      sign('bad'),
      el('span', {}, el('b', {}, `${since}: `), `${why.replace(/\.$/, '')}. Trying again every 5 s.`),
    ),
  );
  if (last) return;
  show(
    'cutovers',
    el('div', { class: 'card empty' }, el('h2', {}, 'The figures could not be loaded'), el('p', {}, why)),
  );
  show('system', el('p', { class: 'headline tone-idle' }, 'Unknown'));
  show('audit', el('p', { class: 'quiet' }, 'Unknown'));
}

function render({ system, phases, cutovers, audit, alerts, experiments, atMs }) {
  const { headline, flags } = system;
  document.title = `${headline.text} · Crossfade`;
  const fast = speed >= 1.5 ? `, ${Math.round(speed)} times as fast` : '';
  show(
    'system',
    el('p', { class: `headline tone-${headline.tone}` }, sign(headline.tone), headline.text),
    el(
      'p',
      { class: 'quiet' },
      el('span', { class: flags.ok ? null : 'warn' }, flags.text),
      el('span', {}, `${clock(atMs)}${fast}`),
    ),
  );
  show('notice', system.emergencyStop ? stoppedNotice() : null);
  byId('cutovers').setAttribute('aria-busy', 'false');
  const cards = cutovers.length > 0 ? cutovers.map(cutoverCard) : emptyCard();
  show('cutovers', alertsCard(alerts, atMs), phasesCard(phases), cards, experimentsCard(experiments));
  for (const card of byId('cutovers').children) {
    const cutover = cutovers.find(({ id }) => id === card.dataset.key);
    for (const node of card.querySelectorAll('[data-plot]')) draw(node, cutover);
  }
  show('audit', timeline(audit, atMs));
  byId('foot').textContent = `Refreshes every ${speed >= 3 ? '1.5' : '5'} s, times are those of this browser.`;
}

function stoppedNotice() {
  const text =
    'Reads are on the primary, promoted tables stay as they are, and nothing starts or advances until the stop is lifted:';
  return el(
    'div',
    { class: 'notice tone-bad' },
    badge({ text: 'Emergency stop', tone: 'bad' }),
    el('span', {}, text),
    command('crossfade reset system --confirm system'),
  );
}

function emptyCard() {
  return el(
    'div',
    { class: 'card empty' },
    el('h2', {}, 'No cutover is declared'),
    el(
      'p',
      {},
      'Cutovers are declared in ',
      el('code', {}, 'infra/cutovers.ts'),
      ' and deployed with the code. The next refresh after that shows them here.',
    ),
  );
}

document.addEventListener('click', async ({ target }) => {
  const button = target.closest?.('[data-copy]');
  if (!button) return;
  const text = button.dataset.copy;
  const copied = await navigator.clipboard.writeText(text).then(
    () => true,
    () => false,
  );
  byId('announce').textContent = copied
    ? `Copied: ${text}`
    : 'Copying is not allowed here; select the command instead.';
  button.textContent = copied ? 'Copied' : 'Select it';
  setTimeout(() => (button.textContent = 'Copy'), 1500);
});
document.addEventListener('visibilitychange', () => {
  if (!document.hidden) refresh();
});
armStop(refresh);
refresh();
