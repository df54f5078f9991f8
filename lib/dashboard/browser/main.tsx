/** Shows each answer of the server. Focus, scroll position, open details and what is typed survive a refresh. */

import { render } from 'preact';
import { type Feed, follow, NOTHING_YET } from './feed.ts';
import { Page } from './page.tsx';

const root = document.getElementById('page')!;
let lookNow = () => {};

/** Where the browser cannot move an element as it is, one that had to move keeps the focus nevertheless. */
function show(feed: Feed): void {
  const focused = document.activeElement;
  render(<Page feed={feed} onStopped={() => lookNow()} />, root);
  if (focused instanceof HTMLElement && focused !== document.activeElement && focused.isConnected) {
    focused.focus({ preventScroll: true });
  }
  if (feed.last) document.title = `${feed.last.figures.system.headline.text} · Crossfade`;
}

show(NOTHING_YET);
lookNow = follow(show);
