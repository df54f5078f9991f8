/**
 * The configuration: which cutovers exist. Declared in `infra/cutovers.ts`, reviewed and deployed with the code, since
 * transforms are SQL. Every problem is reported at once, with its path.
 */

import * as z from 'zod';
import {
  ACTIONS,
  type AlertMetric,
  METRICS,
  OPERATORS,
  type Operator,
  ruleProblems,
  SEVERITIES,
} from './core/alerts/rule.ts';
import { groupsOf } from './core/cohort.ts';
import { CUTOVER_ID, type CutoverDeclaration, DEFAULT_POLICY, NO_OVERRIDES } from './core/cutover.ts';
import { CrossfadeError, type ErrorCode, isCrossfadeError } from './core/errors.ts';
import { didYouMean } from './core/nearest.ts';
import { BUILT_IN_PLAN_NAMES, type BuiltInPlanName, builtInPlan, makePlan, type Plan } from './core/plan.ts';
import { policyOf, policyProblems, withDwells } from './core/policy.ts';
import { DEFAULT_GATEWAY, malformedUpstream } from './core/upstream.ts';
import { declaredAddresses, isPathBelow, splitAddress } from './core/write-target.ts';
import { experimentDeclaration } from './schemas/experiments.ts';
import { FREEZE_KEYS, freezeWindow } from './schemas/freeze.ts';
import { declaredGateway, GATEWAY_KEYS } from './schemas/gateway.ts';
import { declaredPolicy, POLICY_KEYS, stagePolicy } from './schemas/policy.ts';
import { describe } from './schemas/problems.ts';

const NAME = /^[a-z_][a-z0-9_]{0,62}$/;
const TABLE = /^[a-z_][a-z0-9_]{0,62}\.[a-z_][a-z0-9_]{0,62}$/;

const columnName = z
  .string()
  .regex(NAME, 'a column is lower_snake_case of at most 63 characters, without quotes and dots');
const tableName = z
  .string()
  .regex(TABLE, "a table is written 'schema.name' in lower_snake_case, without quotes")
  .refine((name) => !/^(pg_|information_schema\.|crossfade\.)/.test(name), {
    error: 'tables of the system and of Crossfade itself cannot be cut over',
    params: { code: 'invalid_identifier' },
  });
const address = z.string().max(2_000);
const limit = z.number().gt(0);
const sql = z.string().trim().min(1).max(2_000);

const columnSource = z.union([
  z.strictObject({ from: columnName }),
  z.strictObject({ sql }),
  z.strictObject({ added: z.literal(true) }),
]);
const reverseSource = z.union([z.strictObject({ sql }), z.strictObject({ insertOnly: sql })]);

const planSchema = z.union([
  z.enum(BUILT_IN_PLAN_NAMES as [BuiltInPlanName, ...BuiltInPlanName[]]),
  z.strictObject({
    name: z.string().regex(NAME),
    ramp: z
      .array(z.tuple([z.string(), z.number()]))
      .min(1)
      .max(50),
  }),
]);

const alertRule = z.strictObject({
  id: z.string().regex(CUTOVER_ID, 'a rule is called in lower_snake_case of at most 40 characters'),
  off: z.boolean().optional(),
  metric: z.enum(Object.keys(METRICS) as [AlertMetric, ...AlertMetric[]]).optional(),
  operator: z.enum(Object.keys(OPERATORS) as [Operator, ...Operator[]]).optional(),
  value: z.number().min(-1_000_000_000).max(1_000_000_000).optional(),
  windowMinutes: z.number().int().min(1).max(1_440).optional(),
  severity: z.enum(SEVERITIES).optional(),
  action: z.enum(ACTIONS).optional(),
  minSamples: z.number().int().min(1).max(1_000_000).optional(),
  escalateAfterMinutes: z.number().int().min(1).max(10_080).nullable().optional(),
});

