/**
 * Commands that a message advises, as they can be typed here. Messages name a command by its words, `crossfade status orders`;
 * only here is known how the tool is called, and which Crossfade it has talked to. Pure.
 */

import type { ConnectionOptions } from './connection.ts';

export type Advise = (text: string) => string;

/** They are a program of their own, and have no options in front. */
const FIRST_WORDS: ReadonlySet<string> = new Set(['dev', 'rehearse']);

/**
 * @param commands names of all of them: what is no command stays as it is, such as the schema `crossfade`
 * @param to what was typed to reach this Crossfade
 */
export function adviser(commands: readonly string[], to: ConnectionOptions): Advise {
  const given = [
    ['--url', to.url],
    ['--port', to.port],
    ['--aws-profile', to.awsProfile],
  ] as const;
  const there = given.map(([option, value]) => (value === undefined ? '' : ` ${option} ${value}`)).join('');
  const named = new RegExp(`(?<![\\w./-])(?:npx --no-install )?crossfade (?=(${commands.join('|')})(?![\\w-]))`, 'g');
  return (text) =>
    text.replaceAll(named, (_, name: string) => `npx --no-install crossfade${FIRST_WORDS.has(name) ? '' : there} `);
}
