/** Phases as they are written in the configuration, and bodies of commands on them. */

import * as z from 'zod';
import { CUTOVER_ID } from '../core/cutover/cutover.ts';
import { type Check, GOALS, type Phase } from '../core/cutover/phase.ts';
import type { PhaseCommand } from '../core/phases/command.ts';
import { type Input, input, needsConfirm } from './input.ts';
import { reason } from './text.ts';

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
  z.strictObject({ name, criterion: name }),
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
  ...['manual', 'reached', 'sharePercentMin', 'noRollback', 'validationScoreMin', 'errorRateMax', 'criterion'],
];

const confirm = z.string().max(100);

function command<S extends z.ZodObject>(type: PhaseCommand['type'], schema: S): Input<z.output<S>> {
  const first = needsConfirm(`'${type}' of a phase needs "confirm" with its name, typed again.`);
  return input(schema, `The body of '${type}'`, 'confirm' in schema.shape ? { first } : {});
}

/** The body of each command on a phase. */
export const PHASE_COMMANDS = {
  check: command('check', z.strictObject({ check: z.string().min(1).max(40), ok: z.boolean().optional() })),
  go: command('go', z.strictObject({ force: z.boolean().optional(), reason: reason.optional() })),
  extend: command('extend', z.strictObject({ minutes: z.number().int().min(1).max(525_600), reason })),
  rollback: command('rollback', z.strictObject({ reason, confirm })),
  reset: command('reset', z.strictObject({ confirm })),
} as const satisfies { [Type in PhaseCommand['type']]: Input<Omit<PhaseCommand & { type: Type }, 'type'>> };

export const PHASE_COMMAND_NAMES = Object.keys(PHASE_COMMANDS) as PhaseCommand['type'][];
