/** The environment of the functions. Everything that is missing or wrong is named at once. */

import * as z from 'zod';
import { WEBHOOK_FORMS } from '../core/alerts/webhook-form.ts';
import { CrossfadeError } from '../core/base/errors.ts';

const optional = z
  .string()
  .optional()
  .transform((text) => (text === '' ? undefined : text));
const tableName = z
  .string()
  .regex(/^[a-zA-Z0-9_.-]{3,255}$/, 'a DynamoDB table name has 3–255 letters, digits and _ . -');

/** `{"new": "postgres://…"}`: databases beside the primary's, by the name that declarations use. */
const connections = optional.transform((text, context): Readonly<Record<string, string>> => {
  const refuse = () => {
    context.addIssue('it is JSON that gives each name its address: {"new": "postgres://HOST:5432/DATABASE"}');
    return z.NEVER;
  };
  if (text === undefined) return {};
  try {
    const given: unknown = JSON.parse(text);
    if (typeof given !== 'object' || given === null || Array.isArray(given)) return refuse();
    return Object.values(given).every((url) => typeof url === 'string') ? (given as Record<string, string>) : refuse();
  } catch {
    return refuse();
  }
});

const environmentSchema = z.object({
  CROSSFADE_PROFILE: z.enum(['local', 'aws']).default('aws'),
  CROSSFADE_STATE_TABLE: tableName,
  CROSSFADE_CHANGES_TABLE: tableName,
  CROSSFADE_DYNAMODB_ENDPOINT: optional,
  CROSSFADE_APPCONFIG_ENDPOINT: optional,
  CROSSFADE_APPCONFIG_APPLICATION: z.string().min(1),
  CROSSFADE_APPCONFIG_ENVIRONMENT: z.string().min(1),
  CROSSFADE_APPCONFIG_PROFILE: z.string().min(1),
  CROSSFADE_APPCONFIG_STRATEGY: optional,
  CROSSFADE_DATABASE_URL: optional,
  CROSSFADE_OWNER_DATABASE_URL: optional,
  CROSSFADE_CONNECTIONS: connections,
  /** File with the authorities of the database's certificate. Needed in profile `aws`. */
  CROSSFADE_DATABASE_CA: optional,
  /** Who lets callers in: the issuer of their tokens, or IAM. */
  CROSSFADE_ACCESS: z.enum(['tokens', 'iam']).default('tokens'),
  CROSSFADE_JWT_ISSUER: optional,
  CROSSFADE_JWT_AUDIENCE: optional,
  CROSSFADE_JWKS: optional,
  CROSSFADE_JWKS_URL: optional,
  /** Names of claims that grant scopes, separated by commas, and what the issuer writes before a scope. */
  CROSSFADE_JWT_SCOPE_CLAIMS: optional,
  CROSSFADE_JWT_SCOPE_PREFIX: optional,
  CROSSFADE_CLOCK_SPEED: z.coerce.number().positive().default(1),
  CROSSFADE_CLOCK_ORIGIN_MS: z.coerce.number().min(0).default(0),
  CROSSFADE_CUTOVERS: optional,
  /** Directory with the migrations of this release, seen from the directory in which a function runs. */
  CROSSFADE_MIGRATIONS: z.string().default('migrations'),
  /** Of the API of this deployment, for those who know it by the name of its stage. */
  CROSSFADE_API_URL: optional,
  /** After how many days minute windows expire. */
  CROSSFADE_METRICS_RETENTION_DAYS: z.coerce.number().int().min(1).max(400).default(30),
  /** Where alerts go, each optional: an SNS topic, a bus of EventBridge, a webhook with its form and its secret. */
  CROSSFADE_ALERT_TOPIC: optional,
  CROSSFADE_ALERT_EVENT_BUS: optional,
  CROSSFADE_ALERT_WEBHOOK_URL: optional,
  CROSSFADE_ALERT_WEBHOOK_FORM: z.enum(WEBHOOK_FORMS).default('crossfade'),
  CROSSFADE_ALERT_WEBHOOK_KEY_ARN: optional,
  /** The key itself, in the local profile only. */
  CROSSFADE_ALERT_WEBHOOK_KEY: optional,
  /** The secret that signs HTTP checks; the key itself in the local profile only. */
  CROSSFADE_CHECK_KEY_ARN: optional,
  CROSSFADE_CHECK_KEY: optional,
  CROSSFADE_CLOUDWATCH_ENDPOINT: optional,
  CROSSFADE_LOG_LEVEL: z.enum(['debug', 'info', 'warn', 'error', 'silent']).default('info'),
  AWS_REGION: z.string().default('eu-central-1'),
});

/** Whose tokens are taken. Behind IAM there are none. */
const FOR_TOKENS = ['CROSSFADE_JWT_ISSUER', 'CROSSFADE_JWT_AUDIENCE'] as const;

export type Environment = z.infer<typeof environmentSchema>;

/** @throws CrossfadeError `invalid_config` naming every variable that cannot be used */
export function readEnvironment(variables: Readonly<Record<string, string | undefined>>): Environment {
  const result = environmentSchema.safeParse(variables);
  const missing = variables.CROSSFADE_ACCESS === 'iam' ? [] : FOR_TOKENS.filter((name) => !variables[name]);
  if (result.success && missing.length === 0) return result.data;
  const problems = [
    ...(result.error?.issues ?? []).map((issue) => `${issue.path.join('.')}: ${issue.message}`),
    ...missing.map((name) => `${name}: it is needed for tokens`),
  ];
  throw new CrossfadeError(
    'invalid_config',
    `The environment cannot be used: ${problems.join('; ')}. The variables are set in serverless.yml; a local stack sets them by itself.`,
    { details: { problems } },
  );
}
