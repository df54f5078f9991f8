/** The machine itself: clock, randomness, environment, console. The only file of `lib` that touches them. */

import { randomUUID } from 'node:crypto';
import type { Clock, Ids, Log } from '../ports.ts';

export type ClockScale = {
  /** Virtual minutes per real minute; 1 outside of demonstrations. */
  speed: number;
  /** Real epoch milliseconds at which the virtual clock agreed with the real one. */
  originMs: number;
};

/** A clock that runs `speed` times as fast as the real one since `originMs`. Pauses are real. */
export function systemClock({ speed, originMs }: ClockScale = { speed: 1, originMs: 0 }): Clock {
  return {
    now: () => (speed === 1 ? Date.now() : Math.floor(originMs + (Date.now() - originMs) * speed)),
    monotonicMs: () => performance.now(),
    sleep: (ms) => new Promise((resolve) => setTimeout(resolve, ms)),
  };
}

/** Real time, for tokens: they do not live in accelerated time. */
export const realNow = (): number => Date.now();

export const random = (): number => Math.random();

export const systemIds = (): Ids => ({ next: () => randomUUID() });

export const environment = (): Readonly<Record<string, string | undefined>> => process.env;

const LEVELS = { debug: 0, info: 1, warn: 2, error: 3, silent: 4 } as const;
export type LogLevel = keyof typeof LEVELS;

/** One JSON line per event. Control characters are escaped by JSON itself; errors show their message, never their cause's data. */
export function consoleLog(level: LogLevel, base: Readonly<Record<string, string>> = {}): Log {
  const write = (severity: LogLevel, fields: object) => {
    if (LEVELS[severity] < LEVELS[level]) return;
    const line = JSON.stringify({ level: severity, ...base, ...fields });
    if (severity === 'error') console.error(line);
    else console.log(line);
  };
  return {
    event: (name, fields) => write('info', { event: name, ...fields }),
    failure: (name, error, fields) =>
      write('error', {
        event: name,
        ...fields,
        error: error instanceof Error ? error.message : 'unknown',
        code: codeOf(error),
      }),
  };
}

function codeOf(error: unknown): string | undefined {
  const code = error !== null && typeof error === 'object' && 'code' in error ? error.code : undefined;
  return typeof code === 'string' ? code : undefined;
}
