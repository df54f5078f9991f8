/**
 * Commands that cannot be taken back want a name typed again, and elsewhere than on this machine a person or `--yes`.
 * Everything is settled before anything is sent.
 */

import { CrossfadeError } from '../core/base/errors.ts';
import type { Io } from './io.ts';
import { printable } from './text.ts';

export type Confirmation = {
  /** What the person wants to do, for the question: `complete 'customer'`. */
  command: string;
  /** What must be typed: the cutover's id, `system`, or null when the command itself is plain enough. */
  name: string | null;
  /** What was typed on the command line. */
  given: string | undefined;
  /** `--yes` */
  yes: boolean;
  /** The API runs on this machine. */
  loopback: boolean;
  url: string;
};

const TRIES = 2;

/** @throws CrossfadeError `confirm_required`; nothing was sent then */
export async function confirm(io: Pick<Io, 'interactive' | 'ask'>, wanted: Confirmation): Promise<void> {
  const { command, name, given, yes, loopback, url } = wanted;
  if (name !== null && given !== undefined && given !== name) {
    throw refused(`${command} needs --confirm ${name}, got '${printable(given)}'. Nothing was sent.`);
  }
  const typed = name === null || given !== undefined;
  const alone = loopback || yes;
  if (typed && alone) return;
  if (!io.interactive) {
    throw typed
      ? refused(
          `${command} goes to ${url}, not to this machine, and no terminal is there to ask: add --yes. Nothing was sent.`,
        )
      : refused(`${command} cannot be taken back. Add --confirm ${name}${alone ? '' : ' --yes'}. Nothing was sent.`);
  }
  await askForName(io, command, name ?? 'stop', url);
}

async function askForName(io: Pick<Io, 'ask'>, command: string, name: string, url: string): Promise<void> {
  for (let attempt = 1; attempt <= TRIES; attempt += 1) {
    const answer = await io.ask(`${command} at ${url}. Type '${name}' to go on:`);
    if (answer === null) throw refused(`${command} was called off. Nothing was sent.`);
    if (answer.trim() === name) return;
  }
  throw refused(`${command}: '${name}' was not typed. Nothing was sent.`);
}

const refused = (message: string) => new CrossfadeError('confirm_required', message);
