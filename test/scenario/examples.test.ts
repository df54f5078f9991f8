/**
 * The shipped examples of phases, lived through on a virtual clock: weeks in seconds, since nothing is watched in between. What
 * their pages have people type is typed on the way.
 */

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import clambake from '../../infra/examples/clambake/cutovers.ts';
import library from '../../infra/examples/library-migration/cutovers.ts';
import type { CutoverDeclaration } from '../../lib/core/cutover/cutover.ts';
import { phasesOf } from '../../lib/core/holds/phase-order.ts';
import { commandServer } from '../helpers/command-server.ts';
import { ROOT } from '../helpers/imports.ts';
import { type Tutorial, tutorial, typedCommands } from '../helpers/tutorial.ts';
import { MINUTE_MS, type World, world } from '../helpers/world.ts';
import { oracle } from './oracle.ts';

const HOUR = 60;
/** Of every look: enough for fresh figures of both sides. */
const WATCHED_MINUTES = 6;

function live(declared: readonly CutoverDeclaration[]) {
  const cutovers = structuredClone(declared) as CutoverDeclaration[];
  const w = world({ cutovers, load: { readsPerMinute: 300, weight: 20 } });
  for (const one of cutovers.flatMap(({ criteria = [] }) => criteria)) {
    if ('alarm' in one) w.criteria.setAlarm(one.alarm, { state: 'OK', sinceMs: 0, reason: '' });
    if ('http' in one) w.criteria.setCheck(one.http, 200);
  }
  const o = oracle(w);
  const back: string[] = [];
  w.onApplied(({ before, after }) => {
    if (after.stage === 'rolled_back' && before.stage !== 'rolled_back') back.push(after.id);
  });
  const stage = (id: string) => o.state(id).stage;
  const phases = phasesOf(cutovers);
  const status = async (phase: string) => (await w.state.readSystem()).phases[phase]?.status ?? 'waiting';
  const minutes = async (count: number) => {
    for (let i = 0; i < count; i += 1) {
      await w.minute();
      o.check();
    }
  };
  /** Hours in which nobody looks, then some minutes of traffic: the gates want to see the last ones. */
  const hours = async (count: number) => {
    w.clock.pass((count * HOUR - WATCHED_MINUTES) * MINUTE_MS);
    await minutes(WATCHED_MINUTES);
  };
  /** What a person does: confirms what a waiting phase asks for, starts what may start, says GO where it is theirs. */
  const attend = async () => {
    for (const phase of phases) {
      const now = await status(phase.name);
      const open = (await Promise.all(phase.after.map(status))).every((before) => before === 'done');
      if (now === 'waiting' && open) {
        for (const check of [...phase.preparation, ...phase.validation])
          if ('manual' in check) await w.phase(phase.name, { type: 'check', check: check.name });
      }
      if (now === 'running')
        for (const id of phase.cutovers) if (stage(id) === 'disabled') await w.operate(id, { type: 'start' });
      if (now === 'soaking' && phase.decision === 'person') await w.phase(phase.name, { type: 'go' });
    }
  };
  const until = async (met: () => Promise<boolean> | boolean, everyHours: number, tries = 60) => {
    for (let i = 0; i < tries; i += 1) {
      if (await met()) return;
      await attend();
      await hours(everyHours);
    }
    throw new Error(
      `never: ${JSON.stringify([cutovers.map(({ id }) => [id, stage(id)]), (await w.state.readSystem()).phases])}`,
    );
  };
  const verdictOf = async (id: string) => (await w.verdicts.read(id))!.verdict;
  return { w, o, back, stage, status, minutes, hours, until, verdictOf, cutovers };
}

const servers: { close(): Promise<void> }[] = [];
afterEach(() => Promise.all(servers.splice(0).map((server) => server.close())));

/** The page of an example, typed by real commands over the handlers of the control API. `text` is a page that is not shipped. */
async function typed(
  example: string,
  w: World,
  refused: Readonly<Record<string, number>> = {},
  text?: string,
): Promise<Tutorial> {
  const server = await commandServer(w);
  servers.push(server);
  const file = `infra/examples/${example}/README.md`;
  const page = { file, text: text ?? readFileSync(join(ROOT, file), 'utf8') };
  const crossfade = typedCommands({ url: server.url, nowMs: () => w.clock.now() }, refused);
  return tutorial(page, { crossfade });
}

