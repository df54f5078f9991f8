/**
 * A tutorial is followed as it stands: the lines of the shell blocks of its page, in order, by programs that the test lends it.
 * A line that fails, or that calls a program which no test runs, is named with its page.
 */

import { cli } from './fake-api.ts';
import { blocksOf, splitLine, typedOf } from './page-blocks.ts';
import type { Page } from './page-links.ts';

/** By name; each gets the words after it. */
export type Programs = Readonly<Record<string, (words: readonly string[]) => Promise<unknown>>>;

export type Tutorial = {
  /** Follows the lines up to this one, which the page must have. @returns what its last program gave */
  through(line: string): Promise<unknown>;
  /** Lines that were not followed yet. */
  left(): readonly string[];
};

/** What a page has people type, without remarks. */
export const linesOf = (page: Page): readonly string[] =>
  blocksOf(page)
    .filter(({ language }) => language === 'sh')
    .flatMap(({ text }) => text.split('\n').map(typedOf))
    .filter((line) => line !== '');

export function tutorial(page: Page, programs: Programs): Tutorial {
  const lines = [...linesOf(page)];

  async function follow(line: string): Promise<unknown> {
    let given: unknown;
    for (const words of splitLine(line)) {
      const [program, ...rest] = words[0] === 'npx' ? words.slice(1).filter((word) => word !== '--no-install') : words;
      const run = programs[program!];
      if (!run) throw new Error(`${page.file}: '${line}' calls '${program}', which this test does not run.`);
      try {
        given = await run(rest);
      } catch (cause) {
        const why = cause instanceof Error ? cause.message : String(cause);
        throw new Error(`${page.file}: '${line}' failed: ${why}`, { cause });
      }
    }
    return given;
  }

  return {
    async through(line) {
      const last = lines.indexOf(line);
      if (last < 0) throw new Error(`${page.file} has no line '${line}' that is still to be followed.`);
      let given: unknown;
      for (const one of lines.splice(0, last + 1)) given = await follow(one);
      return given;
    },
    left: () => lines,
  };
}

/** The command as a person types it, against a server; what it prints. @param refused exit codes that the page announces, by line */
export function typedCommands(
  server: { url: string; nowMs: () => number; token?: () => string },
  refused: Readonly<Record<string, number>> = {},
): Programs[string] {
  return async (words) => {
    const { exit, out, err } = await cli([...words, '--url', server.url], {
      env: { CROSSFADE_TOKEN: server.token?.() ?? 'token' },
      nowMs: server.nowMs,
    });
    const wanted = refused[words.join(' ')] ?? 0;
    if (exit !== wanted) throw new Error(`exit code ${exit}, not ${wanted}: ${err || out}`);
    return `${out}${err}`;
  };
}
