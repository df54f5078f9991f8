/** Turns zod's issues into one CrossfadeError that names every problem with its path. */

import type * as z from 'zod';
import { CrossfadeError, type ErrorCode } from '../core/base/errors.ts';
import { didYouMean } from '../core/base/nearest.ts';

type Issue = z.core.$ZodIssue;

/**
 * The parsed value.
 * @param known property names to suggest from when a key is unknown
 * @throws CrossfadeError with `code`, or `unknown_property` when nothing else is wrong
 */
export function parse<S extends z.ZodType>(
  schema: S,
  value: unknown,
  what: string,
  { code = 'invalid_input' as ErrorCode, known = [] as readonly string[] } = {},
): z.output<S> {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  const { issues } = result.error;
  const problems = issues.flatMap((issue) => describe(issue, known));
  const onlyUnknown = issues.every((issue) => issue.code === 'unrecognized_keys');
  const found = problems.join('; ');
  throw new CrossfadeError(
    onlyUnknown && code === 'invalid_input' ? 'unknown_property' : code,
    `${what} cannot be used: ${found}${/[.?]$/.test(found) ? '' : '.'}`,
    { details: { problems } },
  );
}

/** What is wrong, with its path, in one sentence for each unknown key and one for anything else. */
export function describe(issue: Issue, known: readonly string[]): string[] {
  const path = issue.path.length > 0 ? issue.path.map(String).join('.') : 'the whole';
  if (issue.code === 'unrecognized_keys') {
    const prefix = issue.path.length > 0 ? `${path}.` : '';
    return issue.keys.map((key) => `${prefix}${key.slice(0, 64)} is not known here.${didYouMean(key, known)}`);
  }
  if (issue.code === 'invalid_union' && issue.errors.length > 0) {
    const options = issue.errors.map((errors) => errors.map((inner) => inner.message).join(' and '));
    return [`${path}: none of the possible forms fits (${options.join(', or ')})`];
  }
  if (issue.code === 'invalid_key') {
    return [`${path.slice(0, 200)}: ${issue.issues.map((inner) => inner.message).join(' and ')}`];
  }
  return [`${path}: ${issue.message}`];
}
