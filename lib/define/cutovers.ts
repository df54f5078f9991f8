/**
 * The configuration: which cutovers exist. Declared in `crossfade.config.ts`, reviewed and deployed with the code, since
 * transforms are SQL. Every problem is reported at once, on a line of its own, with its path.
 */

import type * as z from 'zod';
import { CrossfadeError, type ErrorCode, isCrossfadeError } from '../core/base/errors.ts';
import { didYouMean } from '../core/base/nearest.ts';
import { type CutoverDeclaration, DEFAULT_POLICY, NO_OVERRIDES } from '../core/cutover/cutover.ts';
import { builtInPlan, makePlan, type Plan, withHoldBack } from '../core/cutover/plan.ts';
import { withDwells } from '../core/cutover/policy.ts';
import { declaredAddresses, isPathBelow, splitAddress } from '../core/cutover/write-target.ts';
import { DEFAULT_CORS } from '../core/net/cors.ts';
import { DEFAULT_GATEWAY, malformedUpstream } from '../core/net/upstream.ts';
import {
  type CutoverForm,
  type cutoverInput,
  DECLARED_KEYS,
  type SharedForm,
  sharedInput,
} from '../schemas/declarations.ts';
import { readForm } from '../schemas/declared-form.ts';
import type { freezeWindow } from '../schemas/freeze.ts';
import { describe } from '../schemas/problems.ts';
import { contradictionsOf } from './contradictions.ts';

export type CutoverInput = z.input<typeof cutoverInput>;
export type FreezeInput = z.input<typeof freezeWindow>;
export type SharedInput = z.input<typeof sharedInput>;

type Problem = { code: ErrorCode; text: string };

/**
 * Checks and completes the declarations.
 * @throws CrossfadeError that names every problem with its path: `invalid_identifier` or `invalid_plan` when that is all
 *   that is wrong, otherwise `invalid_config`
 * @example export default defineCutovers([{ id: 'customer', kind: 'table', primary: 'public.customer', shadow: 'public.customer_v2' }]);
 */
export function defineCutovers(input: readonly CutoverInput[], shared: SharedInput = {}): CutoverDeclaration[] {
  const problems: Problem[] = [];
  const everywhere = parseShared(shared, problems);
  const declarations = parseEach(input, problems).flatMap((one) => complete(one, everywhere, problems) ?? []);
  problems.push(...contradictionsOf(declarations).map((text): Problem => ({ code: 'invalid_plan', text })));
  problems.push(...declarations.flatMap(wrongAddresses));
  if (problems.length > 0) {
    const codes = new Set(problems.map((problem) => problem.code));
    const texts = problems.map((problem) => problem.text);
    throw new CrossfadeError(
      codes.size === 1 ? problems[0]!.code : 'invalid_config',
      `The configuration of the cutovers cannot be used:${texts.length > 1 ? '\n' : ' '}${texts.join('\n')}`,
      { details: { problems: texts } },
    );
  }
  return declarations;
}

function parseShared(shared: SharedInput, problems: Problem[]): SharedForm {
  const result = sharedInput.safeParse(shared);
  if (result.success) return result.data;
  const texts = result.error.issues.flatMap((issue) =>
    describe({ ...issue, path: ['shared', ...issue.path] }, DECLARED_KEYS),
  );
  problems.push(...texts.map((text): Problem => ({ code: 'invalid_config', text })));
  return {};
}

/** Each declaration on its own, so that a mistake in one does not hide those of the others. */
function parseEach(input: readonly CutoverInput[], problems: Problem[]): CutoverForm[] {
  if (!Array.isArray(input)) {
    problems.push({ code: 'invalid_config', text: 'it must be a list of cutovers' });
    return [];
  }
  return input.flatMap((one: unknown, index) => {
    const read = readForm(one, `cutovers[${index}]`);
    if ('form' in read) return [read.form];
    problems.push(...read.wrong.map(({ issue, text }) => ({ code: codeOf(issue), text })));
    return [];
  });
}

/** A name that is not one, a plan that cannot be, or anything else. */
function codeOf(issue: z.core.$ZodIssue): ErrorCode {
  const [field] = issue.path;
  if (field === 'plan' || field === 'dwellMinutes') return 'invalid_plan';
  const names = field === 'columns' || field === 'reverse' || field === 'companions';
  if (issue.code === 'invalid_format' || issue.code === 'custom')
    return names || ['id', 'primary', 'shadow'].includes(String(field)) ? 'invalid_identifier' : 'invalid_config';
  const isName = ({ code }: z.core.$ZodIssue) => code === 'invalid_format' || code === 'custom';
  if (field === 'shadow' && issue.code === 'invalid_union' && issue.errors.some((form) => form.some(isName)))
    return 'invalid_identifier';
  const misnamed = (inner: z.core.$ZodIssue) => inner.code === 'invalid_format' && inner.path[0] === 'from';
  const wrongName =
    issue.code === 'invalid_key' ||
    (issue.code === 'invalid_union' && issue.errors.some((form) => form.some(misnamed)));
  return names && wrongName ? 'invalid_identifier' : 'invalid_config';
}

const REHEARSAL_HOURS = 7 * 24;

