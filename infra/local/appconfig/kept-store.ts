/** What the emulator remembers, in a file: an emulator that is started with it goes on where another one ended. */

import { existsSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import type { Store } from './store.ts';

type Kept = Pick<Store, 'applications' | 'strategies'>;
type Bytes = { type: 'Buffer'; data: number[] };

/** Empty where there is no file yet. Sessions are not kept: their clients begin new ones. */
export function readKept(file: string): Kept {
  if (!existsSync(file)) return { applications: [], strategies: [] };
  return JSON.parse(readFileSync(file, 'utf8'), (_, value: unknown) =>
    isBytes(value) ? Buffer.from(value.data) : value,
  ) as Kept;
}

/** At once or not at all, whenever the process is killed. */
export function writeKept(file: string, { applications, strategies }: Kept): void {
  const unfinished = `${file}.unfinished`;
  writeFileSync(unfinished, JSON.stringify({ applications, strategies }), { mode: 0o600 });
  renameSync(unfinished, file);
}

/** As a Buffer says itself in JSON. */
const isBytes = (value: unknown): value is Bytes =>
  typeof value === 'object' && value !== null && (value as Partial<Bytes>).type === 'Buffer' && 'data' in value;
