/**
 * What has to be true before anything of Crossfade can run from a checkout: the right Node, Java where servers are
 * needed, a user that Postgres accepts, installed dependencies and fresh bundles. Plain JavaScript without dependencies,
 * since a bare clone has none.
 */

import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { delimiter, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { checkJava, javaProblem } from './java.mjs';

export const ROOT = dirname(dirname(fileURLToPath(import.meta.url)));

const NEEDED_NODE = [20, 19];

// --------------------------------------------------------------------------------------------------------- checks

/** Every reason why it cannot start, each a text for people; empty when all is well. */
export function startupProblems({ servers, node = process.versions.node, java = checkJava, uid = process.getuid?.() }) {
  const problems = [];
  if (!isNodeRecent(node)) problems.push(nodeText(node));
  if (servers) {
    const { ok, found } = java();
    if (!ok) problems.push(`${javaProblem(found)}\nUnit and property tests need no Java: npm run test:unit`);
    if (uid === 0 && !canHavePostgresUser()) problems.push(POSTGRES_USER_TEXT);
  }
  return problems;
}

export function isNodeRecent(version) {
  const [major, minor] = version.split('.').map(Number);
  return major > NEEDED_NODE[0] || (major === NEEDED_NODE[0] && minor >= NEEDED_NODE[1]);
}

/** Postgres refuses to run as root; its package makes the user `postgres` with these programs when it is missing. */
function canHavePostgresUser() {
  if (/^postgres:/m.test(existsSync('/etc/passwd') ? readFileSync('/etc/passwd', 'utf8') : '')) return true;
  const folders = [...(process.env.PATH ?? '').split(delimiter), '/usr/sbin', '/sbin'];
  return ['useradd', 'groupadd'].every((program) => folders.some((folder) => existsSync(join(folder, program))));
}

const nodeText = (found) => `Crossfade needs Node ${NEEDED_NODE.join('.')} or newer. Found: ${found}.
  nvm     nvm install 22 && nvm use 22
  other   https://nodejs.org/en/download`;

const POSTGRES_USER_TEXT = `Postgres does not run as root, and this system can make no user 'postgres' for it (useradd and groupadd are missing).
  Run Crossfade as an ordinary user, or make the user:  adduser --system postgres`;

// -------------------------------------------------------------------------------------------------------- install

/** Installs what package-lock.json says unless exactly that is there. Says what it does; nothing when there is nothing to do. */
export function install({ print = console.log } = {}) {
  const why = staleness(readJson('package-lock.json'), readJson('node_modules/.package-lock.json'));
  if (why === null) return;
  const startedMs = Date.now();
  print(`Installing the dependencies (${why}); this takes about a minute …`);
  const run = installExactly();
  if (run.status !== 0) {
    throw new Error(
      `npm ci failed${run.error ? `: ${run.error.message}` : ''}. Its output:\n${run.stdout}${run.stderr}`,
    );
  }
  print(`Installed in ${seconds(startedMs)}.`);
}

/**
 * `npm ci`, with addresses first: the lockfile has none, and npm would ask the registry about each package before it fetches it, for two thirds
 * of the whole time. A registry that has them elsewhere is asked. `npm ci` refuses a lockfile that leaves out optional packages of other
 * systems, which some registries do not carry; then the same versions are installed without touching the lockfile.
 */
function installExactly() {
  const quiet = ['--no-audit', '--no-fund', '--loglevel=error'];
  const addressed = installAddressed(['ci', ...quiet]);
  if (addressed?.status === 0) return addressed;
  const run = runNpm(['ci', ...quiet]);
  return run.status !== 0 && run.stderr.includes('EUSAGE') ? runNpm(['install', '--no-save', ...quiet]) : run;
}

/** npm reads this file, for as long as it is there, in place of the lockfile. */
const ADDRESSED = 'npm-shrinkwrap.json';

function installAddressed(words) {
  const settings = runNpm(['config', 'list', '--json']);
  if (settings.status !== 0) return null;
  const file = join(ROOT, ADDRESSED);
  try {
    writeFileSync(file, JSON.stringify(withAddresses(readJson('package-lock.json'), JSON.parse(settings.stdout))));
    return runNpm(words);
  } finally {
    rmSync(file, { force: true });
  }
}

/** A lockfile that says where each package is, as registries have it. What comes from there is held against its hashes as ever. */
export function withAddresses(lock, settings) {
  const packages = Object.entries(lock.packages).map(([path, entry]) => {
    if (entry.integrity === undefined) return [path, entry];
    const name = entry.name ?? nameOf(path);
    const [base, scope] = name.split('/').reverse();
    const registry = (scope && settings[`${scope}:registry`]) || settings.registry;
    return [path, { ...entry, resolved: `${registry.replace(/\/$/, '')}/${name}/-/${base}-${entry.version}.tgz` }];
  });
  return { ...lock, packages: Object.fromEntries(packages) };
}

/**
 * Why the installed packages are not those of the lockfile, or null. npm writes its own lockfile into node_modules when
 * an installation is complete; packages for other systems are missing from it.
 */
export function staleness(wanted, installed) {
  if (!installed) return 'node_modules is missing or incomplete';
  for (const [path, entry] of Object.entries(wanted.packages)) {
    if (path === '') continue;
    const there = installed.packages[path];
    if (!there && !entry.optional && !entry.devOptional) return `${nameOf(path)} is missing`;
    if (there && there.version !== entry.version)
      return `${nameOf(path)} is ${there.version} instead of ${entry.version}`;
  }
  return null;
}

const nameOf = (path) => path.slice(path.lastIndexOf('node_modules/') + 'node_modules/'.length);

function runNpm(words) {
  const options = { cwd: ROOT, encoding: 'utf8', maxBuffer: 64 * 1024 * 1024 };
  const script = process.env.npm_execpath;
  if (script?.endsWith('npm-cli.js')) return spawnSync(process.execPath, [script, ...words], options);
  return spawnSync('npm', words, { ...options, shell: process.platform === 'win32' });
}

function readJson(path) {
  const file = join(ROOT, path);
  return existsSync(file) ? JSON.parse(readFileSync(file, 'utf8')) : null;
}

export const seconds = (sinceMs) => `${((Date.now() - sinceMs) / 1000).toFixed(1)} s`;

// ---------------------------------------------------------------------------------------------------------- build

/** Bundles again when a source is newer than the bundles. `strict`: too large a bundle is an error. */
export async function buildIfStale({ strict = false, print = console.log } = {}) {
  const { build } = await import('./build.mjs');
  await build({ strict, print });
}
