/**
 * `npm run mutants`: makes small changes to the product, one at a time, and says which of them no test notices.
 *
 *   npm run mutants -- --list                       how many there are, by room
 *   npm run mutants -- lib/core/stage               every mutant of a folder or a file
 *   npm run mutants -- sql                          every named mutant of the SQL
 *   npm run mutants -- sql-text                     those that rules make of the same SQL
 *   npm run mutants -- 'crossfade.swap: a swap in any isolation'    one
 *   npm run mutants -- --sample 20 --seed 7         some of each room; the same seed takes the same ones
 *
 * Ends with 1 when one survives that survivors.ts does not explain, or when a room that was tried whole is below its share.
 */

import { fork } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { type Attempted, attemptFile } from './attempt.ts';
import { type Candidate, candidates, sampled } from './candidates.ts';
import { ROOMS } from './rooms.ts';
import { REASONS } from './survivors.ts';

const ROOT = process.cwd();
/** A round of tests that does not end has noticed something, too, unless it does not end without a mutant either. */
const LONGEST_MS = 180_000;

type Result = Attempted & { room: string; change: string };

async function main(): Promise<number> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      list: { type: 'boolean' },
      sample: { type: 'string' },
      seed: { type: 'string', default: '1' },
      project: { type: 'string' },
    },
  });
  const all = candidates(ROOT).filter(({ project }) => values.project === undefined || project === values.project);
  const wanted = positionals.length === 0 ? all : all.filter((one) => positionals.some((name) => isIn(one, name)));
  if (wanted.length === 0)
    throw new Error(`No mutant is in ${positionals.join(' or ')}. See 'npm run mutants -- --list'.`);
  const chosen = values.sample === undefined ? wanted : sampled(wanted, Number(values.sample), values.seed);
  if (values.list) {
    print(
      counted(chosen).map(([room, some]) => [room, String(some.length)]),
      ['room', 'mutants'],
    );
    return 0;
  }
  const startedMs = Date.now();
  const results: Result[] = [];
  for (const project of ['unit', 'postgres', 'dynamodb'] as const)
    results.push(...(await tryAll(chosen.filter((one) => one.project === project))));
  return told(results, all, Date.now() - startedMs);
}

const isIn = ({ room, id }: Candidate, name: string) =>
  room === name || id === name || id.startsWith(`${name}/`) || id.startsWith(`${name}:`);
const counted = <One extends { room: string }>(some: readonly One[]) =>
  [...new Set(some.map(({ room }) => room))].map((room) => [room, some.filter((one) => one.room === room)] as const);

/** In a process of their own: one that hangs is ended, and the next one goes on with the rest. */
async function tryAll(chosen: readonly Candidate[]): Promise<Result[]> {
  const results: Result[] = [];
  const noted = (noticedBy: string | null) => {
    const { id, room, change } = chosen[results.length]!;
    results.push({ id, room, change, noticedBy });
    console.log(noticedBy === null ? `survives: ${id} (${change})` : `noticed:  ${id} (${change}) by ${noticedBy}`);
  };
  const directory = mkdtempSync(join(tmpdir(), 'crossfade-mutants-'));
  const file = join(directory, 'attempts.json');
  const begun = (some: readonly Candidate[], hear: (noticedBy: string | null) => void, longestMs: number) => {
    writeFileSync(file, JSON.stringify(some));
    return runOnce(file, hear, longestMs);
  };
  let longestMs = LONGEST_MS;
  try {
    while (results.length < chosen.length) {
      const rest = chosen.slice(results.length);
      const problem = await begun(rest, noted, longestMs);
      if (problem === null) continue;
      const complete = results.length === chosen.length;
      if (problem === LATE && !complete) {
        // Control: a machine that is busy needs longer, with or without a mutant.
        const isBusy = (await begun([unchanged(chosen[results.length]!)], () => {}, longestMs)) === LATE;
        if (isBusy) longestMs *= 2;
        else noted(`no end within ${longestMs / 1_000} s`);
      } else if (complete || rest.length === chosen.length - results.length)
        throw new Error(`Mutants cannot be tried: ${problem}`);
    }
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
  return results;
}

/** The same tests, with the product as it is. */
const unchanged = ({ planted, ...one }: Candidate): Candidate => ({
  ...one,
  planted:
    'statement' in planted
      ? { ...planted, statement: planted.original }
      : { ...planted, text: readFileSync(join(ROOT, planted.file), 'utf8') },
});

const LATE = 'a round does not end';

/** Null when the process has come to its end, `LATE`, or what else became of it. */
function runOnce(file: string, told: (noticedBy: string | null) => void, longestMs: number): Promise<string | null> {
  // A group of its own, which is ended whole: the tests run in a process of their own, and a loop without end would go on.
  const child = fork(process.argv[1]!, ['attempt', file], {
    stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
    detached: true,
  });
  let said = '';
  let late: string | null = null;
  child.stderr!.on('data', (data) => {
    said = (said + data).slice(-2_000);
  });
  const watch = () =>
    setTimeout(() => {
      late = LATE;
      process.kill(-child.pid!, 'SIGKILL');
    }, longestMs);
  let timer = watch();
  child.on('message', (message: Attempted | 'a round begins') => {
    clearTimeout(timer);
    timer = watch();
    if (message !== 'a round begins') told(message.noticedBy);
  });
  return new Promise((resolve) => {
    child.on('exit', (code) => {
      clearTimeout(timer);
      resolve(late ?? (code === 0 ? null : `exit code ${code}. ${said}`));
    });
  });
}

/** Those that survive for a reason are no part of a share. A share is wanted of a room that was tried whole. */
function told(results: readonly Result[], all: readonly Candidate[], tookMs: number): number {
  const survivors = results.filter(({ noticedBy }) => noticedBy === null);
  const rows = counted(results).map(([room, some]) => {
    const noticed = some.filter(({ noticedBy }) => noticedBy !== null).length;
    const wanted = ROOMS.find(({ source }) => source === room)?.atLeast ?? null;
    const share = noticed / some.filter(({ noticedBy, id }) => noticedBy !== null || !(id in REASONS)).length;
    const isWhole = some.length === all.filter((one) => one.room === room).length;
    return { room, some, noticed, share, wanted, below: isWhole && wanted !== null && share < wanted };
  });
  console.log('');
  print(
    rows.map(({ room, some, noticed, share, wanted, below }) => [
      room,
      String(some.length),
      String(noticed),
      Number.isNaN(share) ? '' : `${Math.round(1000 * share) / 10} %`,
      wanted === null ? '' : `${wanted * 100} %${below ? ' (below)' : ''}`,
    ]),
    ['room', 'tried', 'noticed', 'share', 'wanted'],
  );
  for (const { id, change } of survivors)
    console.log(`survives: ${id} (${change})${id in REASONS ? ` – ${REASONS[id]}` : ''}`);
  const unexplained = survivors.filter(({ id }) => !(id in REASONS)).length;
  console.log(`${results.length} mutants in ${Math.round(tookMs / 1000)} s, ${unexplained} survive without a reason`);
  return unexplained > 0 || rows.some(({ below }) => below) ? 1 : 0;
}

function print(rows: readonly (readonly string[])[], head: readonly string[]): void {
  const widths = head.map((name, i) => Math.max(name.length, ...rows.map((row) => row[i]!.length)));
  for (const row of [head, ...rows])
    console.log(
      row
        .map((cell, i) => cell.padEnd(widths[i]!))
        .join('  ')
        .trimEnd(),
    );
}

const [word, file] = process.argv.slice(2);
if (word === 'attempt') await attemptFile(ROOT, file!);
else process.exitCode = await main();
