import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { initialState } from '../../../lib/core/cutover/cutover.ts';
import {
  checkHealth,
  compareKey,
  compareTables,
  progressOf,
  progressOfAll,
  showValues,
} from '../../../lib/flows/rows/inspect.ts';
import type { StateStore } from '../../../lib/ports/state.ts';
import type { TableCutover } from '../../../lib/ports/tables.ts';
import { cli, type FakeApi, fakeApi, problem } from '../../helpers/fake-api.ts';
import { inMemoryState } from '../../helpers/fakes/state.ts';
import { inMemoryTables } from '../../helpers/fakes/tables/tables.ts';
import { declarationOf } from '../../property/samples.ts';

const CUSTOMER: TableCutover = {
  id: 'customer',
  validation: 'strict',
  table: { primary: 'public.customer', shadow: 'public.customer_v2' },
};
const declaration = declarationOf('table');

/** Four rows, copied and verified; the flows answer from them. */
async function tables() {
  const plane = inMemoryTables({ clock: { now: () => 1_000 } });
  for (let key = 1; key <= 4; key += 1) plane.write('customer', key, `v${key}`);
  await plane.capture.arm(CUSTOMER, { epoch: 1, version: 1 });
  await plane.switches.mirror({
    id: 'customer',
    epoch: 1,
    version: 1,
    stage: 'dual_write',
    shadowWrites: true,
    readPpm: 0,
    salt: 's',
  });
  while ((await plane.copying.backfill('customer', 1, 10)).kind === 'copied');
  await plane.verifying.verify('customer', 1, 1_000);
  return plane;
}

let api: FakeApi;
let plane: Awaited<ReturnType<typeof tables>>;
const empty = inMemoryState({ clock: { now: () => 1_000 } });
const at = (epoch: number, version: number, pending: { epoch: number } | null = null) =>
  ({ readCutover: async () => ({ ...initialState(declaration), epoch, version, pending }) }) as unknown as StateStore;
const state = at(1, 1);
const crossfade = (...words: string[]) => cli(words, { env: { CROSSFADE_URL: api.url, CROSSFADE_TOKEN: 't' } });

beforeEach(async () => {
  api = await fakeApi();
  plane = await tables();
});
afterEach(() => api.close());

describe('crossfade health', () => {
  it('shows what failed with its remedy, what passed on demand, and ends with 1', async () => {
    plane.refuse('customer', 'a view');
    api.routes['GET /v1/cutovers/customer/health'] = { body: await checkHealth({ ...plane, state }, declaration) };
    const short = await crossfade('health', 'customer');
    expect(short).toMatchObject({ exit: 1, err: '' });
    expect(short.out).toContain('ordinary tables');
    expect(short.out).toContain('→ Change the table.');
    expect(short.out).not.toContain('primary exists');
    expect(short.out).toContain('3 checks passed');
    expect((await crossfade('health', 'customer', '--all')).out).toContain('primary exists');
  });

  it('ends with 0 when nothing failed, and is part of doctor when a cutover is named', async () => {
    const body = await checkHealth({ ...plane, state }, declaration);
    const findings = [
      ...body.findings,
      { check: 'indexes', status: 'warn', value: 'one is missing', limit: 'all', remedy: 'Create it.' },
    ];
    api.routes['GET /v1/cutovers/customer/health'] = { body: { ...body, findings } };
    expect(await crossfade('health', 'customer')).toMatchObject({ exit: 0 });
    const checked = JSON.parse((await crossfade('doctor', 'customer', '--json')).out) as {
      checks: { name: string; level: string }[];
    };
    expect(checked.checks).toContainEqual(expect.objectContaining({ name: 'indexes', level: 'warn' }));
    expect(checked.checks.map(({ name }) => name)).not.toContain('primary exists');
    expect((await crossfade('doctor', 'no-id')).exit).toBe(2);
  });
});

describe('the step after crossfade health', () => {
  it.each([
    ['disabled', 'disabled', 'crossfade preview customer, then crossfade start customer'],
    ['dual_write', 'dual_write', 'in stage dual_write: crossfade status customer'],
    ['test_10', 'ramp', 'in stage test_10: crossfade status customer'],
    ['completed', 'completed', 'The tables are swapped: crossfade status customer'],
    ['rolled_back', 'rolled_back', 'crossfade reset customer --confirm customer, then crossfade start customer'],
    ['cleaned', 'cleaned', 'the cutover is finished'],
  ] as const)('in %s is right for it, and starts nothing that runs', async (stage, stageKind, next) => {
    const position = { ...initialState(declaration), epoch: 1, version: 1, stage, stageKind };
    const there = { readCutover: async () => position } as unknown as StateStore;
    const body = await checkHealth({ ...plane, state: there }, declaration);
    api.routes['GET /v1/cutovers/customer/health'] = { body };
    const { out } = await crossfade('health', 'customer');
    expect(out.replaceAll('npx --no-install ', '')).toContain(next);
    expect(out.includes('crossfade start')).toBe(stage === 'disabled' || stage === 'rolled_back');
    plane.refuse('customer', 'a view');
    const failed = await checkHealth({ ...plane, state: there }, declaration);
    expect(failed.next).not.toContain('crossfade start');
    if (stage !== 'cleaned') expect(failed.next).toMatch(/^Repair what failed/);
  });
});

