/**
 * What `npm start` shows while the table crosses over: a block that is redrawn where there is a terminal, a line per
 * change and every few seconds where there is none.
 */

import { progressBlock, progressLine } from '../../lib/cli/render.ts';
import { colours, plain } from '../../lib/cli/text.ts';
import type { CutoverReport } from '../../lib/flows/report/report.ts';

export type Display = {
  show(report: CutoverReport, extra: readonly string[]): void;
  /** Text that stays. */
  say(text: string): void;
};

const LINE_EVERY_MS = 5_000;

export function createDisplay(output: NodeJS.WriteStream, colour: boolean): Display {
  return output.isTTY ? redrawn(output, colour) : lineByLine(output);
}

function redrawn(output: NodeJS.WriteStream, colour: boolean): Display {
  let drawn = 0;
  const erase = () => {
    if (drawn > 0) output.write(`\u001b[${drawn}A\u001b[0J`);
    drawn = 0;
  };
  return {
    show(report, extra) {
      const width = Math.min(100, output.columns ?? 80);
      const text = [progressBlock(report, width, colour ? colours : plain), ...extra.map((line) => `  ${line}`)].join(
        '\n',
      );
      erase();
      output.write(`${text}\n`);
      drawn = text.split('\n').length;
    },
    say(text) {
      erase();
      output.write(`${text}\n`);
    },
  };
}

function lineByLine(output: NodeJS.WriteStream): Display {
  let stage = '';
  let shownMs = 0;
  return {
    show(report, extra) {
      const now = Date.now();
      if (report.stage === stage && now - shownMs < LINE_EVERY_MS) return;
      stage = report.stage;
      shownMs = now;
      output.write(`${progressLine(report, 160)}${extra.length > 0 ? ` · ${extra.join(' · ')}` : ''}\n`);
    },
    say: (text) => void output.write(`${text}\n`),
  };
}
