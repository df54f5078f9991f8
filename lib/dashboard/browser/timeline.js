/** What was done, by whom, when and why: the newest audit entries. */

import { sign } from './badges.js';
import { el } from './dom.js';
import { dayAndTime, duration } from './format.js';

export function timeline(entries, nowMs) {
  if (entries.length === 0) return el('p', { class: 'quiet' }, 'Nothing has happened yet.');
  return el(
    'ol',
    { class: 'timeline' },
    entries.map((entry) => item(entry, nowMs)),
  );
}

function item({ subject, seq, atMs, actor, what, why, tone, hash }, nowMs) {
  return el(
    'li',
    { 'data-key': `${subject} ${seq}`, class: `tone-${tone}` },
    sign(tone),
    el('p', { class: 'what' }, el('b', {}, subject), ` ${what}`),
    why ? el('p', { class: 'why' }, why) : null,
    el(
      'p',
      { class: 'quiet' },
      `${actor} · `,
      el('time', { datetime: new Date(atMs).toISOString(), title: dayAndTime(atMs) }, `${duration(nowMs - atMs)} ago`),
      ' · ',
      el('code', { title: `Entry ${seq} of ${subject}, start of its hash` }, `#${seq} ${hash}`),
    ),
  );
}
