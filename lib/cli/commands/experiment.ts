/** What an experiment says, or how far it is. */

import { CrossfadeError } from '../../core/base/errors.ts';
import type { ExperimentView } from '../../flows/report/experiments.ts';
import { type Context, type Outcome, openApi } from '../context.ts';
import { renderExperiment } from '../render-experiment.ts';
import { printable } from '../text.ts';

export async function experiment(context: Context): Promise<Outcome> {
  const { io, args } = context;
  const id = args[0];
  const { api } = openApi(context);
  if (id === undefined) {
    const all = await api.get<{ experiments: ExperimentView[] }>('/v1/experiments');
    const texts = all.experiments.map((view) => renderExperiment(view, io.width, io.paint));
    return { document: all, text: texts.join('\n\n') || 'No experiment is declared.' };
  }
  if (!/^[a-z][a-z0-9_]{0,39}\.[a-z][a-z0-9_]{0,39}$/.test(id))
    throw new CrossfadeError(
      'invalid_identifier',
      `'${printable(id.slice(0, 90))}' is no id of an experiment: CUTOVER.EXPERIMENT. 'crossfade experiment' lists them.`,
    );
  const view = await api.get<ExperimentView>(`/v1/experiments/${id}`);
  return { document: view, text: renderExperiment(view, io.width, io.paint) };
}
