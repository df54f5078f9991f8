/** The report of a rehearsal, as a start hands it over: what was signed of it. */

import { readFileSync } from 'node:fs';
import { CrossfadeError } from '../core/base/errors.ts';
import { printable } from './text.ts';

/** @throws CrossfadeError `invalid_input` when there is no such file, or it is no report */
export function signedIn(file: string): string {
  try {
    const { signed } = JSON.parse(readFileSync(file, 'utf8')) as { signed?: unknown };
    if (typeof signed === 'string') return signed;
  } catch (cause) {
    if ((cause as { code?: string }).code === 'ENOENT') throw unreadable(file, 'there is no such file', cause);
    throw unreadable(file, 'it is no JSON', cause);
  }
  throw unreadable(file, 'it is not signed');
}

const unreadable = (file: string, why: string, cause?: unknown) =>
  new CrossfadeError(
    'invalid_input',
    `--rehearsal takes the report of a rehearsal, such as .crossfade/rehearsal/rehearsal-ID.json. ${printable(file)}: ${why}.`,
    { cause },
  );