describe('crossfade progress', () => {
  it('shows all or one, and judges nothing', async () => {
    api.routes['GET /v1/progress'] = { body: { cutovers: await progressOfAll(plane, [declaration]) } };
    const all = await crossfade('progress');
    expect(all).toMatchObject({ exit: 0 });
    expect(all.out).toMatch(/equal\s+\d+ of the \d+ rows that were compared/);
    expect(all.out).not.toMatch(/READY|healthy/);
    plane.tamper('customer', 1, 'wrong');
    await plane.verifying.verify('customer', 1, 1_000);
    api.routes['GET /v1/cutovers/customer/progress'] = { body: await progressOf(plane, declaration) };
    const one = await crossfade('progress', 'customer');
    expect(one).toMatchObject({ exit: 0, out: expect.stringMatching(/verified[\s\S]*1 differ/) });
  });

  it('says so when no table is kept equal', async () => {
    api.routes['GET /v1/progress'] = { body: { cutovers: [] } };
    expect((await crossfade('progress')).out).toContain('No table is kept equal');
  });
});

describe('crossfade inspect', () => {
  it('counts both tables, and ends with 3 when rows differ for no reason', async () => {
    api.routes['GET /v1/cutovers/customer/consistency'] = () => ({ body: seen });
    let seen = await compareTables(plane, declaration);
    expect(await crossfade('inspect', 'customer')).toMatchObject({
      exit: 0,
      out: expect.stringContaining('4 equal, 0 diverged'),
    });
    plane.tamper('customer', 1, 'wrong');
    seen = await compareTables(plane, declaration);
    expect((await crossfade('inspect', 'customer')).exit).toBe(3);
  });

  it('shows one key on both sides, whatever characters it has', async () => {
    plane.tamper('customer', 2, 'wrong');
    api.routes['GET /v1/cutovers/customer/record?key=%7B%22id%22%3A+2%7D'] = {
      body: await compareKey(plane, declaration, '{"id": 2}'),
    };
    const { exit, out } = await crossfade('inspect', 'customer', '--key', '{"id": 2}');
    expect(exit).toBe(3);
    expect(out).toMatch(/differs[\s\S]*columns +v/);
  });

  it('shows its values where they are asked for, and nothing of what is redacted', async () => {
    plane.tamper('customer', 2, 'canary');
    const seen: unknown[] = [];
    const shown = async (redact: readonly string[]) => {
      const given = { ...declaration, kind: 'table' as const, table: { ...CUSTOMER.table, redact } };
      const logged = { ...plane, log: { event: (...said: unknown[]) => void seen.push(said) } } as never;
      const body = await showValues(logged, given, { key: '{"id": 2}', actor: 'ada' });
      api.routes['GET /v1/cutovers/customer/record?key=%7B%22id%22%3A+2%7D'] = {
        body: await compareKey(plane, declaration, '{"id": 2}'),
      };
      api.routes['POST /v1/cutovers/customer/record/values'] = { body };
      return crossfade('inspect', 'customer', '--key', '{"id": 2}', '--values');
    };
    const { exit, out } = await shown([]);
    expect(exit).toBe(3);
    expect(out).toMatch(/id +2\n +v +primary .+\n +shadow {2}canary/);
    expect((await shown(['v'])).out).toMatch(/v +redacted$/m);
    expect(seen[0]).toEqual(['row_values_shown', { cutover: 'customer', actor: 'ada' }]);
    expect(await crossfade('inspect', 'customer', '--values')).toMatchObject({ exit: 2, out: '' });
  });

  it('ends as the API says when there is nothing to compare', async () => {
    api.routes['GET /v1/cutovers/customer/consistency'] = problem('illegal_transition', 'Nothing to compare.');
    expect(await crossfade('inspect', 'customer')).toMatchObject({ exit: 5, out: '' });
  });
});

