/** Replays recorded minutes through the gates: from files, one entry each, or what is stored of a cutover, stage by stage. */

import { readFile } from 'node:fs/promises';
import { CrossfadeError } from '../../core/base/errors.ts';
import { type ReplayedMinute, type ReplayTrace, replay } from '../../core/replay/replay.ts';
import type { StoredReplay } from '../../flows/report/replay-stored.ts';
import { readTrace } from '../../schemas/replay.ts';
import { LONG_DEADLINE_MS } from '../api.ts';
import { type Context, cutoverId, EXIT, type Outcome, openApi } from '../context.ts';
import { printable, printableJson } from '../text.ts';

/** Written in pieces: a trace may have a million minutes. */
const PIECE_CHARACTERS = 1_000_000;

export async function replayFiles(context: Context): Promise<Outcome | number> {
  const { io, options, args } = context;
  const files = args.filter((file): file is string => file !== undefined);
  if (options.cutover !== undefined) {
    if (files.length > 0) throw usage('Name FILEs or --cutover, not both.');
    return replayCutover({ ...context, args: [options.cutover] });
  }
  if (options.hours !== undefined) throw usage('--hours goes with --cutover.');
  if (files.length === 0) throw usage('Name at least one FILE, or --cutover ID.');
  // All are read before anything is written: a bad one changes nothing.
  const traces: ReplayTrace[] = [];
  for (const file of files) traces.push(readTrace(await bytesOf(file), file));
  const twice = traces.find((trace, i) => traces.findIndex(({ id }) => id === trace.id) !== i);
  if (twice) throw usage(`Two files have the id '${printable(twice.id)}'; replay them one by one.`);
  if (options.json) writeDocument(io.stdout, traces);
  else for (const trace of traces) io.stdout(`${summaryOf(trace)}\n`);
  return EXIT.done;
}

async function replayCutover(context: Context): Promise<Outcome> {
  const id = cutoverId(context);
  const { api } = openApi(context);
  const { hours = 24 } = context.options;
  const { stages } = await api.get<{ stages: StoredReplay[] }>(`/v1/cutovers/${id}/replay?hours=${hours}`, {
    deadlineMs: LONG_DEADLINE_MS,
  });
  const named = stages.map((run) => ({ name: `${id}/${run.stage} ${new Date(run.fromMs).toISOString()}`, ...run }));
  const text = named.map(({ name, minutes }) => summary(name, minutes)).join('\n');
  return {
    document: Object.fromEntries(named.map(({ name, minutes }) => [name, minutes])),
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

function writeDocument(stdout: (text: string) => void, traces: readonly ReplayTrace[]): void {
  let piece = '{';
  for (const [i, trace] of traces.entries()) {
    piece += `${i > 0 ? ',' : ''}\n${printableJson(trace.id)}: [`;
    let first = true;
    for (const minute of replay(trace)) {
      piece += `${first ? '' : ','}\n  ${printableJson(minute)}`;
      first = false;
      if (piece.length < PIECE_CHARACTERS) continue;
      stdout(piece);
      piece = '';
    }
    piece += '\n]';
  }
  stdout(`${piece}\n}\n`);
}

/** One line a trace: what became of it, and why. */
const summaryOf = (trace: ReplayTrace): string => summary(trace.id, replay(trace));

function summary(name: string, minutes: Iterable<ReplayedMinute>): string {
  let advance: number | null = null;
  let last: ReplayedMinute | null = null;
  for (const minute of minutes) {
    if (minute.verdict === 'advance') advance ??= minute.minute;
    last = minute;
  }
  const could = advance === null ? 'never to advance' : `to advance from minute ${advance} on`;
  const codes = [...new Set(last?.reasons.map(({ code }) => code))].join(', ');
  const end =
    last?.verdict === 'rollback'
      ? `rolled back in minute ${last.minute} (${codes})`
      : `not rolled back in ${last?.minute ?? 0} minutes${codes ? `, held at the end by ${codes}` : ''}`;
  return printable(`${name}: ${end}; ${could}.`);
}

const usage = (message: string) => new CrossfadeError('invalid_input', message);
