/**
 * What an application believes of the flags it is served, written by hand because a validation library weighs more than
 * the whole SDK. A test compares it with `schemas/flags.ts`.
 *
 * Each flag is judged by itself: one that cannot be read takes no stop and no rollback from the others. A flag without
 * epoch is not one of ours, so it says nothing about a cutover that is called like it.
 */

import { CrossfadeError } from '../core/base/errors.ts';
import { CUTOVER_ID } from '../core/cutover/cutover.ts';
import { type CutoverFlag, type ServedFlags, SYSTEM_FLAG, type SystemFlag } from '../core/routing/flags.ts';
import { MAX_SLICES } from '../core/routing/slices.ts';

type Fields = Readonly<Record<string, unknown>>;
type Checks<Flag> = { readonly [Name in keyof Flag]-?: (value: unknown) => boolean };

const isBoolean = (value: unknown) => typeof value === 'boolean';
const isText = (value: unknown) => typeof value === 'string';
const isTexts = (value: unknown) => Array.isArray(value) && value.every(isText);
const isCount = (value: unknown) => Number.isSafeInteger(value) && (value as number) >= 0;
const isShare = (value: unknown) => isCount(value) && (value as number) <= 1_000_000;
/** Rising ends between 0 and 1 000 000, both excluded. */
const areSlices = (value: unknown) =>
  Array.isArray(value) &&
  value.length < MAX_SLICES &&
  value.every((end, i) => isShare(end) && end < 1_000_000 && end > (i === 0 ? 0 : value[i - 1]));
const optional = (check: (value: unknown) => boolean) => (value: unknown) => value === undefined || check(value);
const oneOf =
  (...values: readonly unknown[]) =>
  (value: unknown) =>
    values.includes(value);

const CUTOVER_CHECKS: Checks<CutoverFlag> = {
  enabled: oneOf(true),
  stage: isText,
  epoch: isCount,
  version: isCount,
  read_ppm: isShare,
  slices: optional(areSlices),
  hold_back_ppm: optional(isShare),
  salt: isText,
  hash: oneOf('murmur3_x86_32'),
  shadow_writes: isBoolean,
  validation: oneOf('strict', 'relaxed', 'disabled'),
  primary_read_only: isBoolean,
  shadow_is_primary: isBoolean,
  allow: optional(isTexts),
  deny: optional(isTexts),
};

/** AppConfig takes no empty lists. */
const NO_LISTS: Pick<CutoverFlag, 'allow' | 'deny'> = { allow: [], deny: [] };

const SYSTEM_CHECKS: Checks<SystemFlag> = {
  enabled: oneOf(true),
  version: isCount,
  emergency_stop: isBoolean,
  shadow_writes_enabled: isBoolean,
  sync_monitoring: isBoolean,
  divergence_alerts: isBoolean,
  readonly: isBoolean,
  migration_phase: isText,
};

/** @throws CrossfadeError `flags_invalid` when it is not JSON, or no document of ours. */
export function checkFlagText(text: string): ServedFlags {
  let served: unknown;
  try {
    served = JSON.parse(text);
  } catch {
    throw invalid(`${text.length} characters that are not JSON`);
  }
  return checkFlags(served);
}

/**
 * The served form, flag name → attributes.
 * @throws CrossfadeError `flags_invalid` when none of our flags is in it
 */
export function checkFlags(served: unknown): ServedFlags {
  if (!isFields(served)) throw invalid('not an object');
  const cutovers: Record<string, CutoverFlag> = {};
  const off: string[] = [];
  const refused: string[] = [];
  const problems: string[] = [];
  const system = readSystem(served[SYSTEM_FLAG], problems);
  for (const [name, flag] of Object.entries(served)) {
    if (name === SYSTEM_FLAG || !CUTOVER_ID.test(name)) continue;
    const list = isFields(flag) && (flag.enabled === false ? off : flag.epoch === undefined ? refused : null);
    if (list) {
      list.push(name);
      continue;
    }
    const { right, wrong } = readFlag(name, flag, CUTOVER_CHECKS);
    problems.push(...wrong);
    if (wrong.length > 0) refused.push(name);
    else cutovers[name] = { ...NO_LISTS, ...right } as CutoverFlag;
  }
  const isForeign = served[SYSTEM_FLAG] === undefined && Object.keys(cutovers).length === 0;
  if (isForeign) throw invalid('no flag of Crossfade is in it');
  const lists = Object.entries({ off, refused, problems }).filter(([, list]) => list.length > 0);
  return { system, cutovers, ...Object.fromEntries(lists) };
}

/** What of it can be read is obeyed. */
function readSystem(flag: unknown, problems: string[]): Partial<SystemFlag> {
  if (flag === undefined || (isFields(flag) && flag.enabled === false)) {
    problems.push(
      `${SYSTEM_FLAG} is ${flag === undefined ? 'missing' : 'switched off'}, which stops every cutover that is not completed`,
    );
    return { enabled: false };
  }
  const { right, wrong } = readFlag(SYSTEM_FLAG, flag, SYSTEM_CHECKS);
  problems.push(...wrong);
  return right;
}

/** The known attributes of a flag that are right, and what is wrong with the others. */
function readFlag<Flag>(name: string, flag: unknown, checks: Checks<Flag>) {
  const fields = isFields(flag) ? flag : {};
  const right: Partial<Record<string, unknown>> = {};
  const wrong: string[] = [];
  for (const [attribute, check] of Object.entries<(value: unknown) => boolean>(checks)) {
    const value = fields[attribute];
    if (!check(value)) wrong.push(`${name}.${attribute} is ${seen(value)}`);
    else if (value !== undefined) right[attribute] = value;
  }
  return { right: right as Partial<Flag>, wrong };
}

const isFields = (value: unknown): value is Fields =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

const seen = (value: unknown) => (value === undefined ? 'missing' : String(JSON.stringify(value)).slice(0, 40));

function invalid(problem: string): CrossfadeError {
  return new CrossfadeError(
    'flags_invalid',
    `The flags that were served are refused: ${problem}. The last good ones stay in use; look at what is deployed in AppConfig.`,
    { details: { problems: [problem] } },
  );
}
