/** `crossfade-client` as an application gets it: from `npm pack`, used by whatever applications are made and tested with. */

import { readFileSync, statSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { checkPackage, createPackageFromTarballData, Package } from '@arethetypeswrong/core';
import { build } from 'esbuild';
import { publint } from 'publint';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import webpack from 'webpack';
import { ROOT } from '../helpers/imports.ts';
import { type Application, applicationWith, filesBelow } from '../helpers/installed-package.ts';

const NAME = 'crossfade-client';

let application: Application;
beforeAll(() => {
  application = applicationWith(NAME);
  expect(application.npm('install', application.tarball)).toMatchObject({ code: 0 });
  for (const name of ['server-sdk', 'core']) application.link(`@openfeature/${name}`);
});
afterAll(() => application?.remove());

const read = (file: string) => readFileSync(join(application.installed, file), 'utf8');
const manifest = () => JSON.parse(read('package.json')) as Record<string, unknown>;

/** Uses every entry, but of AppConfig, which needs the SDK of AWS only when it is asked. */
const used = (load: (entry: string) => string) => `
  const { createClient } = ${load(NAME)};
  const { withCrossfade } = ${load(`${NAME}/lambda`)};
  const { crossfadeProvider } = ${load(`${NAME}/openfeature`)};
  const { appConfigSource } = ${load(`${NAME}/appconfig`)};
  const { fixedFlags, recordedOutcomes } = ${load(`${NAME}/testing`)};
  async function use() {
    const client = createClient({ flags: fixedFlags({ a: 'shadow' }), outcomes: recordedOutcomes(), environment: {} });
    const handler = withCrossfade(client, async () =>
      client.runCutover({ cutover: 'a', key: 'k', primary: () => 'old', shadow: () => 'new' }));
    return [await handler(), client.route('b').reason, typeof crossfadeProvider(client).track, typeof appConfigSource].join(' ');
  }`;
const SAYS = 'new unknown_cutover function function';
const imported = used((entry) => `await import('${entry}')`);
const required = used((entry) => `require('${entry}')`);

describe('the package', () => {
  it('is installed without a network, brings nothing with it and is at most 200 KB', () => {
    const files = filesBelow(join(application.directory, 'node_modules'));
    const brought = files.filter((file) => !/^(crossfade-client|@openfeature|\.package-lock\.json)/.test(file));
    const bytes = filesBelow(application.installed).reduce(
      (sum, file) => sum + statSync(join(application.installed, file)).size,
      0,
    );
    expect(brought).toEqual([]);
    expect(bytes).toBeLessThan(200 * 1_024);
    expect(manifest()).toMatchObject({ sideEffects: false, version: OWN.version, license: OWN.license });
    expect(Object.keys(manifest())).not.toEqual(expect.arrayContaining(['dependencies']));
  });

  it('imports nothing at the start, and only what the application has of its own later', () => {
    const modules = filesBelow(application.installed).filter((file) => /\.m?js$/.test(file));
    const foreign = modules.flatMap((file) =>
      [...read(file).matchAll(/(?:from|import|require)\s*\(?\s*["']([@\w][^"']*)["']/g)].map(
        ([statement, name]) => `${file} ${statement.includes('import(') ? 'later ' : ''}${name}`,
      ),
    );
    expect([...new Set(foreign)].sort()).toEqual([
      'appconfig.js @aws-sdk/client-appconfigdata',
      'appconfig.mjs later @aws-sdk/client-appconfigdata',
      'openfeature.js @openfeature/server-sdk',
      'openfeature.mjs @openfeature/server-sdk',
    ]);
  });

  it('loads within 10 ms of a processor of what an empty module takes, in fresh processes by turns', () => {
    application.write('empty.mjs', 'export {};');
    const load = (what: string) =>
      Number(
        application.node(
          '--input-type=module',
          '-e',
          `const before = process.cpuUsage(); await import('${what}'); const { user, system } = process.cpuUsage(before);
          console.log((user + system) / 1000)`,
        ).out,
      );
    const rounds = Array.from({ length: 7 }, () => [load('./empty.mjs'), load(NAME)] as const);
    // The best of each is what it costs; the rest is what else the machine was doing.
    const best = (of: 0 | 1) => Math.min(...rounds.map((round) => round[of]));
    expect(best(1) - best(0)).toBeLessThan(10);
  });
});

const OWN = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as { version: string; license: string };

describe('a program', () => {
  it('of ES modules uses every entry', () => {
    const file = application.write('program.mjs', `${imported}\nconsole.log(await use());`);
    expect(application.node(file)).toEqual({ code: 0, out: SAYS });
  });

  it('of CommonJS uses every entry', () => {
    const file = application.write('program.cjs', `${required}\nuse().then(console.log);`);
    expect(application.node(file)).toEqual({ code: 0, out: SAYS });
  });

  it('is tested by Jest', () => {
    const file = application.write(
      'jest.test.js',
      `${required}\ntest('uses it', async () => expect(await use()).toBe('${SAYS}'));`,
    );
    const ran = application.node(
      join(ROOT, 'node_modules/jest/bin/jest.js'),
      '--ci',
      '--rootDir',
      application.directory,
      file,
    );
    expect(ran).toMatchObject({ code: 0, out: expect.stringContaining('1 passed') });
  });

  it('is tested by Vitest', () => {
    application.write(
      'vitest.test.mjs',
      `${imported}\nit('uses it', async () => expect(await use()).toBe('${SAYS}'));`,
    );
    const vitest = join(ROOT, 'node_modules/vitest/vitest.mjs');
    const ran = application.node(vitest, 'run', '--globals', '--root', application.directory, 'vitest.test.mjs');
    expect(ran).toMatchObject({ code: 0, out: expect.stringMatching(/1 passed/) });
  });
});

describe('a bundler', () => {
  const entry = (text: string) => application.write('entry.mjs', text);
  const USING = `import { createClient } from '${NAME}';
    import { fixedFlags, recordedOutcomes } from '${NAME}/testing';
    const client = createClient({ flags: fixedFlags({ a: 'shadow' }), outcomes: recordedOutcomes(), environment: {} });
    console.log(client.route('a').reason);`;
  const UNUSED = `import { createClient } from '${NAME}';\nimport { fixedFlags } from '${NAME}/testing';\nconsole.log('none');`;

  async function byEsbuild(text: string): Promise<string> {
    const outfile = join(application.directory, 'esbuild.mjs');
    await build({
      entryPoints: [entry(text)],
      bundle: true,
      outfile,
      platform: 'node',
      format: 'esm',
      logLevel: 'silent',
    });
    return outfile;
  }

  function byWebpack(text: string): Promise<string> {
    const output = { path: application.directory, filename: 'webpack.cjs' };
    const options = { mode: 'production', target: 'node', entry: entry(text), output } as const;
    return new Promise((resolve, reject) => {
      webpack({ ...options, context: application.directory }, (error, stats) => {
        if (error || !stats || stats.hasErrors()) reject(error ?? new Error(stats?.toString()));
        else resolve(join(output.path, output.filename));
      });
    });
  }

  it.each([
    ['esbuild', byEsbuild],
    ['webpack', byWebpack],
  ])('%s takes it in where it is used, and nothing of it where it is not', async (_, bundled) => {
    expect(application.node(await bundled(USING))).toEqual({ code: 0, out: 'no_flags' });
    const without = await bundled(UNUSED);
    expect(application.node(without)).toEqual({ code: 0, out: 'none' });
    expect(statSync(without).size).toBeLessThan(400);
  });
});

// ---------------------------------------------------------------------------------------------------------- types

const TYPED = `
  import { type ClientRoute, createClient, httpSink } from '${NAME}';
  import { appConfigSource } from '${NAME}/appconfig';
  import { crossfadeMiddleware } from '${NAME}/lambda';
  import { crossfadeProvider } from '${NAME}/openfeature';
  import { fixedFlags, recordedOutcomes } from '${NAME}/testing';
  import { OpenFeature } from '@openfeature/server-sdk';
  const client = createClient({
    flags: appConfigSource({ application: 'crossfade', environment: 'prod', profile: 'flags' }),
    outcomes: httpSink({ url: 'https://crossfade.test', token: () => 'token' }),
  });
  const { side, reason }: ClientRoute = client.route('customer', { key: 'a', groups: ['beta'] });
  export const saved: Promise<number> = client.write({
    cutover: 'planner', key: 'a', payload: { steps: 1 }, primary: () => 1, shadow: async (call) => call.id.length,
  });
  export const plan: Promise<{ steps: number }> = client.runCutover({
    cutover: 'planner', key: 'a', readonly: true, ignore: ['**.at'],
    primary: () => ({ steps: 1 }), shadow: async (call) => ({ steps: call.side === side ? 1 : 2 }),
    compare: (a, b) => a.steps === b.steps,
  });
  export const maybe: Promise<number> = client.read('customer', {
    key: process.env.KEY, groups: undefined, compare: undefined, primary: () => 1, shadow: () => 2,
  });
  crossfadeMiddleware(client);
  OpenFeature.setProvider(crossfadeProvider(client));
  createClient({ flags: fixedFlags({ a: 'shadow' }), outcomes: recordedOutcomes() });
  export const seen: string = reason;
`;
const WRONG = TYPED.replace("cutover: 'planner'", 'cutover: 5').replace('.side === side', '.sides');

/** Each way to find the types of a package, and the files in which it is tried. */
const WAYS = {
  node10: { module: 'commonjs', moduleResolution: 'node10', extension: 'ts' },
  'node16, CommonJS': { module: 'node16', moduleResolution: 'node16', extension: 'cts' },
  'node16, ES modules': { module: 'node16', moduleResolution: 'node16', extension: 'mts' },
  bundler: { module: 'esnext', moduleResolution: 'bundler', extension: 'ts' },
} as const;

const requireOf5 = createRequire(createRequire(import.meta.url).resolve('@arethetypeswrong/core'));
/** TypeScript 7 knows no node10 any more, and checks the declarations themselves in a second. */
const COMPILERS = {
  '5': { tsc: requireOf5.resolve('typescript/bin/tsc'), ways: Object.keys(WAYS), skipLibCheck: true },
  '7': { tsc: join(ROOT, 'node_modules/typescript/bin/tsc'), ways: Object.keys(WAYS).slice(1), skipLibCheck: false },
};

/** What the compiler says of both programs in each way. */
function compiled({ tsc, ways, skipLibCheck }: (typeof COMPILERS)['5']): string[] {
  const types = { types: ['node'], typeRoots: [join(ROOT, 'node_modules/@types')], lib: ['es2022'] };
  const projects = ways.map((way, index) => {
    const { extension, ...resolution } = WAYS[way as keyof typeof WAYS];
    const files = Object.entries({ right: TYPED, wrong: WRONG }).map(([name, text]) =>
      application.write(`${index}/${name}.${extension}`, text),
    );
    const compilerOptions = {
      strict: true,
      exactOptionalPropertyTypes: true,
      noEmit: true,
      target: 'es2022',
      skipLibCheck,
      ...types,
      ...resolution,
    };
    return application.write(`${index}/tsconfig.json`, JSON.stringify({ compilerOptions, files }));
  });
  const { out } = application.node(tsc, '-b', '--force', '--pretty', 'false', ...projects);
  return [...out.matchAll(/^(.+?)\(\d+,\d+\): error (TS\d+)/gm)].map(([, file, code]) => `${file} ${code}`).sort();
}

describe('types', () => {
  it.each(Object.entries(COMPILERS))('are found by TypeScript %s in each way, and refuse what is wrong', (_, one) => {
    const wanted = one.ways.flatMap((way, index) => {
      const { extension } = WAYS[way as keyof typeof WAYS];
      return [`${index}/wrong.${extension} TS2322`, `${index}/wrong.${extension} TS2551`];
    });
    expect(compiled(one)).toEqual(wanted);
  });

  it('fit the modules that they are of, by `attw` and by `publint`', async () => {
    const packed = createPackageFromTarballData(readFileSync(application.tarball));
    expect(await checkPackage(packed)).toMatchObject({ types: { kind: 'included' }, problems: [] });
    expect((await publint({ pkgDir: application.installed, pack: false, strict: true })).messages).toEqual([]);
  });

  it('that do not fit are noticed', async () => {
    const at = (file: string) => `/node_modules/${NAME}/${file}`;
    const files = Object.fromEntries(filesBelow(application.installed).map((file) => [at(file), read(file)]));
    const text = files[at('package.json')]!.replaceAll('lambda.d.mts', 'lambda.d.ts');
    const found = await checkPackage(new Package({ ...files, [at('package.json')]: text }, NAME, OWN.version));
    expect(found).toMatchObject({ problems: [{ kind: 'FalseCJS' }] });
  });
});
