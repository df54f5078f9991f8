/** What is, once or until everything that is watched has come to an end. */

import { setTimeout as pause } from 'node:timers/promises';
import { isCrossfadeError } from '../../core/base/errors.ts';
import type { TableOutlook } from '../../core/table/reading.ts';
import type { CutoverReport, SystemReport } from '../../flows/report/report.ts';
import type { Api } from '../api.ts';
import { type Context, cutoverId, EXIT, type Outcome, openApi } from '../context.ts';
import { progressBlock, progressLine, renderInvalid, renderSystem } from '../render.ts';
import { alertLines, verdictLines } from '../render-health.ts';

type One = SystemReport['cutovers'][number];

/** One look: the document as the API gave it, and the cutovers in it. */
type Look = { document: unknown; cutovers: readonly One[]; text: string };

export async function status(context: Context): Promise<Outcome | number> {
  const look = looker(context);
  if (context.options.watch) return watch(context, look);
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
  const text =
    'why' in report
      ? renderInvalid(report, width, paint)
      : [progressBlock(report, width, paint), ...(await rowLines(api, report, width, paint))].join('\n');
  return { document: report, cutovers: [report], text };
}

/** What the rows themselves say; an older server, or a database that is away, says nothing. */
async function rowLines(api: Api, report: CutoverReport, width: number, paint: Context['io']['paint']) {
  if (report.table === null || report.table.armed === 'none') return [];
  const outlook = await api.get<TableOutlook>(`/v1/cutovers/${report.id}/progress`).catch(() => null);
  if (outlook === null) return [];
  return [...alertLines(outlook.alerts, width, paint), ...verdictLines(outlook.verdict, width, paint)];
}

const HELD = ['held', 'blind', 'rolling_back'] as const;

/** 4 when one was rolled back, 3 when one is held, blind or about to go back, 1 when one cannot be read. */
function exitCodeOf(cutovers: readonly One[]): number {
  const healths = new Set(cutovers.map((cutover) => cutover.health));
  if (healths.has('invalid')) return EXIT.other;
  if (healths.has('rolled_back')) return EXIT.rolledBack;
  return HELD.some((health) => healths.has(health)) ? EXIT.held : EXIT.done;
}

const ended = (cutover: One) => cutover.health === 'done' || cutover.health === 'rolled_back';

/**
 * Looks again until every cutover is completed or rolled back; then 0 or 4. When the time is up or the person stops it:
 * 3 when one is held, else 1. Afterwards failing looks are only noted, since the loop itself heals.
 */
async function watch(context: Context, look: () => Promise<Look>): Promise<Outcome | number> {
  const { io, options } = context;
  const show = options.json ? () => {} : screen(context);
  const deadlineMs = options.timeout === undefined ? Number.POSITIVE_INFINITY : io.nowMs() + options.timeout * 1_000;
  let seen = await look();
  for (;;) {
    show(seen);
    if (seen.cutovers.length > 0 && seen.cutovers.every(ended)) break;
    const leftMs = deadlineMs - io.nowMs();
    if (leftMs <= 0 || !(await rest(Math.min((options.interval ?? 2) * 1_000, leftMs), io.signal))) break;
    seen = await look().catch((error) => noted(context, error, seen));
  }
  return concluded(context, seen);
}

function concluded({ io, options }: Context, seen: Look): Outcome | number {
  const over = seen.cutovers.length > 0 && seen.cutovers.every(ended);
  const code = exitCodeOf(seen.cutovers);
  const exit = over || code !== EXIT.done ? code : EXIT.other;
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

/** Redraws on a terminal; elsewhere writes a line per cutover whenever it changes. */
function screen({ io }: Context): (seen: Look) => void {
  let drawnLines = 0;
  const lastLines = new Map<string, string>();
  if (io.terminal) {
    return (seen) => {
      const up = drawnLines > 0 ? `\u001b[${drawnLines}A\u001b[J` : '';
      io.stdout(`${up}${seen.text}\n`);
      drawnLines = seen.text.split('\n').length;
    };
  }
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
  return 'why' in cutover
    ? renderInvalid(cutover, width).split('\n')[0]!
    : progressLine(cutover as CutoverReport, width);
}
