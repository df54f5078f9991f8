/** What the health check and the preview find on the copy, before anything is started: failures, and what is worth knowing. */

import { SAID_OF_ALL } from '../../../lib/core/table/promotion/habits.ts';
import type { HealthReport } from '../../../lib/flows/rows/inspect.ts';
import type { TablePreview } from '../../../lib/ports/swapping.ts';
import type { Finding } from './rehearsal.ts';

export type Inspected = { failures: readonly Finding[]; notices: readonly Finding[]; preview: TablePreview | null };

/** How both are asked; `preview` is refused where a table is missing or the declaration does not fit. */
export type Inspect = { health(): Promise<HealthReport>; preview(scanMs: number): Promise<TablePreview> };

const SCAN_MS = 10_000;

/**
 * Warnings of health that fail a rehearsal: what they warn of happens to a subscriber, and a copy has none that would show it. A
 * subscriber of Postgres stops at the first row of a table that it does not have.
 */
const UNSEEN_ON_A_COPY: ReadonlySet<string> = new Set(['publications of all tables', 'publications of the schema']);

export async function inspect({ health, preview: look }: Inspect): Promise<Inspected> {
  const { findings } = await health();
  const of = (wanted: 'fail' | 'warn') =>
    findings
      .filter(({ check, status }) => wanted === (status === 'warn' && UNSEEN_ON_A_COPY.has(check) ? 'fail' : status))
      .map(({ check, value, limit, remedy }) => ({ about: check, says: `${value} (wanted: ${limit})`, remedy }));
  const failures = of('fail');
  // What refuses the preview is a finding of health already.
  const preview = await look(SCAN_MS).catch((error: unknown) => {
    if (failures.length === 0) throw error;
    return null;
  });
  return {
    failures: [...failures, ...(preview ? unfit(preview) : [])],
    notices: [...of('warn'), ...(preview ? noticed(preview) : [])],
    preview,
  };
}

/** Rows that the new shape does not take, or the old one not again. */
function unfit({ wayBack }: TablePreview): Finding[] {
  if (!wayBack) return [];
  const { cannotCross, cannotReturn, samples } = wayBack;
  const found = (kind: 'cross' | 'return', count: number, what: string, remedy: string): Finding[] => {
    const shown = samples.filter((sample) => sample.kind === kind).map(({ key, why }) => `${key}: ${why}`);
    return count === 0 ? [] : [{ about: 'rows', says: `${count} ${what}: ${shown.join('; ')}`, remedy }];
  };
  return [
    ...found(
      'cross',
      cannotCross,
      'rows do not fit into the new table',
      'Correct these rows, or the column of the new table or its expression in the declaration.',
    ),
    ...found(
      'return',
      cannotReturn,
      'rows could not go back into the old table after promotion',
      'Correct these rows, or declare how their columns go back (reverse).',
    ),
  ];
}

const noticed = ({ items, wayBack }: TablePreview): Finding[] => [
  ...items
    .filter(({ action, kind }) => action === 'notice' && !SAID_OF_ALL.has(kind))
    .map(({ kind, object, text }) => ({ about: `${kind} ${object}`, says: text, remedy: '' })),
  ...(wayBack && wayBack.changed > 0
    ? [{ about: 'rows', says: `${wayBack.changed} rows would come back with other values`, remedy: '' }]
    : []),
];
