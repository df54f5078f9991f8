/** Every cutover on a line of its own: how it is, where it stands, what comes next. Pure. */

import { share } from '../core/conditions/figures.ts';
import { type Health, healthText, unreadableText } from '../core/look/health.ts';
import type { SystemReport } from '../flows/report/report.ts';
import { cut, type Paint, pad, printable, widthOf } from './text.ts';

type One = SystemReport['cutovers'][number];

export const HEALTH_PAINT: Record<Health, Parameters<Paint>[0]> = {
  idle: 'dim',
  healthy: 'good',
  ready: 'good',
  done: 'good',
  held: 'warn',
  blind: 'warn',
  rolling_back: 'bad',
  rolled_back: 'bad',
  stopped: 'bad',
  invalid: 'bad',
};

/** A name that is longer is cut. */
const WIDEST_NAME = 28;

/** The health word is the only one with a colour. */
export function overviewLines(cutovers: readonly One[], width: number, paint: Paint): string[] {
  const rows = cutovers.map((cutover) => ({ cutover, words: wordsOf(cutover) }));
  const widest = (column: number) => Math.max(0, ...rows.map(({ words }) => widthOf(words[column]!)));
  const widths = [Math.min(WIDEST_NAME, widest(0)), widest(1), widest(2), widest(3)];
  return rows.map(({ cutover, words }) => {
    const [name, health, stage, reads] = words.map((word, column) =>
      column === 3 ? word.padStart(widths[3]!) : pad(cut(word, widths[column] ?? width), widths[column] ?? 0),
    );
    const painted = paint(HEALTH_PAINT[cutover.health], health!);
    if ('why' in cutover) return `${name}  ${painted}  ${cut(words[4]!, width - widths[0]! - widths[1]! - 4)}`;
    const left = width - widths.reduce((sum, one) => sum + one + 2, 0);
    const next = left >= NARROWEST_NEXT ? `  ${cut(words[4]!, left)}` : '';
    return `${name}  ${painted}  ${stage}  ${reads}${next}`.trimEnd();
  });
}

const NARROWEST_NEXT = 12;

/** Name, health, stage, share, what comes next. */
function wordsOf(cutover: One): string[] {
  if ('why' in cutover) return [cutover.id, unreadableText, '', '', cutover.why].map(printable);
  const { id, stage, sharePpm, next } = cutover;
  return [id, healthText(cutover), stage, share(sharePpm), next.text].map(printable);
}
