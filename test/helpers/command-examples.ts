/** An example of the page of commands: a command as it is typed, and what it prints. */

import { join } from 'node:path';
import { expect } from 'vitest';
import { cli } from './fake-api.ts';
import { ROOT } from './imports.ts';

export type Example = {
  /** The words after `crossfade`. */
  words: readonly string[];
  /** Of the example, where a command has several. */
  variant?: string;
  /** How it ends: 0, unless the page shows another exit code. */
  exit?: number;
  /** False for what only brings the next one about. */
  shown?: boolean;
};

const MOST_LINES = 30;

/** As it was typed, and what was printed; long answers are cut. */
export async function printed(
  { words, exit: wanted = 0 }: Example,
  server: { url: string; nowMs?: () => number },
): Promise<string> {
  const { exit, out, err } = await cli([...words, '--url', server.url], {
    env: { CROSSFADE_TOKEN: 'token' },
    ...(server.nowMs ? { nowMs: server.nowMs } : {}),
  });
  expect(exit, `${out}${err}`).toBe(wanted);
  // A page shows what is typed without the address of a test's server.
  return shownAs(words, `${out}${err}`.replaceAll(` --url ${server.url}`, ''));
}

export function shownAs(words: readonly string[], text: string): string {
  const lines = text.trimEnd().split('\n');
  const shown = lines.length > MOST_LINES ? [...lines.slice(0, MOST_LINES), '…'] : lines;
  const typed = words.map((word) => (/\s/.test(word) ? `'${word}'` : word)).join(' ');
  return `$ npx --no-install crossfade ${typed}\n${shown.join('\n')}\n`;
}

export const exampleFile = ({ words: [command], variant }: Example): string =>
  join(ROOT, 'infra/docs/examples', `${[command, ...(variant ? [variant] : [])].join('.')}.txt`);
