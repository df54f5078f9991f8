/** Experiments: events are added to the totals of their cohort while it collects, and read once it has its size. */

import { CrossfadeError } from '../../core/base/errors.ts';
import { didYouMean } from '../../core/base/nearest.ts';
import type { CutoverDeclaration } from '../../core/cutover/cutover.ts';
import type { ExperimentDeclaration } from '../../core/cutover/experiment-declaration.ts';
import {
  cohortOf,
  type ExperimentEvent,
  type ExperimentReport,
  reportExperiment,
  sumEvents,
  unitsOf,
} from '../../core/report/experiment.ts';
import { sharePpmOf } from '../../core/routing/flags.ts';
import type { Ports } from '../../ports/ports.ts';

export type Experiment = { cutover: CutoverDeclaration; experiment: ExperimentDeclaration };
export type ExperimentView = { cutover: string; experiment: string } & ExperimentReport;
export type RecordedEvents = {
  accepted: number;
  excluded: number;
  state: 'collecting' | 'complete';
  n: number;
  size: number;
};

/** `CUTOVER.EXPERIMENT`. @throws CrossfadeError `not_found` */
export function findExperiment(declarations: readonly CutoverDeclaration[], id: string): Experiment {
  const all = everyExperiment(declarations);
  const found = all.find(({ cutover, experiment }) => `${cutover.id}.${experiment.id}` === id);
  if (found) return found;
  const ids = all.map(({ cutover, experiment }) => `${cutover.id}.${experiment.id}`);
  throw new CrossfadeError(
    'not_found',
    `No experiment '${id}' is declared.${didYouMean(id, ids)} Declared: ${ids.join(', ') || 'none'}.`,
  );
}

function everyExperiment(declarations: readonly CutoverDeclaration[]): Experiment[] {
  return declarations.flatMap((cutover) => (cutover.experiments ?? []).map((experiment) => ({ cutover, experiment })));
}

/**
 * Adds a batch. Only while the cutover serves the very share that the experiment was declared for: otherwise the buckets
 * say one side and the keys saw the other. Events beyond the declared size are not counted: it is read at that size.
 * @throws CrossfadeError `held`
 */
export async function recordEvents(
  ports: Pick<Ports, 'clock' | 'state' | 'experiments'>,
  { cutover, experiment }: Experiment,
  batch: { batchId: string; source: string; events: readonly ExperimentEvent[] },
): Promise<RecordedEvents> {
  const id = `${cutover.id}.${experiment.id}`;
  const state = await ports.state.readCutover(cutover.id);
  const serves = state ? sharePpmOf(state) : 0;
  if (serves !== Math.round(experiment.share * 10_000)) {
    throw new CrossfadeError(
      'held',
      `Experiment '${id}' is declared for a share of ${experiment.share} %, and cutover '${cutover.id}' serves ${serves / 10_000} % in stage '${state?.stage ?? 'disabled'}': its cohorts would be mixed. Nothing was counted.`,
      { retryable: true, details: { sharePpm: serves } },
    );
  }
  const before = unitsOf(await ports.experiments.read(id));
  const size = experiment.size;
  if (before >= size) return { accepted: 0, excluded: 0, state: 'complete', n: before, size };
  const listed = new Set([...cutover.allow, ...cutover.deny]);
  const { totals, excluded } = sumEvents(batch.events, (key) => cohortOf(cutover.salt, key, experiment.share, listed));
  const accepted = unitsOf(totals);
  if (accepted > 0) await ports.experiments.add(id, { ...batch, totals, atMs: ports.clock.now() });
  const n = unitsOf(await ports.experiments.read(id));
  return { accepted, excluded, state: n >= size ? 'complete' : 'collecting', n, size };
}

/** Reads only. */
export async function viewExperiment(
  ports: Pick<Ports, 'experiments'>,
  { cutover, experiment }: Experiment,
): Promise<ExperimentView> {
  const totals = await ports.experiments.read(`${cutover.id}.${experiment.id}`);
  return {
    cutover: cutover.id,
    experiment: `${cutover.id}.${experiment.id}`,
    ...reportExperiment(experiment, totals),
  };
}

export async function viewExperiments(
  ports: Pick<Ports, 'experiments'>,
  declarations: readonly CutoverDeclaration[],
): Promise<readonly ExperimentView[]> {
  return Promise.all(everyExperiment(declarations).map((one) => viewExperiment(ports, one)));
}
