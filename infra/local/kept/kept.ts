/**
 * What `crossfade dev` keeps of a database, below `.crossfade/dev`: the tables of DynamoDB, the flags of AppConfig, and who signs
 * tokens. A dev that is started again, after Ctrl-C or a kill, goes on with it; so does an application with its old token.
 */

import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseAddress } from '../../../lib/adapters/postgres/connection/address.ts';
import type { SigningKeys } from '../stack.ts';

/** As it lies in the directory. */
export type Stored = {
  /** Of the schema crossfade that the state is about: see `installationOf`. */
  installation: string;
  keys: SigningKeys;
  checkKey: string;
  speed: number;
  originMs: number;
  /** Of the process that has it in use. */
  pid: number | null;
};

const FILE = 'dev.json';

/** `.crossfade/dev/127.0.0.1-5432-shop`: one for each database. */
export function keptDirectory(from: string, databaseUrl: string): string {
  const { hosts, database = '', user = '' } = parseAddress(databaseUrl);
  const [{ host, port }] = hosts as [{ host: string; port: number }];
  const name = [host, port, database || user].join('-').replaceAll(/[^\w.-]+/g, '_');
  return join(from, '.crossfade', 'dev', name);
}

export function readStored(directory: string): Stored | null {
  const file = join(directory, FILE);
  return existsSync(file) ? (JSON.parse(readFileSync(file, 'utf8')) as Stored) : null;
}

/** It is in use by this process from now on. */
export function hold(directory: string, stored: Omit<Stored, 'pid'>): void {
  write(directory, { ...stored, pid: process.pid });
}

/** It is in use no more. */
export function release(directory: string): void {
  const stored = readStored(directory);
  if (stored) write(directory, { ...stored, pid: null });
}

function write(directory: string, stored: Stored): void {
  mkdirSync(dynamoDirectory(directory), { recursive: true, mode: 0o700 });
  writeFileSync(join(directory, FILE), JSON.stringify(stored, null, 2), { mode: 0o600 });
}

export const removeKept = (directory: string) => rmSync(directory, { recursive: true, force: true });

/** Where DynamoDB writes, and when it did so last: the last that is known of an older run. */
export const dynamoDirectory = (directory: string) => join(directory, 'dynamodb');

export function lastWriteMs(directory: string): number {
  const folder = dynamoDirectory(directory);
  const files = existsSync(folder) ? readdirSync(folder) : [];
  return Math.max(0, ...files.map((file) => statSync(join(folder, file)).mtimeMs));
}

type Clock = { originMs: number; speed: number };

const virtualAt = ({ originMs, speed }: Clock, realMs: number) => originMs + (realMs - originMs) * speed;

/** A clock that is this much ahead is the real one. */
const AHEAD_MS = 60_000;

/**
 * The origin with which a clock of this speed goes on where another one was: time never goes back, and no minutes pass while
 * nothing runs, but for those that have passed on the wall.
 * @throws Error where a clock that is ahead would have to go at the pace of the wall
 */
export function resumedOrigin(before: Clock, lastMs: number, nowMs: number, speed: number): number {
  const reached = Math.max(virtualAt(before, lastMs), nowMs);
  if (speed !== 1) return Math.round((nowMs * speed - reached) / (speed - 1));
  if (reached <= nowMs + AHEAD_MS) return nowMs;
  const hours = ((reached - nowMs) / 3_600_000).toFixed(1);
  throw new Error(
    `The clock of what is kept is ${hours} h ahead, since it ran at --speed ${before.speed}. Go on with --speed ${before.speed}, or begin again with --fresh.`,
  );
}
