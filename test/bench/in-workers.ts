/** Jobs of a benchmark in two workers, each of which runs the same file: the machine has two processors. */

import { Worker } from 'node:worker_threads';

/** @param file of the benchmark, whose workers answer each job with one message */
export async function inWorkers<Job, Result>(
  file: URL,
  jobs: readonly Job[],
  done: (result: Result) => void,
): Promise<void> {
  const waiting = [...jobs];
  const work = () =>
    new Promise<void>((resolve, reject) => {
      const worker = new Worker(file);
      const next = () => {
        const job = waiting.shift();
        if (job) return worker.postMessage(job);
        void worker.terminate().then(() => resolve());
      };
      worker.on('message', (result: Result) => {
        done(result);
        next();
      });
      worker.on('error', reject);
      next();
    });
  await Promise.all([work(), work()]);
}
