/** The plan of a cutover on one line. Pure. */

import { MINUTE_MS } from '../core/base/units.ts';
import { duration } from '../core/conditions/figures.ts';
import type { CutoverReport } from '../flows/report/report.ts';
import { bar, cut, MAX_WIDTH, printable, widthOf } from './text.ts';

type Staged = Pick<CutoverReport, 'plan' | 'stage' | 'stageKind' | 'rollback'> & {
  verdict: { evidence: Pick<CutoverReport['verdict']['evidence'], 'minutesInStage' | 'minutesToEligibility'> };
};

/**
 * The plan with the current stage and what is left of its dwell. A plan that is too long is shown around the current stage.
 * @example '✓ dual_write  ● test_1 ██░░░░ 2:48 left  ○ test_10  ○ completed'
 * @example '✓ dual_write  ✓ test_1  ✗ test_10  ○ completed'
 */
export function stageLine({ plan, stage, stageKind, rollback, verdict }: Staged, width = MAX_WIDTH): string {
  const stages = plan.stages.filter(({ kind }) => kind !== 'disabled');
  const left = stageKind === 'rolled_back' ? rollback?.fromStage : undefined;
  const current = stages.findIndex(({ name }) => name === (left ?? stage));
  const finished = stageKind === 'cleaned';
  const words = stages.map(({ name }, index) => {
    if (finished || index < current) return `✓ ${name}`;
    if (index > current) return `○ ${name}`;
    return left === undefined ? `● ${name}${dwellText(verdict.evidence)}` : `✗ ${name}`;
  });
  const at = finished ? words.length - 1 : Math.max(0, current);
  let from = 0;
  let to = words.length;
  const shown = () =>
    [...(from > 0 ? ['…'] : []), ...words.slice(from, to), ...(to < words.length ? ['…'] : [])].join('  ');
  while (widthOf(shown()) > width && to - from > 1) {
    if (to - 1 - at >= at - from) to -= 1;
    else from += 1;
  }
  return cut(printable(shown()), width);
}

function dwellText({ minutesInStage, minutesToEligibility: left }: Staged['verdict']['evidence']): string {
  if (left <= 0) return '';
  const seconds = Math.ceil(left * 60);
  const time =
    seconds < 3_600
      ? `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, '0')}`
      : duration(left * MINUTE_MS);
  return ` ${bar(minutesInStage / (minutesInStage + left), 6)} ${time} left`;
}
