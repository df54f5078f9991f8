/** Commands that read, and the two that only check and repair rows: preview, explain, history, verify, repair. */

import { CrossfadeError, ERROR_CODES } from '../../core/base/errors.ts';
import type { VerificationResult } from '../../core/gates/table-status.ts';
import type { AuditEntry } from '../../core/stage/audit.ts';
import type { Event } from '../../core/stage/events.ts';
import type { History } from '../../flows/report/history.ts';
import type { CutoverReport } from '../../flows/report/report.ts';
import type { TablePreview } from '../../ports/swapping.ts';
import { type Api, LONG_DEADLINE_MS, type PostCall } from '../api.ts';
import { type Context, cutoverId, EXIT, idempotencyKey, type Outcome, openApi } from '../context.ts';
import { renderInvalid } from '../render.ts';
import { renderHistory } from '../render-history.ts';
import { renderPreview } from '../render-preview.ts';
import { renderExplanation, renderVerification } from '../render-verdict.ts';
import { counted, printable } from '../text.ts';
import { verifyChains } from './report.ts';

/** Each waits for some 20 seconds: half an hour in all, and it goes on by itself for the next one who asks. */
const MOST_CALLS = 90;

/** Ends as `start` would: with the code of a refused table when something stands in the way. */
export async function preview(context: Context): Promise<Outcome> {
  const { io } = context;
  const id = cutoverId(context);
  const { api } = openApi(context);
  const { scan } = context.options;
  const query = scan === undefined ? '' : `?scanMs=${Math.round(scan * 1_000)}`;
  const table = await api.get<TablePreview>(`/v1/cutovers/${id}/preview${query}`, { deadlineMs: LONG_DEADLINE_MS });
  const text = renderPreview(id, table, io.width, io.paint);
  return { document: table, text, ...(table.ok ? {} : { exit: ERROR_CODES.refused_table.exit }) };
}

export async function explain(context: Context): Promise<Outcome> {
  const { io } = context;
  const id = cutoverId(context);
  const { api } = openApi(context);
  const report = await api.get<CutoverReport | { id: string; why: string }>(`/v1/cutovers/${id}`);
  if ('why' in report) return { document: report, text: renderInvalid(report, io.width, io.paint), exit: EXIT.other };
  const { verdict, stage, health, rollback, sights, nextSteps } = report;
  return {
    document: { id, stage, health, verdict, rollback, sights, nextSteps },
    text: renderExplanation(report, io.width, io.paint),
  };
}

/** Without a cutover: the newest entries of all of them and of the system. */
export async function history(context: Context): Promise<Outcome> {
  const { io, options, args } = context;
  if (options.verify) return verifyChains(context);
  if (args[0] === undefined && !options.conform) {
    const { api } = openApi(context);
    const query = new URLSearchParams({ limit: String(options.limit ?? 50) });
    const { entries } = await api.get<{ entries: readonly AuditEntry<Event>[] }>(`/v1/audit?${query}`);
    return { document: { entries, chain: null }, text: renderHistory(entries, null, io.width, io.paint) };
  }
  const id = cutoverId(context);
  const { api } = openApi(context);
  const query = new URLSearchParams({ limit: String(options.limit ?? 50) });
  if (options.after !== undefined) query.set('after', String(options.after));
  const found = await api.get<History>(`/v1/cutovers/${id}/history?${query}`);
  if (options.conform) return conforms(id, found);
  const text = renderHistory(found.entries, found.chain, io.width, io.paint);
  return { document: found, text, ...(found.chain.intact ? {} : { exit: EXIT.other }) };
}

/** Whether what is recorded is what the stage machine does; ends with 1 when it is not. */
function conforms(id: string, { chain, conformity }: History): Outcome {
  const broken = chain.intact ? '' : `\nThe chain is broken at entry ${chain.seq}: ${printable(chain.why)}.`;
  const said =
    conformity === null
      ? 'nothing happened yet.'
      : conformity.conforms
        ? `each of its entries (${conformity.entries}) is a step of the stage machine.`
        : `entry ${conformity.seq} is no step of the stage machine. ${printable(conformity.why)} Compare with a backup of the state table before you trust it.`;
  const trusted = chain.intact && conformity?.conforms !== false;
  return {
    document: { id, chain, conformity },
    text: `${printable(id)}: ${said}${broken}`,
    ...(trusted ? {} : { exit: EXIT.other }),
  };
}

/** Rows that differ hold the cutover, and so does this exit code. */
export async function verify(context: Context): Promise<Outcome> {
  const { io } = context;
  const id = cutoverId(context);
  const { api } = openApi(context);
  const call = { idempotencyKey: idempotencyKey(context), deadlineMs: LONG_DEADLINE_MS };
  const result = await verified(api, id, context.options.proof ? { tier: 'proof' } : {}, call);
  const text = renderVerification(id, result, io.width, io.paint);
  return { document: result, text, ...(result.divergences === 0 ? {} : { exit: EXIT.held }) };
}

/** A pass that takes longer than one call is waited for: the next call names the first one's moment, and goes on with its pass. */
async function verified(api: Api, id: string, body: object, call: PostCall): Promise<VerificationResult> {
  for (let since: unknown, calls = 1; ; calls += 1) {
    try {
      const asked = since === undefined ? body : { ...body, since };
      return await api.post<VerificationResult>(`/v1/cutovers/${id}/verify`, asked, call);
    } catch (error) {
      if (!(error instanceof CrossfadeError) || typeof error.details.since !== 'number' || calls === MOST_CALLS)
        throw error;
      since = error.details.since;
    }
  }
}

export async function repair(context: Context): Promise<Outcome> {
  const id = cutoverId(context);
  const { api } = openApi(context);
  const result = await api.post<{ enqueued: number }>(
    `/v1/cutovers/${id}/repair`,
    {},
    {
      idempotencyKey: idempotencyKey(context),
      deadlineMs: LONG_DEADLINE_MS,
    },
  );
  const text =
    result.enqueued === 0
      ? `${printable(id)}: the last verification found nothing to repair.`
      : `${printable(id)}: ${counted(result.enqueued, 'key')} will be written again. Then look again: crossfade verify ${printable(id)}`;
  return { document: result, text };
}
