/** Everything the command line touches besides the network: streams, environment, clock, the person. Injected in tests. */

import { userInfo } from 'node:os';
import { environment, realNow, systemIds } from '../adapters/system.ts';
import { type LocalSettings, readLocalSettings } from '../schemas/local-settings.ts';
import { askOnTerminal } from './prompts.ts';
import { colours, MAX_WIDTH, type Paint, plain } from './text.ts';

export type Io = {
  stdout(text: string): void;
  stderr(text: string): void;
  stdin: AsyncIterable<Uint8Array | string>;
  env: Readonly<Record<string, string | undefined>>;
  /** In which the command was given. */
  directory: string;
  /** A person reads the output and can type an answer. */
  interactive: boolean;
  /** Standard output is a terminal: it may be coloured and redrawn. */
  terminal: boolean;
  width: number;
  /** Of the terminal as it is now. */
  readonly rows: number;
  paint: Paint;
  /** Real epoch milliseconds. */
  nowMs(): number;
  newKey(): string;
  /** Name of the person at the machine. */
  user(): string;
  readSettings(port: number): LocalSettings | null;
  /** What the person typed; null when they gave up. */
  ask(question: string): Promise<string | null>;
  /** Aborted when the person stops the program. */
  signal: AbortSignal;
};

/** Of a terminal that does not say. */
const USUAL_ROWS = 24;

/** The process itself. Colours only on a terminal and without NO_COLOR. */
export function processIo(signal: AbortSignal): Io {
  const env = environment();
  const terminal = process.stdout.isTTY === true;
  const coloured = terminal && !env.NO_COLOR && env.TERM !== 'dumb';
  return {
    stdout: (text) => void process.stdout.write(text),
    stderr: (text) => void process.stderr.write(text),
    stdin: process.stdin,
    env,
    directory: process.cwd(),
    interactive: terminal && process.stdin.isTTY === true,
    terminal,
    width: Math.max(40, Math.min(MAX_WIDTH, process.stdout.columns || MAX_WIDTH)),
    get rows() {
      return process.stdout.rows || USUAL_ROWS;
    },
    paint: coloured ? colours : plain,
    nowMs: realNow,
    newKey: () => systemIds().next(),
    user: osUser,
    readSettings: readLocalSettings,
    ask: askOnTerminal,
    signal,
  };
}

/** A container may run under a number without a name. */
function osUser(): string {
  try {
    return userInfo().username;
  } catch {
    return 'unknown';
  }
}
