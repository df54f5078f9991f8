/** A log that is loaded with its first line: for functions that seldom say something, and for what fails before there is a composition. */

import type { Log } from '../ports/machine.ts';
import { invocation } from './invocation.ts';

/** @param failed called for every failure that is written */
export function lateLog(failed: () => void): Log {
  const late = async (write: (log: Log) => void) => {
    const { powertoolsLog } = await import('../adapters/powertools/log.ts');
    write(powertoolsLog({ level: 'info', invocation, failed }));
  };
  return {
    event: (name, fields) => void late((log) => log.event(name, fields)),
    failure: (name, error, fields) => void late((log) => log.failure(name, error, fields)),
  };
}
