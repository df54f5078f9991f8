/** Plants one mutant at a time into what Vitest loads: the files themselves stay as they are. Does nothing unless a mutant is set. */

import { sep } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Plugin } from 'vitest/config';

const ROOT = fileURLToPath(new URL('../..', import.meta.url))
  .split(sep)
  .join('/');
/** In this process: the file as seen from the root, and its whole text. */
const PLANTED = 'CROSSFADE_MUTANT';

export type Planted = { file: string; text: string };

export function plant(planted: Planted | null): void {
  if (planted === null) delete process.env[PLANTED];
  else process.env[PLANTED] = JSON.stringify(planted);
}

export const mutantPlugin: Plugin = {
  name: 'crossfade-mutant',
  enforce: 'pre',
  load(id) {
    const planted = process.env[PLANTED];
    if (planted === undefined) return undefined;
    const { file, text } = JSON.parse(planted) as Planted;
    return id.split('?')[0] === `${ROOT}${file}` ? text : undefined;
  },
};
