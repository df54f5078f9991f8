/** Conditions as lines of the page: their name, and figures with units. Pure text. */

import { figuresOf, type ShownCondition, type ShownFigures } from '../core/conditions/show.ts';

/** Between thousands. */
export const THIN_SPACE = '\u202f';

export type ConditionLine = Pick<ShownCondition, 'code' | 'label' | 'ok' | 'text'> & ShownFigures;

export function conditionLine(condition: ShownCondition): ConditionLine {
  const { code, label, ok, text } = condition;
  return { code, label, ok, text, ...figuresOf(condition, THIN_SPACE) };
}
