/** O10: what a terminal shows after any number of repaints is the last block, with what was logged above it, and nothing else. */

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { frame } from '../../../lib/cli/frame.ts';
import { progressBlock, renderSystem } from '../../../lib/cli/render.ts';
import { colours, plain } from '../../../lib/cli/text.ts';
import type { CutoverReport } from '../../../lib/flows/report/report.ts';
import * as scenes from '../../helpers/dashboard-reports.ts';
import { screenOf } from '../../helpers/terminal.ts';

const SIZES = [
  [80, 24],
  [200, 50],
] as const;
const { serving, held, failing, rolledBack, copying, ready, completed, notStarted } = scenes;
const life = [notStarted, copying, serving, held, failing, rolledBack, ready, completed];

const reports = scenes.scene(life).then(({ report }) => report.cutovers as CutoverReport[]);
const blocksAt = async (width: number, paint: typeof plain) =>
  (await reports).map((report) => progressBlock(report, Math.min(100, width), paint));

type Painter = Pick<ReturnType<typeof frame>, 'show' | 'log'>;

/** Each block many times, with a line logged between two. */
async function lifeOn(
  [columns, rows]: readonly [number, number],
  blocks: readonly string[],
  painterOf = frame as (write: (text: string) => void, size: () => { columns: number; rows: number }) => Painter,
) {
  let written = '';
  const painter = painterOf(
    (text) => {
      written += text;
    },
    () => ({ columns, rows }),
  );
  blocks.forEach((block, index) => {
    for (let again = 0; again < 5; again += 1) painter.show(block);
    if (index < blocks.length - 1) painter.log(`logged ${index}`);
  });
  return screenOf(written, columns, rows);
}

const logged = (many: number) => Array.from({ length: many }, (_, index) => `logged ${index}`);

describe.each(SIZES)('a terminal of %i × %i', (columns, rows) => {
  it.each([
    ['in colour', colours],
    ['without', plain],
  ])('shows the last block below what was logged, %s', async (_, paint) => {
    const blocks = await blocksAt(columns, paint);
    const { lines } = await lifeOn([columns, rows], blocks);
    const last = (await blocksAt(columns, plain)).at(-1)!.split('\n');
    expect(lines()).toEqual([...logged(blocks.length - 1), ...last]);
  });

  it('has room for every state of a cutover, and for twenty of them', async () => {
    for (const block of await blocksAt(columns, plain)) {
      expect(block.split('\n').length, block).toBeLessThan(rows);
      const { lines } = await screenOf(`${block}\n`, columns, rows);
      expect(lines()).toEqual(block.split('\n'));
    }
    const twenty = Array.from({ length: 20 }, (_, index) => ({
      ...life[index % life.length]!,
      id: `cutover_${index}`,
    }));
    const { report } = await scenes.scene(twenty);
    const overview = renderSystem(report, Math.min(100, columns)).split('\n');
    expect(overview).toHaveLength(20);
    expect((await screenOf(`${overview.join('\n')}\n`, columns, rows)).visible()).toEqual(overview);
  });
});

it('leaves nothing behind, however tall and wide the blocks are', async () => {
  const line = fc.stringMatching(/^[a-z]{1,40}$/);
  const block = fc.array(line, { minLength: 1, maxLength: 40 }).map((lines) => lines.join('\n'));
  await fc.assert(
    fc.asyncProperty(fc.array(block, { minLength: 1, maxLength: 6 }), async (blocks) => {
      const { lines } = await lifeOn([40, 12], blocks);
      const whole = blocks.at(-1)!.split('\n');
      const shown =
        whole.length <= 11 ? whole : [...whole.slice(0, 10), `  … ${whole.length - 10} more lines in a higher window`];
      expect(lines()).toEqual([...logged(blocks.length - 1), ...shown.map((text) => text.slice(0, 40))]);
    }),
    { numRuns: 60 },
  );
});

it('a block that is taller than the terminal would leave residue (control)', async () => {
  const careless = (write: (text: string) => void): Painter => {
    let drawn = 0;
    return {
      show(text) {
        write(`${drawn > 0 ? `\u001b[${drawn}A\u001b[J` : ''}${text}\n`);
        drawn = text.split('\n').length;
      },
      log: () => {},
    };
  };
  const tall = Array.from({ length: 30 }, (_, index) => `line ${index}`).join('\n');
  const { lines } = await lifeOn([80, 24], [tall, tall], careless);
  expect(lines().length).toBeGreaterThan(30);
});
