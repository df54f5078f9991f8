/**
 * `npm start` and `npm test` on a bare clone: check the machine, install, bundle, then run.
 *
 *   node infra/bootstrap.mjs start [args of the local stack]
 *   node infra/bootstrap.mjs test [args of vitest]
 *
 * The last line of `test` is `N passed, N failed`, for programs that read it.
 */

import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { constants, tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { buildIfStale, install, ROOT, startupProblems } from './prepare.mjs';

/** True once the closing line is printed. */
let counted = false;

const WITHOUT_SERVERS = ['unit', 'appconfig'];

export async function main([command, ...args]) {
  if (command !== 'start' && command !== 'test') {
    console.error('Usage: node infra/bootstrap.mjs start|test [arguments]');
    return 2;
  }
  const problems = startupProblems({ servers: command === 'start' || needsServers(args) });
  if (problems.length > 0) {
    console.error(problems.join('\n\n'));
    return 1;
  }
  install();
  await buildIfStale({ strict: command === 'test' });
  return command === 'start' ? start(args) : test(args);
}

/** False when every `--project` given can run without Java and Postgres. */
export function needsServers(args) {
  const projects = args.flatMap((word, index) => {
    if (word.startsWith('--project=')) return [word.slice('--project='.length)];
    return args[index - 1] === '--project' ? [word] : [];
  });
  return projects.length === 0 || projects.some((project) => !WITHOUT_SERVERS.includes(project));
}

/** The stack sees by its closed channel that this process is dead, even by SIGKILL. */
function start(args) {
  return run([join(ROOT, 'dist/local/main.mjs'), 'start', ...args], {
    stdio: ['inherit', 'inherit', 'inherit', 'ipc'],
  });
}

async function test(args) {
  const directory = mkdtempSync(join(tmpdir(), 'crossfade-counts-'));
  const file = join(directory, 'counts.json');
  try {
    const words = [join(ROOT, 'node_modules/vitest/vitest.mjs'), 'run', ...args];
    const reporters = args.some((word) => word.startsWith('--reporter')) ? [] : ['--reporter=default'];
    const code = await run([...words, ...reporters, `--reporter=${join(ROOT, 'infra/count-reporter.mjs')}`], {
      stdio: 'inherit',
      env: {
        ...process.env,
        CROSSFADE_COUNTS_FILE: file,
        AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED: 'true',
      },
    });
    const counts = existsSync(file) ? JSON.parse(readFileSync(file, 'utf8')) : { passed: 0, failed: 1, skipped: 0 };
    if (counts.skipped > 0) console.log(`${counts.skipped} skipped`);
    // A run that ends badly without a failed test (a crash, an unhandled rejection) must not read as success.
    const failed = code !== 0 && counts.failed === 0 ? 1 : counts.failed;
    console.log(`${counts.passed} passed, ${failed} failed`);
    counted = true;
    return code;
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

const ORPHAN_CHECK_MS = 1_000;

/**
 * Runs Node with these words; signals go on to it, and its end is this process's end. npm passes a signal to its shell
 * only, which does not pass it on: that the shell is gone is seen by the parent, which is another one then.
 */
function run(words, options) {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, words, { cwd: ROOT, ...options });
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) {
      // Ctrl-C in a terminal reaches the child by itself; twice would mean "at once".
      process.on(signal, () => (signal === 'SIGINT' && process.stdin.isTTY ? undefined : child.kill(signal)));
    }
    const parent = process.ppid;
    setInterval(() => process.ppid !== parent && child.kill('SIGTERM'), ORPHAN_CHECK_MS).unref();
    child.on('error', reject);
    child.on('exit', (code, signal) => resolve(code ?? 128 + constants.signals[signal]));
  });
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  try {
    process.exitCode = await main(process.argv.slice(2));
  } catch (error) {
    console.error(error instanceof Error ? error.message : error);
    process.exitCode = 1;
  }
  if (process.argv[2] === 'test' && !counted) console.log('0 passed, 1 failed');
}
