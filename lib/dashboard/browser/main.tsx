/** Shows each answer of the server. Focus, scroll position, open details and what is typed survive a refresh. */

import { render } from 'preact';
import type { CutoverData, DashboardData } from '../data.ts';
import { type Feed, type Following, follow, NOTHING_YET } from './feed.ts';
import { hashOf, type Place, placeOf } from './location.ts';
import { Page } from './page.tsx';

/** The one cutover that is open, asked for on its own. */
type Opened = { id: string; feed: Feed<CutoverData>; following: Following };

const root = document.getElementById('page')!;
let place = placeOf(location.hash);
let overview: Feed<DashboardData> = NOTHING_YET;
let opened: Opened | null = null;

/** Where the browser cannot move an element as it is, one that had to move keeps the focus nevertheless. */
function show(): void {
  open(openedId());
  const focused = document.activeElement;
  const one = opened && { id: opened.id, feed: opened.feed };
  render(<Page feed={overview} opened={one} place={place} go={go} onChanged={lookNow} />, root);
  if (focused instanceof HTMLElement && focused !== document.activeElement && focused.isConnected) {
    focused.focus({ preventScroll: true });
  }
  if (overview.last) {
    const { text } = overview.last.figures.system.headline;
    document.title = `${place.cutover === null ? '' : `${place.cutover} · `}${text} · Crossfade`;
  }
}

/** A cutover that is alone needs no overview. */
function openedId(): string | null {
  const cutovers = overview.last?.figures.cutovers;
  return place.cutover ?? (cutovers?.length === 1 ? cutovers[0]!.id : null);
}

function open(id: string | null): void {
  if (opened?.id === id || (!opened && id === null)) return;
  opened?.following.end();
  opened = null;
  if (id === null) return;
  const mine: Opened = {
    id,
    feed: NOTHING_YET,
    following: follow<CutoverData>(`dashboard/data?cutover=${encodeURIComponent(id)}`, (feed) => {
      mine.feed = feed;
      show();
    }),
  };
  opened = mine;
}

/** The same page, sorted or filtered otherwise, adds nothing to the history of the browser. */
function go(to: Partial<Place>): void {
  place = { ...place, ...to };
  history.replaceState(null, '', hashOf(place));
  show();
}

function lookNow(): void {
  everything.look();
  opened?.following.look();
}

window.addEventListener('hashchange', () => {
  // The way to the content for a keyboard is no place.
  if (!location.hash.startsWith('#/') && location.hash !== '') return;
  const before = place.cutover;
  place = placeOf(location.hash);
  show();
  if (place.cutover === before) return;
  scrollTo(0, 0);
  document.getElementById('cutovers')?.focus({ preventScroll: true });
});
show();
const everything = follow<DashboardData>('dashboard/data', (feed) => {
  overview = feed;
  show();
});
