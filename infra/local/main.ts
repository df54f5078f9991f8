/**
 * `npm start` (the demonstration) and `crossfade dev` (the same servers for the user's own database and cutovers).
 * Reads the arguments, says what is wrong with them, and keeps everything up until it is asked to stop.
 */

import { existsSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { Command, CommanderError, InvalidArgumentError, Option } from 'commander';
import { configuration, fresh } from '../../lib/cli/options.ts';
import { ERROR_CODES, isCrossfadeError, messageOf } from '../../lib/core/base/errors.ts';
import { BUILT_IN_PLAN_NAMES, type BuiltInPlanName } from '../../lib/core/cutover/plan.ts';
import { DEFAULT_PORT } from '../../lib/schemas/local-settings.ts';
import { FAULTS, type Fault } from '../examples/chinook/app-protocol.ts';
import { runDemo } from './demo.ts';
import { runDev } from './dev.ts';
import { provideStreaming, type StreamingHandler, startFunctionUrl } from './function-url.ts';
import { type RehearseOptions, runRehearse } from './rehearsal/rehearse.ts';

// The local stack runs on the Node that is there; the note of the SDK about its own future is not for its users.
process.env.AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED ??= 'true';

const ROOT = resolve(dirname(fileURLToPath(import.meta.url)), '../..');
const ORPHAN_CHECK_MS = 1_000;
const USAGE = 2;
const FAILED = 1;

type DemoArguments = { plan: BuiltInPlanName; speed: number; port: number; fault?: Fault; exit?: boolean };
type DevArguments = { databaseUrl: string; config?: string; speed: number; port: number; fresh?: boolean };

function number(min: number, max: number) {
  return (text: string) => {
    const value = Number(text);
    if (Number.isFinite(value) && value >= min && value <= max) return value;
    throw new InvalidArgumentError(`It must be a number from ${min} to ${max}.`);
  };
}

function positiveWhole(text: string): number {
  const value = number(1, 1e9)(text);
  if (Number.isInteger(value)) return value;
  throw new InvalidArgumentError('It must be a whole number.');
}

function portNumber(text: string): number {
  const value = number(1_024, 65_000)(text);
  if (Number.isInteger(value)) return value;
  throw new InvalidArgumentError('It must be a whole number.');
}

function copyFileOrAddress(text: string): string {
  if (text === 'copy' || existsSync(text)) return text;
  if (URL.canParse(text) && /^postgres(ql)?:$/.test(new URL(text).protocol)) return text;
  throw new InvalidArgumentError(
    "There is no such file. It takes 'copy', a file of pg_dump, or the address of a database: postgres://….",
  );
}

const portOption = () =>
  new Option('--port <port>', 'first of eight ports in a row')
    .argParser(portNumber)
    .default(Number(process.env.CROSSFADE_PORT ?? DEFAULT_PORT));

function program(run: (job: (untilStopped: Promise<void>) => Promise<number>) => Promise<void>): Command {
  const root = new Command('crossfade-local').exitOverride().showSuggestionAfterError();
  root
    .command('start', { isDefault: true })
    .description("take Chinook's customer table across while an application uses it")
    .addOption(new Option('--plan <name>', 'stages to go through').choices(BUILT_IN_PLAN_NAMES).default('gradual'))
    .addOption(new Option('--speed <factor>', 'minutes per real minute').argParser(number(1, 60)).default(30))
    .addOption(portOption())
    .addOption(new Option('--fault <kind>', 'inject a fault into a tenth of the new side').choices(FAULTS))
    .option('--exit', 'take the way back, too, and end: 0 nothing lost, 4 rolled back, 1 otherwise')
    .action((options: DemoArguments) =>
      run((untilStopped) =>
        runDemo({ root: ROOT, ...options, fault: options.fault ?? null, exit: options.exit ?? false }, untilStopped),
      ),
    );
  root
    .command('dev')
    .description('run Crossfade on this machine against your own database')
    .requiredOption('--database-url <url>', 'postgres://… of a role that owns the tables')
    .addOption(configuration())
    .addOption(new Option('--speed <factor>', 'minutes per real minute').argParser(number(1, 60)).default(1))
    .addOption(portOption())
    .addOption(fresh())
    .action((options: DevArguments) =>
      run((untilStopped) => runDev({ root: ROOT, ...options, fresh: options.fresh ?? false }, untilStopped)),
    );
  root
    .command('rehearse')
    .description('take a cutover through its whole life on a copy of the database')
    .argument('<cutover>')
    .requiredOption('--database-url <url>', 'postgres://… of a role that owns the tables')
    .option('--runtime-url <url>', 'of the role that moves rows; the owner by default')
    .option('--application-url <url>', 'of the role of the application; the owner by default')
    .option('--admin-url <url>', 'of a role that may copy the database; the owner by default')
    .addOption(
      new Option('--on <copy>', "'copy', a file of pg_dump, or postgres://… of a database that may be used up")
        .argParser(copyFileOrAddress)
        .default('copy'),
    )
    .addOption(
      new Option(
        '--sample <rows>',
        'cut the table of the copy to so many rows, and what refers to the others',
      ).argParser(positiveWhole),
    )
    .addOption(configuration())
    .addOption(new Option('--minutes <number>', 'how long it may take').argParser(number(1, 1_440)).default(15))
    .addOption(new Option('--speed <factor>', 'minutes per real minute').argParser(number(1, 60)).default(30))
    .addOption(new Option('--port <port>', 'first of eight ports in a row; free ones by default').argParser(portNumber))
    .option('--out <directory>', 'where the report is written', join('.crossfade', 'rehearsal'))
    .action((cutover: string, options: Omit<RehearseOptions, 'root' | 'cutover'>) =>
      run((untilStopped) => runRehearse({ root: ROOT, cutover, ...options }, untilStopped)),
    );
  // The stack starts it for itself, with the environment of its functions.
  root
    .command('function-url', { hidden: true })
    .argument('<name>')
    .requiredOption('--port <port>', '', portNumber)
    .action((name: string, { port }: { port: number }) =>
      run(async (untilStopped) => {
        provideStreaming();
        const bundle = pathToFileURL(resolve(ROOT, 'dist/functions', name, 'index.mjs'));
        const { handler } = (await import(bundle.href)) as { handler: StreamingHandler };
        const server = await startFunctionUrl({ name, handler, port });
        await untilStopped;
        await server.stop();
        return 0;
      }),
    );
  for (const command of root.commands) command.exitOverride().showSuggestionAfterError();
  return root;
}

/** Resolves at the first signal, or when the terminal that started us is gone. */
function stopSignal(): Promise<void> {
  return new Promise((resolveStop) => {
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.once(signal, () => resolveStop());
    // The channel to the program that started us closes with it, however it ended.
    process.once('disconnect', () => resolveStop());
    // And without a channel, as below npx: an orphan has another parent than before.
    const parent = process.ppid;
    setInterval(() => process.ppid !== parent && resolveStop(), ORPHAN_CHECK_MS).unref();
  });
}

async function main(): Promise<number> {
  const untilStopped = stopSignal();
  let code = 0;
  try {
    await program(async (job) => {
      code = await job(untilStopped);
    }).parseAsync(process.argv);
    return code;
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : USAGE;
    process.stderr.write(`\n${messageOf(error)}\n`);
    return isCrossfadeError(error) && ERROR_CODES[error.code].exit === USAGE ? USAGE : FAILED;
  }
}

process.exit(await main());
