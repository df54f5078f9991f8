/** Phases as they are written in the configuration, and bodies of commands on them. */

import * as z from 'zod';
import { CrossfadeError } from '../core/base/errors.ts';
import { didYouMean } from '../core/base/nearest.ts';
import { CUTOVER_ID } from '../core/cutover/cutover.ts';
import { type Check, GOALS, type Phase } from '../core/cutover/phase.ts';
import type { PhaseCommand } from '../core/phases/command.ts';
import { parse } from './problems.ts';

const name = z
  .string()
  .regex(CUTOVER_ID, 'a name is lower_snake_case of at most 40 characters, beginning with a letter');
const rate = z.number().min(0).max(1);

const check = z.union([
  z.strictObject({ name, manual: z.string().trim().min(1).max(300) }),
  z.strictObject({ name, reached: z.enum(GOALS) }),
  z.strictObject({ name, sharePercentMin: z.number().gt(0).max(100) }),
  z.strictObject({ name, noRollback: z.literal(true) }),
  z.strictObject({ name, validationScoreMin: rate }),
  z.strictObject({ name, errorRateMax: rate }),
]) satisfies z.ZodType<Check>;
const checks = z.array(check).max(30).default([]);

export const phaseInput = z.strictObject({
  name,
  cutovers: z.array(name).min(1).max(100),
  after: z.array(name).max(50).default([]),
  /** How far every cutover must come before the soak. */
  reach: z.enum(GOALS).default('full'),
  soakMinutes: z.number().min(0).max(525_600).default(0),
  preparation: checks,
  validation: checks,
  criteria: checks,
  decision: z.enum(['automatic', 'person']).default('person'),
}) satisfies z.ZodType<Omit<Phase, 'place'>>;

export type PhaseForm = z.input<typeof phaseInput>;

export const PHASE_KEYS = [
  ...Object.keys(phaseInput.shape),
  ...['manual', 'reached', 'sharePercentMin', 'noRollback', 'validationScoreMin', 'errorRateMax'],
];

const reason = z
  .string()
  .min(1)
  .max(1_000)
  .refine((value) => value.isWellFormed() && !value.includes('\0'), 'it holds NUL or half a surrogate pair');
const confirm = z.string().max(100);

export const phaseBodies = {
  check: z.strictObject({ check: z.string().min(1).max(40), ok: z.boolean().optional() }),
  go: z.strictObject({ force: z.boolean().optional(), reason: reason.optional() }),
  extend: z.strictObject({ minutes: z.number().int().min(1).max(525_600), reason }),
  rollback: z.strictObject({ reason, confirm }),
  reset: z.strictObject({ confirm }),
} as const satisfies Record<PhaseCommand['type'], z.ZodObject>;

export const PHASE_COMMANDS = Object.keys(phaseBodies) as PhaseCommand['type'][];

/** @throws CrossfadeError `confirm_required`, `invalid_input`, `unknown_property` */
export function parsePhaseCommand(type: PhaseCommand['type'], body: unknown): PhaseCommand {
  const schema = phaseBodies[type];
  if ('confirm' in schema.shape && (body as Record<string, unknown>).confirm === undefined)
    throw new CrossfadeError('confirm_required', `'${type}' of a phase needs "confirm" with its name, typed again.`);
  const fields = parse<object>(schema, body, `The body of '${type}'`, { known: Object.keys(schema.shape) });
  return { type, ...fields } as PhaseCommand;
}

/** @throws CrossfadeError `invalid_identifier`, `not_found` with the nearest name */
export function findPhase(phases: readonly Phase[], wanted: string | undefined): Phase {
  if (wanted === undefined || !CUTOVER_ID.test(wanted))
    throw new CrossfadeError('invalid_identifier', 'The name of a phase is lower_snake_case of at most 40 characters.');
  const found = phases.find((phase) => phase.name === wanted);
  if (found) return found;
  const names = phases.map((phase) => phase.name);
  const hint = didYouMean(wanted, names);
  throw new CrossfadeError(
    'not_found',
    `No phase '${wanted}' is declared.${hint} Declared: ${names.join(', ') || 'none'}.`,
  );
}
