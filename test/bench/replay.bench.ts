/**
 * A long recorded trace through the gates, as `crossfade replay` reads it: how long a row takes, and the most memory the
 * process ever had.
 *
 *   npm run bench replay             a million rows
 *   npm run bench replay 100000
 */

import { mkdtempSync, openSync, readFileSync, rmSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { replay } from '../../lib/core/replay/replay.ts';
import { readTrace } from '../../lib/schemas/replay.ts';
import { printTable } from './table.ts';

const [ROWS = 1_000_000] = process.argv.slice(2).map(Number);
const HISTORY_MINUTES = 60;
const BUCKETS = 25;

/** Both sides of a healthy 10 % stage, two rows a minute. */
function written(file: string): void {
  const descriptor = openSync(file, 'w');
  const row = (minute: number, path: 'primary' | 'shadow') => {
    const each = path === 'primary' ? 36 : 4;
    const latency = [10, ...Array.from({ length: BUCKETS }, () => each)];
    const checks = path === 'shadow' ? { checks: 50, mismatches: 0 } : {};
    return JSON.stringify({ minute, path, count: each * BUCKETS, errors: 0, latency, ...checks });
  };
  writeSync(descriptor, '{"id":"long","stage":{"share":0.1},"config":{"minDwellMinutes":5},"rows":[');
  for (let minute = -HISTORY_MINUTES; minute <= 0; minute += 1) writeSync(descriptor, `${row(minute, 'primary')},\n`);
  const last = Math.floor((ROWS - HISTORY_MINUTES - 1) / 2);
  for (let minute = 1; minute <= last; minute += 1)
    writeSync(descriptor, `${row(minute, 'primary')},\n${row(minute, 'shadow')}${minute < last ? ',\n' : ']}'}`);
}

const directory = mkdtempSync(join(tmpdir(), 'crossfade-bench-replay-'));
try {
  const file = join(directory, 'long.json');
  written(file);
  const start = performance.now();
  const bytes = readFileSync(file);
  const trace = readTrace(bytes, file);
  const readMs = performance.now() - start;
  let minutes = 0;
  for (const { verdict } of replay(trace)) minutes += verdict === 'rollback' ? Number.NaN : 1;
  if (!(minutes > 0)) throw new Error('A healthy trace was rolled back.');
  printTable(`${trace.rows.length.toLocaleString('en-US')} rows, ${minutes.toLocaleString('en-US')} minutes`, [
    { what: 'file', value: bytes.length / 1e6, unit: 'MB' },
    { what: 'read and checked', value: readMs / 1_000, unit: 's' },
    { what: 'read, checked and replayed', value: (performance.now() - start) / 1_000, unit: 's' },
    { what: 'most memory', value: process.resourceUsage().maxRSS / 1_000, unit: 'MB' },
  ]);
} finally {
  rmSync(directory, { recursive: true });
}