const common = {
  id: z.string().regex(CUTOVER_ID, 'an id is lower_snake_case of at most 40 characters, beginning with a letter'),
  plan: planSchema.optional(),
  /** One dwell for all stages, or one per stage name; minutes. */
  dwellMinutes: z
    .union([z.number().min(0).max(525_600), z.record(z.string(), z.number().min(0).max(525_600))])
    .optional(),
  policy: declaredPolicy.optional(),
  /** What differs in a stage, by its name. */
  stages: z.record(z.string(), stagePolicy).optional(),
  freeze: z.array(freezeWindow).max(50).optional(),
  /** Cutovers of one cohort share its name as salt and move as one. */
  cohort: z.string().regex(CUTOVER_ID, 'a cohort is lower_snake_case of at most 40 characters').optional(),
  salt: z.string().min(1).max(64).optional(),
  validation: z.enum(['strict', 'relaxed', 'disabled']).optional(),
  allow: z.array(z.string().max(1_024)).max(25).optional(),
  deny: z.array(z.string().max(1_024)).max(25).optional(),
  alerts: z.array(alertRule).max(50).optional(),
  experiments: z.array(experimentDeclaration).max(20).optional(),
};

const inputSchema = z.discriminatedUnion('kind', [
  z.strictObject({
    ...common,
    kind: z.literal('table'),
    primary: tableName,
    shadow: tableName,
    key: z.array(columnName).min(1).max(32).optional(),
    columns: z.record(columnName, columnSource).optional(),
    reverse: z.record(columnName, reverseSource).optional(),
    mode: z.enum(['streamed', 'inline']).optional(),
    indexesAfterCopy: z.boolean().optional(),
    rollbackOnShadowFailure: z.boolean().optional(),
    backfill: z
      .strictObject({
        outboxAgeMs: limit.max(3_600_000),
        replicaLagMs: limit.max(3_600_000),
        walBytesPerSecond: limit.max(1e12),
        activeConnections: limit.int().max(100_000),
        whileSql: sql,
      })
      .partial()
      .optional(),
  }),
  z.strictObject({
    ...common,
    kind: z.literal('component'),
    writes: z
      .strictObject({
        primary: address,
        shadow: address,
        privateHosts: z.array(z.string().max(255)).max(20).optional(),
      })
      .optional(),
  }),
  z.strictObject({
    ...common,
    kind: z.literal('service'),
    upstreams: z.strictObject({ primary: address, shadow: address }),
    gateway: declaredGateway.optional(),
  }),
]);

export type CutoverInput = z.input<typeof inputSchema>;
export type FreezeInput = z.input<typeof freezeWindow>;

/** What all cutovers have in common. */
const sharedSchema = z.strictObject({ freeze: z.array(freezeWindow).max(50).optional() });
export type SharedInput = z.input<typeof sharedSchema>;

const KNOWN_KEYS = [
  ...Object.keys(common),
  'kind',
  'primary',
  'shadow',
  'columns',
  'reverse',
  'key',
  'mode',
  'indexesAfterCopy',
  'rollbackOnShadowFailure',
  'upstreams',
  'writes',
  'gateway',
  ...GATEWAY_KEYS,
  ...POLICY_KEYS,
  ...FREEZE_KEYS,
  ...Object.keys(alertRule.shape),
  ...Object.keys(experimentDeclaration.shape),
  'from',
  'sql',
  'added',
  'insertOnly',
  'backfill',
  'outboxAgeMs',
  'replicaLagMs',
  'walBytesPerSecond',
  'activeConnections',
  'whileSql',
  'name',
  'ramp',
];

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
  const contradictory = [
    ...duplicates(declarations),
    ...cohortProblems(declarations),
    ...declarations.flatMap(contradictions),
  ];
  problems.push(...contradictory.map((text): Problem => ({ code: 'invalid_plan', text })));
  problems.push(...declarations.flatMap(wrongAddresses));
  if (problems.length > 0) {
    const codes = new Set(problems.map((problem) => problem.code));
    const texts = problems.map((problem) => problem.text);
    throw new CrossfadeError(
      codes.size === 1 ? problems[0]!.code : 'invalid_config',
      `The configuration of the cutovers cannot be used: ${texts.join('; ')}.`,
      { details: { problems: texts } },
    );
  }
  return declarations;
}

