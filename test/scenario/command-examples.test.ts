/**
 * What the commands print, in the life of one table on a virtual clock: real commands, real handlers, ports in memory. The
 * examples in lib/cli/README.md are these. When a text has changed:
 *
 *   npx vitest run --project unit test/scenario/command-examples.test.ts -u && npm run docs
 */

import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { commandServer } from '../helpers/command-server.ts';
import { cli } from '../helpers/fake-api.ts';
import { ROOT } from '../helpers/imports.ts';
import { type Run, run } from './run.ts';

const MOST_LINES = 30;
const WHY = ['--reason', 'a rehearsal'];

let life: Run;
let server: Awaited<ReturnType<typeof commandServer>>;

beforeAll(async () => {
  life = run();
  server = await commandServer(life.w);
  await life.minutes(2);
});
afterAll(() => server.close());

type Example = {
  /** The words after `crossfade`. */
  words: readonly string[];
  /** Of the example, where a command has several. */
  variant?: string;
  /** What happens before. */
  first?: () => Promise<unknown>;
};

const to = (stage: string) => () => life.until(stage);
const minutes = (count: number) => () => life.minutes(count);

const LIFE: readonly Example[] = [
  { words: ['bucket', '--salt', 'customer', '--key', '42'] },
  { words: ['start', 'customer'] },
  { words: ['status', 'customer'], first: to('r10') },
  { words: ['status'], variant: 'all', first: minutes(3) },
  { words: ['explain', 'customer'] },
  { words: ['progress', 'customer'] },
  { words: ['report', 'customer', '--hours', '1'] },
  { words: ['alerts'] },
  { words: ['quarantine', 'customer'] },
  { words: ['backfill', 'customer'] },
  { words: ['pause', 'customer'] },
  { words: ['resume', 'customer'] },
  { words: ['policy', 'customer'] },
  { words: ['policy', 'customer', '--set', 'errorRateAdvance=0.002', ...WHY], variant: 'set' },
  { words: ['advance', 'customer'] },
  { words: ['reads', 'primary', 'customer', ...WHY] },
  { words: ['reads', 'shadow', 'customer', ...WHY], variant: 'shadow', first: minutes(2) },
  { words: ['writes', 'off', 'customer', ...WHY], first: minutes(2) },
  { words: ['writes', 'on', 'customer', ...WHY], variant: 'on', first: minutes(2) },
  { words: ['reads', 'shadow', 'customer', ...WHY], variant: 'shadow-again', first: minutes(3) },
  { words: ['verify', 'customer'] },
  {
    words: ['complete', 'customer', '--confirm', 'customer'],
    first: async () => {
      await life.until('full_100', 120);
      await life.minutes(8);
    },
  },
  { words: ['status', 'customer'], variant: 'promoted', first: minutes(2) },
  { words: ['rollback', 'customer', ...WHY], first: minutes(1) },
  { words: ['status', 'customer'], variant: 'back', first: minutes(3) },
  { words: ['rollbacks', 'customer'] },
  { words: ['history', 'customer', '--limit', '8'] },
  { words: ['checkpoints', 'customer'] },
  { words: ['export', 'customer', '--format', 'csv'] },
  { words: ['replay', '--cutover', 'customer', '--hours', '1'] },
  { words: ['reset', 'customer', '--confirm', 'customer'] },
  { words: ['start', 'customer', '--plan', 'canary', '--dwell', '5'], variant: 'plan', first: minutes(1) },
  { words: ['stop', ...WHY], first: minutes(1) },
  { words: ['reset', 'system', '--confirm', 'system'], variant: 'system' },
];

/** As it was typed, and what was printed; long answers are cut. */
async function printed({ words }: Example): Promise<string> {
  const { out, err } = await cli([...words, '--url', server.url], {
    env: { CROSSFADE_TOKEN: 'token' },
    nowMs: () => life.w.clock.now(),
  });
  const lines = `${out}${err}`.trimEnd().split('\n');
  const shown = lines.length > MOST_LINES ? [...lines.slice(0, MOST_LINES), '…'] : lines;
  const typed = words.map((word) => (/\s/.test(word) ? `'${word}'` : word)).join(' ');
  return `$ npx crossfade ${typed}\n${shown.join('\n')}\n`;
}

const fileOf = ({ words: [command], variant }: Example) =>
  join(ROOT, 'infra/docs/examples', `${[command, ...(variant ? [variant] : [])].join('.')}.txt`);

describe('the examples of the page of commands', () => {
  it.each(LIFE.map((example) => [example.words.join(' '), example] as const))('%s', async (_, example) => {
    await example.first?.();
    await expect(await printed(example)).toMatchFileSnapshot(fileOf(example));
  });
});
