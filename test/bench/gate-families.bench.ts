/**
 * The gates on traffic as it is: every family of `gate-families.ts`, healthy for a day and with a fault from the first minute on; and
 * beside them, on the same minutes, what other tools would have done. Seeds are fresh in every run, unless the first one is given; the
 * same first seed gives the same table.
 *
 *   npm run bench gate-families                      healthy, 20 runs a cell, 1 % of 100 rps
 *   npm run bench gate-families healthy 20 5 50 7    20 runs of each family at 5 rps, with half of the keys on the shadow, from seed 7
 *   npm run bench gate-families faults 40 100 1      minutes to roll back
 *   npm run bench gate-families peers 20 100 1       false alarms of a healthy day: ours, and the rules in `peer-rules/`
 *   npm run bench gate-families pages 20 20 1        alerts of a healthy day, by the built-in rules
 *   npm run bench gate-families cells 20             every figure that is wanted at 5, 100 and 1,000 rps, beside the measured one
 *   npm run bench gate-families cells 20 100         the same at 100 rps alone
 */

import { isMainThread, parentPort } from 'node:worker_threads';
import {
  type Cell,
  everyCell,
  faulty,
  healthy,
  measured,
  pages,
  pagesADay,
  quantile,
  RATES,
} from './gate-families/cells.ts';
import { type Job, type Outcome, outcomeOf, SERVED } from './gate-families/jobs.ts';
import { inWorkers } from './in-workers.ts';
import { PEER_RULES } from './peer-rules/all.ts';

type Where = { rps: number; onShadow: number };
type Mode = {
  cells(where: Where): Cell[];
  rps: string;
  head?: string;
  line(cell: Cell, outcomes: readonly Outcome[]): string;
};

const WIDTH = 16;
const columns = (words: readonly string[]) => words.map((word) => word.padStart(WIDTH)).join('');

const MODES: Readonly<Record<string, Mode>> = {
  healthy: { cells: healthy, rps: '100', line: gatesLine },
  faults: { cells: faulty, rps: '100', line: gatesLine },
  peers: {
    cells: (where) => healthy(where, 'peers'),
    rps: '100',
    head: `${' '.repeat(WIDTH)}${columns(['ours', ...PEER_RULES.map(({ name }) => name)])}`,
    line: peersLine,
  },
  pages: {
    cells: pages,
    rps: '20',
    head: `${' '.repeat(WIDTH)}${columns(['critical a day', 'escalated', 'warning a day', 'rolled back'])}  by rule`,
    line: pagesLine,
  },
  cells: {
    cells: ({ rps, onShadow }) =>
      (Number.isNaN(rps) ? RATES : [rps]).flatMap((one) => everyCell({ rps: one, onShadow })),
    rps: '5, 100 and 1000',
    head: `${'family'.padEnd(WIDTH)}${'figure'.padEnd(28)}${columns(['rps', 'measured', 'at most'])}`,
    line: cellLine,
  },
};

async function main(): Promise<void> {
  const [what = 'healthy', runs = '20', ...more] = process.argv.slice(2);
  const mode = MODES[what];
  const [rps = mode?.rps, percent = '1', first = String(Date.now() % 100_000)] = more;
  const onShadow = SERVED[percent];
  if (mode === undefined || onShadow === undefined) {
    console.log(`${Object.keys(MODES).join(', ')}; runs a cell, requests a second, and a stage of 1, 10, 50 or 100 %`);
    process.exitCode = 2;
    return;
  }
  const cells = mode.cells({ rps: Number(rps), onShadow }).map((cell) => ({ cell, outcomes: [] as Outcome[] }));
  const jobs = cells.flatMap(({ cell: { title: _, figure: __, wanted: ___, ...job } }, cell) =>
    Array.from({ length: Number(runs) }, (_, i): Job => ({ ...job, cell, seed: Number(first) + i })),
  );
  console.log(`${runs} runs a cell from seed ${first}, ${rps} rps, a stage of ${percent} %`);
  if (mode.head) console.log(mode.head);
  await inWorkers(new URL(import.meta.url), jobs, ({ cell, outcome }: { cell: number; outcome: Outcome }) => {
    const { outcomes, cell: done } = cells[cell]!;
    // Jobs are taken in their order, so cells are finished in about theirs, too.
    if (outcomes.push(outcome) === Number(runs)) console.log(mode.line(done, outcomes));
  });
}

