import { describe, expect, it } from 'vitest';
import { progressBlock, progressLine, renderSystem } from '../../../lib/cli/render.ts';
import { renderHistory } from '../../../lib/cli/render-history.ts';
import { renderPreview } from '../../../lib/cli/render-preview.ts';
import { renderExplanation, renderStop, renderVerification } from '../../../lib/cli/render-verdict.ts';
import { stageLine } from '../../../lib/cli/stage-line.ts';
import { widthOf } from '../../../lib/cli/text.ts';
import { builtInPlan, makePlan } from '../../../lib/core/cutover/plan.ts';
import type { CutoverReport } from '../../../lib/flows/report/report.ts';
import type { TablePreview } from '../../../lib/ports/swapping.ts';
import * as actors from '../../helpers/dashboard-reports.ts';

const { copying, serving, held, rolledBack, completed, notStarted, ready, failing, unreadable, hostile, scene } =
  actors;
const everybody = [copying, serving, held, rolledBack, completed, notStarted, ready, failing, unreadable, hostile];

async function reportOf(actor: Parameters<typeof scene>[0][number]): Promise<CutoverReport> {
  const { report } = await scene([actor]);
  return report.cutovers[0] as CutoverReport;
}

const linesOf = (text: string) => text.split('\n');
const unsafe = /[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u202a-\u202e]/;

