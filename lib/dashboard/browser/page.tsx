/** The whole page: head, notice, the overview or one cutover, audit. Nothing of it is in the document before. */

import { useState } from 'preact/hooks';
import type { CutoverData, DashboardData } from '../data.ts';
import { Alerts } from './alerts.tsx';
import { Announce, Command, Pill, Sign } from './badges.tsx';
import { CutoverCard, InvalidCard } from './cutover.tsx';
import { Experiments } from './experiments.tsx';
import { everyMs, type Feed } from './feed.ts';
import { clock, duration } from './format.ts';
import { hashOf, type Place } from './location.ts';
import { Overview } from './overview.tsx';
import { Phases } from './phases.tsx';
import { EmergencyStop } from './stop.tsx';
import { Timeline } from './timeline.tsx';

type FeedProps = { feed: Feed<DashboardData> };
type OpenedCutover = { id: string; feed: Feed<CutoverData> };
type PageProps = FeedProps & {
  /** Null for the overview. */
  opened: OpenedCutover | null;
  place: Place;
  go(to: Partial<Place>): void;
  /** After something was done: looks at once. */
  onChanged(): void;
};

export function Page({ feed, opened, place, go, onChanged }: PageProps) {
  const [said, say] = useState('');
  const figures = feed.last?.figures;
  const trouble = feed.trouble ?? opened?.feed.trouble;
  return (
    <Announce.Provider value={say}>
      <div class={trouble ? 'stale' : undefined}>
        <a class="skip" href="#cutovers">
          Skip to the cutovers
        </a>
        <header class="top">
          <div class="bar">
            <Brand />
            <div id="system" class="system">
              <System feed={feed} />
            </div>
            <EmergencyStop cutovers={figures?.cutovers ?? []} onStopped={onChanged} />
          </div>
          <div id="notice" role="status">
            {trouble ? (
              <Trouble last={feed.last} trouble={trouble} />
            ) : (
              figures?.system.emergencyStop && <StoppedNotice />
            )}
          </div>
        </header>
        <Body feed={feed} opened={opened} place={place} go={go} onChanged={onChanged} />
        <footer class="quiet">
          Refreshes every {everyMs(feed) / 1000} s{figures && ', times are those of this browser'}.
        </footer>
        <p class="visually-hidden" aria-live="polite">
          <span>{figures?.system.headline.text}</span> <span>{said}</span>
        </p>
      </div>
    </Announce.Provider>
  );
}

function Body({ feed, opened, place, go, onChanged }: PageProps) {
  const figures = feed.last?.figures;
  const one = opened?.feed.last?.figures;
  const shown = opened ? opened.feed : feed;
  const audit = opened ? one : figures;
  return (
    <div class={opened ? 'columns' : 'columns one'}>
      <main id="cutovers" tabIndex={-1} aria-busy={!shown.last && !shown.trouble} aria-label="Cutovers">
        {!shown.last && <NoCards trouble={shown.trouble} />}
        {opened && place.cutover !== null && <BackToAll place={place} />}
        {one && <Opened one={one} figures={figures} alone={place.cutover === null} onChanged={onChanged} />}
        {!opened && figures && <Overview figures={figures} place={place} go={go} onChanged={onChanged} />}
      </main>
      <aside aria-labelledby="audit-title">
        <h2 id="audit-title">Audit</h2>
        {audit ? (
          <Timeline entries={audit.audit} atMs={audit.atMs} />
        ) : (
          <p class="quiet">{shown.trouble ? 'Unknown' : 'Loading …'}</p>
        )}
        {opened && (
          <a class="quiet" href={`v1/cutovers/${encodeURIComponent(opened.id)}/checkpoints?format=text`}>
            Evidence of every stage
          </a>
        )}
      </aside>
    </div>
  );
}

const BackToAll = ({ place }: { place: Place }) => (
  <p class="back">
    <a href={hashOf({ ...place, cutover: null })}>← All cutovers</a>
  </p>
);

type OpenedProps = { one: CutoverData; figures: DashboardData | undefined; alone: boolean; onChanged(): void };

/** Alone it stands for the overview, and what concerns all stands beside it. */
function Opened({ one: { cutover, alerts, atMs }, figures, alone, onChanged }: OpenedProps) {
  return (
    <>
      <Alerts alerts={alerts} atMs={atMs} onChanged={onChanged} />
      {alone && figures && <Phases phases={figures.phases} />}
      {'why' in cutover ? (
        <InvalidCard cutover={cutover} />
      ) : (
        <CutoverCard cutover={cutover} atMs={atMs} onChanged={onChanged} />
      )}
      {alone && figures && <Experiments experiments={figures.experiments} />}
    </>
  );
}

function Brand() {
  return (
    <p class="brand">
      <svg viewBox="0 0 32 24" width="32" height="24" aria-hidden="true">
        <path class="fade-out" d="M2 5 C13 5 19 19 30 19" />
        <path class="fade-in" d="M2 19 C13 19 19 5 30 5" />
      </svg>
      <span>Crossfade</span>
    </p>
  );
}

function System({ feed: { last, speed, trouble } }: FeedProps) {
  if (!last) return <p class="headline tone-idle">{trouble ? 'Unknown' : 'Loading …'}</p>;
  const { headline, flags } = last.figures.system;
  return (
    <>
      <p class={`headline tone-${headline.tone}`}>
        <Sign tone={headline.tone} />
        {headline.text}
      </p>
      <p class="quiet">
        <span class={flags.ok ? undefined : 'warn'}>{flags.text}</span>
        <span>
          {clock(last.figures.atMs)}
          {speed >= 1.5 && `, ${Math.round(speed)} times as fast`}
        </span>
      </p>
    </>
  );
}

// ----------------------------------------------------------------------------------------------------------- notice

type TroubleProps = Pick<FeedProps['feed'], 'last'> & { trouble: NonNullable<FeedProps['feed']['trouble']> };

function Trouble({ last, trouble }: TroubleProps) {
  const since = last
    ? `No figures since ${clock(last.atMs)}, ${duration(Math.max(0, trouble.atMs - last.atMs))} ago`
    : 'No figures yet';
  return (
    <p class="notice tone-bad">
      <Sign tone="bad" />
      <span>
        <b>{since}: </b>
        {trouble.why.replace(/\.$/, '')}. Trying again every 5 s.
      </span>
    </p>
  );
}

function StoppedNotice() {
  return (
    <div class="notice tone-bad">
      <Pill badge={{ text: 'Emergency stop', tone: 'bad' }} />
      <span>
        Reads are on the primary, promoted tables stay as they are, and nothing starts or advances until the stop is
        lifted:
      </span>
      <Command line="crossfade reset system --confirm system" />
    </div>
  );
}

// ---------------------------------------------------------------------------------------------------------- no cards

function NoCards({ trouble }: Pick<Feed<unknown>, 'trouble'>) {
  if (trouble) {
    return (
      <div class="card empty">
        <h2>The figures could not be loaded</h2>
        <p>{trouble.why}</p>
      </div>
    );
  }
  return (
    <>
      <div class="card skeleton" aria-hidden="true">
        <i />
        <i />
        <i />
      </div>
      <p class="visually-hidden">Loading the cutovers …</p>
    </>
  );
}
