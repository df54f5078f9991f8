/** What a cutover would do to its table, as text: columns, dependents, what is in the way. Pure. */

import type { PreviewItem, TablePreview, WayBack } from '../ports/swapping.ts';
import { count, field, MAX_WIDTH, type Paint, plain, printable } from './text.ts';

const ACTIONS = ['refuse', 'notice', 'rebuild', 'carry'] as const satisfies readonly PreviewItem['action'][];

const MEANING: Record<PreviewItem['action'], { title: string; paint: Parameters<Paint>[0] }> = {
  refuse: { title: 'Refused: the cutover cannot be started with these', paint: 'bad' },
  notice: { title: 'To know: nothing is done about these', paint: 'warn' },
  rebuild: { title: 'Rebuilt on the new table', paint: 'dim' },
  carry: { title: 'Carried over to the new table', paint: 'dim' },
};

export function renderPreview(id: string, preview: TablePreview, width = MAX_WIDTH, paint: Paint = plain): string {
  const key = preview.key.map((part) => `${part.column} ${part.type}`).join(', ');
  const lines = [
    `${paint('bold', printable(id))}: ${printable(preview.primary)} → ${printable(preview.shadow)}`,
    ...field('rows', `about ${count(Math.max(0, preview.estimatedRows))}`, width),
    ...field('key', printable(key || 'none'), width),
    '',
    'Columns, new ← old',
    ...columnLines(preview, width),
  ];
  for (const action of ACTIONS) lines.push(...itemLines(preview, action, width, paint));
  if (preview.wayBack) lines.push('', ...wayBackLines(preview.wayBack, width, paint));
  const refused = preview.items.filter((item) => item.action === 'refuse').length;
  lines.push(
    '',
    preview.ok
      ? paint('good', `Nothing stands in the way: crossfade start ${printable(id)}`)
      : paint(
          'bad',
          `${refused} ${refused === 1 ? 'object stands' : 'objects stand'} in the way; change or drop what is refused, then look again.`,
        ),
  );
  return lines.join('\n');
}

function columnLines(preview: TablePreview, width: number): string[] {
  const widest = Math.min(32, Math.max(8, ...preview.columns.map((column) => column.shadow.length)) + 2);
  return preview.columns.flatMap((column) =>
    field(
      printable(column.shadow),
      printable(`← ${column.source}${column.text ? `  ${column.text}` : ''}`),
      width,
      widest,
    ),
  );
}

const KINDS = { cross: 'cannot cross', return: 'cannot return', changed: 'would change' } as const;

function wayBackLines(way: WayBack, width: number, paint: Paint): string[] {
  const { rows, complete, limitMs, cannotCross, cannotReturn, changed, samples } = way;
  const seen = complete
    ? `all ${count(rows)} rows`
    : `${count(rows)} rows, then the ${limitMs / 1_000} s were over (--scan)`;
  const found = [
    ...(cannotCross > 0 ? [`${count(cannotCross)} do not fit into the new table and would go into quarantine`] : []),
    ...(cannotReturn > 0
      ? [`${count(cannotReturn)} could not go back, and would forbid a rollback after promotion`]
      : []),
    ...(changed > 0 ? [`${count(changed)} would come back with other values`] : []),
  ];
  const text = found.length === 0 ? 'each could go back as it was' : found.join('; ');
  const named = cannotCross + cannotReturn + changed;
  return [
    paint(found.length === 0 ? 'dim' : 'warn', 'The way back of the rows that are there'),
    ...field('looked at', seen, width, 20),
    ...field('found', text, width, 20),
    ...samples.flatMap(({ kind, key, why }) => field(KINDS[kind], `${printable(key)}: ${printable(why)}`, width, 20)),
    ...(named > samples.length && samples.length > 0 ? [`  … and ${count(named - samples.length)} more`] : []),
  ];
}

function itemLines(preview: TablePreview, action: PreviewItem['action'], width: number, paint: Paint): string[] {
  const items = preview.items.filter((item) => item.action === action);
  if (items.length === 0) return [];
  const { title, paint: kind } = MEANING[action];
  return [
    '',
    paint(kind, title),
    ...items.flatMap((item) => field(printable(item.kind), printable(`${item.object}: ${item.text}`), width, 20)),
  ];
}
