/**
 * How often the evidence engine rolls back a healthy stage, and how soon a bad one: GATES.md section 8 as a table, with
 * naive rules on the same minutes beside it, and what a gate step costs.
 *
 *   npm run bench gates              500 runs a cell
 *   npm run bench gates 40           fewer
 *   npm run bench gates 1 100 7      one run of every cell at 100 rps, seed 7
 *   npm run bench gates 500 all 1 healthy      only the rows of this name
 */

import { isMainThread, parentPort } from 'node:worker_threads';
import { clopperPearson } from '../../lib/core/report/inference.ts';
import { NAIVE, type Outcome, runStage, type Stage } from '../helpers/gate-run.ts';
import { inWorkers } from './in-workers.ts';

const HEALTHY: Omit<Stage, 'rps'> = {
  share: 0.01,
  errorRate: 0.0005,
  moreErrors: 0,
  slower: 0,
  fromMinute: 1,
  mirrored: false,
  minutes: 1_440,
};
/**
 * Median and 95 % of the minutes to roll back that are to be reached; of a healthy stage the median until it may advance.
 * Of a weak spot the minutes until it is rolled back or held as proven worse; most have no figure to reach.
 */
type Row = { name: string; stage: Partial<Stage>; wanted: Record<number, readonly number[]>; weak?: true };
const ROWS: readonly Row[] = [
  { name: 'healthy', stage: {}, wanted: { 5: [156], 100: [9], 1000: [5] } },
  { name: '+2 pp errors', stage: { moreErrors: 0.02 }, wanted: { 5: [69, 192], 100: [5, 10], 1000: [3, 3] } },
  { name: '+10 pp errors', stage: { moreErrors: 0.1 }, wanted: { 5: [10, 23], 100: [3, 3], 1000: [3, 3] } },
  { name: '+30 % latency', stage: { slower: 0.3 }, wanted: { 5: [111, 235], 100: [6, 13], 1000: [3, 3] } },
  { name: 'x2 latency', stage: { slower: 1 }, wanted: { 5: [10, 20], 100: [3, 3], 1000: [3, 3] } },
  {
    name: '+2 pp after 10 h',
    stage: { moreErrors: 0.02, fromMinute: 601, minutes: 2_040 },
    wanted: { 5: [99, 222], 100: [8, 15], 1000: [3, 3] },
  },
  { name: 'mirrored, +2 pp errors', stage: { mirrored: true, moreErrors: 0.02 }, wanted: { 5: [3, 5] } },
  { name: 'mirrored, +30 % latency', stage: { mirrored: true, slower: 0.3 }, wanted: { 5: [3, 6] } },
  { name: 'compared, +2 pp errors', stage: { compared: true, moreErrors: 0.02 }, wanted: { 5: [3, 5] } },
  { name: 'compared, healthy', stage: { compared: true }, wanted: { 5: [], 100: [] }, weak: true },
  { name: '2 % mismatches', stage: { mismatchRate: 0.02 }, wanted: { 5: [43, 80] }, weak: true },
  { name: '+15 % latency', stage: { slower: 0.15 }, wanted: { 5: [], 100: [] }, weak: true },
  { name: '+0.5 pp errors', stage: { moreErrors: 0.005 }, wanted: { 5: [], 100: [] }, weak: true },
  { name: 'healthy, failures x4', stage: { tries: 4 }, wanted: { 5: [], 100: [] }, weak: true },
];
const PER_JOB = 10;

type Job = { cell: number; stage: Stage; seeds: number[] };
type Done = { cell: number; outcomes: Outcome[]; busyMs: number };