describe('status of a cutover', () => {
  it.each([100, 60])('fits %i columns and holds no control character, whatever the state', async (width) => {
    const { report, audit } = await scene(everybody, { emergencyStop: true, flagsDown: true });
    const texts = [
      renderSystem(report, Math.max(width, 100)),
      renderHistory(audit, { intact: true, entries: audit.length }, Math.max(width, 100)),
      ...report.cutovers.filter((one) => !('why' in one)).map((one) => progressBlock(one as CutoverReport, width)),
      ...report.cutovers.filter((one) => !('why' in one)).map((one) => progressLine(one as CutoverReport, width)),
      ...report.cutovers.filter((one) => !('why' in one)).map((one) => renderExplanation(one as CutoverReport, width)),
    ];
    for (const text of texts) expect(text).not.toMatch(unsafe);
    const lines = texts.slice(2).flatMap(linesOf);
    expect(lines.filter((line) => widthOf(line) > width && !line.startsWith('<'))).toEqual([]);
  });

  it('says beside its health what is switched, and what turns it back', async () => {
    const events = [...serving.events, [3, { type: 'reads_switched', to: 'primary', reason: 'slow pages' }]] as const;
    const { report, audit } = await scene([{ ...serving, events } as typeof serving]);
    const text = progressBlock(report.cutovers[0] as CutoverReport);
    expect(text).toMatch(/^customer {2}reads on the primary · test_10 · 0 %/);
    expect(text).toContain('crossfade reads shadow customer --reason …');
    expect(renderHistory(audit, null)).toContain('reads sent to the primary: slow pages');
  });

  it('says in every stage why rows are gone through again, and why a verification proved nothing', async () => {
    const report = await reportOf(completed);
    const backfill = { ...report.table!.backfill, state: 'running' as const, sweep: 'a change left no key' };
    const unproven = '5 rows were compared, and at least 9 were there all the time';
    const text = progressBlock({ ...report, table: { ...report.table!, backfill, unproven } });
    expect(text).toMatch(/sweep +every row is copied and compared again: a change left no key/);
    expect(text).toMatch(/no proof +5 rows were compared, and at least 9/);
    const done = { ...report.table!, backfill: { ...backfill, state: 'done' as const } };
    expect(progressBlock({ ...report, table: done })).toMatch(/sweep +every row is copied and compared again/);
    expect(progressBlock({ ...report, table: report.table! })).not.toContain('sweep');
    const shape = { differences: [], sinceMs: null, gap: 'capture was switched off', due: true };
    expect(progressBlock({ ...report, table: { ...done, shape } })).toMatch(/sweep +every row .* switched off/);
  });

  it('marks the current stage with what is left of its dwell, and shows where a rolled back one had come to', async () => {
    const plan = builtInPlan('gradual');
    const verdict = { evidence: { minutesInStage: 57.2, minutesToEligibility: 2.8 } };
    expect(stageLine({ plan, stage: 'test_1', stageKind: 'ramp', rollback: null, verdict })).toBe(
      '✓ dual_write  ● test_1 ██████ 2:48 left  ○ test_10  ○ half_50  ○ full_100  ○ completed',
    );
    const rollback = { cause: 'guard' as const, steps: [], fromStage: 'test_10', reason: '', actor: '', atMs: 0 };
    expect(stageLine({ plan, stage: 'rolled_back', stageKind: 'rolled_back', rollback, verdict })).toBe(
      '✓ dual_write  ✓ test_1  ✗ test_10  ○ half_50  ○ full_100  ○ completed',
    );
  });

  it('keeps the current stage in sight when the plan is longer than the line', () => {
    const ramp = Array.from({ length: 40 }, (_, i) => [`step_${i + 1}`, (i + 1) * 2.5] as const);
    const verdict = { evidence: { minutesInStage: 1, minutesToEligibility: 0 } };
    const plan = makePlan('long', ramp);
    const line = stageLine({ plan, stage: 'step_20', stageKind: 'ramp', rollback: null, verdict }, 60);
    expect(widthOf(line)).toBeLessThanOrEqual(60);
    expect(line).toMatch(/^… .*● step_20 .* …$/);
  });

  it('says what comes next and what is missing, figures of both sides and of the rows, in few lines', async () => {
    const text = progressBlock(await reportOf(serving));
    expect(linesOf(text).map((line) => line.replaceAll(/\s+/g, ' '))).toEqual([
      'customer healthy · test_10 · 10 % next: half_50 (50 %) in about 30 min',
      ' stage ✓ dual_write ✓ test_1 ● test_10 ███░░░ 28:00 left ○ half_50 ○ full_100 ○ completed',
      expect.stringMatching(/^ old [\d,]+ ops errors 0\.123 % p50 8\.3 ms p95 25 ms$/),
      expect.stringMatching(/^ new [\d,]+ ops errors 0 % p50 6\.1 ms p95 17 ms$/),
      ' compared 1,011 answers, 0 differ',
      ' needs 28 min of dwell left (crossfade explain customer: all 20)',
      ' rows copied ✓ · lag 340 ms, 3 changes waiting · 0 of 59,811 differ · quarantine 0',
    ]);
  });

  it('gives the worst of what holds in full, and the others as needs', async () => {
    const text = progressBlock(await reportOf(held)).replaceAll(/\s+/g, ' ');
    expect(text).toMatch(/rows copied ✓ · lag 2\.9 s, 214 changes waiting · .* · quarantine 2/);
    expect(text).toMatch(/held by quarantine \(2, limit 0\): 2 keys cannot be written/);
    expect(text).toMatch(/needs .*latency p95 28\.\d ms, limit 27\.\d ms/);
  });

  it('shows the backfill as a bar with its rate and the time left', async () => {
    const text = progressBlock(await reportOf(copying)).replaceAll(/\s+/g, ' ');
    expect(text).toContain(
      `${'█'.repeat(8)}${'░'.repeat(12)} 40 %, 896,000 of about 2,240,000 rows; 3,120/s; about 7 min left`,
    );
    expect(progressLine(await reportOf(copying))).toMatch(/████░░░░░░ 40 %, 896,000 of about/);
  });

  it('calls what is only a matter of time a need, and nothing of it held', async () => {
    expect(progressBlock(await reportOf(serving))).not.toMatch(/held|waits/);
  });

  it('says a step once: what releases a hold is not repeated as a next step', async () => {
    const report = await reportOf(serving);
    expect(report.nextSteps).toEqual([report.verdict.reasons[0]!.text]);
    expect(progressBlock(report)).not.toMatch(/^ {2}(do|next)/m);
    expect(progressBlock(await reportOf(ready))).toMatch(/do\s+crossfade complete playlist --confirm playlist/);
  });

  it('names who rolled back, from where and why', async () => {
    expect(progressBlock(await reportOf(rolledBack))).toMatch(
      /back\s+rolled back from test_10 at \S+ \S+ UTC by tick: The shadow fails/,
    );
  });

  it('shows a cutover that is alone in full, and of many a line each', async () => {
    expect(renderSystem((await scene([unreadable])).report)).toMatch(/^album {2}unreadable\n {2}seen/m);
    const { report } = await scene([unreadable, serving, held]);
    const rows = linesOf(renderSystem(report));
    expect(rows.map((row) => row.split(/ {2,}/))).toEqual([
      ['album', 'unreadable', expect.stringContaining('somebody edited it by hand')],
      ['customer', 'healthy', 'test_10', '10 %', 'half_50 (50 %) in about 30 min'],
      ['track', 'held', 'test_10', '10 %', 'half_50 (50 %), waits for a person: quarantine'],
    ]);
  });
});

