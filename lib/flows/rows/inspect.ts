/** What people want to know of a table cutover before, during and after it. Reads only; nothing is stored or decided. */

import { CrossfadeError } from '../../core/base/errors.ts';
import { type CutoverDeclaration, initialState } from '../../core/cutover/cutover.ts';
import type { RehearsalRule } from '../../core/cutover/table-declaration.ts';
import { rehearseFirst } from '../../core/holds/rehearsal.ts';
import { nextAfterHealth, stateFinding } from '../../core/table/health.ts';
import type { Consistency, HealthFinding, RowComparison, RowValues, TableProgress } from '../../core/table/reading.ts';
import type { Ports } from '../../ports/ports.ts';
import { tableCutover, tableOf } from './table-of.ts';

export type HealthReport = {
  cutover: string;
  ok: boolean;
  findings: readonly HealthFinding[];
  /** What to do now, by how far the cutover is. */
  next: string;
};

/** Everything that could spoil the migration; `ok` when nothing failed. Works before the first start. */
export async function checkHealth(
  { inspecting, state }: Pick<Ports, 'inspecting' | 'state'>,
  declaration: CutoverDeclaration,
): Promise<HealthReport> {
  const { id, requireRehearsal: rule } = tableOf(declaration);
  // The state comes second: it is written before the database learns of it, so that within one Crossfade it is never behind.
  const status = await inspecting.status(id);
  const stored = await state.readCutover(id);
  const mirror = status?.mirror ? { ...status.mirror, promoted: status.armed === 'reverse' } : null;
  const here = stored ?? initialState(declaration);
  const findings = [
    ...(await inspecting.health(tableCutover(tableOf(declaration)))),
    stateFinding(id, stored, mirror),
    ...(rule && here.stageKind === 'disabled' ? [rehearsalFinding(id, rule)] : []),
  ];
  const ok = findings.every(({ status }) => status !== 'fail');
  return { cutover: id, ok, findings, next: nextAfterHealth(here, ok, rule ? rehearseFirst(id) : '') };
}

/** What a start will ask for beside healthy tables. */
const rehearsalFinding = (id: string, { hours }: RehearsalRule): HealthFinding => ({
  check: 'rehearsal',
  status: 'warn',
  value: `the declaration requires one that passed, with these tables, at most ${hours} hours ago`,
  limit: 'handed over with the start',
  remedy: rehearseFirst(id),
});

/** Progress of every table cutover that the database knows, in the order of the declarations. */
export async function progressOfAll(
  { inspecting }: Pick<Ports, 'inspecting'>,
  declarations: readonly CutoverDeclaration[],
): Promise<TableProgress[]> {
  const ids = declarations.filter(({ kind }) => kind === 'table').map(({ id }) => id);
  const found = await inspecting.progress(ids);
  return ids.flatMap((id) => found.get(id) ?? []);
}

/** @throws CrossfadeError `illegal_transition` when it is no table, or was never started */
export async function progressOf(
  { inspecting }: Pick<Ports, 'inspecting'>,
  declaration: CutoverDeclaration,
): Promise<TableProgress> {
  const { id } = tableOf(declaration);
  return (await inspecting.progress([id])).get(id) ?? neverStarted(declaration);
}

export async function compareTables(
  { verifying }: Pick<Ports, 'verifying'>,
  declaration: CutoverDeclaration,
): Promise<Consistency> {
  return (await verifying.consistency(tableOf(declaration).id)) ?? neverStarted(declaration);
}

/** @throws CrossfadeError `invalid_input` for what is no key of the table */
export async function compareKey(
  { verifying }: Pick<Ports, 'verifying'>,
  declaration: CutoverDeclaration,
  key: string,
): Promise<RowComparison> {
  return (await verifying.compareRow(tableOf(declaration).id, key)) ?? neverStarted(declaration);
}

/** Who asked is in the log, what was seen is not. @throws CrossfadeError `invalid_input` for what is no key of the table */
export async function showValues(
  { verifying, log }: Pick<Ports, 'verifying' | 'log'>,
  declaration: CutoverDeclaration,
  { key, actor }: { key: string; actor: string },
): Promise<RowValues> {
  const table = tableOf(declaration);
  log.event('row_values_shown', { cutover: table.id, actor });
  return (await verifying.rowValues(tableCutover(table), key)) ?? neverStarted(declaration);
}

function neverStarted({ id }: CutoverDeclaration): never {
  throw new CrossfadeError(
    'illegal_transition',
    `Cutover '${id}' keeps no tables equal, so there is nothing to compare. 'crossfade health ${id}' checks the tables before it is started.`,
  );
}
