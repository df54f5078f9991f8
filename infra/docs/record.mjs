/**
 * Records what the commands print and what the page looks like: starts the demonstration, runs each command against it, and
 * writes infra/docs/examples/NAME.txt and infra/docs/page.png. `npm run docs` puts them into the pages afterwards.
 *
 *   node infra/docs/record.mjs [PORT]
 *
 * By hand, and only when what is printed has changed: it takes some minutes, and figures differ from run to run.
 */

import { spawn, spawnSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { chromium } from 'playwright-core';
import { ROOT } from '../prepare.mjs';

const PORT = process.argv[2] ?? '3700';
const FOLDER = join(ROOT, 'infra/docs/examples');
const MOST_LINES = 30;
const WHY = ['--reason', 'a rehearsal'];

/** While the demonstration is at half of the reads: looking only. */
const ON_THE_WAY = [
  ['status', 'customer'],
  ['explain', 'customer'],
  ['progress', 'customer'],
  ['report', 'customer', '--hours', '1'],
  ['inspect', 'customer', '--key', '5'],
  ['backfill', 'customer'],
  ['quarantine', 'customer'],
  ['alerts'],
  ['doctor'],
  ['bucket', '--salt', 'customer', '--key', '42'],
];

/** Afterwards, by hand: back, and there again. `until`: the stage that is waited for before. */
const BY_HAND = [
  { words: ['rollback', 'customer', ...WHY] },
  { words: ['rollbacks', 'customer'], until: 'rolled_back' },
  { words: ['history', 'customer', '--limit', '8'] },
  { words: ['checkpoints', 'customer'] },
  { words: ['export', 'customer', '--what', 'audit', '--format', 'csv'] },
  { words: ['replay', '--cutover', 'customer', '--hours', '4'] },
  { words: ['reset', 'customer', '--confirm', 'customer'] },
  { words: ['plan', 'customer'], until: 'disabled' },
  { words: ['health', 'customer'] },
  { words: ['backfill', 'customer', 'dry-run'], name: 'backfill.dry-run' },
  { words: ['start', 'customer', '--plan', 'canary', '--dwell', '1'] },
  { words: ['pause', 'customer'], until: 'dual_write' },
  { words: ['verify', 'customer'], pauseMs: 15_000 },
  { words: ['repair', 'customer'] },
  { words: ['policy', 'customer', '--set', 'errorRateAdvance=0.02', ...WHY] },
  { words: ['read-only', 'customer', 'on', '--seconds', '3'] },
  { words: ['resume', 'customer'] },
  { words: ['advance', 'customer', '--force', ...WHY], pauseMs: 5_000 },
  { words: ['reads', 'primary', 'customer', ...WHY], until: 'canary_10', pauseMs: 8_000 },
  { words: ['writes', 'off', 'customer', ...WHY], pauseMs: 8_000 },
  { words: ['writes', 'on', 'customer', ...WHY], pauseMs: 8_000 },
  { words: ['stop', ...WHY] },
  { words: ['phases'] },
];

/** Every other command of the way, without a record. */
function crossfade(...words) {
  const run = spawnSync(process.execPath, [join(ROOT, 'dist/cli/main.mjs'), ...words, '--port', PORT], {
    encoding: 'utf8',
    env: { ...process.env, NO_COLOR: '1' },
  });
  return `${run.stdout}${run.stderr}`.trimEnd();
}

function record(words, name = words[0]) {
  const lines = crossfade(...words).split('\n');
  const shown = lines.length > MOST_LINES ? [...lines.slice(0, MOST_LINES), '…'] : lines;
  const typed = words.map((word) => (/\s/.test(word) ? `'${word}'` : word)).join(' ');
  writeFileSync(join(FOLDER, `${name}.txt`), `$ npx crossfade ${typed}\n${shown.join('\n')}\n`);
  console.log(`recorded ${name}: ${lines[0]}`);
}

const rest = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

async function reached(stage) {
  for (let tries = 0; tries < 300; tries += 1) {
    const [, seen] = /"stage": ?"(\w+)"/.exec(crossfade('status', 'customer', '--json')) ?? [];
    if (seen === stage) return;
    await rest(500);
  }
  throw new Error(`The cutover did not come to stage ${stage} in time.`);
}

/** The address is that of the front, which adds the token. */
async function picture(url) {
  const browser = await chromium.launch({
    executablePath: '/usr/bin/chromium',
    args: ['--no-sandbox', '--disable-gpu'],
  });
  try {
    const page = await browser.newPage({ viewport: { width: 1200, height: 860 }, colorScheme: 'light' });
    await page.goto(url);
    await page.waitForSelector('main[aria-busy=false]');
    await rest(1_000);
    await page.screenshot({ path: join(ROOT, 'infra/docs/page.png') });
  } finally {
    await browser.close();
  }
}

mkdirSync(FOLDER, { recursive: true });
const demonstration = spawn(
  process.execPath,
  [join(ROOT, 'infra/bootstrap.mjs'), 'start', '--port', PORT, '--speed', '15'],
  { stdio: ['ignore', 'pipe', 'inherit'], env: { ...process.env, NO_COLOR: '1' } },
);
let said = '';
demonstration.stdout.on('data', (text) => {
  said += text;
  process.stdout.write(text);
});
const heard = async (pattern) => {
  while (!pattern.test(said)) {
    if (demonstration.exitCode !== null) throw new Error('The demonstration has ended.');
    await rest(200);
  }
};
try {
  await heard(/Dashboard +http\S+/);
  const [, url] = /Dashboard +(http\S+)/.exec(said);
  await reached('half_50');
  await rest(6_000);
  await picture(url);
  for (const words of ON_THE_WAY) record(words);
  await heard(/Everything stays up/);
  for (const { words, name, until, pauseMs = 0 } of BY_HAND) {
    if (until) await reached(until);
    await rest(pauseMs);
    record(words, name);
  }
} finally {
  demonstration.kill('SIGINT');
}
