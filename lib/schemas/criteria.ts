/** Criteria as they are written in the configuration. */

import * as z from 'zod';
import type { Criterion } from '../core/cutover/criterion.ts';
import { CUTOVER_ID } from '../core/cutover/cutover.ts';

const ARN = /^arn:[\w-]+:cloudwatch:[a-z0-9-]+:\d{12}:alarm:.{1,255}$/;

const query = (...tables: string[]) =>
  z
    .string()
    .trim()
    .min(1)
    .max(4_000)
    .refine((text) => tables.some((table) => text.includes(table)), {
      error: `it does not read ${tables.join(' or ')}. Write ${tables.join(' or ')} where the name of the table would stand: after promotion the tables have other names`,
    });
const minutes = z.number().int().min(1).max(1_440);

const common = {
  name: z.string().regex(CUTOVER_ID, 'a criterion is called in lower_snake_case of at most 40 characters'),
  onFailure: z.enum(['hold', 'rollback']).default('hold'),
};

const alarm = z
  .strictObject({
    ...common,
    alarm: z.string().regex(ARN, {
      error: ({ input }) =>
        `'${input}' is no ARN of an alarm, such as arn:aws:cloudwatch:eu-central-1:123456789012:alarm:checkout-errors`,
    }),
  })
  .transform((one): Criterion => ({ ...one, everyMinutes: 1 }));

const equal = z.strictObject({
  ...common,
  equal: z.strictObject({ primary: query('{primary}'), shadow: query('{shadow}') }),
  everyMinutes: minutes.default(5),
});

const empty = z.strictObject({ ...common, empty: query('{primary}', '{shadow}'), everyMinutes: minutes.default(5) });

const http = z.strictObject({
  ...common,
  http: z.string().max(2_000),
  timeoutMs: z.number().int().min(100).max(5_000).default(2_000),
  privateHosts: z.array(z.string().max(255)).max(20).default([]),
  everyMinutes: minutes.default(1),
});

const limit = z.union([z.number(), z.strictObject({ ofPrimary: z.number().gt(0).max(1_000) })]);
const metricName = z.string().regex(CUTOVER_ID, 'a metric is called in lower_snake_case of at most 40 characters');
const metric = {
  ...common,
  atLeast: limit.optional(),
  atMost: limit.optional(),
  minSamples: z.number().int().min(2).max(1_000_000).default(100),
  windowMinutes: z.number().int().min(1).max(1_440).default(30),
};
const oneLimit = [
  ({ atLeast, atMost }: { atLeast?: unknown; atMost?: unknown }) => (atLeast === undefined) !== (atMost === undefined),
  { error: "it needs one limit: 'atLeast' or 'atMost', a number or { ofPrimary: 1.1 }" },
] as const;
const everyMinute = <T>(one: T) => ({ ...one, everyMinutes: 1 });
const value = z
  .strictObject({ ...metric, value: metricName })
  .refine(...oneLimit)
  .transform(everyMinute);
const flag = z
  .strictObject({ ...metric, flag: metricName })
  .refine(...oneLimit)
  .transform(everyMinute);

const FORMS = { alarm, equal, empty, http, value, flag } as const;
const KINDS = Object.keys(FORMS) as (keyof typeof FORMS)[];

type Input = { [Kind in keyof typeof FORMS]: z.input<(typeof FORMS)[Kind]> }[keyof typeof FORMS];

/** The form is known by the one key that says what is observed, so that a mistake is explained by that form alone. */
const anyForm = z.looseObject({}).transform((given, context): Criterion => {
  const kinds = KINDS.filter((kind) => kind in given);
  if (kinds.length !== 1) {
    const message = `it must say what is observed by one of ${KINDS.map((kind) => `'${kind}'`).join(', ')}; it has ${kinds.length === 0 ? 'none' : kinds.join(' and ')}`;
    context.issues.push({ code: 'custom', message, input: given });
    return z.NEVER;
  }
  const result = FORMS[kinds[0]!].safeParse(given);
  if (result.success) return result.data;
  for (const issue of result.error.issues) context.issues.push({ ...issue, input: given } as never);
  return z.NEVER;
});

export const criterion = anyForm as unknown as z.ZodType<Criterion, Input>;

export const CRITERION_KEYS = [
  ...['onFailure', 'everyMinutes', 'timeoutMs', 'privateHosts', 'atLeast', 'atMost', 'minSamples', 'windowMinutes'],
  ...KINDS,
];