describe('explanation', () => {
  it('has one sentence per condition, failing ones first with value and limit', async () => {
    const report = await reportOf(held);
    const text = renderExplanation(report);
    const marks = linesOf(text).flatMap((line) => line.match(/^ {2}([✓✗])/)?.[1] ?? []);
    expect(marks).toHaveLength(report.verdict.conditions.length);
    expect(marks.join('')).toMatch(/^✗+✓+$/);
    expect(text).toContain('(2, limit 0)');
    expect(renderExplanation(await reportOf(failing))).toContain('rolling back. Next: rolled back by the next tick.');
  });
});

describe('history', () => {
  it('has a line per event and the verdict on the chain', async () => {
    const { audit } = await scene([completed]);
    const text = renderHistory(audit, { intact: false, seq: 3, why: 'entry 3 was changed' });
    expect(text).toMatch(/^ {4}1 {2}2025-11-20 23:30:20 {2}ada@example\.com {3}started with plan gradual$/m);
    expect(text).toMatch(/completed from full_100, lock held 9 ms/);
    expect(text).toMatch(/The chain is broken at entry 3: entry 3 was changed\./);
  });
});

describe('preview, stop and verification', () => {
  const preview: TablePreview = {
    primary: 'public.customer',
    shadow: 'public.customer_v2',
    key: [{ column: 'customer_id', type: 'integer' }],
    columns: [{ shadow: 'full_name', source: 'computed', text: "first_name || ' ' || last_name" }],
    items: [
      { action: 'carry', kind: 'index', object: 'customer_email_idx', text: 'is created anew' },
      { action: 'refuse', kind: 'view', object: 'public.\u001b[2Jv', text: 'reads the table' },
    ],
    estimatedRows: 59,
    ok: false,
  };

  it('lists columns, dependents by what becomes of them, and what is in the way first', () => {
    const text = renderPreview('customer', preview);
    expect(text).toMatch(/key\s+customer_id integer/);
    expect(text).toMatch(/full_name\s+← computed {2}first_name/);
    expect(text.indexOf('Refused')).toBeLessThan(text.indexOf('Carried'));
    expect(text).toContain('public.\\e[2Jv: reads the table');
    expect(text).toContain('1 object stands in the way');
    expect(renderPreview('customer', { ...preview, items: [], ok: true })).toContain('crossfade start customer');
    const samples = [{ kind: 'return' as const, key: '{"customer_id": 7}', why: 'email would be NULL\u001b[2J' }];
    const found = { rows: 59, complete: false, limitMs: 3_000, cannotCross: 0, cannotReturn: 2, changed: 0, samples };
    const cutShort = renderPreview('customer', { ...preview, wayBack: found });
    expect(cutShort).toMatch(/looked at\s+59 rows, then the 3 s were over \(--scan\)/);
    expect(cutShort).toMatch(/cannot return\s+\{"customer_id": 7\}: email would be NULL\\e\[2J\n {2}… and 1 more/);
    expect(
      renderPreview('customer', { ...preview, wayBack: { ...found, complete: true, cannotReturn: 0, samples: [] } }),
    ).toMatch(/looked at\s+all 59 rows\n\s+found\s+each could go back as it was/);
  });

  it('names every cutover that a stop moved, and the one that it could not move', () => {
    const text = renderStop({
      published: false,
      cutovers: [
        { id: 'a', from: 'test_1', to: 'rolled_back' },
        { id: 'b', from: 'unknown', to: 'unknown', problem: 'throttled' },
      ],
    });
    expect(text).toMatch(/a\s+test_1 → rolled_back/);
    expect(text).toMatch(/b\s+unknown: throttled/);
    expect(text).toContain('not deployed yet');
  });

  it('names the keys that differ with their columns, and how to mend them', () => {
    const samples = [
      { key: '{"id":1}', columns: ['email'] },
      { key: '{"id":2}', columns: [] },
    ];
    const text = renderVerification('customer', { rowsCompared: 59, divergences: 2, score: 0.96, atMs: 0, samples });
    expect(text).toMatch(/59 rows compared, 2 differ, score 96 %/);
    expect(text).toMatch(/\{"id":1\}\s+email/);
    expect(text).toContain('crossfade repair customer');
  });
});
