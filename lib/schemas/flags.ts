/**
 * The flags as AppConfig serves them, flag name → attributes, and what the program makes of them. One wrong value
 * refuses the document; a flag without epoch is not one of ours, or was switched off by hand, and is passed over.
 */

import * as z from 'zod';
import { CrossfadeError } from '../core/base/errors.ts';
import { CUTOVER_ID } from '../core/cutover/cutover.ts';
import { FULL_SHARE_PPM } from '../core/cutover/plan.ts';
import { type CutoverFlag, type FlagDocument, SYSTEM_FLAG, type SystemFlag } from '../core/routing/flags.ts';
import { MAX_SLICES } from '../core/routing/slices.ts';

const count = z.int().nonnegative();
const slices = z
  .array(count.min(1).max(FULL_SHARE_PPM - 1))
  .max(MAX_SLICES - 1)
  .refine((ends) => ends.every((end, i) => i === 0 || end > ends[i - 1]!), 'they do not rise');

const cutoverFlagSchema = z.object({
  enabled: z.literal(true),
  stage: z.string(),
  epoch: count,
  version: count,
  read_ppm: count.max(FULL_SHARE_PPM),
  slices: slices.optional(),
  hold_back_ppm: count.max(FULL_SHARE_PPM).optional(),
  salt: z.string(),
  hash: z.literal('murmur3_x86_32'),
  shadow_writes: z.boolean(),
  validation: z.enum(['strict', 'relaxed', 'disabled']),
  primary_read_only: z.boolean(),
  shadow_is_primary: z.boolean(),
  // AppConfig takes no empty list, so an empty one is left out.
  allow: z.array(z.string()).default([]),
  deny: z.array(z.string()).default([]),
}) satisfies z.ZodType<CutoverFlag>;

const systemFlagSchema = z.object({
  enabled: z.literal(true),
  version: count,
  emergency_stop: z.boolean(),
  shadow_writes_enabled: z.boolean(),
  sync_monitoring: z.boolean(),
  divergence_alerts: z.boolean(),
  readonly: z.boolean(),
  migration_phase: z.string(),
}) satisfies z.ZodType<SystemFlag>;

const foreignFlag = z
  .looseObject({})
  .refine((flag) => flag.epoch === undefined || flag.enabled === false)
  .transform(() => null);

const servedFlags = z.record(z.string(), z.unknown());
const cutoverFlags = z.record(z.string(), z.union([foreignFlag, cutoverFlagSchema]));
/** Made once: a schema is compiled when it is first used. */
const ourFlags = z.object({ system: systemFlagSchema, cutovers: cutoverFlags });

/** @throws CrossfadeError `flags_invalid` with every problem. */
export function parseFlagText(text: string): FlagDocument {
  let served: unknown;
  try {
    served = JSON.parse(text);
  } catch (cause) {
    throw invalid([`${text.length} characters that are not JSON`], cause);
  }
  return parseFlags(served);
}

/** @throws CrossfadeError `flags_invalid` with every problem. */
export function parseFlags(served: unknown): FlagDocument {
  const whole = servedFlags.safeParse(served);
  if (!whole.success) throw invalid(problemsIn(whole.error));
  const { [SYSTEM_FLAG]: system, ...others } = whole.data;
  const named = Object.fromEntries(Object.entries(others).filter(([name]) => CUTOVER_ID.test(name)));
  const parsed = ourFlags.safeParse({ system, cutovers: named });
  if (!parsed.success) throw invalid(problemsIn(parsed.error));
  const ours = Object.entries<CutoverFlag | null>(parsed.data.cutovers).flatMap(([name, flag]) =>
    flag ? [[name, flag] as const] : [],
  );
  return { system: parsed.data.system, cutovers: Object.fromEntries(ours) };
}

/** Of a flag that is neither foreign nor right, what is wrong with it as one of ours. */
function problemsIn(error: z.ZodError): string[] {
  return error.issues.flatMap((issue) => {
    const at = issue.path.join('.');
    if (issue.code !== 'invalid_union') return [`${at || 'document'}: ${issue.message}`];
    return (issue.errors[1] ?? []).map((inner) => `${[at, ...inner.path].join('.')}: ${inner.message}`);
  });
}

function invalid(problems: readonly string[], cause?: unknown): CrossfadeError {
  return new CrossfadeError(
    'flags_invalid',
    `The flags in AppConfig are refused: ${problems.join('; ')}. They are replaced with the next publication; until then the last good ones stay in use.`,
    { details: { problems }, cause },
  );
}
