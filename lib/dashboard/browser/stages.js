/** The stage line of a plan and the share of reads on each side. */

import { sign } from './badges.js';
import { el } from './dom.js';
import { share } from './format.js';

const SIGN_OF = { passed: 'good', current: null, ahead: null, undone: 'bad' };
const SPOKEN = { passed: 'passed', current: 'now', ahead: 'ahead', undone: 'rolled back from here' };

export function stageLine({ stages, plan }) {
  const dense = stages.length > 10 ? ' dense' : '';
  return el('ol', { class: `stages${dense}`, 'aria-label': `Stages of plan ${plan}` }, stages.map(stageItem));
}

function stageItem({ name, kind, sharePpm, progress }) {
  const reads = kind === 'ramp' || kind === 'full' ? share(sharePpm) : '';
  const mark = SIGN_OF[progress];
  return el(
    'li',
    { class: progress, 'aria-current': progress === 'current' ? 'step' : null, title: `${name} ${reads}` },
    el('span', { class: 'dot' }, mark ? sign(mark) : null),
    el('span', { class: 'name' }, name),
    el('span', { class: 'reads' }, reads),
    el('span', { class: 'visually-hidden' }, `, ${SPOKEN[progress]}`),
  );
}

export function shareBar({ sharePpm }) {
  return el(
    'div',
    { class: 'share' },
    el('span', {}, el('i', { class: 'swatch shadow' }), 'Reads: shadow ', el('b', {}, share(sharePpm))),
    el('span', {}, 'primary ', el('b', {}, share(1_000_000 - sharePpm)), el('i', { class: 'swatch primary' })),
    el('progress', {
      value: sharePpm,
      max: 1_000_000,
      'aria-label': `${share(sharePpm)} of the reads go to the shadow`,
    }),
  );
}