function parseShared(shared: SharedInput, problems: Problem[]): z.output<typeof sharedSchema> {
  const result = sharedSchema.safeParse(shared);
  if (result.success) return result.data;
  const texts = result.error.issues.flatMap((issue) =>
    describe({ ...issue, path: ['shared', ...issue.path] }, KNOWN_KEYS),
  );
  problems.push(...texts.map((text): Problem => ({ code: 'invalid_config', text })));
  return {};
}

/** Each declaration on its own, so that a mistake in one does not hide those of the others. */
function parseEach(input: readonly CutoverInput[], problems: Problem[]): z.output<typeof inputSchema>[] {
  if (!Array.isArray(input)) {
    problems.push({ code: 'invalid_config', text: 'it must be a list of cutovers' });
    return [];
  }
  return input.flatMap((one: unknown, index) => {
    const result = inputSchema.safeParse(one);
    if (result.success) return [result.data];
    for (const issue of result.error.issues) {
      const at = { ...issue, path: [index, ...issue.path] };
      problems.push(...describe(at, KNOWN_KEYS).map((text) => ({ code: codeOf(issue), text })));
    }
    return [];
  });
}

/** A name that is not one, a plan that cannot be, or anything else. */
function codeOf(issue: z.core.$ZodIssue): ErrorCode {
  const [field] = issue.path;
  if (field === 'plan' || field === 'dwellMinutes') return 'invalid_plan';
  const names = field === 'columns' || field === 'reverse';
  if (issue.code === 'invalid_format' || issue.code === 'custom')
    return names || ['id', 'primary', 'shadow'].includes(String(field)) ? 'invalid_identifier' : 'invalid_config';
  const misnamed = (inner: z.core.$ZodIssue) => inner.code === 'invalid_format' && inner.path[0] === 'from';
  const wrongName =
    issue.code === 'invalid_key' ||
    (issue.code === 'invalid_union' && issue.errors.some((form) => form.some(misnamed)));
  return names && wrongName ? 'invalid_identifier' : 'invalid_config';
}

