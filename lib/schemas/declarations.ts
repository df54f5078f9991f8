/** The form of what people declare: every field with its limits, and the names that a misspelt one may have meant. */

import * as z from 'zod';
import {
  ACTIONS,
  type AlertMetric,
  METRICS,
  OPERATORS,
  type Operator,
  SEVERITIES,
} from '../core/cutover/alert-rule.ts';
import { CUTOVER_ID, RESERVED_IDS } from '../core/cutover/cutover.ts';
import { BUILT_IN_PLAN_NAMES, type BuiltInPlanName } from '../core/cutover/plan.ts';
import { CRITERION_KEYS, criterion } from './criteria.ts';
import { experimentDeclaration } from './experiments.ts';
import { FREEZE_KEYS, freezeWindow } from './freeze.ts';
import { declaredGateway, GATEWAY_KEYS } from './gateway.ts';
import { declaredPolicy, POLICY_KEYS, stagePolicy } from './policy.ts';

const NAME = /^[a-z_][a-z0-9_]{0,62}$/;
/** Capitals, spaces and letters of every script, but not what SQL itself is written with. */
const NAME_OF_POSTGRES = /^[\p{L}\p{M}\p{N}_$ .%#@&+:/!?=~^|-]+$/u;
const SQL = /--|\/\*/;
/** A Cyrillic е among Latin letters names another table than the one that people read. */
const isOneScript = (name: string) =>
  !(/\p{Script=Latin}/u.test(name) && /[\p{Script=Cyrillic}\p{Script=Greek}]/u.test(name));
/** As the catalog spells it. SQL quotes it everywhere; a name with quotes or semicolons is refused, since it is an attack more likely. */
function isName(name: string): boolean {
  const bytes = new TextEncoder().encode(name).length;
  return bytes <= 63 && name === name.trim() && NAME_OF_POSTGRES.test(name) && !SQL.test(name) && isOneScript(name);
}
/** The schema ends at the first dot. A second one is a database's name in front, more likely than a part of the table's. */
const isTable = (name: string) => {
  const dot = name.indexOf('.');
  return dot > 0 && isName(name.slice(0, dot)) && isName(name.slice(dot + 1)) && !name.slice(dot + 1).includes('.');
};
const misnamed = (text: string) => ({ error: text, params: { code: 'invalid_identifier' } });

const columnName = z
  .string()
  .refine(
    isName,
    misnamed(
      'a column is written as the catalog spells it, capitals and spaces included: at most 63 bytes, of one script, without quotes, brackets, commas and semicolons',
    ),
  );
const tableName = z
  .string()
  .refine(
    isTable,
    misnamed(
      "a table is written 'schema.name' as the catalog spells both, capitals and spaces included: at most 63 bytes each, of one script, without quotes, brackets, commas and semicolons. Neither has a dot in it, and the database is not named",
    ),
  )
  .refine((name) => !/^(pg_|information_schema\.|crossfade\.)/.test(name), {
    error: 'tables of the system and of Crossfade itself cannot be cut over',
    params: { code: 'invalid_identifier' },
  });
/** In another database: the connection by its name, and the table there. */
const remoteTable = z.strictObject({
  connection: z.string().regex(CUTOVER_ID, 'a connection is called in lower_snake_case of at most 40 characters'),
  table: tableName,
});
const address = z.string().max(2_000);
const limit = z.number().gt(0);
const sql = z.string().trim().min(1).max(2_000);

const columnSource = z.union([
  z.strictObject({ from: columnName }),
  z.strictObject({ sql, after: z.literal('application').optional() }),
  z.strictObject({ added: z.literal(true) }),
]);
const reverseSource = z.union([z.strictObject({ sql }), z.strictObject({ insertOnly: sql })]);

const declaredPlan = z.strictObject({
  name: z.string().regex(NAME),
  ramp: z
    .array(z.tuple([z.string(), z.number()]))
    .min(1)
    .max(50),
});

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
  id: z
    .string()
    .regex(CUTOVER_ID, 'an id is lower_snake_case of at most 40 characters, beginning with a letter')
    .refine((id) => !RESERVED_IDS.has(id), {
      error: ({ input }) =>
        `'${input}' is reserved: functions of schema crossfade would have the names of its objects. Call it '${input}_table', say`,
    }),
  plan: z.union([z.enum(BUILT_IN_PLAN_NAMES as [BuiltInPlanName, ...BuiltInPlanName[]]), declaredPlan]).optional(),
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
  criteria: z.array(criterion).max(20).optional(),
  experiments: z.array(experimentDeclaration).max(20).optional(),
};

const backfillLimits = z
  .strictObject({
    outboxAgeMs: limit.max(3_600_000),
    replicaLagMs: limit.max(3_600_000),
    walBytesPerSecond: limit.max(1e12),
    activeConnections: limit.int().max(100_000),
    whileSql: sql,
  })
  .partial();

const thumbprint = z
  .string()
  .regex(
    /^[A-Za-z0-9_-]{43}$/,
    'a key is named by its thumbprint of 43 characters, as the report of a rehearsal shows it',
  );
const rehearsalRule = z.strictObject({
  signedBy: z.array(thumbprint).min(1).max(20).optional(),
  hours: limit.max(8_760).optional(),
});

const table = z.strictObject({
  ...common,
  kind: z.literal('table'),
  primary: tableName,
  shadow: z.union([tableName, remoteTable]),
  key: z.array(columnName).min(1).max(32).optional(),
  columns: z.record(columnName, columnSource).optional(),
  reverse: z.record(columnName, reverseSource).optional(),
  companions: z.record(tableName, z.record(columnName, columnName)).optional(),
  mode: z.enum(['streamed', 'inline']).optional(),
  columnOrder: z.enum(['refuse', 'notice']).optional(),
  indexesAfterCopy: z.boolean().optional(),
  rollbackOnShadowFailure: z.boolean().optional(),
  backfill: backfillLimits.optional(),
  redact: z.array(columnName).max(1_600).optional(),
  /** A start wants a rehearsal that passed: any, or one that is so fresh and signed by one of these keys. */
  requireRehearsal: z.union([z.boolean(), rehearsalRule]).optional(),
});

const component = z.strictObject({
  ...common,
  kind: z.literal('component'),
  writes: z
    .strictObject({
      primary: address,
      shadow: address,
      privateHosts: z.array(z.string().max(255)).max(20).optional(),
    })
    .optional(),
});

const service = z.strictObject({
  ...common,
  kind: z.literal('service'),
  upstreams: z.strictObject({ primary: address, shadow: address }),
  gateway: declaredGateway.optional(),
});

export const cutoverInput = z.discriminatedUnion('kind', [table, component, service]);
/** A declaration that has its form; defaults are still to be filled in. */
export type CutoverForm = z.output<typeof cutoverInput>;

/** What all cutovers have in common. */
export const sharedInput = z.strictObject({ freeze: z.array(freezeWindow).max(50).optional() });
export type SharedForm = z.output<typeof sharedInput>;

/** Every name that can stand in a declaration, for "did you mean". */
export const DECLARED_KEYS: readonly string[] = [
  ...[
    table,
    remoteTable,
    component,
    service,
    backfillLimits,
    rehearsalRule,
    alertRule,
    experimentDeclaration,
    declaredPlan,
  ].flatMap(({ shape }) => Object.keys(shape)),
  ...GATEWAY_KEYS,
  ...POLICY_KEYS,
  ...FREEZE_KEYS,
  ...CRITERION_KEYS,
  'from',
  'sql',
  'after',
  'added',
  'insertOnly',
];
