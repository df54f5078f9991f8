/**
 * The packages that this repository publishes, each a directory below dist/packages that `npm pack` takes whole. What
 * applications import of them is there as ES module, as CommonJS and as types, in files beside package.json that are called
 * like the entry: resolvers from before `exports` find them, too.
 */

import { readFileSync } from 'node:fs';
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
];

export const outputOf = ({ name }) => `dist/packages/${name}`;

/**
 * Every file of a package, with its path, and what esbuild says of the modules.
 * @param declared what `declarationsOf` gave
 */
export async function makePackage(one, bundle, declared) {
  const modules = await makeEntries(one, bundle);
  const texts = {
    'package.json': `${JSON.stringify(manifestOf(one), null, 2)}\n`,
    'README.md': readmeOf(one),
    LICENSE: readFileSync(join(ROOT, 'LICENSE')),
    ...typesOf(one, declared),
  };
  const directory = join(ROOT, outputOf(one));
  const files = Object.entries(texts).map(([name, contents]) => ({ path: join(directory, name), contents }));
  return { files: [...modules.outputFiles, ...files], metafile: modules.metafile };
}

/** ES modules share what they have in common; each CommonJS module stands alone. */
async function makeEntries(one, bundle) {
  const options = {
    entryPoints: Object.entries(one.entries).map(([out, file]) => ({ in: file, out })),
    outdir: outputOf(one),
    external: Object.keys(one.peers),
    minify: true,
    write: false,
  };
  const shared = await bundle(options);
  const alone = await bundle({
    ...options,
    format: 'cjs',
    splitting: false,
    outExtension: { '.js': '.js' },
    // Jest has no import() for CommonJS.
    supported: { 'dynamic-import': false },
  });
  return { outputFiles: [...shared.outputFiles, ...alone.outputFiles], metafile: shared.metafile };
}

function manifestOf({ name, description, entries, peers }) {
  return {
    name,
    version: OWN.version,
    description,
    license: OWN.license,
    type: 'commonjs',
    engines: OWN.engines,
    sideEffects: false,
    main: './index.js',
    types: './index.d.ts',
    exports: {
      ...Object.fromEntries(Object.keys(entries).map((entry) => [subpathOf(entry), waysTo(entry)])),
      './package.json': './package.json',
    },
    peerDependencies: peers,
    peerDependenciesMeta: Object.fromEntries(Object.keys(peers).map((peer) => [peer, { optional: true }])),
  };
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
