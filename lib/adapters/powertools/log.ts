/**
 * Structured logs through Powertools: one JSON line per event, with the trace id of the invocation, and what Lambda says of it:
 * request id, function, memory, and whether it is the first of its instance. The service is POWERTOOLS_SERVICE_NAME.
 */

import { Logger } from '@aws-lambda-powertools/logger';
import type { Log } from '../../ports/machine.ts';

type LogLevel = 'debug' | 'info' | 'warn' | 'error' | 'silent';

/** What the lines belong to. `cold`: the instance began with it. */
export type Invocation = { context: Parameters<Logger['addContext']>[0]; cold: boolean };

export type LogOptions = {
  level: LogLevel;
  invocation: () => Invocation | null;
  /** Called for every failure that is written. */
  failed: () => void;
};

/** Only names, counts and messages of our own are written; the cause of an error, which may hold row values, never is. */
export function powertoolsLog({ level, invocation, failed }: LogOptions): Log {
  const logger = new Logger({ logLevel: level === 'silent' ? 'SILENT' : POWERTOOLS_LEVELS[level] });
  const about = () => {
    const now = invocation();
    if (!now) return {};
    logger.addContext(now.context);
    return { cold_start: now.cold };
  };
  return {
    event: (name, fields) => logger.info(name, { ...about(), ...fields }),
    failure: (name, error, fields) => {
      failed();
      logger.error(name, {
        ...about(),
        ...fields,
        problem: error instanceof Error ? error.message : 'unknown',
        code: codeOf(error),
        stack: stackOf(error),
      });
    },
  };
}

const POWERTOOLS_LEVELS = { debug: 'DEBUG', info: 'INFO', warn: 'WARN', error: 'ERROR' } as const;

function codeOf(error: unknown): string | undefined {
  const code = error !== null && typeof error === 'object' && 'code' in error ? error.code : undefined;
  return typeof code === 'string' ? code : undefined;
}

/** Where it was thrown, without its message. */
function stackOf(error: unknown): string | undefined {
  const lines = error instanceof Error ? (error.stack ?? '').replace(error.message, '').split('\n') : [];
  const places = lines.filter((line) => /^\s+at /.test(line)).map((line) => line.trim());
  return places.length > 0 ? places.slice(0, MAX_PLACES).join('\n') : undefined;
}

const MAX_PLACES = 8;
