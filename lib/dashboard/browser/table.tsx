/** The data side of a table cutover: backfill, validation, lag, outbox, quarantine. */

import type { ComponentChildren } from 'preact';
import type { CutoverView, TableView } from '../data.ts';
import type { Tone } from '../sentences.ts';
import { Bar, Sign } from './badges.tsx';
import { count, duration, ms, percent } from './format.ts';
import { Rows } from './rows.tsx';

type StripProps = Pick<CutoverView, 'id' | 'table' | 'stageKind'> & { onChanged(): void };

export function TableStrip({ id, table, stageKind, onChanged }: StripProps) {
  if (!table) {
    return (
      <p class="quiet strip-empty">
        {stageKind === 'disabled'
          ? 'Postgres is prepared by the start.'
          : 'Postgres could not be asked, or knows nothing of this cutover yet.'}
      </p>
    );
  }
  return (
    <section class="data" aria-label="Data">
      <Backfill backfill={table.backfill} />
      <dl class="tiles">
        <Validation verification={table.verification} />
        <Lag lagMs={table.lagMs} />
        <Outbox outboxRows={table.outboxRows} armed={table.armed} />
        <Quarantine quarantined={table.quarantined} />
      </dl>
      <Rows id={id} table={table} onChanged={onChanged} />
    </section>
  );
}

function Backfill({ backfill: { state, fraction, text } }: Pick<TableView, 'backfill'>) {
  if (state === 'none') return null;
  if (state === 'done') {
    return (
      <p class="backfilled">
        <Sign tone="good" />
        Backfill done: {text}.
      </p>
    );
  }
  // Rounded down: 100 % is said of all rows only.
  const percentDone = fraction === null ? null : Math.floor(fraction * 100);
  return (
    <div class="backfill">
      <span>Backfill {percentDone !== null && <b>{percentDone} %</b>}</span>
      <span class="quiet">{text}</span>
      {fraction !== null && <Bar value={fraction} max={1} label={`Backfill ${percentDone} per cent`} class="thick" />}
    </div>
  );
}

// ------------------------------------------------------------------------------------------------------------ tiles

type TileProps = { name: string; value: string; tone?: Tone; children: ComponentChildren };

function Tile({ name, value, tone, children }: TileProps) {
  return (
    <div class={tone && `tone-${tone}`}>
      <dt>{name}</dt>
      <dd>
        {tone && <Sign tone={tone} />}
        {value}
      </dd>
      <dd class="quiet">{children}</dd>
    </div>
  );
}

function Validation({ verification }: Pick<TableView, 'verification'>) {
  if (!verification) {
    return (
      <Tile name="Validation" value="–">
        No complete pass yet
      </Tile>
    );
  }
  const { score, rowsCompared, divergences, ageMs } = verification;
  const differ =
    divergences === 0 ? 'none differs' : `${count(divergences)} ${divergences === 1 ? 'differs' : 'differ'}`;
  return (
    <Tile name="Validation" value={percent(score)} tone={divergences === 0 ? 'good' : 'bad'}>
      {count(rowsCompared)} rows compared, {differ}, {duration(ageMs)} ago
    </Tile>
  );
}

function Lag({ lagMs }: Pick<TableView, 'lagMs'>) {
  return (
    <Tile name="Lag" value={lagMs === 0 ? 'none' : ms(lagMs)}>
      Age of the oldest change not yet applied
    </Tile>
  );
}

const DIRECTIONS = {
  none: 'Capture is off',
  forward: 'Primary to shadow',
  reverse: 'Back into the old table',
} as const;

function Outbox({ outboxRows, armed }: Pick<TableView, 'outboxRows' | 'armed'>) {
  return (
    <Tile name="Outbox" value={count(outboxRows)}>
      {DIRECTIONS[armed]}; changes waiting
    </Tile>
  );
}

function Quarantine({ quarantined }: Pick<TableView, 'quarantined'>) {
  return (
    <Tile name="Quarantine" value={count(quarantined)} tone={quarantined === 0 ? 'good' : 'bad'}>
      {quarantined === 0 ? 'Every key can be written' : 'Keys that cannot be written'}
    </Tile>
  );
}
