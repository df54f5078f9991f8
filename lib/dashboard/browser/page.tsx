/** The whole page: head, notice, cutovers, audit. Nothing of it is in the document before. */

import { useState } from 'preact/hooks';
import type { DashboardData } from '../data.ts';
import { Alerts } from './alerts.tsx';
import { Announce, Command, Pill, Sign } from './badges.tsx';
import { CutoverCard, InvalidCard } from './cutover.tsx';
import { Experiments } from './experiments.tsx';
import { everyMs, type Feed } from './feed.ts';
import { clock, duration } from './format.ts';
import { Phases } from './phases.tsx';
import { EmergencyStop } from './stop.tsx';
import { Timeline } from './timeline.tsx';

type FeedProps = { feed: Feed };
type FiguresProps = { figures: DashboardData };

export function Page({ feed, onStopped }: FeedProps & { onStopped: () => void }) {
  const [said, say] = useState('');
  const figures = feed.last?.figures;
  return (
    <Announce.Provider value={say}>
      <div class={feed.trouble ? 'stale' : undefined}>
        <a class="skip" href="#cutovers">
          Skip to the cutovers
        </a>
        <header class="top">
          <div class="bar">
            <Brand />
            <div id="system" class="system">
              <System feed={feed} />
            </div>
            <EmergencyStop onStopped={onStopped} />
          </div>
          <div id="notice" role="status">
            {feed.trouble ? <Trouble feed={feed} /> : figures?.system.emergencyStop && <StoppedNotice />}
          </div>
        </header>
        <div class="columns">
          <main id="cutovers" tabIndex={-1} aria-busy={!figures && !feed.trouble} aria-label="Cutovers">
            {figures ? <Cards figures={figures} /> : <NoCards feed={feed} />}
          </main>
          <aside aria-labelledby="audit-title">
            <h2 id="audit-title">Audit</h2>
            {figures ? (
              <Timeline entries={figures.audit} atMs={figures.atMs} />
            ) : (
              <p class="quiet">{feed.trouble ? 'Unknown' : 'Loading …'}</p>
            )}
          </aside>
        </div>
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

function Trouble({ feed: { last, trouble } }: FeedProps) {
  if (!trouble) return null;
  const since = last
    ? `No figures since ${clock(last.atMs)}, ${duration(trouble.atMs - last.atMs)} ago`
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

// ------------------------------------------------------------------------------------------------------------ cards

function Cards({ figures: { alerts, phases, cutovers, experiments, atMs } }: FiguresProps) {
  return (
    <>
      <Alerts alerts={alerts} atMs={atMs} />
      <Phases phases={phases} />
      {cutovers.length === 0 && <NothingDeclared />}
      {cutovers.map((cutover) =>
        'why' in cutover ? (
          <InvalidCard key={cutover.id} cutover={cutover} />
        ) : (
          <CutoverCard key={cutover.id} cutover={cutover} />
        ),
      )}
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

function NoCards({ feed: { trouble } }: FeedProps) {
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
