/** What a person sees at a terminal: exit codes of the CLI against the real functions, and wrong beginnings of `crossfade dev`. */

import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { javaProblem } from '../../infra/java.mjs';
import { ERROR_CODES } from '../../lib/core/base/errors.ts';
import { advisedBySource, typedFor } from '../helpers/advised-commands.ts';
import { type GatewayRoute, httpShim, packagedRoutes } from '../helpers/api-gateway.ts';
import { type ApiStack, apiStack } from '../helpers/api-stack.ts';
import { tokenOf } from '../helpers/api-tokens.ts';
import { cli, type Ran } from '../helpers/fake-api.ts';
import { readSources } from '../helpers/imports.ts';
import { ROOT } from '../helpers/packaged-template.ts';

describe('the CLI against the functions', () => {
  let routes: readonly GatewayRoute[];
  let stack: ApiStack;
  let api: { url: string; close(): Promise<void> };

  beforeAll(async () => {
    routes = await packagedRoutes();
    stack = await apiStack(routes);
    api = await httpShim(routes, await stack.instances());
  });
  afterAll(async () => {
    await api?.close();
    await stack?.stop();
  });

  const crossfade = (words: string, token = tokenOf()): Promise<Ran> =>
    cli(words.split(' '), { env: { CROSSFADE_URL: api.url, CROSSFADE_TOKEN: token } });

  /** Refused: nothing is different afterwards but, perhaps, who was denied what. */
  async function refused(words: string, exit: number, says: RegExp): Promise<void> {
    const before = await stack.everything();
    const ran = await crossfade(words);
    expect(`${ran.exit} ${ran.err}`).toMatch(new RegExp(`^${exit} `));
    expect(ran.err.replace(/\s+/g, ' ')).toMatch(says);
    expect(ran.out).toBe('');
    const after = await stack.everything();
    expect({ flags: after.flags, postgres: after.postgres }).toEqual({
      flags: before.flags,
      postgres: before.postgres,
    });
  }

  it('0: what can be seen and what is done', async () => {
    for (const words of [
      'status',
      'status customer',
      'preview customer',
      'history planner',
      'start planner',
      'pause planner',
    ])
      expect(await crossfade(words)).toMatchObject({ exit: 0, err: '' });
    expect(await crossfade('resume planner')).toMatchObject({ exit: 0 });
  });

  it('1: another token than that of an operator', async () => {
    const ran = await crossfade('status', tokenOf({ aud: 'other' }));
    expect(ran).toMatchObject({ exit: 1, out: '' });
    expect(ran.err).toContain('another audience');
    expect(await crossfade('pause planner', tokenOf({ scope: 'control:read' }))).toMatchObject({ exit: 1 });
  });

  it.each<[string, RegExp]>([
    ['status custmer', /No cutover 'custmer' is declared\. Did you mean 'customer'\?/],
    ['start Customer', /cannot be the id of a cutover/],
    ['start ../x', /cannot be the id of a cutover/],
    ['start "customer"', /cannot be the id of a cutover/],
    ['start keyless', /note.*Next: .*crossfade .*preview keyless/],
    ['start shadowless', /album_v2.*Next: .*crossfade .*preview shadowless/],
    ['start planner --plan grdual', /gradual/],
    ['advance planner --force', /--reason/],
    ['rollback planner', /--reason/],
    ['complete planner', /confirm/],
    ['complete planner --confirm customer', /customer/],
    ['explode planner', /unknown command/],
  ])('2: %s', async (words, says) => {
    await refused(words, 2, says);
  });

  it('3: what is held, with every condition', async () => {
    await refused('advance planner', 3, /held.*dwell.*Next: npx --no-install crossfade .*explain planner/);
  });

  it('5: no legal step from here, or based on an older version', async () => {
    await refused(
      'start planner',
      5,
      /where 'start' is not possible.*Next: npx --no-install crossfade .*status planner/,
    );
    await refused('complete planner --confirm planner --force --reason now', 5, /'complete' is not possible/);
    await refused('pause planner --if-version 1', 5, /based on version 1/);
  });

  it('4: what was rolled back', async () => {
    expect(await crossfade('rollback planner --reason slow')).toMatchObject({ exit: 0 });
    expect(await crossfade('status planner --exit-code')).toMatchObject({ exit: 4 });
    expect(await crossfade('status planner --watch --timeout 5')).toMatchObject({ exit: 4 });
  });

  it('3: everything, while it is stopped', async () => {
    const reset = (name: string) => crossfade(`reset ${name} --confirm ${name}`);
    expect(await reset('planner')).toMatchObject({ exit: 0 });
    expect(await crossfade('stop --reason smoke --yes')).toMatchObject({ exit: 0 });
    await refused('start planner', 3, /Next: npx --no-install crossfade .*reset system/);
    expect(await reset('system')).toMatchObject({ exit: 0 });
  });

  /** They start or change what is no part of a stack that runs; each is run by another test. */
  const NOT_OF_A_STACK = /^(deploy|dev|doctor|migrate|rehearse|uninstall)\b|--rehearsal /;
  /** The words were not understood, whatever the state. A key or an id that is not there is understood. */
  const FORM = Object.entries(ERROR_CODES).flatMap(([code, { status }]) =>
    [400, 405, 415, 428].includes(status) ? [code] : [],
  );
  /** Once as it stands, by a person at a terminal who types the name that is asked for. */
  async function followed(advised: string): Promise<string[]> {
    const words = typedFor(advised);
    const last = words.includes('--watch') ? ['--timeout', '0.1'] : [];
    const io = { env: { CROSSFADE_URL: api.url, CROSSFADE_TOKEN: tokenOf() } };
    const named = words[0] === 'reset' && words[1] === 'system' ? 'system' : 'customer';
    const { exit, out, err } = await cli([...words, ...last, '--json'], {
      ...io,
      interactive: true,
      ask: async () => named,
    });
    const { error } = (words[0] === 'completion' ? {} : JSON.parse(out)) as {
      error?: { code: string; detail: string };
    };
    return error
      ? [`${words.join(' ')}: ${exit} ${error.code} ${error.detail} ${err}`].filter(() => FORM.includes(error.code))
      : [];
  }

  it('all that is advised anywhere is understood, and none is refused for its form', async () => {
    const advised = readSources(['lib', 'functions', 'infra'])
      .filter(({ file }) => !file.startsWith('infra/docs/'))
      .flatMap(advisedBySource)
      .map(({ command }) => command)
      .filter((command) => !NOT_OF_A_STACK.test(command));
    const refusals: string[] = [];
    for (const command of new Set(advised)) refusals.push(...(await followed(command)));
    expect(refusals).toEqual([]);
    for (const wrong of ['quarantine … discard KEY', 'cleanup … --confirm else', 'start customer --plan grdual'])
      expect(await followed(wrong)).toHaveLength(1);
  });

  it('1: a database that is away, with the same words in JSON', async () => {
    const cut = await httpShim(
      routes,
      await stack.instances({ CROSSFADE_DATABASE_URL: 'postgres://me:postgres@127.0.0.1:1/app' }),
    );
    const io = { env: { CROSSFADE_URL: cut.url, CROSSFADE_TOKEN: tokenOf() } };
    const ran = await cli(['preview', 'customer', '--json'], io);
    expect(ran).toMatchObject({ exit: 1, err: '' });
    expect(JSON.parse(ran.out)).toMatchObject({
      error: {
        code: 'database_unavailable',
        detail: expect.stringContaining('ECONNREFUSED'),
        next: 'npx --no-install crossfade doctor',
        exit: 1,
      },
    });
    await cut.close();
  });
});

