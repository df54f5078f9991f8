/**
 * Replays recorded minutes through the gates: from files, one entry each, or what is stored of a cutover, stage by stage.
 * With `--set` twice, with the limits that were in force and with those to try.
 */

import { readFile } from 'node:fs/promises';
import { CrossfadeError } from '../../core/base/errors.ts';
import { policyOf, type ReplayedMinute, type ReplayTrace, replay } from '../../core/replay/replay.ts';
import { outcomeOf, type Trial, type TriedLimits, trial, trialProblems, withLimits } from '../../core/replay/trial.ts';
import type { StoredReplay } from '../../flows/report/replay-stored.ts';
import { readTriedLimits } from '../../schemas/limits.ts';
import { readTrace } from '../../schemas/replay.ts';
import { LONG_DEADLINE_MS } from '../api.ts';
import { type Context, cutoverId, EXIT, type Outcome, openApi } from '../context.ts';
import { renderCriteria, renderReplay, renderTrial } from '../render-replay.ts';
import { printable, printableJson } from '../text.ts';

/** Written in pieces: a trace may have a million minutes. */
const PIECE_CHARACTERS = 1_000_000;

export async function replayFiles(context: Context): Promise<Outcome | number> {
  const { io, options, args } = context;
  const files = args.filter((file): file is string => file !== undefined);
  const set = options.set ? readTriedLimits(options.set) : null;
  if (options.cutover !== undefined) {
    if (files.length > 0) throw usage('Name FILEs or --cutover, not both.');
    return replayCutover({ ...context, args: [options.cutover] }, set);
  }
  if (options.hours !== undefined) throw usage('--hours goes with --cutover.');
  if (files.length === 0) throw usage('Name at least one FILE, or --cutover ID.');
  // All are read before anything is written: a bad one changes nothing.
  const traces: ReplayTrace[] = [];
  for (const file of files) traces.push(readTrace(await bytesOf(file), file));
  const twice = traces.find((trace, i) => traces.findIndex(({ id }) => id === trace.id) !== i);
  if (twice) throw usage(`Two files have the id '${printable(twice.id)}'; replay them one by one.`);
  if (set) for (const trace of traces) refuseContradiction(trace, set);
  if (options.json) writeDocument(io.stdout, traces, set);
  else for (const trace of traces) io.stdout(`${textOf(trace, set, io.width)}\n`);
  return EXIT.done;
}

async function replayCutover(context: Context, set: TriedLimits | null): Promise<Outcome> {
  const id = cutoverId(context);
  const { api } = openApi(context);
  const { hours = 24, set: typed = [] } = context.options;
  const tried = set ? `&set=${encodeURIComponent(typed.join(','))}` : '';
  const { stages } = await api.get<{ stages: StoredReplay[] }>(`/v1/cutovers/${id}/replay?hours=${hours}${tried}`, {
    deadlineMs: LONG_DEADLINE_MS,
  });
  const named = stages.map((run) => ({ name: `${id}/${run.stage} ${new Date(run.fromMs).toISOString()}`, ...run }));
  const text = named
    .flatMap(({ name, minutes, phase, trial }) => [
      trial ? renderTrial(name, trial, context.io.width) : renderReplay(name, outcomeOf(minutes)),
      ...(phase === undefined ? [] : renderCriteria(name, phase, minutes)),
    ])
    .join('\n');
  return {
    document: Object.fromEntries(named.map(({ name, minutes, trial }) => [name, trial ? { minutes, trial } : minutes])),
    text: text || `${id} was in no stage that is judged in the last ${hours} hours.`,
  };
}

async function bytesOf(file: string): Promise<Buffer> {
  try {
    return await readFile(file);
  } catch (error) {
    throw usage(`${file} cannot be read: ${(error as Error).message}`);
  }
}

function refuseContradiction(trace: ReplayTrace, set: TriedLimits): void {
  const problems = trialProblems(policyOf(trace), set, 'component');
  if (problems.length > 0)
    throw usage(`'${printable(trace.id)}' cannot be replayed with these limits: ${problems.join('; ')}. Set both.`);
}

const triedOn = (trace: ReplayTrace, set: TriedLimits) => trial(set, replay(trace), replay(withLimits(trace, set)));

function textOf(trace: ReplayTrace, set: TriedLimits | null, width: number): string {
  if (!set) return renderReplay(trace.id, outcomeOf(replay(trace)));
  const tried = triedOn(trace, set);
  let step = tried.next();
  while (!step.done) step = tried.next();
  return renderTrial(trace.id, step.value, width);
}

function writeDocument(stdout: (text: string) => void, traces: readonly ReplayTrace[], set: TriedLimits | null): void {
  let piece = '{';
  for (const [i, trace] of traces.entries()) {
    piece += `${i > 0 ? ',' : ''}\n${printableJson(trace.id)}: ${set ? '{"minutes": [' : '['}`;
    const minutes: Generator<ReplayedMinute, Trial | undefined> = set ? triedOn(trace, set) : replay(trace);
    let first = true;
    let step = minutes.next();
    for (; !step.done; step = minutes.next()) {
      piece += `${first ? '' : ','}\n  ${printableJson(step.value)}`;
      first = false;
      if (piece.length < PIECE_CHARACTERS) continue;
      stdout(piece);
      piece = '';
    }
    piece += step.value ? `\n], "trial": ${printableJson(step.value)}}` : '\n]';
  }
  stdout(`${piece}\n}\n`);
}

const usage = (message: string) => new CrossfadeError('invalid_input', message);
