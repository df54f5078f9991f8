/** Reports and exports: figures per operation and side, files that no spreadsheet runs, cursors that hold. */

import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { lookRoutes } from '../../../functions/control-routes/look.ts';
import { reportRoutes } from '../../../functions/control-routes/reports.ts';
import { httpHandler } from '../../../functions/middleware.ts';
import { csvLine } from '../../../lib/core/report/csv.ts';
import { performanceOf } from '../../../lib/core/report/performance.ts';
import { exportMetrics } from '../../../lib/flows/report/export.ts';
import { readCursor, writeCursor } from '../../../lib/schemas/cursor.ts';
import { latencies, windowOf } from '../../helpers/contracts/windows.ts';
import { HOSTILE } from '../../helpers/dashboard-reports.ts';
import { cli, type FakeApi, fakeApi } from '../../helpers/fake-api.ts';
import { declarationOf, NOW } from '../../property/samples.ts';
import { ask, type Call, inMemoryComposition, tokenOf } from '../../property/served.ts';

describe('performance', () => {
  it('is told in all and per operation, each side on its own', () => {
    const at = (operation: string, side: 'primary' | 'shadow', ...ms: number[]) => ({
      operation,
      window: { ...latencies(1, ...ms), side, errors: 1 },
    });
    const { all, operations } = performanceOf([
      at('write', 'primary', 10),
      at('read', 'primary', 5, 5, 5),
      at('read', 'shadow', 50),
    ]);
    expect(all.primary).toMatchObject({ count: 4, errors: 2, errorRate: 0.5 });
    expect(operations.map(({ operation }) => operation)).toEqual(['read', 'write']);
    expect(operations[0]!.shadow.p50Ms).toBeCloseTo(50, -1);
    expect(operations[1]!.shadow).toMatchObject({ count: 0, errorRate: null, p50Ms: null });
  });
});

/** The cells of one line, read back character by character. */
function readLine(line: string): string[] {
  const cells = [''];
  let inside = false;
  for (let i = 0; i < line.length - 2; i += 1) {
    const c = line[i]!;
    if (c === '"' && inside && line[i + 1] === '"') {
      cells[cells.length - 1] += c;
      i += 1;
    } else if (c === '"') inside = !inside;
    else if (c === ',' && !inside) cells.push('');
    else cells[cells.length - 1] += c;
  }
  return cells;
}

describe('CSV', () => {
  it.each([
    ['=1+1', `"'=1+1"`],
    ['+1', `"'+1"`],
    ['-1', `"'-1"`],
    ['@SUM(A1)', `"'@SUM(A1)"`],
    ['\t=1', `"'\t=1"`],
    ['\r=1', `"'\r=1"`],
    ['=HYPERLINK("http://x","y")', `"'=HYPERLINK(""http://x"",""y"")"`],
    ['a,b', '"a,b"'],
    ['a"b', '"a""b"'],
    ['a\r\nb', '"a\r\nb"'],
    ['plain', 'plain'],
  ])('%j', (cell, written) => {
    expect(csvLine([cell])).toBe(`${written}\r\n`);
  });

  it('numbers stay numbers, and nothing is an empty cell', () => {
    expect(csvLine([-1.5, null, true, 0])).toBe('-1.5,,true,0\r\n');
  });

  it('no text begins a cell with a formula, and every text can be read back', () => {
    fc.assert(
      fc.property(fc.array(fc.string(), { minLength: 1, maxLength: 4 }), (cells) => {
        const read = readLine(csvLine(cells));
        expect(read).toEqual(cells.map((cell) => (/^[=+\-@\t\r]/.test(cell) ? `'${cell}` : cell)));
        for (const cell of read) expect(cell).not.toMatch(/^[=+\-@\t\r]/);
      }),
    );
  });
});

describe('cursors', () => {
  const cursor = writeCursor('audit#customer', 42, NOW);
  it('give the position back, for a day', () => {
    expect(readCursor('audit#customer', cursor, NOW + 23 * 3_600_000)).toBe(42);
    expect(cursor).not.toContain('customer');
  });

  it.each([
    ['of another list', 'metrics#customer', cursor, NOW],
    ['older than a day', 'audit#customer', cursor, NOW + 25 * 3_600_000],
    ['changed', 'audit#customer', `${cursor.slice(0, -2)}AA`, NOW],
    ['made up', 'audit#customer', Buffer.from('["audit#customer",42,0]').toString('base64url'), NOW],
    ['of a negative position', 'audit#customer', writeCursor('audit#customer', -1, NOW), NOW],
    ['of no position', 'audit#customer', writeCursor('audit#customer', Number.NaN, NOW), NOW],
    ['empty', 'audit#customer', '', NOW],
    ['with other characters', 'audit#customer', 'a b', NOW],
    ['of 50 KB', 'audit#customer', 'a'.repeat(50_000), NOW],
  ])('%s are refused', (_, list, forged, nowMs) => {
    expect(() => readCursor(list, forged, nowMs)).toThrow(/cursor cannot be used/);
  });
});

