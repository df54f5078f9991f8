/** What every command gets and gives: options, streams, the API it talks to, and its answer as document and text. */

import { CrossfadeError } from '../core/base/errors.ts';
import { CUTOVER_ID } from '../core/cutover/cutover.ts';
import { type Api, apiClient } from './api.ts';
import { type Connection, connect } from './connection.ts';
import type { Io } from './io.ts';
import { printable } from './text.ts';

/** Options of all commands in one type; each command declares its own. */
export type Options = {
  url?: string;
  port?: number;
  awsProfile?: string;
  json?: boolean;
  yes?: boolean;
  reason?: string;
  breakGlass?: boolean;
  dryRun?: boolean;
  confirm?: string;
  force?: boolean;
  plan?: string;
  dwell?: number;
  ifVersion?: number;
  idempotencyKey?: string;
  watch?: boolean;
  wait?: string;
  exitCode?: boolean;
  timeout?: number;
  interval?: number;
  limit?: number;
  after?: number;
  salt?: string;
  key?: string;
  values?: boolean;
  listen?: number;
  databaseUrl?: string;
  config?: string;
  hours?: number;
  scopes?: string;
  what?: string;
  format?: string;
  verify?: boolean;
  conform?: boolean;
  set?: string[];
  unset?: string[];
  stage?: string;
  deployed?: boolean;
  proof?: boolean;
  all?: boolean;
  minutes?: number;
  withdraw?: boolean;
  dropTracking?: boolean;
  scan?: number;
  seconds?: number;
  cutover?: string;
  table?: string;
  alter?: string;
  partitionBy?: string;
  ddl?: string;
  cutovers?: number;
  writesPerSecond?: number;
  processes?: number;
  readers?: number;
  region?: string;
  rehearsal?: string;
  parameters?: string;
};

export type Context = { io: Io; options: Options; args: readonly (string | undefined)[] };

/** A document for `--json`, the same as text, and the exit code when it is not 0. */
export type Outcome = { document: unknown; text: string; exit?: number };

export type Action = (context: Context) => Promise<Outcome | number>;

export const EXIT = { done: 0, other: 1, usage: 2, held: 3, rolledBack: 4, conflict: 5 } as const;

export function openApi({ io, options }: Context): { connection: Connection; api: Api } {
  const connection = connect(options, io);
  return { connection, api: apiClient(connection, io.signal) };
}

/** The cutover named on the command line. Checked here, because it becomes part of a path. */
export function cutoverId(context: Context): string {
  const id = context.args[0] ?? '';
  if (CUTOVER_ID.test(id)) return id;
  throw new CrossfadeError(
    'invalid_identifier',
    `'${printable(id.slice(0, 60))}' cannot be the id of a cutover: lower_snake_case, a letter first, at most 40 characters. 'crossfade status' lists all.`,
  );
}

export function idempotencyKey({ io, options }: Context): string {
  const key = options.idempotencyKey ?? io.newKey();
  if (/^[\x21-\x7e]{1,200}$/.test(key)) return key;
  throw new CrossfadeError('invalid_input', '--idempotency-key takes 1–200 printable ASCII characters without blanks.');
}
