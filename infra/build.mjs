/**
 * Bundles what runs: each Lambda function into a directory of its own (so that each is packaged alone), the CLI, the local
 * stack, the demonstration, and the packages that applications install. Prints the sizes and fails when a function is over
 * its budget: size is start time.
 *
 *   node infra/build.mjs [--force]
 *
 * Nothing is built when no source is newer than the last build.
 */

import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { esbuildPage } from './bundle-page.mjs';
import { declarationsOf } from './declarations.mjs';
import { makePackage, outputOf, PACKAGES } from './packages.mjs';

const ROOT = dirname(dirname(fileURLToPath(import.meta.url)));
const DIST = join(ROOT, 'dist');
const STAMP = join(DIST, '.built');
const SOURCES = ['functions', 'lib', 'migrations', 'infra', 'package-lock.json', 'package.json', 'LICENSE'];
const KB = 1024;

/**
 * Kilobytes in a whole package, with what is imported only when it is needed: in `tick` the clients that alerts go through,
 * and CloudWatch's for alarms that criteria name (loaded with the first of them). A twentieth of it are the names of functions,
 * without which it cannot be read where an error was thrown.
 */
const PACKAGE_BUDGET = 1_400;

/**
 * Kilobytes that are loaded when a function starts. What it imports later is listed and not counted here.
 * `route` carries no AWS client at the start; 102 KB of it are zod.
 */
const BUDGETS = {
  route: 100,
  control: 550,
  outcomes: 550,
  dashboard: 550,
  gateway: 550,
  'gateway-stream': 550,
  'shadow-writer': 600,
  relay: 600,
  backfill: 600,
  verify: 600,
  tick: 600,
  publisher: 600,
  schema: 550,
  'crossfade-client': 40,
};

/** `serverless invoke local` can only require(). Not packaged: on Lambda and in serverless-offline the .mjs comes first. */
const REQUIRABLE =
  "exports.handler = async (event, context) => (await import('./index.mjs')).handler(event, context);\n";

const CONFIGURATION = './cutovers.mjs';

/** What is declared stays beside the code, as data: it is checked here, and can be replaced without the sources. */
const declaredBeside = {
  name: 'declared-beside',
  setup({ onResolve }) {
    onResolve({ filter: /\/infra\/cutovers\.ts$/ }, () => ({ path: CONFIGURATION, external: true }));
  },
};

const SHARED = {
  bundle: true,
  platform: 'node',
  target: 'node20',
  format: 'esm',
  splitting: true,
  mainFields: ['module', 'main'],
  outExtension: { '.js': '.mjs' },
  entryNames: '[name]',
  chunkNames: '[name]-[hash]',
  loader: { '.sql': 'text' },
  plugins: [esbuildPage],
  absWorkingDir: ROOT,
  logLevel: 'warning',
  metafile: true,
};

/**
 * Returns false when everything was up to date.
 * `strict`: a function over its budget is an error, also when it was built before; else it is only said.
 */
export async function build({ force = false, strict = true, print = console.log } = {}) {
  const isStale = force || !isUpToDate();
  if (isStale) await makeAll(print);
  const excess = readFileSync(STAMP, 'utf8');
  if (excess !== '' && strict) throw new Error(excess);
  if (excess !== '' && isStale) print(excess);
  return isStale;
}

async function makeAll(print) {
  const startedMs = Date.now();
  const { build: bundle, stop } = await import('esbuild');
  try {
    const parts = [...functionParts(), ...programParts()].filter((part) => exists(part, print));
    rmSync(STAMP, { force: true });
    const sizes = [];
    const declared = await declaredHere(bundle);
    for (const part of parts) sizes.push(await makePart(part, bundle, declared));
    const types = declarationsOf(PACKAGES.flatMap(({ entries }) => Object.values(entries)));
    for (const one of PACKAGES) sizes.push(await makeOnePackage(one, bundle, types));
    printSizes(sizes, print);
    writeFileSync(STAMP, excessOf(sizes));
    // As old as the moment before reading: a source saved meanwhile counts as newer.
    utimesSync(STAMP, startedMs / 1000, startedMs / 1000);
    print(`Built ${sizes.length} bundles in ${((Date.now() - startedMs) / 1000).toFixed(1)} s.`);
  } finally {
    await stop();
  }
}

// ---------------------------------------------------------------------------------------------------------- parts

function functionParts() {
  const names = readdirSync(join(ROOT, 'functions'))
    .filter((file) => file.endsWith('.ts') && !file.startsWith('_') && file !== 'middleware.ts')
    .map((file) => basename(file, '.ts'));
  const expected = Object.keys(BUDGETS).filter((name) => name !== 'crossfade-client' && !names.includes(name));
  return [...names, ...expected].map((name) => ({
    name,
    source: `functions/${name}.ts`,
    output: `dist/functions/${name}/index`,
    // 33 KB with which the AWS SDK reads the user agent of a browser. It imports them there, and never in Node.
    // With their names, an error of a minified function says where it was thrown.
    options: { minify: true, keepNames: true, external: ['bowser'], plugins: [esbuildPage, declaredBeside] },
    extra: { 'index.cjs': REQUIRABLE, ...(name === 'schema' ? migrations() : {}) },
  }));
}

/** What the owner of the schema applies lies beside its function. */
function migrations() {
  const names = readdirSync(join(ROOT, 'migrations')).filter((name) => name.endsWith('.sql'));
  return Object.fromEntries(names.map((name) => [`migrations/${name}`, readFileSync(join(ROOT, 'migrations', name))]));
}

