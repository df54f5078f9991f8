/** Scripts with which a shell completes the words of `crossfade`, made of the program itself. */

import type { Command } from 'commander';

export const SHELLS = ['bash', 'zsh', 'fish'] as const;
export type Shell = (typeof SHELLS)[number];

/** What may follow the name of a command. */
type Words = { name: string; description: string; options: { long: string; description: string; choices: string[] }[] };

/** @param program with every command of the tool */
export function completionOf(program: Command, shell: Shell): string {
  const commands = program.commands.map((command): Words => {
    const options = [...command.options, ...program.options].filter(({ hidden, long }) => !hidden && long);
    return {
      name: command.name(),
      description: command.description(),
      options: options.map(({ long, description, argChoices = [] }) => ({
        long: long!,
        description,
        choices: argChoices,
      })),
    };
  });
  return shell === 'fish' ? fish(commands) : shell === 'zsh' ? zsh(commands) : bash(commands);
}

const quoted = (text: string) => `'${text.replaceAll("'", `'\\''`)}'`;

function bash(commands: readonly Words[]): string {
  const cases = commands.map(({ name, options }) => {
    const words = options.map(({ long }) => long).join(' ');
    return `    ${name}) words=${quoted(words)} ;;`;
  });
  const values = new Map(
    commands.flatMap(({ options }) => options.map(({ long, choices }) => [long, choices] as const)),
  );
  const chosen = [...values].filter(([, choices]) => choices.length > 0);
  return `_crossfade() {
  local current=\${COMP_WORDS[COMP_CWORD]} words=''
  case \${COMP_WORDS[COMP_CWORD - 1]} in
${chosen.map(([long, choices]) => `    ${long}) COMPREPLY=($(compgen -W ${quoted(choices.join(' '))} -- "$current")); return ;;`).join('\n')}
  esac
  if [ "$COMP_CWORD" -eq 1 ]; then
    COMPREPLY=($(compgen -W ${quoted(commands.map(({ name }) => name).join(' '))} -- "$current"))
    return
  fi
  case \${COMP_WORDS[1]} in
${cases.join('\n')}
  esac
  COMPREPLY=($(compgen -W "$words" -- "$current"))
}
complete -o default -F _crossfade crossfade`;
}

const zsh = (commands: readonly Words[]) => `autoload -U +X bashcompinit && bashcompinit\n${bash(commands)}`;

/** Quotes of fish know two escapes. */
const inFish = (text: string) => `'${text.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`;

function fish(commands: readonly Words[]): string {
  return commands
    .flatMap(({ name, description, options }) => [
      `complete -c crossfade -n __fish_use_subcommand -a ${name} -d ${inFish(description)}`,
      ...options.map(({ long, description: says, choices }) => {
        const values = choices.length > 0 ? ` -x -a ${inFish(choices.join(' '))}` : '';
        return `complete -c crossfade -n '__fish_seen_subcommand_from ${name}' -l ${long.slice(2)}${values} -d ${inFish(says)}`;
      }),
    ])
    .join('\n');
}
