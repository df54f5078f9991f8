/**
 * `npm start -- --exit` as a user runs it: the real command over the real bundles, in a process of its own. What the page of the
 * example chinook has people type is run here.
 */

import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { portsFrom, takenPorts } from '../../infra/local/ports.ts';
import { buildOnce } from '../helpers/handler-process.ts';
import { linesOf } from '../helpers/tutorial.ts';

const ROOT = resolve(import.meta.dirname, '../..');

/** Exit code of a demonstration that rolled back by itself. */
const ROLLED_BACK = 4;

let nextBase = 20_000 + (process.pid % 200) * 50;

/** Free ports in a row, far from those of a person's own `npm start`, and given to no other test of this run. */
async function freeBase(): Promise<number> {
  for (;;) {
    const base = nextBase;
    nextBase += 10;
    if ((await takenPorts(portsFrom(base))).length === 0) return base;
  }
}

/** Words after `npm start --` of every run that came to its end, or was ended. */
const ran: (readonly string[])[] = [];

async function start(...words: string[]): Promise<{ code: number | null; output: string }> {
  const port = String(await freeBase());
  const child = spawn(process.execPath, ['infra/bootstrap.mjs', 'start', '--exit', '--port', port, ...words], {
    cwd: ROOT,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk: Buffer) => (output += chunk));
  const code = await new Promise<number | null>((answer) => child.once('exit', answer));
  if (code === 0 || code === ROLLED_BACK) ran.push(['--exit', ...words]);
  return { code, output };
}

beforeAll(buildOnce);

/** With what each one is explained. Each takes half a minute of both cores. */
const FAULTS = {
  latency: /cause +[\d.]+ % of the shadow's operations \(\d+ of \d+\) take longer than/,
  errors: /cause +The shadow fails [\d.]+ % of its operations/,
  crash: /cause +The shadow fails [\d.]+ % of its operations/,
  divergence: /cause +\d+ of \d+ rows differ from the primary/,
};
/** The one of the page, and one of the others by chance; all of them with CROSSFADE_LONG=1. */
const CHOSEN = ['latency', ['errors', 'crash', 'divergence'][Date.now() % 3]];
const TRIED = Object.entries(FAULTS).filter(([fault]) => process.env.CROSSFADE_LONG || CHOSEN.includes(fault));

describe('npm start -- --exit', () => {
  // The longest begins, by itself: beside another one its few early reads of the new side are too slow to prove anything by.
  it('takes the table to promotion and back, and loses nothing', async () => {
    const { code, output } = await start();
    expect(output).toContain('Nothing was lost.');
    expect(code, output).toBe(0);
    expect(output).toMatch(/dual_write → test_1 → test_10 → half_50 → full_100 → completed → rolled_back/);
    expect(output).toMatch(/divergences +0\n/);
    expect(output.match(/\n {2}0 differences /g)).toHaveLength(4);
    expect(output).toMatch(/ writes, 0 failed/);
    expect(output).toMatch(/audit chain +intact/);
    const heldMs = Number(/longest lock held +([\d.]+) ms/.exec(output)?.[1]);
    expect(heldMs).toBeGreaterThan(0);
  });

  // Two at once: a demonstration waits for its minutes half of the time.
  it.concurrent.each(TRIED)('rolls back by itself with the fault %s, and says why', async (fault, cause) => {
    const { code, output } = await start('--fault', fault, '--plan', 'canary');
    expect(output).toMatch(cause);
    expect(code, output).toBe(ROLLED_BACK);
    expect(output).toContain('Nothing was lost.');
    expect(output).toMatch(/ writes, 0 failed/);
  });

  it.each([
    [['--plan', 'nonsense'], /nonsense/],
    [['--speed', 'fast'], /--speed/],
    [['--fault', 'fire'], /fire/],
    [['--unknown'], /--unknown/],
  ])('answers %j with what is wrong and exit code 2', async (words, what) => {
    const { code, output } = await start(...words);
    expect(output).toMatch(what);
    expect(code).toBe(2);
  });
});

describe('npm start whose npm is ended', () => {
  it('stops with everything it started, although npm tells it nothing', async () => {
    // As npm does it: a shell between, which does not pass signals on.
    const command = `${process.execPath} infra/bootstrap.mjs start --port ${await freeBase()}; true`;
    const shell = spawn('/bin/sh', ['-c', command], { cwd: ROOT, stdio: ['ignore', 'pipe', 'inherit'] });
    let output = '';
    const ready = new Promise<void>((answer) =>
      shell.stdout.on('data', (chunk: Buffer) => {
        output += chunk;
        if (output.includes('Dashboard')) answer();
      }),
    );
    await ready;
    const ended = new Promise((answer) => shell.stdout.once('close', answer));
    shell.kill('SIGTERM');
    // Closed by the last process that holds it.
    await ended;
    ran.push([]);
  });
});

/** Lines that no run has had all words of. */
const notRun = (text: string): readonly string[] =>
  linesOf({ file: 'README.md', text }).filter((line) => {
    const [npm, script, ...words] = line.split(/\s+/);
    const ranWith = (given: readonly string[]) => words.every((word) => word === '--' || given.includes(word));
    return npm !== 'npm' || script !== 'start' || !ran.some(ranWith);
  });

describe('the page of the example chinook', () => {
  it('has nothing typed that was not run above', () => {
    const text = readFileSync(resolve(ROOT, 'infra/examples/chinook/README.md'), 'utf8');
    expect(linesOf({ file: 'README.md', text })).toHaveLength(3);
    expect(notRun(text)).toEqual([]);
  });

  it('is noticed with a line that was not run, or that failed', () => {
    const lines = ['npm start -- --fault fire', 'npm start -- --fast', 'npm run start'];
    expect(notRun(`\`\`\`sh\n${lines.join('\n')}\n\`\`\`\n`)).toEqual(lines);
  });
});