describe('the flows behind them', () => {
  it('refuse what is no table, and what was never started, in words', async () => {
    const component = declarationOf('component');
    const nothing = inMemoryTables({ clock: { now: () => 1_000 } });
    for (const ask of [checkHealth, progressOf, compareTables]) {
      await expect(ask({ ...plane, state }, component)).rejects.toMatchObject({
        code: 'illegal_transition',
        message: expect.stringContaining('not a table'),
      });
    }
    for (const ask of [progressOf, compareTables]) {
      await expect(ask(nothing, declaration)).rejects.toMatchObject({
        code: 'illegal_transition',
        message: expect.stringContaining('crossfade health customer'),
      });
    }
    await expect(compareKey(nothing, declaration, '1')).rejects.toMatchObject({
      code: 'illegal_transition',
    });
    await expect(compareKey(plane, declaration, 'x')).rejects.toMatchObject({ code: 'invalid_input' });
    expect(await progressOfAll(nothing, [declaration, component])).toEqual([]);
    expect(await checkHealth({ ...nothing, state: empty }, declaration)).toMatchObject({ ok: true });
  });
});

describe('a database that is further than the state', () => {
  const findings = async (state: StateStore) => (await checkHealth({ ...plane, state }, declaration)).findings.at(-1);

  it('belongs to another Crossfade, and health says which of the two is where', async () => {
    for (const [state, here] of [
      [at(0, 7), 'epoch 0, version 7'],
      [at(1, 0), 'epoch 1, version 0'],
      [empty, 'the state here at none'],
    ] as const) {
      const found = (await findings(state))!;
      expect(found).toMatchObject({ check: 'state of the database', status: 'fail' });
      expect(found.value).toContain('epoch 1, version 1, stage dual_write');
      expect(found.value).toContain(here);
      expect(found.remedy).toMatch(/the Crossfade that began it.*DROP SCHEMA crossfade/);
    }
  });

  it('is none while this one swaps, is ahead, or has not begun', async () => {
    for (const state of [at(1, 1), at(1, 2), at(2, 0), at(0, 0, { epoch: 1 })])
      expect(await findings(state)).toMatchObject({ status: 'pass' });
    const nothing = inMemoryTables({ clock: { now: () => 1_000 } });
    expect(await checkHealth({ ...nothing, state: empty }, declaration)).toMatchObject({ ok: true });
  });
});

describe('crossfade writes', () => {
  it('switches all writes to shadows, with its reason, and takes on and off only', async () => {
    api.routes['POST /v1/system/shadow-writes'] = ({ body }) => ({
      body: { shadowWritesEnabled: (body as { enabled: boolean }).enabled, published: true },
    });
    expect((await crossfade('writes', 'off', '--reason', 'load')).out).toContain('are off');
    expect(api.asked.at(-1)!.body).toEqual({ enabled: false, reason: 'load' });
    expect((await crossfade('writes', 'on', '--reason', 'over')).out).toContain('are on');
    expect(await crossfade('writes', 'half', '--reason', 'x')).toMatchObject({ exit: 2, out: '' });
    expect((await crossfade('writes', 'off')).exit).toBe(2);
    expect((await crossfade('writes', 'off', '--reason', 'x', '--if-version', '3')).exit).toBe(2);
    expect(api.asked).toHaveLength(2);
  });

  it('of one cutover says what follows and what takes it back; a side or a cutover that is none is not asked for', async () => {
    const answer = {
      cutover: 'customer',
      stage: 'r50',
      sharePpm: 0,
      version: 9,
      epoch: 1,
      pending: null,
      published: true,
    };
    api.routes['GET /v1/cutovers/customer'] = { body: { version: 8 } };
    api.routes['POST /v1/cutovers/customer/shadow-writes'] = { body: answer };
    api.routes['POST /v1/cutovers/customer/reads'] = { body: answer };
    const said = async (...words: string[]) =>
      (await crossfade(...words, 'customer', '--reason', 'load')).out.replaceAll('npx --no-install ', '');
    expect(await said('writes', 'off')).toContain("until 'crossfade writes on customer --reason …'");
    expect(await said('writes', 'on')).toContain("'crossfade reads shadow customer --reason …'");
    expect(await said('reads', 'primary')).toContain("until 'crossfade reads shadow customer --reason …'");
    expect(await said('reads', 'shadow')).toContain('begins again from zero');
    const asked = api.asked.length;
    for (const words of [
      ['reads', 'both', 'customer', '--reason', 'x'],
      ['reads', 'primary', 'Customer', '--reason', 'x'],
      ['reads', 'primary', '--reason', 'x'],
      ['reads', 'primary', 'customer'],
    ])
      expect((await crossfade(...words)).exit).toBe(2);
    expect(api.asked).toHaveLength(asked);
  });
});
