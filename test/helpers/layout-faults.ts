/** What is wrong with how a page is laid out, found in the browser: text is its program, whose types are not ours. */

import type { Page } from 'playwright-core';

/**
 * Sideways scrolling, text that is cut off, texts that lie on each other, and buttons whose words are broken. What is inside of a part that scrolls on its own is looked at
 * as far as it is seen.
 * @returns a sentence each; none for a page that is well
 */
export const layoutFaults = (page: Page): Promise<string[]> => page.evaluate(PROGRAM);

const PROGRAM = `(() => {
  const faults = [];
  const wide = document.documentElement.scrollWidth;
  if (wide > innerWidth) faults.push('The page is ' + wide + ' px wide in a window of ' + innerWidth + '.');
  const dialog = document.querySelector('dialog[open]');
  const root = dialog ?? document.body;
  const isHidden = (element) => element.closest('.visually-hidden, .skip, svg, [hidden]') !== null;
  const clipOf = (element) => {
    let clip = { left: -Infinity, right: Infinity, top: -Infinity, bottom: Infinity };
    for (let at = element; at && at !== root.parentElement; at = at.parentElement) {
      if (getComputedStyle(at).overflow === 'visible') continue;
      const box = at.getBoundingClientRect();
      clip = { left: Math.max(clip.left, box.left), right: Math.min(clip.right, box.right), top: Math.max(clip.top, box.top), bottom: Math.min(clip.bottom, box.bottom) };
    }
    return clip;
  };
  const scrolls = (element) => {
    for (let at = element; at && at !== root.parentElement; at = at.parentElement) {
      if (['auto', 'scroll'].includes(getComputedStyle(at).overflowX)) return true;
    }
    return false;
  };
  // One line of a table, which has all of its text where the pointer rests.
  const isNamed = (element) => {
    const cut = element.closest('[title]');
    return cut !== null && getComputedStyle(cut).textOverflow === 'ellipsis';
  };
  const texts = [];
  const walker = document.createTreeWalker(root, NodeFilter.SHOW_TEXT);
  for (let node = walker.nextNode(); node; node = walker.nextNode()) {
    const element = node.parentElement;
    const text = node.data.trim();
    if (text === '' || isHidden(element) || !element.checkVisibility({ checkVisibilityCSS: true, checkOpacity: true })) continue;
    const range = document.createRange();
    range.selectNodeContents(node);
    const clip = clipOf(element);
    const lines = new Set([...range.getClientRects()].map(({ top }) => Math.round(top))).size;
    if (element.closest('button') && lines > text.split(/\\s+/).length) faults.push('Broken in words: ' + text);
    for (const box of range.getClientRects()) {
      if (box.width < 1 || box.height < 1) continue;
      const isCut = box.right > clip.right + 1 || box.left < clip.left - 1 || box.bottom > clip.bottom + 3 || box.top < clip.top - 3;
      if (isCut && !scrolls(element) && !isNamed(element)) faults.push('Cut off: ' + text.slice(0, 60));
      const seen = { left: Math.max(box.left, clip.left), right: Math.min(box.right, clip.right), top: Math.max(box.top, clip.top), bottom: Math.min(box.bottom, clip.bottom) };
      if (seen.right - seen.left > 1 && seen.bottom - seen.top > 1) texts.push({ ...seen, text, element });
    }
  }
  const isFixed = (element) => { for (let at = element; at; at = at.parentElement) if (['fixed', 'sticky'].includes(getComputedStyle(at).position)) return true; return false; };
  const flowing = texts.filter(({ element }) => !isFixed(element)).sort((a, b) => a.top - b.top);
  flowing.forEach((one, index) => {
    for (let next = index + 1; next < flowing.length && flowing[next].top < one.bottom; next += 1) {
      const other = flowing[next];
      if (other.element === one.element) continue;
      const across = Math.min(one.right, other.right) - Math.max(one.left, other.left);
      const down = Math.min(one.bottom, other.bottom) - Math.max(one.top, other.top);
      // Lines of a text may touch.
      if (across > 2 && down > 5) faults.push('On each other: ' + one.text.slice(0, 40) + ' / ' + other.text.slice(0, 40));
    }
  });
  return [...new Set(faults)];
})()`;
