/** Structured logs through Powertools: one JSON line per event, with the trace id of the invocation. */

import { Logger } from '@aws-lambda-powertools/logger';
import type { Log } from '../../ports/machine.ts';

export type LogLevel = 'debug' | 'info' | 'warn' | 'error' | 'silent';

/** Only names, counts and messages of our own are written; the cause of an error, which may hold row values, never is. */
export function powertoolsLog(level: LogLevel): Log {
  const logger = new Logger({
    serviceName: 'crossfade',
    logLevel: level === 'silent' ? 'SILENT' : POWERTOOLS_LEVELS[level],
  });
  return {
    event: (name, fields) => logger.info(name, { ...fields }),
    failure: (name, error, fields) =>
      logger.error(name, {
        ...fields,
        problem: error instanceof Error ? error.message : 'unknown',
        code: codeOf(error),
      }),
  };
}

const POWERTOOLS_LEVELS = { debug: 'DEBUG', info: 'INFO', warn: 'WARN', error: 'ERROR' } as const;

function codeOf(error: unknown): string | undefined {
  const code = error !== null && typeof error === 'object' && 'code' in error ? error.code : undefined;
  return typeof code === 'string' ? code : undefined;
}
