/** What a session costs its server, read from the system; nothing where the system does not tell (it does on Linux). */

import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';

const MB = 1024;

/** Processor time of a process so far, in seconds; NaN when unknown. Neighbours on the machine hardly change it. */
export function processorSeconds(pid: number): number {
  const words = read(`/proc/${pid}/stat`)?.split(') ').at(-1)?.split(' ');
  return words ? (Number(words[11]) + Number(words[12])) / ticksPerSecond() : Number.NaN;
}

/** Memory that a process shares with nobody; NaN when unknown. */
function ownMegabytes(pid: number): number {
  return Number(/RssAnon:\s+(\d+)/.exec(read(`/proc/${pid}/status`) ?? '')?.[1] ?? Number.NaN) / MB;
}

/** The most that a process has ever had in memory, shared pages included; NaN when unknown. */
export function peakMegabytes(pid: number): number {
  return Number(/VmHWM:\s+(\d+)/.exec(read(`/proc/${pid}/status`) ?? '')?.[1] ?? Number.NaN) / MB;
}

/** The most memory that one process of a server has now for itself; its children are its sessions. */
export function largestChildMegabytes(pid: number): number {
  const children = (read(`/proc/${pid}/task/${pid}/children`) ?? '').split(' ').filter(Boolean).map(Number);
  return Math.max(...children.map(ownMegabytes).filter((megabytes) => !Number.isNaN(megabytes)));
}

let ticks: number | undefined;
function ticksPerSecond(): number {
  ticks ??= Number(execFileSync('getconf', ['CLK_TCK'], { encoding: 'utf8' }));
  return ticks;
}

function read(path: string): string | null {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return null;
  }
}
