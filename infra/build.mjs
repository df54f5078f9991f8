/**
 * Bundles what runs: each Lambda function into a directory of its own (so that each is packaged alone), the client that
 * applications import, the CLI, the local stack and the demonstration. Prints the sizes and fails when a function is
 * over its budget: size is start time.
 *
 *   node infra/build.mjs [--force]
 *
 * Nothing is built when no source is newer than the last build.
 */

import { existsSync, mkdirSync, readdirSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const ROOT = dirname(dirname(fileURLToPath(import.meta.url)));
const DIST = join(ROOT, 'dist');
const STAMP = join(DIST, '.built');
const SOURCES = ['functions', 'lib', 'infra', 'package-lock.json', 'package.json'];
const KB = 1024;

/** Kilobytes that are loaded when a function starts. What it imports later is listed and not counted. */
const BUDGETS = {
  route: 100,
  control: 550,
  outcomes: 550,
  dashboard: 550,
  gateway: 550,
  'shadow-writer': 600,
  relay: 600,
  backfill: 600,
  verify: 600,
  tick: 600,
  client: 35,
};

/** `serverless invoke local` can only require(). Not packaged: on Lambda and in serverless-offline the .mjs comes first. */
const REQUIRABLE =
  "exports.handler = async (event, context) => (await import('./index.mjs')).handler(event, context);\n";

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
  loader: { '.sql': 'text', '.html': 'text', '.css': 'text', '.txt': 'text' },
  absWorkingDir: ROOT,
  logLevel: 'warning',
  metafile: true,
};

/** @returns {Promise<boolean>} false when everything was up to date */
export async function build({ force = false, print = console.log } = {}) {
  const startedMs = Date.now();
  if (!force && isUpToDate()) return false;
  const { build: bundle, stop } = await import('esbuild');
  try {
    const parts = [...functionParts(), ...programParts()].filter((part) => exists(part, print));
    rmSync(STAMP, { force: true });
    const sizes = [];
    for (const part of parts) sizes.push(await makePart(part, bundle));
    report(sizes, print);
    writeFileSync(STAMP, '');
    // As old as the moment before reading: a source saved meanwhile counts as newer.
    utimesSync(STAMP, startedMs / 1000, startedMs / 1000);
    print(`Built ${parts.length} bundles in ${((Date.now() - startedMs) / 1000).toFixed(1)} s.`);
  } finally {
    await stop();
  }
  return true;
}

// ---------------------------------------------------------------------------------------------------------- parts

function functionParts() {
  const names = readdirSync(join(ROOT, 'functions'))
    .filter((file) => file.endsWith('.ts') && !file.startsWith('_') && file !== 'middleware.ts')
    .map((file) => basename(file, '.ts'));
  const expected = Object.keys(BUDGETS).filter((name) => name !== 'client' && !names.includes(name));
  return [...names, ...expected].map((name) => ({
    name,
    source: `functions/${name}.ts`,
    output: `dist/functions/${name}/index`,
    options: { minify: true },
    extra: { 'index.cjs': REQUIRABLE },
  }));
}

function programParts() {
  // These run from the checkout, beside node_modules: what is installed there is not bundled again.
  const installed = { packages: 'external', sourcemap: 'inline' };
  return [
    { name: 'client', source: 'lib/client/index.ts', output: 'dist/client/index', options: { minify: true } },
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

async function makePart({ name, source, output, options, extra = {} }, bundle) {
  const directory = dirname(output);
  const { metafile, outputFiles } = await bundle({
    ...SHARED,
    ...options,
    entryPoints: [{ in: source, out: basename(output) }],
    outdir: directory,
    write: false,
  });
  const extras = Object.entries(extra).map(([file, contents]) => ({ path: join(ROOT, directory, file), contents }));
  replaceFiles(join(ROOT, directory), [...outputFiles, ...extras]);
  return { name, ...measure(metafile, `${output}.mjs`) };
}

/** Writes the new files, then removes older ones: a server that reads the directory meanwhile finds one set or the other. */
function replaceFiles(directory, files) {
  const known = new Set(files.map((file) => file.path));
  mkdirSync(directory, { recursive: true });
  for (const file of files) writeFileSync(file.path, file.contents);
  for (const name of readdirSync(directory)) {
    if (!known.has(join(directory, name))) rmSync(join(directory, name), { recursive: true });
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

function report(sizes, print) {
  print('  bundle          at start     in all     budget');
  for (const { name, atStart, inAll } of sizes) {
    const budget = BUDGETS[name];
    print(
      `  ${name.padEnd(14)}${kilobytes(atStart)}${kilobytes(inAll)}${budget ? `${String(budget).padStart(8)} KB` : '          –'}`,
    );
  }
  const over = sizes.filter(({ name, atStart }) => BUDGETS[name] && atStart > BUDGETS[name] * KB);
  if (over.length === 0) return;
  const named = over
    .map(({ name, atStart }) => `${name} ${(atStart / KB).toFixed(0)} of ${BUDGETS[name]} KB`)
    .join(', ');
  throw new Error(`Over the size budget at start: ${named}. Import what is not always needed with import().`);
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
