/** The parameters of a stage, as a file of the user's has them: a mapping of names to values, all of it checked at once. */

import * as z from 'zod';
import { CrossfadeError } from '../core/base/errors.ts';
import { didYouMean } from '../core/base/nearest.ts';

/** A row of infra/parameters.cjs. */
type ParameterRow = {
  required?: boolean;
  default?: string;
  meaning: string;
  pattern?: string;
  example?: string;
};
export type ParameterTable = Readonly<Record<string, ParameterRow>>;

/** YAML has numbers and truth values; the template takes texts. */
const value = z.union([z.string(), z.number(), z.boolean()]).transform(String);

function oneOf({ required, pattern, example, meaning }: ParameterRow) {
  const says = example === undefined ? meaning : `${meaning}. Example: ${example}`;
  const text = value.refine((given) =>
    given === '' ? !required : pattern === undefined || new RegExp(pattern).test(given),
  );
  const checked = z.custom<unknown>((given) => text.safeParse(given).success, says).transform(String);
  return required ? checked : checked.optional();
}

/**
 * What is not given stays out: the template has the defaults.
 * @param file as YAML gives it
 * @param from where the values were read, for the message
 * @throws CrossfadeError `invalid_config` with a line for each parameter that is missing, wrong or unknown, and an example
 */
export function readStageParameters(file: unknown, table: ParameterTable, from: string): Record<string, string> {
  // An empty file is a null of YAML.
  const given = file ?? {};
  const schema = z.strictObject(Object.fromEntries(Object.entries(table).map(([name, row]) => [name, oneOf(row)])));
  const result = schema.safeParse(given);
  if (result.success)
    return Object.fromEntries(Object.entries(result.data).filter(([, one]) => one !== undefined)) as Record<
      string,
      string
    >;
  const problems = result.error.issues.flatMap((issue) => problemsOf(issue, given, table));
  throw new CrossfadeError(
    'invalid_config',
    [`${from} cannot be used:`, ...problems.map((one) => `  ${one}`)].join('\n'),
    {
      details: { problems },
    },
  );
}

function problemsOf(issue: z.core.$ZodIssue, given: unknown, table: ParameterTable): string[] {
  if (issue.code === 'unrecognized_keys')
    return issue.keys.map((name) => `${name} is no parameter.${didYouMean(name, Object.keys(table))}`);
  const [name] = issue.path;
  if (name === undefined) return ['it is no mapping of names to values, such as vpcId: vpc-0a1b2c3d4e5f60718'];
  const seen = (given as Record<string, unknown>)[String(name)];
  return [`${String(name)} ${seen === undefined ? 'is missing' : `is '${String(seen)}'`}: ${issue.message}`];
}