async function main(): Promise<void> {
  const [runs = 500, onlyRps = Number.NaN, firstSeed = 1] = process.argv.slice(2, 5).map(Number);
  const only = process.argv.slice(5).join(' ');
  const cells = ROWS.filter(({ name }) => name.includes(only)).flatMap((row) =>
    Object.keys(row.wanted)
      .map(Number)
      .filter((rps) => Number.isNaN(onlyRps) || rps === onlyRps)
      .map((rps) => ({ row, rps, outcomes: [] as Outcome[] })),
  );
  const jobs = cells.flatMap(({ row, rps }, cell) =>
    chunks(Array.from({ length: runs }, (_, i) => firstSeed + i)).map(
      (seeds): Job => ({ cell, stage: { ...HEALTHY, ...row.stage, rps }, seeds }),
    ),
  );
  console.log(
    `${cells.length} cells, ${runs} runs each, seeds ${firstSeed} to ${firstSeed + runs - 1}, a 1 % stage, at most 1,440 looks`,
  );
  let [steps, busyMs, judgedMs, finished] = [0, 0, 0, 0];
  const start = performance.now();
  await inWorkers(new URL(import.meta.url), jobs, (done: Done) => {
    cells[done.cell]!.outcomes.push(...done.outcomes);
    steps += done.outcomes.reduce((sum, outcome) => sum + outcome.steps, 0);
    judgedMs += done.outcomes.reduce((sum, outcome) => sum + outcome.judgedMs, 0);
    busyMs += done.busyMs;
    finished += 1;
    const left = ((performance.now() - start) / finished) * (jobs.length - finished);
    process.stderr.write(`\r${finished} of ${jobs.length} jobs, about ${Math.ceil(left / 1_000)} s left   `);
  });
  process.stderr.write('\n');
  const each = (ms: number) => `${((ms / steps) * 1_000).toFixed(0)} µs`;
  console.log(`${'cell'.padEnd(26)}${'rps'.padStart(5)}  ${'p50 / p95 min'.padEnd(16)}${'wanted'.padEnd(12)}more`);
  for (const { row, rps, outcomes } of cells) console.log(line(row, rps, outcomes));
  console.log(
    `${steps.toLocaleString('en-US')} looks, ${each(judgedMs)} each (wanted: 100 µs), with traffic and naive rules ${each(busyMs)}`,
  );
}

const chunks = (seeds: number[]): number[][] =>
  Array.from({ length: Math.ceil(seeds.length / PER_JOB) }, (_, i) => seeds.slice(i * PER_JOB, (i + 1) * PER_JOB));

function line({ name, stage, wanted, weak }: Row, rps: number, outcomes: readonly Outcome[]): string {
  const from = stage.fromMinute ?? 1;
  const isHealthy = name === 'healthy';
  const gone = outcomes.filter(({ rollback }) => rollback !== null && (isHealthy || weak || rollback < from)).length;
  const bound = clopperPearson({ n: outcomes.length, successes: gone }, 0.9)!.high;
  const minutes = outcomes.map(
    ({ rollback, advance, noticed }) =>
      (isHealthy ? advance : weak ? noticed : rollback && rollback - from + 1) ?? Infinity,
  );
  const [p50, p95] = [quantile(minutes, 0.5), quantile(minutes, 0.95)];
  const limits = wanted[rps]!;
  const verdict = limits.length === 0 ? '' : limits.every((limit, i) => [p50, p95][i]! <= limit) ? 'met' : 'MISSED';
  const share = (n: number) => `${((n / outcomes.length) * 100).toFixed(1)} %`;
  const more = isHealthy
    ? `rolled back ${gone}, at most ${(bound * 100).toFixed(2)} %; naive: ${NAIVE.map((rule) => `${rule} ${share(outcomes.filter(({ naive }) => naive[rule] !== null).length)}`).join(', ')}`
    : `${weak ? `noticed ${share(minutes.filter(Number.isFinite).length)}, rolled back ${share(gone)}, ` : ''}advanced before ${share(outcomes.filter(({ advance, rollback }) => advance !== null && advance >= from && advance < (rollback ?? Infinity)).length)}${from > 1 ? `, rolled back too soon ${gone}` : ''}`;
  return `${name.padEnd(26)}${String(rps).padStart(5)}  ${`${p50} / ${p95}`.padEnd(16)}${limits.join(' / ').padEnd(12)}${verdict.padEnd(7)} ${more}`;
}

function quantile(values: readonly number[], q: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.ceil(q * sorted.length) - 1]!;
}

if (isMainThread) await main();
else
  parentPort!.on('message', ({ cell, stage, seeds }: Job) => {
    const start = performance.now();
    const outcomes = seeds.map((seed) => runStage(seed, stage));
    parentPort!.postMessage({ cell, outcomes, busyMs: performance.now() - start } satisfies Done);
  });
