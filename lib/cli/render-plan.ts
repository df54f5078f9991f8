/** What a cutover would do to its table, as text: columns, dependents, what is in the way. Pure. */

import type { PlanItem, TablePlan } from '../ports.ts';
import { count, field, MAX_WIDTH, type Paint, plain, printable } from './text.ts';

const ACTIONS = ['refuse', 'notice', 'rebuild', 'carry'] as const satisfies readonly PlanItem['action'][];

const MEANING: Record<PlanItem['action'], { title: string; paint: Parameters<Paint>[0] }> = {
  refuse: { title: 'Refused: the cutover cannot be started with these', paint: 'bad' },
  notice: { title: 'To know: nothing is done about these', paint: 'warn' },
  rebuild: { title: 'Rebuilt on the new table', paint: 'dim' },
  carry: { title: 'Carried over to the new table', paint: 'dim' },
};

export function renderPlan(id: string, plan: TablePlan, width = MAX_WIDTH, paint: Paint = plain): string {
  const key = plan.key.map((part) => `${part.column} ${part.type}`).join(', ');
  const lines = [
    `${paint('bold', printable(id))}: ${printable(plan.primary)} → ${printable(plan.shadow)}`,
    ...field('rows', `about ${count(Math.max(0, plan.estimatedRows))}`, width),
    ...field('key', printable(key || 'none'), width),
    '',
    'Columns, new ← old',
    ...columnLines(plan, width),
  ];
  for (const action of ACTIONS) lines.push(...itemLines(plan, action, width, paint));
  const refused = plan.items.filter((item) => item.action === 'refuse').length;
  lines.push(
    '',
    plan.ok
      ? paint('good', `Nothing stands in the way: crossfade start ${printable(id)}`)
      : paint(
          'bad',
          `${refused} ${refused === 1 ? 'object stands' : 'objects stand'} in the way; change or drop what is refused, then look again.`,
        ),
  );
  return lines.join('\n');
}

function columnLines(plan: TablePlan, width: number): string[] {
  const widest = Math.min(32, Math.max(8, ...plan.columns.map((column) => column.shadow.length)) + 2);
  return plan.columns.flatMap((column) =>
    field(
      printable(column.shadow),
      printable(`← ${column.source}${column.text ? `  ${column.text}` : ''}`),
      width,
      widest,
    ),
  );
}

function itemLines(plan: TablePlan, action: PlanItem['action'], width: number, paint: Paint): string[] {
  const items = plan.items.filter((item) => item.action === action);
  if (items.length === 0) return [];
  const { title, paint: kind } = MEANING[action];
  return [
    '',
    paint(kind, title),
    ...items.flatMap((item) => field(printable(item.kind), printable(`${item.object}: ${item.text}`), width, 20)),
  ];
}