function programParts() {
  // These run from the checkout, beside node_modules: what is installed there is not bundled again.
  const installed = { packages: 'external', sourcemap: 'inline' };
  return [
    { name: 'cli', source: 'lib/cli/main.ts', output: 'dist/cli/main', options: installed },
    { name: 'local', source: 'infra/local/main.ts', output: 'dist/local/main', options: installed },
    { name: 'chinook', source: 'infra/examples/chinook/app.ts', output: 'dist/chinook/app', options: installed },
  ];
}

function exists({ source, name }, print) {
  if (existsSync(join(ROOT, source))) return true;
  print(`  ${name}: skipped, ${source} does not exist`);
  return false;
}

/** The module that functions import for their declarations. @throws Error with what is wrong with them */
async function declaredHere(bundle) {
  const options = { bundle: true, platform: 'node', format: 'esm', write: false, absWorkingDir: ROOT };
  const { outputFiles } = await bundle({ ...options, entryPoints: ['infra/cutovers.ts'] });
  const { default: cutovers } = await import(
    `data:text/javascript;base64,${Buffer.from(outputFiles[0].contents).toString('base64')}`
  );
  return `export default ${JSON.stringify(cutovers)};\n`;
}

async function makePart({ name, source, output, options, extra = {} }, bundle, declared) {
  const directory = dirname(output);
  const { metafile, outputFiles } = await bundle({
    ...SHARED,
    ...options,
    entryPoints: [{ in: source, out: basename(output) }],
    outdir: directory,
    write: false,
  });
  const reads = Object.values(metafile.outputs).some(({ imports }) =>
    imports.some(({ path }) => path === CONFIGURATION),
  );
  const beside = { ...extra, ...(reads ? { [basename(CONFIGURATION)]: declared } : {}) };
  const extras = Object.entries(beside).map(([file, contents]) => ({ path: join(ROOT, directory, file), contents }));
  replaceFiles(join(ROOT, directory), [...outputFiles, ...extras]);
  return { name, ...measure(metafile, `${output}.mjs`) };
}

async function makeOnePackage(one, bundle, types) {
  const { files, metafile } = await makePackage(one, (options) => bundle({ ...SHARED, ...options }), types);
  replaceFiles(join(ROOT, outputOf(one)), files);
  return { name: one.name, ...measure(metafile, `${outputOf(one)}/${Object.keys(one.entries)[0]}.mjs`) };
}

/** Writes the new files, then removes older ones: a server that reads the directory meanwhile finds one set or the other. */
function replaceFiles(directory, files) {
  const known = new Set(files.map((file) => file.path));
  for (const file of files) {
    mkdirSync(dirname(file.path), { recursive: true });
    writeFileSync(file.path, file.contents);
  }
  for (const entry of readdirSync(directory, { recursive: true, withFileTypes: true })) {
    const path = join(entry.parentPath, entry.name);
    if (entry.isFile() && !known.has(path)) rmSync(path);
  }
}

// ---------------------------------------------------------------------------------------------------------- sizes

/** Bytes loaded at the start (the entry and everything it imports statically) and bytes in all. */
function measure({ outputs }, entry) {
  const reached = new Set();
  const follow = (file) => {
    if (reached.has(file) || !outputs[file]) return;
    reached.add(file);
    for (const { path, kind } of outputs[file].imports) if (kind === 'import-statement') follow(path);
  };
  follow(entry);
  const bytes = (files) => files.reduce((sum, file) => sum + outputs[file].bytes, 0);
  return { atStart: bytes([...reached]), inAll: bytes(Object.keys(outputs)) };
}

function printSizes(sizes, print) {
  print('  bundle          at start     in all     budget');
  for (const { name, atStart, inAll } of sizes) {
    const budget = BUDGETS[name] ? `${String(BUDGETS[name]).padStart(8)} KB` : '          –';
    print(`  ${name.padEnd(14)}${kilobytes(atStart)}${kilobytes(inAll)}${budget}`);
  }
}

/** What is over its budget, as a text for people; empty when nothing is. */
function excessOf(sizes) {
  const over = sizes
    .filter(({ name }) => BUDGETS[name])
    .flatMap(({ name, atStart, inAll }) => [
      ...(atStart > BUDGETS[name] * KB
        ? [`${name} loads ${kilobytes(atStart).trim()} of ${BUDGETS[name]} KB at start`]
        : []),
      ...(inAll > PACKAGE_BUDGET * KB ? [`${name} is ${kilobytes(inAll).trim()} of ${PACKAGE_BUDGET} KB in all`] : []),
    ]);
  if (over.length === 0) return '';
  return `Over the size budget: ${over.join('; ')}. Import what is not always needed with import(), or raise the budget on purpose.`;
}

const kilobytes = (bytes) => `${(bytes / KB).toFixed(1).padStart(8)} KB`;

// ------------------------------------------------------------------------------------------------------- freshness

/** A directory's own time changes when a file is added or removed in it. */
function isUpToDate() {
  if (!existsSync(STAMP)) return false;
  const built = statSync(STAMP).mtimeMs;
  return SOURCES.every((source) => newest(join(ROOT, source)) <= built);
}

function newest(path) {
  const status = statSync(path, { throwIfNoEntry: false });
  if (!status) return 0;
  if (!status.isDirectory()) return status.mtimeMs;
  return readdirSync(path).reduce((latest, name) => Math.max(latest, newest(join(path, name))), status.mtimeMs);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  try {
    if (!(await build({ force: process.argv.includes('--force') }))) console.log('Up to date.');
  } catch (error) {
    console.error(error instanceof Error ? error.message : error);
    process.exitCode = 1;
  }
}
