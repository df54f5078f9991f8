/**
 * The emergency stop: a dialog that says what will happen, asks for a reason, and shows what did. Repeating the same
 * request after a lost answer is safe, since it carries the same idempotency key.
 */

import { sign } from './badges.js';
import { byId, el, show } from './dom.js';

let attempt = { key: '', reason: '' };
let done = () => {};

/** `stopped` is called when the stop was accepted. */
export function armStop(stopped) {
  done = stopped;
  byId('stop-open').addEventListener('click', open);
  byId('stop-cancel').addEventListener('click', () => byId('stop').close());
  byId('stop-form').addEventListener('submit', (event) => {
    event.preventDefault();
    confirm();
  });
}

function open() {
  show('stop-result');
  byId('stop-reason').value = '';
  byId('stop-cancel').textContent = 'Cancel';
  byId('stop-confirm').hidden = false;
  ready(true);
  byId('stop').showModal();
  byId('stop-reason').focus();
}

function ready(isReady) {
  byId('stop-confirm').disabled = !isReady;
  byId('stop-reason').readOnly = !isReady;
}

async function confirm() {
  const reason = byId('stop-reason').value.trim();
  if (reason === '') {
    show('stop-result', el('p', { class: 'panel tone-wait' }, 'Say why: the reason is what the next person reads.'));
    return;
  }
  ready(false);
  show('stop-result', el('p', { class: 'quiet' }, 'Stopping …'));
  try {
    const result = await send(reason);
    show('stop-result', outcome(result));
    byId('stop-cancel').textContent = 'Close';
    byId('stop-confirm').hidden = true;
    byId('stop-cancel').focus();
    done();
  } catch (error) {
    ready(true);
    show(
      'stop-result',
      el(
        'p',
        { class: 'panel tone-bad' },
        sign('bad'),
        `Not confirmed: ${error.message} Try again, or use 'crossfade stop'.`,
      ),
    );
  }
}

async function send(reason) {
  if (attempt.reason !== reason) attempt = { key: crypto.randomUUID(), reason };
  const response = await fetch('v1/system/emergency-stop', {
    method: 'POST',
    headers: { 'Content-Type': 'application/json', 'Idempotency-Key': attempt.key },
    body: JSON.stringify({ reason }),
    cache: 'no-store',
  }).catch(() => {
    throw new Error('the server did not answer, so it is not known whether the stop was carried out.');
  });
  const answer = await response.json().catch(() => ({}));
  if (!response.ok) throw new Error(`${answer.detail ?? `the server answered ${response.status}.`}`);
  attempt = { key: '', reason: '' };
  return answer;
}

function outcome({ cutovers = [], published }) {
  const lines = cutovers.map(({ id, from, to, problem }) =>
    el('li', {}, el('b', {}, id), problem ? ` could not be rolled back: ${problem}` : ` went from ${from} to ${to}`),
  );
  const tone = published && cutovers.every(({ problem }) => !problem) ? 'good' : 'wait';
  const flags = published ? 'The flags are deployed.' : 'The flags are not deployed yet; every tick tries again.';
  return el(
    'div',
    { class: `panel tone-${tone}` },
    el('h3', {}, sign(tone), tone === 'good' ? 'Everything is stopped' : 'Stopped, but not everything is done'),
    lines.length > 0 ? el('ul', {}, lines) : el('p', {}, 'No cutover had anything to roll back.'),
    el('p', {}, flags),
  );
}