describe('clambake', () => {
  it('moves its three components in three weeks, each after the one before, and on no weekend', async () => {
    const { w, o, until, status, stage, back, hours, minutes } = live(clambake);
    const page = await typed('clambake', w);
    const begunMs = w.clock.now();
    expect(await page.through('npx --no-install crossfade phases')).toMatch(
      /week_planner[\s\S]+week_bundler[\s\S]+week_executor/,
    );
    await page.through('npx --no-install crossfade phase week_planner check readonly_planner');
    await minutes(1);
    await page.through('npx --no-install crossfade start planner');
    expect(stage('planner')).toBe('dual_write');
    await until(async () => (await status('week_executor')) === 'soaking', 6, 120);
    for (let soaked = 0; soaked < 2 * 24; soaked += 6) await hours(6);
    await page.through('npx --no-install crossfade phase week_executor go');
    expect([await status('week_executor'), page.left()]).toEqual(['done', []]);
    const weeks = (w.clock.now() - begunMs) / (7 * 24 * HOUR * MINUTE_MS);
    expect(weeks).toBeGreaterThan(1.5);
    expect(weeks).toBeLessThan(3.2);
    expect(['planner', 'bundler', 'executor'].map(stage)).toEqual(['full_100', 'full_100', 'full_100']);
    expect(back).toEqual([]);
    expect(w.served()!.system.migration_phase).toBe('week_executor');
    const moves = ['planner', 'bundler', 'executor'].flatMap((id) =>
      o.entries(id).filter(({ event }) => event.type === 'advanced' || event.type === 'started'),
    );
    expect(moves).toHaveLength(11);
    for (const { atMs } of moves) expect([0, 6]).not.toContain(new Date(atMs + HOUR * MINUTE_MS).getUTCDay());
    const reads = o
      .entries('planner')
      .map(({ atMs }) => atMs)
      .at(-1)!;
    expect(o.entries('bundler')[1]!.atMs).toBeGreaterThan(reads);
    await o.checkAudit();
  });

  it.each([
    ['errors above 2 %', { errorRate: 0.08 }],
    ['latency half as high again', { slower: 1.9 }],
  ])('%s of the planner in week 2 take the bundler back with it', async (_, own) => {
    const { w, o, until, status, stage, minutes, back } = live(clambake);
    await until(() => stage('bundler') === 'test_10', 6);
    w.app.own.set('planner', own);
    for (let i = 0; i < 90 && (await status('week_planner')) !== 'rolled_back'; i += 1) await minutes(1);
    await minutes(2);
    expect(back).toEqual(['planner', 'bundler']);
    expect(o.state('bundler').rollback!.reason).toContain("it depends on 'week_planner'");
    expect([await status('week_bundler'), await status('week_executor')]).toEqual(['rolled_back', 'waiting']);
    expect(w.served()!.system.migration_phase).toBe('none');
  });

  it('bundles that fail by the alarm of the pipeline take the bundler back, with the cause', async () => {
    const { w, o, until, status, stage, minutes, back } = live(clambake);
    const success = clambake.find(({ id }) => id === 'bundler')!.criteria![0] as { alarm: string };
    await until(() => stage('bundler') === 'test_10', 6);
    w.criteria.setAlarm(success.alarm, { state: 'ALARM', sinceMs: w.clock.now(), reason: '94 % of them succeed' });
    await minutes(2);
    expect(back).toEqual(['bundler']);
    expect(o.state('bundler').rollback!.reason).toContain("'clambake-bundle-success-below-95' is in ALARM: 94 %");
    expect([await status('week_planner'), await status('week_bundler')]).toEqual(['done', 'rolled_back']);
  });

  it('a bad bundler leaves the planner alone', async () => {
    const { w, until, status, stage, minutes, back } = live(clambake);
    await until(() => stage('bundler') === 'test_10', 6);
    w.app.own.set('bundler', { errorRate: 0.3 });
    for (let i = 0; i < 60 && (await status('week_bundler')) !== 'rolled_back'; i += 1) await minutes(1);
    await minutes(2);
    expect(back).toEqual(['bundler']);
    expect(stage('planner')).toBe('full_100');
  });

  it('is frozen on a weekend, and a stage without proof is held at its deadline, or goes back where it is the executor', async () => {
    const { w, until, stage, hours, verdictOf } = live(clambake);
    await until(() => stage('planner') === 'test_10', 6);
    // From Thursday on: Saturday noon.
    w.clock.pass(Date.UTC(2026, 0, 17, 12) - w.clock.now());
    await hours(1);
    expect((await verdictOf('planner')).reasons.map(({ code }) => code)).toContain('frozen');
    expect(await w.operate('planner', { type: 'advance', force: true, reason: 'now' })).toMatchObject({
      code: 'frozen',
    });
    await w.operate('planner', { type: 'policy', stage: 'test_10', set: { minSamples: 1_000_000 } });
    w.clock.pass(Date.UTC(2026, 0, 21, 12) - w.clock.now());
    await hours(1);
    expect(stage('planner')).toBe('test_10');
    expect((await verdictOf('planner')).reasons.map(({ code }) => code)).toContain('deadline');
    const executor = clambake.find(({ id }) => id === 'executor')!;
    expect(executor.stages!.quarter_25).toMatchObject({ onDeadline: 'rollback' });
  });
});

