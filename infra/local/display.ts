/**
 * What `npm start` and `crossfade rehearse` show while a table crosses over: a block that is redrawn where there is a terminal, a line per
 * change and every few seconds where there is none.
 */

import { frame } from '../../lib/cli/frame.ts';
import { progressBlock, progressLine } from '../../lib/cli/render.ts';
import { colours, field, MAX_WIDTH, plain } from '../../lib/cli/text.ts';
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
  const size = () => ({ columns: output.columns || 80, rows: output.rows || 24 });
  const painted = frame((text) => void output.write(text), size);
  let stage = '';
  return {
    show(report, extra) {
      if (stage !== '' && report.stage !== stage) painted.log(`${report.id}: ${stage} → ${report.stage}`);
      stage = report.stage;
      const width = Math.min(MAX_WIDTH, size().columns);
      const beside = extra.flatMap((line) => field('', line, width, 0));
      painted.show([progressBlock(report, width, colour ? colours : plain), ...beside].join('\n'));
    },
    say(text) {
      painted.clear();
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
