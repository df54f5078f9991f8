/** Every cutover on a line of its own: how it is, where it stands, what comes next. Sorted and filtered as the address says. */

import type { DashboardData } from '../data.ts';
import type { CutoverRow, InvalidView } from '../row.ts';
import { AlertGroups } from './alerts.tsx';
import { Bar, Pill, Sign } from './badges.tsx';
import { Experiments } from './experiments.tsx';
import { share } from './format.ts';
import { gateTone } from './gates.tsx';
import { hashOf, type Place, type Sort } from './location.ts';
import { Phases } from './phases.tsx';

type Row = CutoverRow | InvalidView;
type OverviewProps = {
  figures: DashboardData;
  place: Place;
  go(to: Partial<Place>): void;
  onChanged(): void;
};

export function Overview({ figures, place, go, onChanged }: OverviewProps) {
  const { alerts, phases, cutovers, experiments, atMs } = figures;
  return (
    <>
      <AlertGroups groups={alerts} atMs={atMs} onChanged={onChanged} />
      {cutovers.length === 0 ? <NothingDeclared /> : <Rows cutovers={cutovers} place={place} go={go} />}
      <Phases phases={phases} />
      <Experiments experiments={experiments} />
    </>
  );
}

function NothingDeclared() {
  return (
    <div class="card empty">
      <h2>No cutover is declared</h2>
      <p>
        Cutovers are declared in <code>crossfade.config.ts</code> and deployed with the code. The next refresh after
        that shows them here.
      </p>
    </div>
  );
}

const HEADS = [
  ['name', 'Cutover'],
  ['health', 'Health'],
  ['stage', 'Stage'],
  ['share', 'Reads'],
  ['next', 'Next'],
  [null, 'Worst gate'],
  ['alerts', 'Alerts'],
] as const satisfies readonly (readonly [Sort | null, string])[];

function Rows({ cutovers, place, go }: Pick<OverviewProps, 'place' | 'go'> & { cutovers: readonly Row[] }) {
  const shown = cutovers.filter((row) => hasText(row, place.filter)).toSorted(ORDERS[place.sort]);
  return (
    <section class="card overview" aria-labelledby="overview-title">
      <header>
        <h2 id="overview-title">
          {shown.length === cutovers.length ? '' : `${shown.length} of `}
          {cutovers.length} cutovers
        </h2>
        <input
          type="search"
          aria-label="Show only cutovers with this text"
          placeholder="Filter"
          value={place.filter}
          onInput={({ currentTarget }) => go({ filter: currentTarget.value })}
        />
      </header>
      <table>
        <thead>
          <tr>
            {HEADS.map(([sort, name]) => (
              <th key={name} scope="col" aria-sort={sort === place.sort ? 'ascending' : undefined}>
                {sort === null ? (
                  name
                ) : (
                  <button type="button" onClick={() => go({ sort })}>
                    {name}
                  </button>
                )}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {shown.map((row) =>
            'why' in row ? <Unreadable key={row.id} row={row} /> : <OneRow key={row.id} row={row} />,
          )}
        </tbody>
      </table>
      {shown.length === 0 && <p class="quiet">No cutover has this text.</p>}
    </section>
  );
}

function OneRow({ row }: { row: CutoverRow }) {
  const { id, kind, badge, sharePpm, next, alerts } = row;
  return (
    <tr>
      <th scope="row">
        <a href={hashOf({ cutover: id })}>{id}</a> <span class="quiet">{kind}</span>
      </th>
      <td class="health">
        <Pill badge={badge} />
      </td>
      <td class="stage">
        <Dots row={row} />
      </td>
      <td class="reads">
        <b>{share(sharePpm)}</b>
        <Bar value={sharePpm} max={1_000_000} label={`${share(sharePpm)} of the reads go to the shadow`} />
      </td>
      <td class="next-step" title={next.text}>
        {next.text}
      </td>
      <td class="worst">
        <Worst row={row} />
      </td>
      <td class="many">{alerts > 0 ? <b class="tone-bad">{alerts}</b> : <span class="quiet">–</span>}</td>
    </tr>
  );
}

function Unreadable({ row: { id, badge, why } }: { row: InvalidView }) {
  return (
    <tr>
      <th scope="row">
        <a href={hashOf({ cutover: id })}>{id}</a>
      </th>
      <td class="health">
        <Pill badge={badge} />
      </td>
      <td class="why" colSpan={5} title={why}>
        {why}
      </td>
    </tr>
  );
}

/** With more there is no room for the dots. */
const MOST_DOTS = 12;

function Dots({ row: { stages, stage } }: { row: CutoverRow }) {
  return (
    <>
      {stages.length <= MOST_DOTS && (
        <span class="dots" aria-hidden="true">
          {stages.map(({ name, progress }) => (
            <i key={name} class={progress} />
          ))}
        </span>
      )}
      <span>{stage}</span>
    </>
  );
}

function Worst({ row: { worst } }: { row: CutoverRow }) {
  if (!worst) return <span class="quiet">–</span>;
  const { label, seen, limit, limitIs, text } = worst;
  const tone = gateTone(worst);
  return (
    <span class={`gate tone-${tone}`} title={text}>
      <Sign tone={tone} />
      <span>
        {label} <b>{seen}</b>{' '}
        {limit !== '–' && (
          <span class="quiet">
            {limitIs} {limit}
          </span>
        )}
      </span>
    </span>
  );
}

// ------------------------------------------------------------------------------------------------------------ order

const SEVERITY = [
  'rolling_back',
  'stopped',
  'invalid',
  'rolled_back',
  'blind',
  'held',
  'ready',
  'healthy',
  'done',
  'idle',
] as const satisfies readonly Row['health'][];

const byName = (a: Row, b: Row) => a.id.localeCompare(b.id, 'en');

/** Rows without the figure come last; equal ones stay as they are declared. */
const by =
  (figure: (row: CutoverRow) => number) =>
  (a: Row, b: Row): number => {
    const [left, right] = [a, b].map((row) => ('why' in row ? Number.MAX_VALUE : figure(row))) as [number, number];
    return left - right;
  };

const stagePlace = ({ stages }: CutoverRow) =>
  -stages.filter(({ progress }) => progress === 'passed').length / stages.length;

const ORDERS: Readonly<Record<Sort, (a: Row, b: Row) => number>> = {
  health: (a, b) => SEVERITY.indexOf(a.health) - SEVERITY.indexOf(b.health),
  name: byName,
  stage: by(stagePlace),
  share: by(({ sharePpm }) => -sharePpm),
  next: by(({ next }) => next.aboutMinutes ?? Number.MAX_VALUE),
  alerts: by(({ alerts }) => -alerts),
};

function hasText(row: Row, filter: string): boolean {
  const shown = 'why' in row ? [row.id, row.badge.text] : [row.id, row.kind, row.badge.text, row.stage, row.plan];
  const everything = shown.join(' ').toLowerCase();
  return filter
    .toLowerCase()
    .split(/\s+/)
    .every((word) => everything.includes(word));
}
