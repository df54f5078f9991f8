/** `crossfade-cutover` as a repository gets it: from `npm pack`, with nothing but what it says that it needs. */

import { existsSync, mkdirSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { checkPackage, createPackageFromTarballData } from '@arethetypeswrong/core';
import { publint } from 'publint';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { exampleFile, shownAs } from '../helpers/command-examples.ts';
import { ROOT } from '../helpers/imports.ts';
import { type Application, applicationWith } from '../helpers/installed-package.ts';

type Manifest = { version: string; dependencies: Record<string, string>; devDependencies: Record<string, string> };
const OWN = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as Manifest;

let repository: Application;
let manifest: Manifest;
beforeAll(() => {
  repository = applicationWith('crossfade-cutover');
  repository.unpack();
  manifest = JSON.parse(readFileSync(join(repository.installed, 'package.json'), 'utf8')) as Manifest;
  for (const name of Object.keys(manifest.dependencies)) repository.link(name);
  mkdirSync(join(repository.directory, '.git'));
});
afterAll(() => repository?.remove());

const DECLARED = `
  import { defineCutovers, type CutoverInput } from 'crossfade-cutover/define';
  const customer = { id: 'customer', kind: 'table', primary: 'public.customer', shadow: 'public.customer_v2' } as const;
  export default defineCutovers([customer satisfies CutoverInput]);
`;
const tool = () => join(repository.installed, 'infra/tool.mjs');

describe('the package', () => {
  it('needs what this repository needs, in the same versions, and nothing of what only develops it', () => {
    expect(OWN.dependencies).toMatchObject(manifest.dependencies);
    expect(OWN.devDependencies).toMatchObject(manifest.devDependencies);
    expect(manifest.version).toBe(OWN.version);
  });

  it('has types that fit the modules that they are of', async () => {
    const packed = createPackageFromTarballData(readFileSync(repository.tarball));
    const { problems } = (await checkPackage(packed)) as { problems: object[] };
    expect(problems).toEqual([]);
    expect((await publint({ pkgDir: repository.installed, pack: false, strict: true })).messages).toEqual([]);
  });
});

describe('the types of a configuration', () => {
  it('are found from both kinds of modules, and refuse what is wrong', () => {
    const texts = { right: DECLARED, wrong: DECLARED.replace("kind: 'table'", "kind: 'tabel'") };
    const files = Object.entries(texts).flatMap(([name, text]) =>
      ['mts', 'cts'].map((extension) => repository.write(`typed/${name}.${extension}`, text)),
    );
    const resolution = {
      module: 'node16',
      moduleResolution: 'node16',
      target: 'es2023',
      lib: ['es2023'],
      types: ['node'],
    };
    const typeRoots = [join(ROOT, 'node_modules/@types')];
    const compilerOptions = { strict: true, noEmit: true, skipLibCheck: false, typeRoots, ...resolution };
    const project = repository.write('typed/tsconfig.json', JSON.stringify({ compilerOptions, files }));
    const { out } = repository.node(join(ROOT, 'node_modules/typescript/bin/tsc'), '-p', project, '--pretty', 'false');
    const errors = [...out.matchAll(/^(\S+)\(\d+,\d+\): error (TS\d+)/gm)].map(([, file, code]) => `${file} ${code}`);
    expect(errors.sort()).toEqual(
      ['cts', 'mts'].flatMap((one) => [`typed/wrong.${one} TS1360`, `typed/wrong.${one} TS2322`]),
    );
  });
});

describe('the command', () => {
  it('is ours for npx, which fetches nothing', () => {
    const { code, out } = repository.npx('crossfade', '--help');
    expect({ code, out }).toMatchObject({ code: 0, out: expect.stringMatching(/^Usage: crossfade .*Examples:/s) });
    expect(repository.node(tool(), '--version')).toEqual({ code: 0, out: OWN.version });
  });

  it.each([
    [['health', '--help'], /^Usage: crossfade health \[options\] <cutover>/],
    [['dev', '--help'], /^Usage: .*--config <file>/s],
  ])('explains %j', (words, says) => {
    expect(repository.node(tool(), ...words)).toEqual({ code: 0, out: expect.stringMatching(says) });
  });

  it('loads everything that its commands load only when they are given', () => {
    const ran = repository.node(tool(), 'migrate', '--database-url', 'postgres://127.0.0.1:1/app');
    expect(ran).toMatchObject({ code: 1, out: expect.stringContaining('ECONNREFUSED') });
    expect(repository.node(tool(), 'bucket', '--salt', 'a', '--key', 'b')).toMatchObject({ code: 0 });
  });
});

describe('the configuration', () => {
  it.each([
    [
      'is not there',
      undefined,
      /There is no crossfade\.config\.ts .* in .*crossfade-application-\w+, and none above it/,
    ],
    [
      'has wrong keys',
      DECLARED.replace("id: 'customer'", "id: 'customer', shadw: 1"),
      /config\.ts: .*Did you mean 'shadow'/,
    ],
    ['imports what is not there', "import './nothing.ts';", /config\.ts cannot be loaded: .*nothing\.ts/],
  ])('that %s is spoken of', (_, text, says) => {
    if (text) repository.write('crossfade.config.ts', text);
    const { code, out } = repository.node(tool(), 'package', 'nowhere', '--json');
    const { detail } = (JSON.parse(out) as { error: { detail: string } }).error;
    expect({ code, detail }).toEqual({ code: 2, detail: expect.stringMatching(says) });
  });

  it('is found from below; then what is missing is what dev starts, with the command that installs it', () => {
    repository.write('crossfade.config.ts', DECLARED);
    const below = join(repository.directory, 'services/orders');
    mkdirSync(below, { recursive: true });
    const { devDependencies } = manifest;
    const wanted = Object.entries(devDependencies).map(([name, version]) => `${name}@${version}`);
    const ran = repository.node(
      '--input-type=module',
      '-e',
      `process.chdir('${below}');
      process.argv.splice(1, 0, 'crossfade', 'dev', '--database-url', 'postgres://127.0.0.1:1/app');
      await import('${pathToFileURL(tool())}');`,
    );
    expect(ran).toMatchObject({ code: 2, out: expect.stringContaining(`--save-exact ${wanted.join(' ')}`) });
  });
});

describe('crossfade package', () => {
  const words = ['package', 'crossfade-stack'];
  const stack = () => join(repository.directory, 'crossfade-stack');

  it('writes the template, the functions, and the declarations beside those that read them', async () => {
    repository.write('crossfade.config.ts', DECLARED);
    const ran = repository.node(tool(), ...words);
    expect(ran).toMatchObject({ code: 0 });
    await expect(shownAs(words, ran.out)).toMatchFileSnapshot(exampleFile({ words }));

    const built = join(ROOT, 'dist/functions');
    const functions = join(stack(), 'dist/functions');
    expect(readdirSync(functions).sort()).toEqual(readdirSync(built).sort());
    for (const name of readdirSync(built)) {
      const file = join(name, 'cutovers.mjs');
      expect(existsSync(join(functions, file))).toBe(existsSync(join(built, file)));
    }
    const { default: declared } = (await import(pathToFileURL(join(functions, 'tick/cutovers.mjs')).href)) as {
      default: { id: string }[];
    };
    expect(declared).toMatchObject([{ id: 'customer', policy: { holdBackPercent: 1 } }]);
    const template = ['serverless.yml', 'infra/roles.yml', 'infra/settings.cjs'];
    const named = [...readFileSync(join(ROOT, 'serverless.yml'), 'utf8').matchAll(/\$\{file\(([\w./-]+)\)/g)];
    expect(named.length).toBeGreaterThan(10);
    expect(named.map(([, file]) => file!).filter((file) => !existsSync(join(stack(), file)))).toEqual([]);
    for (const file of template) expect(readFileSync(join(stack(), file))).toEqual(readFileSync(join(ROOT, file)));
  });

  it('written again replaces what it wrote', () => {
    repository.write('crossfade-stack/dist/functions/tick/chunk-old.mjs', '');
    expect(repository.node(tool(), ...words)).toMatchObject({ code: 0 });
    expect(existsSync(join(stack(), 'dist/functions/tick/chunk-old.mjs'))).toBe(false);
  });

  it('leaves a directory with other files alone', () => {
    repository.write('mine/notes.txt', 'mine');
    const ran = repository.node(tool(), 'package', 'mine');
    expect(ran).toMatchObject({ code: 2, out: expect.stringContaining('holds other files') });
    expect(readdirSync(join(repository.directory, 'mine'))).toEqual(['notes.txt']);
  });
});