function gatesLine({ family, title, figure }: Cell, outcomes: readonly Outcome[]): string {
  const ours = outcomes.map((outcome) => outcome.ours!);
  const gone = ours.filter(({ rollback }) => rollback !== null).length;
  const minutes = (of: (outcome: (typeof ours)[number]) => number | null) =>
    [0.5, 0.95]
      .map((q) =>
        quantile(
          ours.map((outcome) => of(outcome) ?? Number.POSITIVE_INFINITY),
          q,
        ),
      )
      .join(' / ');
  const looks = ours.reduce((sum, { steps }) => sum + steps, 0);
  const micros = Math.round((ours.reduce((sum, { judgedMs }) => sum + judgedMs, 0) / looks) * 1_000);
  const found =
    figure.of === 'share'
      ? `may advance after ${minutes(({ advance }) => advance)} minutes`
      : `after ${minutes(({ rollback }) => rollback)} minutes`;
  const name = figure.of === 'share' ? 'healthy' : title;
  return `${family.padEnd(WIDTH)}${name.padEnd(WIDTH)}rolled back ${gone} of ${ours.length}, ${found}, ${micros} µs a look`;
}

/** The share of the runs that each rule has rolled back, and the median minute of those. */
function peersLine({ family }: Cell, outcomes: readonly Outcome[]): string {
  const byRule = [
    outcomes.map(({ ours }) => ours!.rollback),
    ...PEER_RULES.map((_, i) => outcomes.map(({ peers }) => peers![i]!)),
  ];
  const cells = byRule.map((minutes) => {
    const gone = minutes.filter((minute) => minute !== null);
    return gone.length === 0 ? '0 %' : `${percentOf(gone.length / minutes.length)} (${quantile(gone, 0.5)} min)`;
  });
  return `${family.padEnd(WIDTH)}${columns(cells)}`;
}

function pagesLine({ family }: Cell, outcomes: readonly Outcome[]): string {
  const fired = outcomes.flatMap(({ told }) => told!.pages.filter(({ change }) => change === 'fired'));
  const rules = [...new Set(fired.map(({ rule }) => rule))].map(
    (rule) => `${rule} ${fired.filter((page) => page.rule === rule).length}`,
  );
  const gone = fired.filter(({ rule }) => rule === 'rolled_back').length;
  const cells = [
    pagesADay(outcomes, 'critical').toFixed(2),
    pagesADay(outcomes, 'critical', 'escalated').toFixed(2),
    pagesADay(outcomes, 'warning').toFixed(2),
    `${gone} of ${outcomes.length}`,
  ];
  return `${family.padEnd(WIDTH)}${columns(cells)}  ${rules.join(', ')}`;
}

function cellLine(cell: Cell, outcomes: readonly Outcome[]): string {
  const { family, title, rps, figure, wanted } = cell;
  const value = measured(cell, outcomes);
  const shown = (number: number) =>
    figure.of === 'share'
      ? percentOf(number)
      : figure.of === 'pages'
        ? number.toFixed(2)
        : Number.isFinite(number)
          ? `${number} min`
          : 'never';
  const from = figure.of === 'minutes' ? figure.from : 0;
  const early = outcomes.filter(({ ours }) => (ours?.rollback ?? Number.POSITIVE_INFINITY) <= from).length;
  const verdict = wanted === null ? '' : value <= wanted ? '' : '  ABOVE';
  const figures = columns([String(rps), shown(value), wanted === null ? '–' : shown(wanted)]);
  const gone = early > 0 ? `  ${early} of ${outcomes.length} rolled back before the fault` : '';
  return `${family.padEnd(WIDTH)}${title.padEnd(28)}${figures}${verdict}${gone}`;
}

const percentOf = (share: number) => `${Math.round(share * 100)} %`;

if (isMainThread) await main();
else parentPort!.on('message', (job: Job) => parentPort!.postMessage({ cell: job.cell, outcome: outcomeOf(job) }));
