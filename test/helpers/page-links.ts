/** Links and headings of Markdown pages, as GitHub reads them. */

import { existsSync, statSync } from 'node:fs';
import { dirname, join, posix } from 'node:path';

export type Page = { file: string; text: string };

/** Without blocks of code, whose lines are no headings and whose brackets are no links. */
const withoutBlocks = (text: string): string => text.replaceAll(/^( *)```[\s\S]*?^\1```/gm, '');

const withoutCode = (text: string): string => withoutBlocks(text).replaceAll(/`[^`\n]*`/g, '');

/** What a heading is called in an address: lower case, spaces to dashes, nothing else but letters, digits, - and _. */
const slugOf = (heading: string): string =>
  heading
    .replaceAll(/\[([^\]]*)\]\([^)]*\)/g, '$1')
    .replaceAll('`', '')
    .trim()
    .toLowerCase()
    .replaceAll(/[^\p{L}\p{N}\s_-]/gu, '')
    .replaceAll(/\s/g, '-');

export function anchorsOf(text: string): Set<string> {
  const anchors = new Set<string>();
  for (const [, heading] of withoutBlocks(text).matchAll(/^#{1,6} (.*)$/gm)) {
    const slug = slugOf(heading!);
    let name = slug;
    for (let n = 1; anchors.has(name); n += 1) name = `${slug}-${n}`;
    anchors.add(name);
  }
  return anchors;
}

/** Every relative link and picture of a page that leads nowhere. */
export function brokenLinks(root: string, page: Page, pages: readonly Page[]): string[] {
  const targets = [...withoutCode(page.text).matchAll(/\]\(([^)\s]+)\)/g)].map(([, target]) => target!);
  return targets
    .filter((target) => !/^[a-z]+:/.test(target))
    .filter((target) => !leadsSomewhere(root, page, pages, target))
    .map((target) => `${page.file}: ${target}`);
}

function leadsSomewhere(root: string, page: Page, pages: readonly Page[], target: string): boolean {
  const [path, anchor] = target.split('#') as [string, string?];
  const file = path === '' ? page.file : posix.normalize(posix.join(dirname(page.file), path));
  if (!existsSync(join(root, file))) return false;
  if (anchor === undefined) return true;
  const there = pages.find((other) => other.file === file);
  return there !== undefined && statSync(join(root, file)).isFile() && anchorsOf(there.text).has(anchor);
}