async function served() {
  const it = inMemoryComposition();
  const handler = httpHandler(() => it.composition, [...lookRoutes, ...reportRoutes]);
  const get = (path: string, query: Record<string, string> = {}, call: Call = {}) =>
    ask(handler, { method: 'GET', path, query, token: tokenOf(['control:read']), ...call });
  return { ...it, get };
}

describe('exports', () => {
  const minute = NOW / 60_000;
  it('metrics as rows per minute, side and operation, page by page, each once', async () => {
    const { windows, clock } = await served();
    const added = Array.from({ length: 300 }, (_, ago) => ({
      cutover: 'customer',
      operation: ago % 2 === 0 ? '=read' : 'write',
      window: windowOf(minute - ago - 1, { count: 1, latency: { 10: 1 } }),
    }));
    await windows.add('f', 's', added, NOW);
    const seen: string[] = [];
    let after: number | null = 0;
    let pages = 0;
    while (after !== null) {
      const page: Awaited<ReturnType<typeof exportMetrics>> = await exportMetrics(
        { windows, clock },
        declarationOf('component'),
        { after, hours: 24 },
      );
      seen.push(...page.rows.map(([at]) => String(at)));
      after = page.next;
      pages += 1;
    }
    expect(pages).toBe(12);
    expect(seen).toHaveLength(300);
    expect([...seen].sort()).toEqual(seen);
    expect(new Set(seen).size).toBe(300);
  });

  it('of checkpoints come as JSON, as text, and refuse another format', async () => {
    const { get } = await served();
    const path = '/v1/cutovers/customer/checkpoints';
    expect(await get(path, {})).toMatchObject({ status: 200, body: { cutover: 'customer', stages: [], phase: [] } });
    const text = await get(path, { format: 'text' });
    expect(text.headers['content-type']).toBe('text/plain; charset=utf-8');
    expect(text.text).toContain('Checkpoints of customer');
    expect(await get(path, { format: 'pdf' })).toMatchObject({ status: 400, body: { code: 'invalid_input' } });
    expect((await get('/v1/cutovers/nobody/checkpoints', {})).status).toBe(404);
  });

  it('come as CSV with its content type, columns once, and a cursor that goes on', async () => {
    const { get, windows } = await served();
    await windows.add(
      'f',
      's',
      [{ cutover: 'customer', operation: '=cmd', window: windowOf(minute - 1, { count: 1, latency: { 10: 1 } }) }],
      NOW,
    );
    const first = await get('/v1/cutovers/customer/export', { what: 'metrics', format: 'csv', hours: '3' });
    expect(first.status).toBe(200);
    expect(first.headers['content-type']).toBe('text/csv; charset=utf-8; header=present');
    expect(first.text.split('\r\n')[0]).toBe(
      'minute,side,operation,count,errors,keyless,p50Ms,p95Ms,checks,mismatches',
    );
    const second = await get('/v1/cutovers/customer/export', {
      what: 'metrics',
      format: 'csv',
      hours: '3',
      cursor: first.headers['x-next-cursor']!,
    });
    expect(second.text).toMatch(/^2026-01-15T11:59:00\.000Z,primary,"'=cmd",1,/);
    expect(second.headers['x-next-cursor']).toBeUndefined();
  });

  it.each<[string, Record<string, string>, string]>([
    ['nothing asked for', {}, 'invalid_input'],
    ['something unknown', { what: 'rows' }, 'invalid_input'],
    ['an unknown format', { what: 'audit', format: 'xml' }, 'invalid_input'],
    ['a limit of 1e9', { what: 'audit', limit: '1e9' }, 'invalid_input'],
    ['a limit of −1', { what: 'audit', limit: '-1' }, 'invalid_input'],
    ['limit[]', { what: 'audit', 'limit[]': '' }, 'unknown_property'],
    ['0 hours', { what: 'metrics', hours: '0' }, 'invalid_input'],
    ['a forged cursor', { what: 'audit', cursor: 'eyJhIjoxfQ' }, 'invalid_input'],
    ['a cursor of another list', { what: 'audit', cursor: writeCursor('metrics#customer', 1, NOW) }, 'invalid_input'],
  ])('with %s are refused', async (_, query, code) => {
    const { get } = await served();
    expect(await get('/v1/cutovers/customer/export', query)).toMatchObject({ status: 400, body: { code } });
  });

  it('need the scope', async () => {
    const { get } = await served();
    expect(
      (await get('/v1/cutovers/customer/export', { what: 'audit' }, { token: tokenOf(['route:read']) })).status,
    ).toBe(403);
    expect((await get('/v1/cutovers/nobody/export', { what: 'audit' })).status).toBe(404);
  });
});

