/** Conditions with their label, unit and direction. */

import { CONDITION_CODES, rowOf } from '../../lib/core/conditions/table.ts';
import { code, table } from './markdown.ts';

export function conditionTable(): string {
  const rows = CONDITION_CODES.map((one) => {
    const { label, unit, want, roles = [], named } = rowOf(one);
    const units = typeof unit === 'string' ? unit : unit.join(', ');
    const words = (text: string) => text.replaceAll('_', ' ');
    return [
      code(one),
      named === undefined ? label : `${label} (many, each with its name)`.trim(),
      units,
      words(want),
      roles.map(words).join(', '),
    ];
  });
  return table(['code', 'label', 'unit', 'wanted', 'also'], rows);
}
