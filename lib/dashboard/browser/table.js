/** The data side of a table cutover: backfill, validation, lag, outbox, quarantine. */

import { bar, sign } from './badges.js';
import { el } from './dom.js';
import { count, duration, ms, percent } from './format.js';

export function tableStrip({ table, stageKind }) {
  if (!table) {
    const why =
      stageKind === 'disabled'
        ? 'Postgres is prepared by the start.'
        : 'Postgres could not be asked, or knows nothing of this cutover yet.';
    return el('p', { class: 'quiet strip-empty' }, why);
  }
  return el(
    'section',
    { class: 'data', 'aria-label': 'Data' },
    backfill(table),
    el('dl', { class: 'tiles' }, validation(table), lag(table), outbox(table), quarantine(table)),
    quarantineList(table),
    divergenceList(table),
  );
}

function backfill({ backfill: { state, rowsDone, rowsTotal, rowsPerSecond, etaSeconds } }) {
  if (state === 'none') return null;
  if (state === 'done')
    return el('p', { class: 'backfilled' }, sign('good'), `Backfill done: ${count(rowsDone)} rows copied.`);
  const part = rowsTotal > 0 ? Math.min(1, rowsDone / rowsTotal) : 0;
  const left = etaSeconds === null ? 'not moving just now' : `about ${duration(etaSeconds * 1000)} left`;
  return el(
    'div',
    { class: 'backfill' },
    el('span', {}, 'Backfill ', el('b', {}, `${Math.floor(part * 100)} %`)),
    el(
      'span',
      { class: 'quiet' },
      `${count(rowsDone)} of about ${count(rowsTotal)} rows · ${count(rowsPerSecond)} rows/s · ${left}`,
    ),
    bar(rowsDone, rowsTotal, `Backfill ${Math.floor(part * 100)} per cent`, 'thick'),
  );
}

const tile = (name, value, detail, tone) =>
  el(
    'div',
    { class: tone ? `tone-${tone}` : null },
    el('dt', {}, name),
    el('dd', {}, tone ? sign(tone) : null, value),
    el('dd', { class: 'quiet' }, detail),
  );

function validation({ verification }) {
  if (!verification) return tile('Validation', '–', 'No complete pass yet', null);
  const { score, rowsCompared, divergences, ageMs } = verification;
  const differ =
    divergences === 0 ? 'none differs' : `${count(divergences)} ${divergences === 1 ? 'differs' : 'differ'}`;
  const detail = `${count(rowsCompared)} rows compared, ${differ}, ${duration(ageMs)} ago`;
  return tile('Validation', percent(score), detail, divergences === 0 ? 'good' : 'bad');
}

const lag = ({ lagMs }) =>
  tile('Lag', lagMs === 0 ? 'none' : ms(lagMs), 'Age of the oldest change not yet applied', null);

function outbox({ outboxRows, armed }) {
  const direction = { none: 'Capture is off', forward: 'Primary to shadow', reverse: 'Back into the old table' }[armed];
  return tile('Outbox', count(outboxRows), `${direction}; changes waiting`, null);
}

const quarantine = ({ quarantined }) =>
  tile(
    'Quarantine',
    count(quarantined),
    quarantined === 0 ? 'Every key can be written' : 'Keys that cannot be written',
    quarantined === 0 ? 'good' : 'bad',
  );

function quarantineList({ quarantine: keys, quarantined }) {
  if (keys.length === 0) return null;
  const rows = keys.map(({ key, sqlstate, reason, attempts }) =>
    el(
      'tr',
      {},
      el('td', {}, el('code', {}, key)),
      el('td', {}, el('code', {}, sqlstate)),
      el('td', {}, reason),
      el('td', {}, count(attempts)),
    ),
  );
  const more = quarantined > keys.length ? ` (${keys.length} of ${count(quarantined)})` : '';
  return listTable(`Keys in quarantine${more}`, ['Key', 'SQLSTATE', 'Reason', 'Tries'], rows);
}

function divergenceList({ verification }) {
  const samples = verification?.samples ?? [];
  if (samples.length === 0) return null;
  const rows = samples.map(({ key, columns }) =>
    el('tr', {}, el('td', {}, el('code', {}, key)), el('td', {}, columns.join(', ') || 'the row is on one side only')),
  );
  return listTable(
    `First keys that differ (${samples.length} of ${count(verification.divergences)})`,
    ['Key', 'Columns'],
    rows,
  );
}

function listTable(caption, heads, rows) {
  return el(
    'div',
    { class: 'list', tabindex: '0', role: 'region', 'aria-label': caption },
    el(
      'table',
      {},
      el('caption', {}, caption),
      el(
        'thead',
        {},
        el(
          'tr',
          {},
          heads.map((name) => el('th', { scope: 'col' }, name)),
        ),
      ),
      el('tbody', {}, rows),
    ),
  );
}
