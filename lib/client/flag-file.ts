/**
 * The last good flags on disk, for a process that starts while nothing answers. Only what was served is kept, and it is
 * judged again when it is read. Node's file system is asked for when there is a path, so that nothing is imported at the start.
 */

import { type FlagDocument, type ServedFlags, servedForm } from '../core/routing/flags.ts';
import { checkFlags } from '../routing/flag-check.ts';

type KeptFlags = { document: ServedFlags; ageMs: number };

export type FlagFile = {
  /** Null where there are none yet. Never throws. */
  read(): KeptFlags | null;
  /** Replaces the file in one step. Never throws. */
  write(document: FlagDocument): void;
};

export function flagFile(path: string, onProblem: (message: string) => void, wallMs: () => number): FlagFile {
  const fs = process.getBuiltinModule('node:fs');
  // Threads of one process have one id of it, and write at the same moment.
  const { threadId } = process.getBuiltinModule('node:worker_threads');

  function trying<T>(what: string, work: () => T): T | null {
    try {
      return work();
    } catch (error) {
      const { code, message } = error as NodeJS.ErrnoException;
      if (code !== 'ENOENT' || what === 'written') onProblem(`The flag file ${path} could not be ${what}: ${message}`);
      return null;
    }
  }

  return {
    read: () =>
      trying('read', () => {
        const { uid, mode } = fs.lstatSync(path);
        const isOurs = process.getuid === undefined || (uid === process.getuid() && (mode & 0o22) === 0);
        if (!isOurs) throw new Error('it belongs to another user, or others may write it');
        const { servedAtMs, flags } = JSON.parse(fs.readFileSync(path, 'utf8')) as {
          servedAtMs: number;
          flags: unknown;
        };
        if (!Number.isFinite(servedAtMs)) throw new Error('it does not say when its flags were served');
        return { document: checkFlags(flags), ageMs: Math.max(0, wallMs() - servedAtMs) };
      }),
    write(document) {
      trying('written', () => {
        const beside = `${path}.${process.pid}.${threadId}`;
        const text = JSON.stringify({ servedAtMs: wallMs(), flags: servedForm(document) });
        // In a directory of everybody: never through a link that somebody has put there.
        fs.rmSync(beside, { force: true });
        fs.writeFileSync(beside, text, { mode: 0o600, flag: 'wx' });
        fs.renameSync(beside, path);
      });
    },
  };
}
