/**
 * What the preview, the start and the state of a cutover say of its health, as findings beside those of the database. Decides that
 * whatever the preview or the start refuses is a failed check that names the same object, so that a healthy report is never followed
 * by a refusal. Pure.
 */

import type { CutoverState } from '../cutover/cutover.ts';
import { compareFlagAge } from '../routing/flags.ts';
import { SAID_OF_ALL } from './promotion/habits.ts';
import type { PromotionItem } from './promotion/refusals.ts';
import type { HealthFinding } from './reading.ts';

/** Position of a state, or of what a database knows of it. */
export type Position = { epoch: number; version: number; stage: string };

const OBJECTS_SHOWN = 5;

/** Each refused object is a failed check of its own; what is only worth knowing is one. */
export function previewFindings(id: string, items: readonly PromotionItem[]): HealthFinding[] {
  const refused = items.filter(({ action }) => action === 'refuse');
  const noticed = items.filter(({ action, kind }) => action === 'notice' && !SAID_OF_ALL.has(kind));
  const objects = [...new Set(refused.map(named))];
  return [
    ...objects.map((object) => {
      const texts = [...new Set(refused.filter((item) => named(item) === object).map(({ text }) => text))];
      return failed(
        object,
        texts.join(' '),
        `'crossfade preview ${id}' shows it beside everything else that hangs on the tables.`,
      );
    }),
    {
      check: 'preview of the promotion',
      status: noticed.length > 0 ? 'warn' : 'pass',
      value:
        noticed.length > 0 ? `${noticed.length} to know of: ${shortened(noticed.map(named))}` : 'nothing to know of',
      limit: 'nothing to know of',
      remedy: noticed.length > 0 ? `Read what becomes of each: crossfade preview ${id}` : '',
    },
  ];
}

/** What keeps the tables and the declaration from being compiled, or the start from arming. */
export function problemFindings(
  id: string,
  problems: readonly string[],
  known: readonly HealthFinding[],
): HealthFinding[] {
  const said = known.filter(({ status }) => status === 'fail').map(({ value }) => value);
  return problems
    .filter((problem) => !said.some((text) => text.includes(problem) || problem.endsWith(text)))
    .map((problem, index) =>
      failed(
        index === 0 ? 'declaration and tables' : `declaration and tables, ${index + 1}`,
        problem,
        `Correct the declaration or the table, then crossfade preview ${id}.`,
      ),
    );
}

/**
 * A database that is further than the state belongs to another Crossfade: whatever this one does there is refused as old.
 * @param state null when nothing was ever stored here; while a swap is pending the database may be ahead by it
 * @param mirror null when the database knows nothing of the cutover
 */
export function stateFinding(
  id: string,
  state: (Position & { pending: { epoch: number } | null }) | null,
  mirror: (Position & { promoted: boolean }) | null,
): HealthFinding {
  const check = 'state of the database';
  const limit = 'not newer than the state of this Crossfade';
  const here = state ? shown(state) : 'none';
  if (!mirror || (state && !isAhead(mirror, state)))
    return { check, status: 'pass', value: mirror ? shown(mirror) : 'none yet', limit, remedy: '' };
  const gone = mirror.promoted
    ? 'Its tables are swapped, so only that Crossfade knows the way back.'
    : 'If that one is gone for good: DROP SCHEMA crossfade CASCADE, then crossfade migrate; what crossfade.key_aside and crossfade.index_aside list has to be created again.';
  return {
    check,
    status: 'fail',
    value: `the database is at ${shown(mirror)}, the state here at ${here}: another Crossfade, with a state store of its own, moves this table`,
    limit,
    remedy: `Go on with the Crossfade that began it, or end it there ('crossfade rollback ${id} --reason …'). ${gone}`,
  };
}

type Standing = Pick<CutoverState, 'id' | 'stage' | 'stageKind'>;

/** What to do after the checks, by how far the cutover is. @param first what a start requires before it; empty where nothing */
export function nextAfterHealth({ id, stage, stageKind }: Standing, ok: boolean, first: string): string {
  switch (stageKind) {
    case 'disabled':
      if (ok && first !== '') return `Nothing stands in the way of a rehearsal. ${first}`;
      return ok
        ? `Nothing stands in the way: crossfade preview ${id}, then crossfade start ${id}`
        : 'Repair what failed before you start.';
    case 'rolled_back':
      return ok
        ? `Nothing stands in the way of another run: crossfade reset ${id} --confirm ${id}, then crossfade start ${id}`
        : 'Repair what failed before you reset and start again.';
    case 'cleaned':
      return 'Nothing to do: the cutover is finished.';
    case 'completed':
      return ok
        ? `Nothing is wrong. The tables are swapped: crossfade status ${id}`
        : `Repair what failed: it may close the way back. crossfade status ${id}`;
    default:
      return ok
        ? `Nothing is wrong. The cutover runs, in stage ${stage}: crossfade status ${id}`
        : `Repair what failed before the tables are swapped. The cutover runs, in stage ${stage}: crossfade status ${id}`;
  }
}

function isAhead(mirror: Position, state: Position & { pending: { epoch: number } | null }): boolean {
  if (state.pending) return mirror.epoch > Math.max(state.epoch, state.pending.epoch);
  return compareFlagAge(mirror, state) > 0;
}
const shown = ({ epoch, version, stage }: Position) => `epoch ${epoch}, version ${version}, stage ${stage}`;
const named = ({ kind, object }: PromotionItem) => `${kind} ${object}`;

function shortened(names: readonly string[]): string {
  const rest = names.length - OBJECTS_SHOWN;
  return `${names.slice(0, OBJECTS_SHOWN).join(', ')}${rest > 0 ? ` and ${rest} more` : ''}`;
}

function failed(check: string, value: string, remedy: string): HealthFinding {
  return { check, status: 'fail', value, limit: 'can cross over', remedy };
}