function rehearsalOf({ requireRehearsal: wanted }: CutoverForm & { kind: 'table' }) {
  if (!wanted) return {};
  const { signedBy = null, hours = REHEARSAL_HOURS } = wanted === true ? {} : wanted;
  return { requireRehearsal: { signedBy, hours } };
}

/** The declaration with its defaults, or null when its plan cannot be. */
function complete(input: CutoverForm, everywhere: SharedForm, problems: Problem[]): CutoverDeclaration | null {
  const policy = { ...DEFAULT_POLICY, ...input.policy };
  const wanted = planOf(input, problems);
  if (!wanted) return null;
  const plan = withHoldBack(wanted, policy.holdBackPercent);
  const freeze = [...(everywhere.freeze ?? []), ...(input.freeze ?? [])];
  const shared = {
    id: input.id,
    plan,
    policy,
    ...(input.stages ? { stages: input.stages } : {}),
    ...(freeze.length > 0 ? { freeze } : {}),
    ...(input.cohort === undefined ? {} : { cohort: input.cohort }),
    salt: input.salt ?? input.cohort ?? input.id,
    validation: input.validation ?? ('strict' as const),
    allow: input.allow ?? [],
    deny: input.deny ?? [],
    ...(input.alerts ? { alerts: input.alerts } : {}),
    ...(input.criteria ? { criteria: input.criteria } : {}),
    ...(input.experiments ? { experiments: input.experiments } : {}),
  };
  if (input.kind === 'table') {
    const { kind, primary, key, columns, reverse, backfill } = input;
    const shadow = typeof input.shadow === 'string' ? { table: input.shadow } : input.shadow;
    const { mode, rollbackOnShadowFailure, indexesAfterCopy, columnOrder, companions, redact } = input;
    const options = {
      ...('connection' in shadow ? { connection: shadow.connection } : {}),
      ...(mode ? { mode } : {}),
      ...(rollbackOnShadowFailure ? { rollbackOnShadowFailure } : {}),
      ...(indexesAfterCopy ? { indexesAfterCopy } : {}),
      ...(columnOrder ? { columnOrder } : {}),
      ...(companions ? { companions } : {}),
      ...(redact ? { redact } : {}),
    };
    const table = { primary, shadow: shadow.table, key, columns, reverse, backfill, ...options };
    return { ...shared, kind, table, ...rehearsalOf(input) };
  }
  if (input.kind === 'component') {
    const { writes } = input;
    return {
      ...shared,
      kind: 'component',
      ...(writes ? { writes: { ...writes, privateHosts: writes.privateHosts ?? [] } } : {}),
    };
  }
  const { compare, cors = null, ...gateway } = input.gateway ?? {};
  return {
    ...shared,
    kind: 'service',
    upstreams: input.upstreams,
    gateway: {
      ...DEFAULT_GATEWAY,
      ...gateway,
      cors: typeof cors === 'object' && cors ? { ...DEFAULT_CORS, ...cors } : cors,
      compare: { ...DEFAULT_GATEWAY.compare, ...compare },
    },
  };
}

function wrongAddresses(declaration: CutoverDeclaration): Problem[] {
  return declaredAddresses(declaration).flatMap(({ field, url, privateHosts }): Problem[] => {
    const why = malformedUpstream(url, privateHosts) ?? undeliverable(declaration, url);
    return why ? [{ code: 'upstream_refused', text: `${declaration.id}.${field} '${url}': ${why}` }] : [];
  });
}

/** A component is asked at the very address, and never at another one. */
function undeliverable({ kind }: CutoverDeclaration, url: string): string | null {
  return kind === 'service' || isPathBelow(splitAddress(url).path) ? null : 'its path can be read in two ways';
}

function planOf(
  { id, plan: wanted, dwellMinutes, stages: byStage = {} }: CutoverForm,
  problems: Problem[],
): Plan | null {
  try {
    const plan =
      typeof wanted === 'object'
        ? makePlan(wanted.name, wanted.ramp, dwellMinutes)
        : builtInPlan(wanted ?? 'gradual', dwellMinutes);
    const stages = plan.stages.map((stage) => stage.name);
    const unknown = Object.keys(typeof dwellMinutes === 'object' ? dwellMinutes : {}).filter(
      (name) => !stages.includes(name),
    );
    for (const name of unknown) {
      const text = `${id}.dwellMinutes.${name} is no stage of plan '${plan.name}'.${didYouMean(name, stages)}`;
      problems.push({ code: 'invalid_plan', text });
    }
    for (const name of Object.keys(byStage).filter((name) => !stages.includes(name))) {
      const text = `${id}.stages.${name} is no stage of plan '${plan.name}'.${didYouMean(name, stages)}`;
      problems.push({ code: 'invalid_plan', text });
    }
    return withDwells(plan, { ...NO_OVERRIDES, stages: byStage });
  } catch (error) {
    if (!isCrossfadeError(error) || error.code !== 'invalid_plan') throw error;
    const found = error.details.problems as readonly string[];
    problems.push(...found.map((text): Problem => ({ code: 'invalid_plan', text: `${id}.plan: ${text}` })));
    return null;
  }
}
