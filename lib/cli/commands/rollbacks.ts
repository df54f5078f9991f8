/** `crossfade rollbacks`: every rollback of a cutover with the outcome of its steps, and what one would consist of now. */

import { duration } from '../../core/conditions/figures.ts';
import type { RollbackRecord, Rollbacks } from '../../flows/report/rollbacks.ts';
import { type Context, cutoverId, type Outcome, openApi } from '../context.ts';
import { field, MAX_WIDTH, moment, type Paint, plain, printable } from '../text.ts';

export async function rollbacks(context: Context): Promise<Outcome> {
  const { io } = context;
  const id = cutoverId(context);
  const { api } = openApi(context);
  const answer = await api.get<Rollbacks>(`/v1/cutovers/${id}/rollbacks`);
  return { document: answer, text: renderRollbacks(answer, io.width, io.paint) };
}

function renderRollbacks(answer: Rollbacks, width = MAX_WIDTH, paint: Paint = plain): string {
  const id = printable(answer.cutover);
  const made = answer.rollbacks.flatMap((record) => recordLines(record, width, paint));
  return [
    paint('bold', `${id}: ${answer.rollbacks.length === 0 ? 'never rolled back' : 'rollbacks, newest first'}`),
    ...made,
    'A rollback from here:',
    ...answer.procedure.flatMap(({ name, does }, i) => field(`${i + 1}. ${name}`, does, width, 22)),
    'Other ways back:',
    ...answer.scenarios.flatMap(({ name, command, note, destructive }) =>
      field(name, `${command.replaceAll('ID', id)}: ${note}${destructive ? ' (cannot be taken back)' : ''}`, width, 24),
    ),
  ].join('\n');
}

function recordLines(record: RollbackRecord, width: number, paint: Paint): string[] {
  const { atMs, actor, fromStage, cause, reason, steps, verified, readsLeftMs } = record;
  const left = readsLeftMs === null ? 'not known yet' : `within ${duration(readsLeftMs)}`;
  return [
    `${moment(atMs)} UTC  from ${fromStage} by ${printable(actor)} (${cause})`,
    ...field('because', printable(reason), width, 22),
    ...steps.flatMap(({ name, tookMs }) => field(name, `✓ after ${duration(tookMs)}`, width, 22)),
    ...field('reads left', left, width, 22),
    ...field('seen through', verified ? paint('good', 'yes') : paint('warn', 'not yet'), width, 22),
  ];
}
