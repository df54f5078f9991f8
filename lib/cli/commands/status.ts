/** What is, once, until everything that is watched has come to an end, or until one is in a stage. */

import { setTimeout as pause } from 'node:timers/promises';
import { CrossfadeError, isCrossfadeError } from '../../core/base/errors.ts';
import { didYouMean } from '../../core/base/nearest.ts';
import type { CutoverReport, SystemReport } from '../../flows/report/report.ts';
import type { Api } from '../api.ts';
import { type Context, cutoverId, EXIT, type Outcome, openApi } from '../context.ts';
import { frame } from '../frame.ts';
import { blockOf, progressLine, renderSystem } from '../render.ts';
import { moment, printable } from '../text.ts';

type One = SystemReport['cutovers'][number];

/** One look: the document as the API gave it, and the cutovers in it. */
type Look = { document: unknown; cutovers: readonly One[]; text: string };

export async function status(context: Context): Promise<Outcome | number> {
  const look = looker(context);
  const { wait } = context.options;
  if (wait !== undefined) {
    cutoverId(context);
    return watch(context, look, (cutover) => hasReached(cutover, wait));
  }
  if (context.options.watch) return watch(context, look, ended);
  const seen = await look();
  return {
    document: seen.document,
    text: seen.text,
    ...(context.options.exitCode ? { exit: exitCodeOf(seen.cutovers) } : {}),
  };
}

function looker(context: Context): () => Promise<Look> {
  const { width, paint } = context.io;
  const id = context.args[0] === undefined ? null : cutoverId(context);
  const { api } = openApi(context);
  return () => (id === null ? lookAtAll(api, width, paint) : lookAtOne(api, id, width, paint));
}

async function lookAtAll(api: Api, width: number, paint: Context['io']['paint']): Promise<Look> {
  const report = await api.get<SystemReport>('/v1/cutovers');
  return { document: report, cutovers: report.cutovers, text: renderSystem(report, width, paint) };
}

async function lookAtOne(api: Api, id: string, width: number, paint: Context['io']['paint']): Promise<Look> {
  const report = await api.get<One>(`/v1/cutovers/${id}`);
  const text = blockOf(report, width, paint);
  return { document: report, cutovers: [report], text };
}

const HELD = ['held', 'blind', 'rolling_back', 'stopped'] as const;

/** 4 when one was rolled back, 3 when one is held, blind, stopped or about to go back, 1 when one cannot be read. */
function exitCodeOf(cutovers: readonly One[]): number {
  const healths = new Set(cutovers.map((cutover) => cutover.health));
  if (healths.has('invalid')) return EXIT.other;
  if (healths.has('rolled_back')) return EXIT.rolledBack;
  return HELD.some((health) => healths.has(health)) ? EXIT.held : EXIT.done;
}

const ended = (cutover: One) => cutover.health === 'done' || cutover.health === 'rolled_back';

const PROMOTED: ReadonlySet<string> = new Set(['completed', 'cleaned']);

/**
 * True in that stage and in those behind it, once the flags are out, and where it was rolled back: nothing is waited for any more.
 * `full` is the last one before completion, whatever the plan calls it; `ready` is when it may be completed.
 * @throws CrossfadeError `invalid_input` for a stage that it never comes to
 */
function hasReached(cutover: One, wanted: string): boolean {
  if (!('stage' in cutover)) return false;
  const { stage, stageKind, health, plan, flagsDeployed } = cutover;
  if (wanted === 'ready') return ['ready', 'rolled_back'].includes(health) || PROMOTED.has(stageKind);
  const names = [...plan.stages.map(({ name }) => name), 'cleaned'];
  const known = wanted === 'full' ? (plan.stages.find(({ kind }) => kind === 'full')?.name ?? wanted) : wanted;
  if (!names.includes(known)) {
    throw new CrossfadeError(
      'invalid_input',
      `'${wanted}' is no stage of plan '${plan.name}'. Its stages: ${names.join(', ')}; and ready.${didYouMean(wanted, [...names, 'ready'])}`,
    );
  }
  // A command that comes before would be held until they are.
  return health === 'rolled_back' || (flagsDeployed && names.indexOf(stage) >= names.indexOf(known));
}

/**
 * Looks again until every cutover is where it is waited for; then 0, or 4 where one was rolled back. When the time is up or the
 * person stops it: 3 when one is held, else 1. Afterwards failing looks are only noted, since the loop itself heals.
 */
async function watch(
  context: Context,
  look: () => Promise<Look>,
  isThere: (cutover: One) => boolean,
): Promise<Outcome | number> {
  const { io, options } = context;
  const show = options.json ? () => {} : screen(context);
  const deadlineMs = options.timeout === undefined ? Number.POSITIVE_INFINITY : io.nowMs() + options.timeout * 1_000;
  let seen = await look();
  for (;;) {
    show(seen);
    if (seen.cutovers.length > 0 && seen.cutovers.every(isThere)) return concluded(context, seen, true);
    const leftMs = deadlineMs - io.nowMs();
    if (leftMs <= 0 || !(await rest(Math.min((options.interval ?? 2) * 1_000, leftMs), io.signal))) break;
    seen = await look().catch((error) => noted(context, error, seen));
  }
  return concluded(context, seen, false);
}

function concluded({ io, options }: Context, seen: Look, over: boolean): Outcome | number {
  const code = exitCodeOf(seen.cutovers);
  // Where it was waited for it may be held: it is there.
  const exit = over && code === EXIT.held ? EXIT.done : over || code !== EXIT.done ? code : EXIT.other;
  if (options.json) return { document: seen.document, text: '', exit };
  if (!over && !io.signal.aborted)
    io.stderr(`Not at the end after ${options.timeout} s; it goes on without being watched.\n`);
  return exit;
}

async function rest(ms: number, signal: AbortSignal): Promise<boolean> {
  return pause(ms, true, { signal }).catch(() => false);
}

function noted({ io, options }: Context, error: unknown, last: Look): Look {
  if (io.signal.aborted) return last;
  if (!isCrossfadeError(error) || !(error.retryable || error.code.endsWith('_unavailable'))) throw error;
  if (!options.json) io.stderr(`${error.message}\n`);
  return last;
}

/** Painted in place on a terminal, with each change of stage above it; elsewhere a line per cutover whenever it changes. */
function screen({ io }: Context): (seen: Look) => void {
  if (!io.terminal) return lineByLine(io);
  const painted = frame(io.stdout, () => ({ columns: io.width, rows: io.rows }));
  const stages = new Map<string, string>();
  return (seen) => {
    painted.show(seen.text);
    for (const cutover of seen.cutovers) {
      if (!('stage' in cutover)) continue;
      const before = stages.get(cutover.id);
      stages.set(cutover.id, cutover.stage);
      if (before !== undefined && before !== cutover.stage)
        painted.log(`${moment(io.nowMs())} UTC  ${printable(cutover.id)}: ${before} → ${cutover.stage}`);
    }
  };
}

function lineByLine(io: Context['io']): (seen: Look) => void {
  const lastLines = new Map<string, string>();
  return (seen) => {
    for (const cutover of seen.cutovers) {
      const line = lineOf(cutover, io.width);
      if (lastLines.get(cutover.id) === line) continue;
      lastLines.set(cutover.id, line);
      io.stdout(`${line}\n`);
    }
  };
}

function lineOf(cutover: One, width: number): string {
  return 'why' in cutover ? blockOf(cutover, width).split('\n')[0]! : progressLine(cutover as CutoverReport, width);
}
