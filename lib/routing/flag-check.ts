/**
 * What an application believes of the flags it is served, written by hand because a validation library weighs more than
 * the whole SDK. It accepts and refuses the same documents as `schemas/flags.ts`; a test compares the two.
 *
 * One wrong value refuses the document, so the last good one stays. A flag without epoch is not one of ours, or was
 * switched off by hand: it is passed over.
 */

import { CrossfadeError } from '../core/base/errors.ts';
import { CUTOVER_ID } from '../core/cutover/cutover.ts';
import { type CutoverFlag, type FlagDocument, SYSTEM_FLAG, type SystemFlag } from '../core/routing/flags.ts';
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
  allow: isTexts,
  deny: isTexts,
};

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

/** @throws CrossfadeError `flags_invalid` with every problem. */
export function checkFlagText(text: string): FlagDocument {
  let served: unknown;
  try {
    served = JSON.parse(text);
  } catch {
    throw invalid([`${text.length} characters that are not JSON`]);
  }
  return checkFlags(served);
}

/** The served form, flag name → attributes. @throws CrossfadeError `flags_invalid` with every problem. */
export function checkFlags(served: unknown): FlagDocument {
  if (!isFields(served)) throw invalid(['not an object']);
  const problems: string[] = [];
  const system = taken(SYSTEM_FLAG, served[SYSTEM_FLAG], SYSTEM_CHECKS, problems);
  const cutovers: Record<string, CutoverFlag> = {};
  for (const [name, flag] of Object.entries(served)) {
    if (name === SYSTEM_FLAG || !CUTOVER_ID.test(name)) continue;
    if (isFields(flag) && (flag.epoch === undefined || flag.enabled === false)) continue;
    cutovers[name] = taken(name, flag, CUTOVER_CHECKS, problems);
  }
  if (problems.length > 0) throw invalid(problems);
  return { system, cutovers };
}

/** The known attributes of a flag; each that is wrong or missing is a problem. */
function taken<Flag>(name: string, flag: unknown, checks: Checks<Flag>, problems: string[]): Flag {
  const fields = isFields(flag) ? flag : {};
  const entries = Object.entries<(value: unknown) => boolean>(checks).flatMap(([attribute, check]) => {
    const value = fields[attribute];
    if (!check(value)) problems.push(`${name}.${attribute} is ${seen(value)}`);
    return value === undefined ? [] : [[attribute, value]];
  });
  return Object.fromEntries(entries) as Flag;
}

const isFields = (value: unknown): value is Fields =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

const seen = (value: unknown) => (value === undefined ? 'missing' : String(JSON.stringify(value)).slice(0, 40));

function invalid(problems: readonly string[]): CrossfadeError {
  return new CrossfadeError(
    'flags_invalid',
    `The flags that were served are refused: ${problems.join('; ')}. The last good ones stay in use; look at what is deployed in AppConfig.`,
    { details: { problems } },
  );
}
