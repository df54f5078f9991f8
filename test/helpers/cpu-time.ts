/** What a call costs the processor: how busy the machine is with something else does not show in it. */

import { readFileSync } from 'node:fs';
import type postgres from 'postgres';

const TRIES = 5;

/** Milliseconds of processor time of the cheapest of five calls. */
export function cpuMs(call: () => void): number {
  const took = Array.from({ length: TRIES }, () => {
    const since = ownCpuMs();
    call();
    return since();
  });
  return Math.min(...took);
}

/** Starts to count the processor time of this process; what is returned tells how many milliseconds it was. */
export function ownCpuMs(): () => number {
  const before = process.cpuUsage();
  return () => {
    const { user, system } = process.cpuUsage(before);
    return (user + system) / 1_000;
  };
}

/** The same for all sessions of a database on this machine, beside the one that asks. Only Linux tells: elsewhere it is 0. */
export async function databaseCpuMs(sql: postgres.Sql): Promise<() => Promise<number>> {
  const spent = async () => {
    const rows = await sql.unsafe(
      'SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()',
    );
    return new Map(rows.map(({ pid }) => [pid as number, processCpuMs(pid)]));
  };
  const before = await spent();
  return async () => {
    const after = await spent();
    return [...after].reduce((sum, [pid, ms]) => sum + ms - (before.get(pid) ?? 0), 0);
  };
}

/** First of the three numbers: nanoseconds on a processor. */
function processCpuMs(pid: number): number {
  try {
    return Number(readFileSync(`/proc/${pid}/schedstat`, 'utf8').split(' ')[0]) / 1e6;
  } catch {
    return 0;
  }
}
