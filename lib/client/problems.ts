/** What is wrong beside every answer, said to the people who run the application: once, and again when it goes on. */

import { guarded } from '../core/base/guarded.ts';

export type Problem = {
  /** Stable: `flags_unavailable`, `flags_invalid`, `flags_older`, `outcomes_lost`, `outcome_unusable`, `flag_file`, `hot_key`. */
  code: string;
  message: string;
};

const SAME_MS = 600_000;
const OTHER_MS = 1_000;

/**
 * One text is said once in ten minutes, another one of the same code after a second. Never throws.
 * @returns gives true when it was said
 */
export function problemTeller(tell: (problem: Problem) => void, now: () => number): (problem: Problem) => boolean {
  const said = new Map<string, { message: string; atMs: number }>();
  const tellThem = guarded(tell);
  return (problem) => {
    const { code, message } = problem;
    const before = said.get(code);
    const atMs = now();
    if (before && atMs - before.atMs < (before.message === message ? SAME_MS : OTHER_MS)) return false;
    said.set(code, { message, atMs });
    tellThem(problem);
    return true;
  };
}