/** The declaration with its defaults, or null when its plan cannot be. */
function complete(
  input: z.output<typeof inputSchema>,
  everywhere: z.output<typeof sharedSchema>,
  problems: Problem[],
): CutoverDeclaration | null {
  const plan = planOf(input, problems);
  if (!plan) return null;
  const freeze = [...(everywhere.freeze ?? []), ...(input.freeze ?? [])];
  const shared = {
    id: input.id,
    plan,
    policy: { ...DEFAULT_POLICY, ...input.policy },
    ...(input.stages ? { stages: input.stages } : {}),
    ...(freeze.length > 0 ? { freeze } : {}),
    ...(input.cohort === undefined ? {} : { cohort: input.cohort }),
    salt: input.salt ?? input.cohort ?? input.id,
    validation: input.validation ?? ('strict' as const),
    allow: input.allow ?? [],
    deny: input.deny ?? [],
    ...(input.alerts ? { alerts: input.alerts } : {}),
    ...(input.experiments ? { experiments: input.experiments } : {}),
  };
  if (input.kind === 'table') {
    const { kind, primary, shadow, key, columns, reverse, backfill } = input;
    const { mode, rollbackOnShadowFailure, indexesAfterCopy } = input;
    const options = {
      ...(mode ? { mode } : {}),
      ...(rollbackOnShadowFailure ? { rollbackOnShadowFailure } : {}),
      ...(indexesAfterCopy ? { indexesAfterCopy } : {}),
    };
    return { ...shared, kind, table: { primary, shadow, key, columns, reverse, backfill, ...options } };
  }
  if (input.kind === 'component') {
    const { writes } = input;
    return {
      ...shared,
      kind: 'component',
      ...(writes ? { writes: { ...writes, privateHosts: writes.privateHosts ?? [] } } : {}),
    };
  }
  const { compare, ...gateway } = input.gateway ?? {};
  return {
    ...shared,
    kind: 'service',
    upstreams: input.upstreams,
    gateway: { ...DEFAULT_GATEWAY, ...gateway, compare: { ...DEFAULT_GATEWAY.compare, ...compare } },
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
  { id, plan: wanted, dwellMinutes, stages: byStage = {} }: z.output<typeof inputSchema>,
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

function duplicates(declarations: readonly CutoverDeclaration[]): string[] {
  const problems: string[] = [];
  const ids = new Set<string>();
  const tables = new Map<string, string>();
  for (const declaration of declarations) {
    const { id } = declaration;
    if (id === 'system') problems.push("no cutover may be called 'system': that is the flag of the switches for all");
    if (ids.has(id)) problems.push(`cutover '${id}' is declared twice`);
    ids.add(id);
    if (declaration.kind !== 'table') continue;
    for (const table of [declaration.table.primary, declaration.table.shadow]) {
      const other = tables.get(table);
      if (other !== undefined && other !== id) problems.push(`table ${table} belongs to '${other}' and to '${id}'`);
      tables.set(table, id);
    }
  }
  return problems;
}

/** Members of a cohort move the same keys through the same stages. */
function cohortProblems(declarations: readonly CutoverDeclaration[]): string[] {
  const stagesOf = ({ plan }: CutoverDeclaration) =>
    plan.stages.map(({ name, sharePpm }) => `${name} ${sharePpm}`).join();
  return groupsOf(declarations).flatMap(([first, ...others]) =>
    others.flatMap((other) => {
      const pair = `cohort '${other.cohort}': '${first!.id}' and '${other.id}'`;
      const problems: string[] = [];
      if (other.salt !== first!.salt) problems.push(`${pair} have the salts '${first!.salt}' and '${other.salt}'`);
      if (stagesOf(other) !== stagesOf(first!)) problems.push(`${pair} have plans with different stages`);
      return problems;
    }),
  );
}

function contradictions(declaration: CutoverDeclaration): string[] {
  const { id, policy } = declaration;
  const problems: string[] = [];
  if (declaration.kind === 'table' && declaration.table.primary === declaration.table.shadow)
    problems.push(`${id}: primary and shadow are both ${declaration.table.primary}`);
  if (declaration.kind === 'table' && declaration.table.rollbackOnShadowFailure && declaration.table.mode !== 'inline')
    problems.push(
      `${id}.rollbackOnShadowFailure needs mode 'inline': a streamed write has ended before the shadow is written`,
    );
  problems.push(...policyProblems(policy).map((text) => `${id}.policy: ${text}`));
  for (const { name: stage, dwellMinutes } of declaration.plan.stages) {
    const deadline = policyOf(declaration, { stage, overrides: NO_OVERRIDES });
    const own = policyProblems(deadline, dwellMinutes).filter((text) => !policyProblems(policy).includes(text));
    problems.push(...own.map((text) => `${id}.stages.${stage}: ${text}`));
  }
  problems.push(...experimentProblems(declaration));
  problems.push(...ruleProblems(policy, declaration.alerts ?? []).map((problem) => `${id}.${problem}`));
  return problems;
}

/** An experiment needs a stage that serves its share, or it could never collect. */
function experimentProblems({ id, experiments = [], plan }: CutoverDeclaration): string[] {
  const shares = plan.stages.filter(({ kind }) => kind === 'ramp').map(({ sharePpm }) => sharePpm / 10_000);
  return experiments.flatMap((experiment, index) => [
    ...(experiments.findIndex((other) => other.id === experiment.id) < index
      ? [`${id}.experiments.${index}: experiment '${experiment.id}' is declared twice`]
      : []),
    ...(shares.includes(experiment.share)
      ? []
      : [
          `${id}.experiments.${index}.share: no stage of plan '${plan.name}' serves ${experiment.share} %; its stages serve ${shares.join(', ')} %`,
        ]),
  ]);
}
