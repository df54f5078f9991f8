/** Commands of the CLI, from commander: a table, and a section each with its options and an example of what it prints. */

import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Command } from 'commander';
import { buildProgram } from '../../lib/cli/program.ts';
import { block, code, table } from './markdown.ts';
import { COMMAND_NOTES } from './meanings.ts';

const never = async () => {
  throw new Error('The program is only described here.');
};
const WIDTH = 100;

function program(): Command {
  return buildProgram('', never, { width: WIDTH, colours: false });
}

/** `start <cutover>`, as commander writes it. */
const usageOf = (command: Command): string => {
  const words = command.registeredArguments.map((argument) => {
    const name = argument.variadic ? `${argument.name()}...` : argument.name();
    return argument.required ? `<${name}>` : `[${name}]`;
  });
  return [command.name(), ...words].join(' ');
};

export function commandTable(): string {
  const rows = program().commands.map((command) => [
    `[${code(usageOf(command))}](#crossfade-${command.name()})`,
    command.description(),
  ]);
  return table(['command', 'what it does'], rows);
}

export function commandPages(root: string): string {
  const all = program();
  const shared = optionTable(all);
  const unknown = Object.keys(COMMAND_NOTES).filter((name) => !all.commands.some((command) => command.name() === name));
  if (unknown.length > 0) throw new Error(`There is a note on what is no command: ${unknown.join(', ')}.`);
  const sections = all.commands.map((command) => {
    const notes = [COMMAND_NOTES[command.name()], ...command.aliases().map(oldName)].filter(Boolean);
    const options = optionTable(command);
    return [
      `### crossfade ${command.name()}`,
      block('text', `crossfade ${usageOf(command)}`),
      [sentence(command.description()), ...notes].join(' '),
      ...(options === '' ? [] : [options]),
      ...examplesOf(root, command.name()),
    ].join('\n\n');
  });
  return ['Every command also takes:', shared, ...sections].join('\n\n');
}

const oldName = (name: string) => `Its old name, ${code(name)}, goes on working for one release.`;

const sentence = (text: string) => `${text[0]!.toUpperCase()}${text.slice(1)}.`;

function optionTable(command: Command): string {
  if (command.options.length === 0) return '';
  const rows = command.options
    .filter(({ long }) => long !== '--version')
    .map((option) => [
      code(option.flags),
      [
        option.mandatory ? `${option.description} (required)` : option.description,
        ...(option.argChoices ? [`one of ${option.argChoices.join(', ')}`] : []),
        ...(option.defaultValue === undefined ? [] : [`${String(option.defaultValue)} by default`]),
      ].join('; '),
    ]);
  return table(['option', 'meaning'], rows);
}

/** What was printed when the command ran; test/scenario/command-examples.test.ts keeps it as NAME.txt and NAME.VARIANT.txt. */
function examplesOf(root: string, name: string): string[] {
  const folder = join(root, 'infra/docs/examples');
  const files = existsSync(folder) ? readdirSync(folder) : [];
  return files
    .filter((file) => file.startsWith(`${name}.`))
    .sort()
    .map((file) => block('console', readFileSync(join(folder, file), 'utf8')));
}
