/**
 * The gates on traffic as it is: every family of `gate-families.ts`, healthy for a day and with a fault from the first minute on.
 * Seeds are fresh in every run, unless the first one is given; the same first seed gives the same table.
 *
 *   npm run bench gate-families                      healthy, 20 runs a cell, 1 % of 100 rps
 *   npm run bench gate-families healthy 20 5 50 7    20 runs of each family at 5 rps, with half of the keys on the shadow, from seed 7
 *   npm run bench gate-families faults 40 100 1      minutes to roll back
 */

import { isMainThread, parentPort, Worker } from 'node:worker_threads';
import { type FamilyOutcome, runFamily } from '../helpers/family-run.ts';
import { FAMILIES, type Fault } from '../helpers/gate-families.ts';

/** `gradual`, one per cent held back, and how many of its slices the shadow serves at a stage. */
const SLICES = [0.01, 0.09, 0.4, 0.49, 0.01] as const;
const SERVED: Readonly<Record<string, number>> = { 1: 1, 10: 2, 50: 3, 100: 4 };

const FAULTS: Readonly<Record<string, Fault>> = {
  '+2 pp errors': { fromMinute: 1, moreErrors: 0.02 },
  '+10 pp errors': { fromMinute: 1, moreErrors: 0.1 },
  'twice as slow': { fromMinute: 1, slower: 1 },
  '+30 % latency': { fromMinute: 1, slower: 0.3 },
};

type Job = { cell: number; family: string; fault: string | null; rps: number; onShadow: number; seed: number };

async function main(): Promise<void> {
  const [what = 'healthy', runs = '20', rps = '100', percent = '1', first = String(Date.now() % 100_000)] =
    process.argv.slice(2);
  const onShadow = SERVED[percent];
  if ((what !== 'healthy' && what !== 'faults') || onShadow === undefined) {
    console.log("'healthy' or 'faults', runs a cell, requests a second, and a stage of 1, 10, 50 or 100 %");
    process.exitCode = 2;
    return;
  }
  const cells = FAMILIES.flatMap(({ name }) =>
    (what === 'healthy' ? [null] : Object.keys(FAULTS)).map((fault) => ({
      family: name,
      fault,
      outcomes: [] as FamilyOutcome[],
    })),
  );
  const jobs = cells.flatMap(({ family, fault }, cell) =>
    Array.from(
      { length: Number(runs) },
      (_, i): Job => ({ cell, family, fault, rps: Number(rps), onShadow, seed: Number(first) + i }),
    ),
  );
  console.log(`${runs} runs a cell from seed ${first}, ${rps} rps, a stage of ${percent} %`);
  await inWorkers(jobs, ({ cell, outcome }) => cells[cell]!.outcomes.push(outcome));
  for (const { family, fault, outcomes } of cells) console.log(line(family, fault, outcomes));
}

function line(family: string, fault: string | null, outcomes: readonly FamilyOutcome[]): string {
  const gone = outcomes.filter(({ rollback }) => rollback !== null).length;
  const minutes = (of: (outcome: FamilyOutcome) => number | null) =>
    [0.5, 0.95]
      .map((q) =>
        quantile(
          outcomes.map((outcome) => of(outcome) ?? Number.POSITIVE_INFINITY),
          q,
        ),
      )
      .join(' / ');
  const looks = outcomes.reduce((sum, { steps }) => sum + steps, 0);
  const micros = Math.round((outcomes.reduce((sum, { judgedMs }) => sum + judgedMs, 0) / looks) * 1_000);
  const found =
    fault === null
      ? `may advance after ${minutes(({ advance }) => advance)} minutes`
      : `after ${minutes(({ rollback }) => rollback)} minutes`;
  return `${family.padEnd(16)}${(fault ?? 'healthy').padEnd(16)}rolled back ${gone} of ${outcomes.length}, ${found}, ${micros} µs a look`;
}

const quantile = (values: readonly number[], q: number): number =>
  [...values].sort((a, b) => a - b)[Math.ceil(q * values.length) - 1]!;

async function inWorkers(jobs: Job[], done: (result: { cell: number; outcome: FamilyOutcome }) => void): Promise<void> {
  const waiting = [...jobs];
  const work = () =>
    new Promise<void>((resolve, reject) => {
      const worker = new Worker(new URL(import.meta.url));
      const next = () => {
        const job = waiting.shift();
        if (job) return worker.postMessage(job);
        void worker.terminate().then(() => resolve());
      };
      worker.on('message', (result) => {
        done(result);
        next();
      });
      worker.on('error', reject);
      next();
    });
  await Promise.all([work(), work()]);
}

if (isMainThread) await main();
else
  parentPort!.on('message', ({ cell, family, fault, rps, onShadow, seed }: Job) => {
    const outcome = runFamily(seed, {
      rps,
      slices: SLICES,
      onShadow,
      minutes: fault ? 600 : 1_440,
      family: FAMILIES.find(({ name }) => name === family)!,
      faults: fault ? [FAULTS[fault]!] : [],
    });
    parentPort!.postMessage({ cell, outcome });
  });
