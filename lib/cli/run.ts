/** One run of the command line: arguments in, text or JSON out, an exit code back. Never throws, never ends the process. */

import { type Command, CommanderError } from 'commander';
import { type Advise, adviser } from './advice.ts';
import { EXIT, type Options, type Outcome } from './context.ts';
import { failureDocument, failureOf, failureText } from './failure.ts';
import { type Io, processIo } from './io.ts';
import { packageVersion } from './package-root.ts';
import { buildProgram, type Perform } from './program.ts';
import { plain, printableJson, terminalText } from './text.ts';

/**
 * @param argv the words after `crossfade`
 * @param given replaces parts of the process, in tests
 * @example await run(['status', 'customer', '--json'], { stdout: (text) => out.push(text) }) // 0
 */
export async function run(argv: readonly string[], given: Partial<Io> = {}): Promise<number> {
  const io = safe({ ...processIo(given.signal ?? new AbortController().signal), ...given });
  let exit: number = EXIT.done;
  let attempted = 'crossfade';
  let cutover: string | undefined;
  let options: Options = {};
  const perform: Perform = async (action, command) => {
    const args = (command.processedArgs as (string | string[] | undefined)[]).flat();
    const named = command.registeredArguments.findIndex((argument) => argument.name() === 'cutover');
    cutover = named < 0 ? undefined : args[named];
    attempted = ['crossfade', command.name(), ...args.slice(0, Math.max(1, named + 1))].filter(Boolean).join(' ');
    options = command.optsWithGlobals() as Options;
    exit = show(io, options, await action({ io, options, args }), advise);
  };
  const program = silenced(
    buildProgram(packageVersion(), perform, { width: io.width, colours: io.paint !== plain }),
    io,
  );
  const commands = program.commands.flatMap((command) => [command.name(), ...command.aliases()]);
  const advise: Advise = (text) => adviser(commands, options)(text);
  try {
    await program.parseAsync(argv, { from: 'user' });
    return exit;
  } catch (error) {
    // Without a command, or with one that there is not, help is shown in place of an error.
    if (error instanceof CommanderError && isHelp(error)) return error.exitCode === 0 ? EXIT.done : EXIT.usage;
    if (error instanceof CommanderError) attempted = namedCommand(program, argv);
    const failure = failureOf(error, attempted, cutover, advise);
    if (wantsJson(argv)) io.stdout(`${printableJson(failureDocument(failure))}\n`);
    else io.stderr(`${failureText(attempted, failure, io.width)}\n`);
    return failure.exit;
  }
}

/** A file gets what was asked for, byte by byte; a terminal nothing that acts on it. */
const safe = (io: Io): Io => (io.terminal ? { ...io, stdout: (text) => io.stdout(terminalText(text)) } : io);

function show(io: Io, { json }: Options, outcome: Outcome | number, advise: Advise): number {
  if (typeof outcome === 'number') return outcome;
  io.stdout(json ? `${printableJson(outcome.document)}\n` : `${advise(outcome.text)}\n`);
  return outcome.exit ?? EXIT.done;
}

/** Help goes to standard output; errors are written once, by us. */
function silenced(program: Command, io: Io): Command {
  for (const command of [program, ...program.commands]) {
    command.configureOutput({ writeOut: io.stdout, writeErr: io.stderr, outputError: () => {} });
  }
  return program;
}

function namedCommand(program: Command, argv: readonly string[]): string {
  const name = argv.find((word) =>
    program.commands.some((command) => [command.name(), ...command.aliases()].includes(word)),
  );
  return name === undefined ? 'crossfade' : `crossfade ${name}`;
}

const isHelp = ({ code }: CommanderError) =>
  code === 'commander.help' || code === 'commander.helpDisplayed' || code === 'commander.version';

/** Asked of the words themselves, since they may be what could not be understood. */
function wantsJson(argv: readonly string[]): boolean {
  const end = argv.indexOf('--');
  return argv.slice(0, end < 0 ? argv.length : end).includes('--json');
}