describe('a page with a line that does not work', () => {
  it.each([
    [
      'npx --no-install crossfade start planer',
      /clambake\/README\.md: 'npx --no-install crossfade start planer' failed: exit code 2/,
    ],
    [
      'npx --no-install crossfade start executor',
      /'npx --no-install crossfade start executor' failed: exit code 3, not 0/,
    ],
    ['createdb clambake', /calls 'createdb', which this test does not run/],
  ])('is noticed: %s', async (line, why) => {
    const { w } = live(clambake);
    const page = await typed(
      'clambake',
      w,
      {},
      `\`\`\`sh\nnpx --no-install crossfade phases # first\n${line}\n\`\`\`\n`,
    );
    await expect(page.through(line)).rejects.toThrow(why);
    await expect(page.through('npx --no-install crossfade status')).rejects.toThrow('has no line');
  });
});

describe('library-migration', () => {
  it('has a page whose lines work, and whose refusal is the one it speaks of', async () => {
    const { w, minutes } = live(library);
    await minutes(1);
    const page = await typed('library-migration', w, { 'start http_server': 3 });
    expect(await page.through('npx --no-install crossfade start http_server')).toMatch(/phase/);
    expect(await page.through('npx --no-install crossfade phase api_layer')).toMatch(/after data_layer/);
    expect(page.left()).toEqual([]);
  });

  it('goes through its five phases and their checkpoints, the API layer as one', async () => {
    const { o, until, status, stage, back, cutovers } = live(library);
    await until(async () => (await status('background')) === 'done', 3, 200);
    expect(cutovers.map(({ id }) => stage(id))).toEqual(cutovers.map(() => 'full_100'));
    expect(back).toEqual([]);
    const steps = (id: string) =>
      o.entries(id).flatMap(({ event, atMs }) => (event.type === 'advanced' ? [[event.to, atMs]] : []));
    expect(steps('http_server')).toEqual(steps('request_validation'));
    await o.checkAudit();
  });

  /** From the data layer on, as if what comes before were done: that costs only time here. */
  const fromDataLayer = library
    .filter(({ phase }) => phase!.name === 'data_layer' || phase!.name === 'api_layer')
    .map((one) =>
      one.phase!.name === 'data_layer' ? { ...one, phase: { ...one.phase!, after: [], validation: [] } } : one,
    );

  it.each([
    ['errors', { errorRate: 0.4 }, library.slice(0, 5)],
    ['latency', { slower: 3 }, fromDataLayer],
    ['an absolute p95', { slower: 14 }, fromDataLayer],
    ['availability', { errorRate: 0.1 }, fromDataLayer],
  ])('%s of the database client roll back what was built on it, the last first', async (_, own, declared) => {
    const { w, until, status, stage, minutes, back } = live(declared);
    await until(() => stage('http_server') === 'canary_10', 3);
    w.app.own.set('database_client', own);
    for (let i = 0; i < 90 && (await status('data_layer')) !== 'rolled_back'; i += 1) await minutes(1);
    await minutes(2);
    // The guard comes first, then the phases in reverse, and in each the last cutover first.
    expect(back).toEqual(['database_client', 'request_validation', 'http_server']);
    expect(await status('api_layer')).toBe('rolled_back');
    if (declared.length === 5) expect([stage('logger'), await status('foundation')]).toEqual(['full_100', 'done']);
  });

  it('a stage without proof goes back at its deadline, and nothing starts in the year-end freeze', async () => {
    const { w, until, stage, hours, o } = live(library);
    await until(() => stage('logger') === 'canary_10', 3);
    await w.operate('logger', { type: 'policy', stage: 'canary_10', set: { minSamples: 1_000_000 } });
    w.clock.pass(48 * HOUR * MINUTE_MS);
    await hours(1);
    expect(o.state('logger').rollback!.reason).toContain('has not been proven within its 2880 minutes');
    w.clock.pass(Date.UTC(2026, 11, 24) - w.clock.now());
    await hours(1);
    await w.operate('logger', { type: 'reset', confirm: 'logger' });
    expect(await w.operate('logger', { type: 'start' })).toMatchObject({ ok: false });
  });
});