describe('crossfade dev', () => {
  const URL_ = 'postgres://me:hunter2@127.0.0.1:1/app';
  let directory: string;
  beforeAll(() => {
    directory = mkdtempSync(join(tmpdir(), 'crossfade-dev-'));
  });
  afterAll(() => rmSync(directory, { recursive: true, force: true }));

  /** Ends by itself: none of these may leave anything running. */
  function dev(words: readonly string[], environment: Record<string, string> = {}): Promise<Ran> {
    return new Promise((resolve) => {
      const env = { ...process.env, ...environment };
      execFile(process.execPath, [join(ROOT, 'infra/crossfade.mjs'), 'dev', ...words], { env }, (error, out, err) =>
        resolve({ exit: error ? Number(error.code) : 0, out, err }),
      );
    });
  }

  function config(text: string): string {
    const file = join(directory, 'cutovers.ts');
    writeFileSync(file, text);
    return file;
  }

  function taken(port: number): Promise<Server> {
    return new Promise((resolve, reject) => {
      const server = createServer();
      server.once('error', reject);
      server.listen(port, '127.0.0.1', () => resolve(server));
    });
  }
  /** The first of six free ports in a row, most likely. */
  const base = () => 20_000 + Math.floor(Math.random() * 10_000);

  const defined = (text: string) =>
    `import { defineCutovers } from 'crossfade-cutover/define';\nexport default defineCutovers(${text});`;
  const ONE = "{ id: 'customer', kind: 'table', primary: 'public.customer', shadow: 'public.customer_v2'";

  it.each<[string, () => string[], RegExp]>([
    ['no database', () => [], /required option '--database-url <url>'/],
    [
      'a database of another kind',
      () => ['--database-url', 'mysql://me:hunter2@x/y'],
      /postgres:\/\/ROLE:PASSWORD@HOST/,
    ],
    ['no address at all', () => ['--database-url', 'hunter2'], /postgres:\/\/ROLE:PASSWORD@HOST/],
    [
      'a configuration that is not there',
      () => ['--database-url', URL_, '--config', join(directory, 'none.ts')],
      /none\.ts does not exist/,
    ],
    [
      'a configuration with unknown keys',
      () => [
        '--database-url',
        URL_,
        '--config',
        config(defined(`[${ONE}, shadw: 1, policy: { minSample: 3 } } as never]`)),
      ],
      /customer\.policy\.minSample is not known here\. Did you mean 'minSamples'\?\n.*customer\.shadw is not known here\. Did you mean 'shadow'\?/,
    ],
    [
      'the same without defineCutovers',
      () => ['--database-url', URL_, '--config', config(`export default [${ONE}, shadw: 1 }];`)],
      /customer\.shadw is not known here\. Did you mean 'shadow'\?/,
    ],
    [
      'an identifier with a quote and one with dots',
      () => [
        '--database-url',
        URL_,
        '--config',
        config(defined(`[{ id: 'a"b', kind: 'table', primary: 'a.b.c', shadow: 'public.x' }]`)),
      ],
      /cutovers\[0\]\.id: .*\n.*cutovers\[0\]\.primary: a table is written 'schema\.name'/,
    ],
    [
      'a configuration of another form',
      () => ['--database-url', URL_, '--config', config('export default {};')],
      /not a list; write: export default defineCutovers/,
    ],
    [
      'a configuration that is no program',
      () => ['--database-url', URL_, '--config', config('export default [ {')],
      /cannot be loaded: .*Unexpected/s,
    ],
    ['a port that is none', () => ['--database-url', URL_, '--port', '99'], /'--port <port>' argument '99' is invalid/],
    [
      'an option that is none',
      () => ['--database-url', URL_, '--prot', '4000'],
      /unknown option '--prot'.*Did you mean --port\?/s,
    ],
  ])('with %s ends with 2 and says so', async (_name, words, says) => {
    const ran = await dev(words());
    expect(ran.err).toMatch(says);
    expect(ran).toMatchObject({ exit: 2 });
    expect(`${ran.out}${ran.err}`).not.toMatch(/hunter2|\n\s+at /);
  });

  it('without Java ends with 1 and the ways to get it', async () => {
    const ran = await dev(['--database-url', URL_], { PATH: directory });
    expect(ran.exit).toBe(1);
    expect(ran.err).toContain(javaProblem('none'));
  });

  it('on a port that is taken ends with 1 and names it', async () => {
    const port = base();
    const server = await taken(port + 1);
    const ran = await dev(['--database-url', URL_, '--port', String(port)]);
    server.close();
    expect(ran.exit).toBe(1);
    expect(ran.err).toContain(
      `These ports are in use: ${port + 1} (api). Stop the program that listens there, or move`,
    );
  });

  it('with Postgres away ends with 1, says where it looked, and leaves nothing running', async () => {
    const port = base();
    const ran = await dev(['--database-url', URL_, '--port', String(port)]);
    expect(ran.exit).toBe(1);
    expect(ran.err).toMatch(/Postgres at 127\.0\.0\.1:1\/app .*ECONNREFUSED\. Check that Postgres runs/);
    expect(`${ran.out}${ran.err}`).not.toMatch(/hunter2|\n\s+at /);
    for (let offset = 0; offset < 6; offset += 1) await untilFree(port + offset);
  });

  /** What was being started when it failed may need a moment to go. */
  async function untilFree(port: number): Promise<void> {
    const deadline = Date.now() + 15_000;
    for (;;) {
      const server = await taken(port).catch(() => null);
      if (server) return void server.close();
      if (Date.now() > deadline) throw new Error(`Port ${port} is still in use`);
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }
});