describe('the report over hours', () => {
  it('has performance per operation, the measured score, a recommendation, and changes nothing (I39)', async () => {
    const { get, windows, state, alerts } = await served();
    await windows.add(
      'f',
      's',
      [
        {
          cutover: 'customer',
          operation: 'read',
          window: windowOf(NOW / 60_000 - 90, { count: 7, latency: { 10: 7 } }),
        },
      ],
      NOW,
    );
    const before = [state.applied(), alerts.applied(), windows.additions('customer').length];
    expect((await get('/v1/report', { hours: '1' })).body).toMatchObject({
      hours: 1,
      performance: { customer: { operations: [] } },
    });
    const two = await get('/v1/report', { hours: '2' });
    expect(two.body).toMatchObject({
      performance: { customer: { all: { primary: { count: 7 } }, operations: [{ operation: 'read' }] } },
      cutovers: [{ recommendation: expect.stringContaining('Start'), validationScore: null }],
      alerts: { firing: 0 },
    });
    expect((await get('/v1/report')).body).not.toHaveProperty('performance');
    await get('/v1/audit/verification');
    await get('/v1/cutovers/customer/export', { what: 'audit' });
    expect([state.applied(), alerts.applied(), windows.additions('customer').length]).toEqual(before);
  });

  it.each(['0', '-1', '1.5', '1e3', 'NaN', '99999'])('%s hours are refused', async (hours) => {
    const { get } = await served();
    expect(await get('/v1/report', { hours })).toMatchObject({ status: 400, body: { code: 'invalid_input' } });
  });
});

describe('crossfade report, export and history --verify', () => {
  let api: FakeApi;
  beforeAll(async () => {
    const { get } = await served();
    const full = (await get('/v1/report', { hours: '24' })).body;
    const page = (rows: unknown[], next: string | null) => ({ body: { columns: ['seq', 'reason'], rows, next } });
    api = await fakeApi({
      'GET /v1/report?hours=24': { body: full },
      'GET /v1/report?hours=2': { body: full },
      'GET /v1/cutovers/customer/export?what=audit&hours=24': page([[1, '=1+1']], 'c1'),
      'GET /v1/cutovers/customer/export?what=audit&hours=24&cursor=c1': page([[2, HOSTILE]], null),
      'GET /v1/audit/verification': {
        body: {
          subjects: [
            { subject: 'system', chain: { intact: true, entries: 0 } },
            { subject: 'customer', chain: { intact: false, seq: 3, why: 'entry 3 was changed' } },
          ],
        },
      },
    });
  });
  afterAll(() => api.close());
  const crossfade = (...words: string[]) => cli(words, { env: { CROSSFADE_URL: api.url, CROSSFADE_TOKEN: 't' } });

  it('report', async () => {
    const { exit, out } = await crossfade('report', 'customer', '--hours', '2');
    expect([exit, out]).toEqual([0, expect.stringContaining('recommended')]);
    expect((await crossfade('report', 'custmer')).exit).toBe(2);
    expect((await crossfade('report', '--hours', '0')).exit).toBe(2);
    expect((await crossfade('report', '--hours', 'NaN')).exit).toBe(2);
  });

  it('checkpoints says a stage a block, and nothing that moves the cursor', async () => {
    const decision = { atMs: NOW, actor: HOSTILE, kind: 'advance', to: 'r2', forced: true, reason: HOSTILE };
    const stage = { stage: 'r1', sharePpm: 10_000, fromMs: NOW, toMs: NOW, compared: null, tests: [], heldBy: [] };
    const found = { cutover: 'customer', stages: [{ ...stage, decision, next: 'Stage r2.' }], phase: [] };
    api.routes['GET /v1/cutovers/customer/checkpoints'] = { body: found };
    const { exit, out } = await crossfade('checkpoints', 'customer');
    expect(exit).toBe(0);
    expect(out).toMatch(/r1 \(1 % of the reads\).*without proof.*Stage r2\./s);
    expect(out).not.toMatch(/\u001b/);
    expect(JSON.parse((await crossfade('checkpoints', 'customer', '--json')).out)).toMatchObject({
      cutover: 'customer',
    });
  });

  it('export joins the pages, as CSV and as JSON', async () => {
    const csv = await crossfade('export', 'customer', '--what', 'audit', '--format', 'csv');
    expect(csv.exit).toBe(0);
    expect(csv.out.split('\r\n').slice(0, 2)).toEqual(['seq,reason', `1,"'=1+1"`]);
    expect(csv.out.match(/seq,reason/g)).toHaveLength(1);
    const json = await crossfade('export', 'customer', '--what', 'audit', '--json');
    expect(JSON.parse(json.out)).toEqual([
      { seq: 1, reason: '=1+1' },
      { seq: 2, reason: HOSTILE },
    ]);
    expect((await crossfade('export', 'customer', '--what', 'rows')).exit).toBe(2);
  });

  it('history --verify ends with 1 when a log is broken', async () => {
    const all = await crossfade('history', '--verify');
    expect([all.exit, all.out]).toEqual([1, expect.stringContaining('customer: broken at entry 3')]);
    expect((await crossfade('history', 'system', '--verify')).exit).toBe(0);
    expect((await crossfade('history', 'nobody', '--verify')).exit).toBe(2);
  });
});
