/** The commands that messages, hints and pages advise, and what the program itself says of their form. */

import { CommanderError } from 'commander';
import { buildProgram } from '../../lib/cli/program.ts';
import { proseOf, type Source } from './imports.ts';
import { splitLine } from './page-blocks.ts';

export type Advised = { where: string; command: string };

const program = () => {
  const built = buildProgram('', async () => {}, { width: 100, colours: false });
  for (const command of [built, ...built.commands]) command.configureOutput({ writeErr: () => {}, writeOut: () => {} });
  return built;
};
const NAMES = program().commands.flatMap((command) => [command.name(), ...command.aliases()]);
const COMMAND = new RegExp(`(?<![\\w./-])crossfade (?=(?:${NAMES.join('|')})(?![\\w-]))`, 'g');

/** Values that stand for one: `…`, where a number is asked for. */
const NUMBERS = /(--(?:port|minutes|seconds|hours|limit|timeout|if-version)) …/g;

/** In strings of a source; a string that is a command is one as a whole, others hold it in quotes or end it with a mark. */
export function advisedBySource({ file, text }: Source): Advised[] {
  return proseOf(text)
    .filter((token) => !token.startsWith('/'))
    .flatMap((token) => advisedIn(token.slice(1, -1)).map((command) => ({ where: file, command })));
}

/** @param text of a message, as it is printed */
export function advisedIn(text: string): string[] {
  return [...text.matchAll(COMMAND)].map(({ 0: found, index }) => {
    const rest = text.slice(index + found.length).replaceAll(/\\(['"`])/g, '$1');
    if (/'(?:npx --no-install )?$/.test(text.slice(0, index))) return /^(?:[^']|(?<=--reason )'[^']*')*/.exec(rest)![0];
    return /^(?:'[^']*'|(?! {2}|[.,;:()](?:\s|$)|[\n`]).)*/.exec(rest)![0].trim();
  });
}

/** What a person puts in place of `…`, by the command and, for some, the place; a cutover where nothing is said. */
const MEANT: Readonly<Record<string, readonly string[]>> = {
  ack: ['customer.errors'],
  forwards: ['planner', 'retry'],
  phase: ['one'],
  reads: ['primary', 'customer'],
  writes: ['off', 'customer'],
};
const NAMED: Readonly<Record<string, string>> = { CUTOVER: 'customer', ID: 'customer', KEY: '1' };

/** The words that a person types who is told this: names in place of placeholders, of cutover `customer`. */
export function typedFor(advised: string): readonly string[] {
  const command = advised
    .replaceAll(NUMBERS, '$1 60')
    .replaceAll(/…{2,}/g, '…')
    .replaceAll(/(?<=--\w+)…/g, '');
  const [[name = '', ...words] = []] = splitLine(command);
  let place = words.includes('primary') || words.includes('shadow') || words.includes('on') ? 1 : 0;
  return [
    name,
    ...words.map((word, index) => {
      const before = words[index - 1] ?? '';
      if (word !== '…') return NAMED[word] ?? word;
      if (before === '--reason') return 'because';
      if (before === '--confirm') return name === 'phase' ? 'one' : 'customer';
      return MEANT[name]?.[place++] ?? 'customer';
    }),
  ];
}

/** Why the words cannot be typed; null when the program takes them. */
export function refusedForm(command: string): string | null {
  const [words = []] = splitLine(
    command
      .replaceAll(NUMBERS, '$1 60')
      .replaceAll(/(?<=\w)…+/g, '')
      .replaceAll(/…+/g, 'x'),
  );
  try {
    program().parse(words, { from: 'user' });
    return null;
  } catch (error) {
    if (error instanceof CommanderError) return error.message;
    throw error;
  }
}
