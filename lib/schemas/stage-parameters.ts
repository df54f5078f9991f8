/** The parameters of a stage, as a file of the user's has them: a mapping of names to values, all of it checked at once. */

import * as z from 'zod';
import { CrossfadeError } from '../core/base/errors.ts';

/** infra/refusals.cjs: a line for each problem. */
export type FindProblems = (
  given: Readonly<Record<string, string>>,
  at: Readonly<{ stage: string; region: string }>,
) => string[];

type Value = string | number | boolean | null | Value[] | { [name: string]: Value };
const mapping = z.record(z.string(), z.json());

/** The template takes texts: lists of them have commas, and what is a mapping in YAML is JSON there. */
function textOf(value: Value): string {
  if (value === null) return '';
  if (Array.isArray(value) && value.every((one) => typeof one !== 'object')) return value.join(',');
  return typeof value === 'object' ? JSON.stringify(value) : String(value);
}

/**
 * What is not given stays out: the template has the defaults.
 * @param file as YAML gives it; `from` is where it was read
 * @throws CrossfadeError `invalid_config` with a line for each parameter that is missing, wrong or unknown, and an example
 */
export function readStageParameters(
  { file, from }: { file: unknown; from: string },
  at: { stage: string; region: string },
  findProblems: FindProblems,
): Record<string, string> {
  // An empty file is a null of YAML.
  const read = mapping.safeParse(file ?? {});
  const texts = Object.entries(read.data ?? {}).map(([name, value]) => [name, textOf(value)] as const);
  const problems = read.success
    ? findProblems(Object.fromEntries(texts), at)
    : ['it is no mapping of names to values, such as vpcId: vpc-0a1b2c3d4e5f60718'];
  if (problems.length === 0) return Object.fromEntries(texts.filter(([, text]) => text !== ''));
  throw new CrossfadeError(
    'invalid_config',
    [`${from} cannot be used:`, ...problems.map((one) => `  ${one}`)].join('\n'),
    { details: { problems } },
  );
}
