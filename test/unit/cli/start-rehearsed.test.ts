/** `crossfade start` of a cutover that requires a rehearsal, over the API as it is served: refused without one that counts, and then nothing has changed. */

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { signingKey } from '../../../infra/local/rehearsal/signing-key.ts';
import { declarationHash, signRehearsal } from '../../../lib/adapters/http/rehearsal-token.ts';
import { defineCutovers } from '../../../lib/define/cutovers.ts';
import type { HealthReport } from '../../../lib/flows/rows/inspect.ts';
import { tableCutover, tableOf } from '../../../lib/flows/rows/table-of.ts';
import { commandServer } from '../../helpers/command-server.ts';
import { cli } from '../../helpers/fake-api.ts';
import { world } from '../../helpers/world.ts';

const cutovers = defineCutovers([
  { id: 'orders', kind: 'table', primary: 'public.orders', shadow: 'public.orders_v2', requireRehearsal: true },
]);
const w = world({ cutovers });
const folder = mkdtempSync(join(tmpdir(), 'crossfade-start-'));
let server: Awaited<ReturnType<typeof commandServer>>;
beforeAll(async () => {
  server = await commandServer(w);
});
afterAll(async () => {
  await server.close();
  rmSync(folder, { recursive: true, force: true });
});

const start = (...words: string[]) =>
  cli(['start', 'orders', '--url', server.url, ...words], { env: { CROSSFADE_TOKEN: 'token' } });

async function report(change: { declaration?: string; passed?: boolean }): Promise<string> {
  const shape = await w.ports.inspecting.shapeHash(tableCutover(tableOf(cutovers[0]!)));
  const claims = {
    cutover: 'orders',
    passed: true,
    endedMs: w.clock.now(),
    declaration: declarationHash(cutovers[0]!),
    shape,
    report: 'r',
    ...change,
  };
  const file = join(folder, `${Object.keys(change).join('-') || 'good'}.json`);
  writeFileSync(file, JSON.stringify({ signed: await signRehearsal(claims, signingKey(folder)) }));
  return file;
}

const health = async () => {
  const { out } = await cli(['health', 'orders', '--json', '--url', server.url], { env: { CROSSFADE_TOKEN: 'token' } });
  return JSON.parse(out) as HealthReport;
};

it('is announced by the health of its tables, which names what to do first', async () => {
  const { ok, findings, next } = await health();
  expect(ok).toBe(true);
  expect(findings.filter(({ check }) => check === 'rehearsal')).toMatchObject([
    { status: 'warn', value: expect.stringContaining('168 hours'), remedy: expect.stringContaining('rehearse orders') },
  ]);
  expect(next).toMatch(/rehearsal.*crossfade rehearse orders .*start orders --rehearsal/);
});

it('is refused without a report, with one that failed, and with one of another declaration', async () => {
  for (const [words, says] of [
    [[], /none was handed over/],
    [['--rehearsal', await report({ passed: false })], /failed/],
    [['--rehearsal', await report({ declaration: 'other' })], /declaration was changed/],
  ] as const) {
    const { exit, err } = await start(...words);
    const said = err.replaceAll(/\s+/g, ' ');
    expect({ exit, said }).toEqual({ exit: 3, said: expect.stringMatching(says) });
    expect(said).toContain('npx --no-install crossfade rehearse orders --database-url');
    expect(await w.ports.state.readCutover('orders')).not.toMatchObject({ stage: 'dual_write' });
  }
});

it('begins with one that counts', async () => {
  expect(await start('--rehearsal', await report({}))).toMatchObject({ exit: 0 });
  expect(await w.ports.state.readCutover('orders')).toMatchObject({ stage: 'dual_write' });
});
