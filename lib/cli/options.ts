/** Options that several commands have, and the values that an option takes: what is none is refused with what would be one. */

import { type Command, InvalidArgumentError, Option } from 'commander';
import { didYouMean } from '../core/base/nearest.ts';
import { OLD_COMMANDS } from '../core/base/old-names.ts';
import { BUILT_IN_PLAN_NAMES } from '../core/cutover/plan.ts';
import type { Action } from './context.ts';

/** Adds a command to the program. */
export type Add = (usage: string, description: string, action: Action) => Command;

/** Of a command that loads what others do without: with its first call. */
export const later =
  (load: () => Promise<Action>): Action =>
  async (call) =>
    (await load())(call);

export const hours = () => new Option('--hours <number>', 'how far back').argParser(hourCount).default(24);
export const reason = () => new Option('--reason <text>', 'why; it is audited with your name');
export const databaseUrl = () =>
  new Option('--database-url <url>', "the owner's database URL (CROSSFADE_OWNER_DATABASE_URL, or the local stack)");

export const configuration = () =>
  new Option('--config <file>', 'module with defineCutovers([…]); crossfade.config.ts of this directory or one above');

export const fresh = () =>
  new Option('--fresh', 'forget what is kept of this database, take capture off its tables, and begin again');

/** A command that was renamed answers to its old name, too. */
export function withOldName(command: Command): Command {
  const old = OLD_COMMANDS[command.name()];
  return old === undefined ? command : command.alias(old);
}

export function writing(command: Command): Command {
  return command.option('--idempotency-key <key>', 'repeat a command whose answer was lost; does nothing twice');
}

export function operation(command: Command): Command {
  return writing(command).option('--if-version <number>', 'only if it is still at this version', whole);
}

/** About what runs on AWS, and not about an address. */
export function deployed(command: Command): Command {
  return command
    .option('--stage <name>', 'the deployment, such as prod')
    .option('--region <name>', 'where it is (AWS_REGION)');
}

export function forced(command: Command): Command {
  return command.option('--force', 'without evidence; needs --reason').addOption(reason());
}

export function confirmed(command: Command, name = 'cutover'): Command {
  return command.option(
    `--confirm <${name}>`,
    name === 'system' ? "type 'system'" : `the ${name}'s ${name === 'cutover' ? 'id' : 'name'}, typed again`,
  );
}

export function replayed(command: Command): Command {
  return (
    command
      .option('--cutover <id>', 'instead of files: what is stored of the stages of a cutover')
      .option('--hours <number>', 'with --cutover: how far back, at most 72; 24 by default', hourCount)
      // One value each: what follows it is a file.
      .option('--set <key=value>', 'another limit to try, and what it would have changed; repeat it for more', repeated)
  );
}

const repeated = (text: string, before: string[] = []) => [...before, text];

export function planName(text: string): string {
  if ((BUILT_IN_PLAN_NAMES as string[]).includes(text)) return text;
  throw new InvalidArgumentError(`Plans: ${BUILT_IN_PLAN_NAMES.join(', ')}.${didYouMean(text, BUILT_IN_PLAN_NAMES)}`);
}

function number(text: string, fits: (value: number) => boolean, wanted: string): number {
  const value = Number(text);
  if (/^\d+(\.\d+)?$/.test(text) && fits(value)) return value;
  throw new InvalidArgumentError(`It must be ${wanted}.`);
}

export const port = (text: string) =>
  number(text, (n) => Number.isInteger(n) && n > 0 && n < 65_536, 'a port, 1–65535');
export const positive = (text: string) => number(text, (n) => n > 0 && n <= 31_536_000, 'a number above 0');
const SECONDS_IN: Readonly<Record<string, number>> = { s: 1, m: 60, h: 3_600 };

/** Seconds: `90`, `90s`, `30m` or `2h`. */
export function duration(text: string): number {
  const [, value = '', unit = 's'] = /^(.*?)([smh])?$/.exec(text)!;
  return number(value, (n) => n > 0 && n <= 31_536_000, 'seconds, or a time such as 30m or 2h') * SECONDS_IN[unit]!;
}

export const readOnlySeconds = (text: string) =>
  number(text, (n) => Number.isInteger(n) && n >= 1 && n <= 300, 'a whole number of seconds, 1–300');
export const scanSeconds = (text: string) => number(text, (n) => n <= 15, 'seconds, 0–15');
export const rate = (text: string) => number(text, (n) => n <= 1e6, 'a number from 0 to a million');
export const whole = (text: string) => number(text, Number.isSafeInteger, 'a whole number, 0 or more');
export const tokenHours = (text: string) => number(text, (n) => n > 0 && n <= 168, 'hours, up to 168');
const hourCount = (text: string) =>
  number(text, (n) => Number.isInteger(n) && n > 0 && n <= 9_600, 'a whole number of hours, 1–9600');
export const limit = (text: string) =>
  number(text, (n) => Number.isInteger(n) && n > 0 && n <= 200, 'a whole number, 1–200');
