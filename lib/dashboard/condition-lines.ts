/** Conditions as lines of the page: their name, and figures with units. Pure text. */

import { figuresOf, type ShownCondition } from '../core/conditions/show.ts';

export type ConditionLine = {
  code: string;
  label: string;
  ok: boolean;
  text: string;
  seen: string;
  limit: string;
  /** What the limit is: the most that may be, or the least that must be. */
  limitIs: 'limit' | 'needed';
  /** What would release it; empty while it holds. */
  releases: string;
};

const THIN_SPACE = '\u202f';

export function conditionLine(condition: ShownCondition): ConditionLine {
  const { code, label, ok, text } = condition;
  const { seen, limit, limitIs, releases } = figuresOf(condition, THIN_SPACE);
  return { code, label, ok, text, seen, limit, limitIs, releases };
}
